import Testing

@testable import Machine

/// The transcendental operations against values computed with mpmath 1.3.0 at 600 bits (sines and
/// cosines of arguments reduced by the manual's 66-bit pi) and rounded to nearest: a table, so that
/// every host gives the same bits.
@Suite struct TranscendentalTests {
    enum Operation {
        case sine, cosine, tangent, power, logarithm, logarithmOfNext, arcTangent
    }

    struct Row: Sendable {
        var operation: Operation
        var x: Extended
        var y: Extended
        var result: Extended

        init(
            _ operation: Operation, _ xSign: UInt16, _ x: UInt64, _ ySign: UInt16, _ y: UInt64,
            _ sign: UInt16, _ result: UInt64
        ) {
            self.operation = operation
            self.x = Extended(significand: x, signExponent: xSign)
            self.y = Extended(significand: y, signExponent: ySign)
            self.result = Extended(significand: result, signExponent: sign)
        }
    }

    @Test(arguments: rows)
    func isCorrectlyRounded(_ row: Row) {
        var c = FloatControl(rounding: .nearest, masks: 0x3F)
        let found: Extended?
        switch row.operation {
        case .sine: found = c.sine(row.x)
        case .cosine: found = c.cosine(row.x)
        case .tangent: found = c.tangent(row.x)
        case .power: found = c.powerOf2Less1(row.x)
        case .logarithm: found = c.multiplyByLogarithm(row.y, row.x)
        case .logarithmOfNext: found = c.multiplyByLogarithmOfNext(row.y, row.x)
        case .arcTangent: found = c.arcTangent(row.y, row.x)
        }
        #expect(found == row.result)
        #expect(c.raised == FloatControl.precision)
    }

    /// Rounding down and up enclose the result, one unit apart.
    @Test(arguments: rows)
    func isEnclosed(_ row: Row) {
        guard row.operation == .arcTangent else { return }
        var down = FloatControl(rounding: .down, masks: 0x3F)
        var up = FloatControl(rounding: .up, masks: 0x3F)
        let low = down.arcTangent(row.y, row.x)
        let high = up.arcTangent(row.y, row.x)
        #expect(row.result == low || row.result == high)
        #expect(high.significand &- low.significand == (low.isNegative ? ~0 : 1))
    }

    static let rows: [Row] = [
        .init(
            .sine, 0xC012, 0xE5C8E71B5BC8FBBC, 0x0000, 0x0000000000000000, 0xBFFE,
            0xA982D42BB6BEC5BF),
        .init(
            .cosine, 0xC02E, 0xE3529C3B77330BDB, 0x0000, 0x0000000000000000, 0xBFFE,
            0xC7D46F33DBBFC3F8),
        .init(
            .tangent, 0x3FF0, 0x9413B446E6A16A3B, 0x0000, 0x0000000000000000, 0x3FF0,
            0x9413B447EEDC2CAA),
        .init(
            .power, 0xBFDE, 0x9F8FB2D4DE527100, 0x0000, 0x0000000000000000, 0xBFDD,
            0xDD32EF2630345DB3),
        .init(
            .logarithm, 0x3FFC, 0x8D0D7F438B33E968, 0xC008, 0x9BBDCD51BB2EDB20, 0x4009,
            0xDEB402360DADDDDC),
        .init(
            .logarithmOfNext, 0xBFDD, 0xEF08E64EEA959C21, 0xC002, 0x89350F24CC11D357, 0x3FE1,
            0xB8D48298EE3D0AC0),
        .init(
            .arcTangent, 0x3FFB, 0x9037AE3371E0C07E, 0xBFFB, 0x80AE19D9DF1461AA, 0xBFFE,
            0xBA8096387A464AD5),
        .init(
            .sine, 0x3FF8, 0xFDBFF99BF5CAE3BF, 0x0000, 0x0000000000000000, 0x3FF8,
            0xFDBD60CB2647A5AE),
        .init(
            .cosine, 0x4000, 0xA825BA5D4A0FE75D, 0x0000, 0x0000000000000000, 0xBFFE,
            0xDEE268F3CA379250),
        .init(
            .tangent, 0x3FED, 0xD017ED50AD864C44, 0x0000, 0x0000000000000000, 0x3FED,
            0xD017ED50B8FB94F8),
        .init(
            .power, 0xBFE4, 0xD866F48BF7F35634, 0x0000, 0x0000000000000000, 0xBFE4,
            0x95FFA1256CFB82F7),
        .init(
            .logarithm, 0x3FCD, 0xFB88474BF770C226, 0xC002, 0xB51BA9C85C76F18A, 0x4008,
            0x8ABB9485F2AFEE98),
        .init(
            .logarithmOfNext, 0x3FCD, 0x88567F8043892DFC, 0xC000, 0xCB06AD479A656AAF, 0xBFCF,
            0x9BFE02743B58BCE8),
        .init(
            .arcTangent, 0x3FF9, 0xAB40345CB52A43AB, 0xBFFA, 0xA72D1D13D18A669A, 0xBFFF,
            0x8C7925E3B2A65896),
        .init(
            .sine, 0x4009, 0xBD98906F2F4D4C86, 0x0000, 0x0000000000000000, 0x3FFE,
            0x95151B74DE8DD0BF),
        .init(
            .cosine, 0x4027, 0xA0CA90FF0E979CF3, 0x0000, 0x0000000000000000, 0x3FFE,
            0x9E94EF3E47AE26B0),
        .init(
            .tangent, 0x3FE2, 0xEC250E9D5B8E8FB2, 0x0000, 0x0000000000000000, 0x3FE2,
            0xEC250E9D5B8E8FF5),
        .init(
            .power, 0xBFF0, 0xB59C2184C9A937A6, 0x0000, 0x0000000000000000, 0xBFEF,
            0xFBC2CFD047B1768D),
        .init(
            .logarithm, 0x3FF8, 0xCA0CE7A660597BDC, 0xBFF6, 0x97285EA7B52FA53C, 0x3FF8,
            0xEFA390D90CE7B001),
        .init(
            .logarithmOfNext, 0x3FEA, 0x8F3C10CB324F3E81, 0x3FFD, 0xBB298B9BF129C8C6, 0x3FE9,
            0x9713EEDB9DC82F48),
        .init(
            .arcTangent, 0x3FFE, 0xC3296DE8E488B6C8, 0x3FFD, 0xCB7D5DBD1BA95A54, 0x3FFD,
            0xF60D4CB4965EA0E1),
        .init(
            .sine, 0x401A, 0xEE0A76AB5E0730B3, 0x0000, 0x0000000000000000, 0xBFFD,
            0xCDA7904BC13B7CB9),
        .init(
            .cosine, 0xC010, 0xFD3A4B49F21FF5EB, 0x0000, 0x0000000000000000, 0xBFFD,
            0x9C67E6278AA2D475),
        .init(
            .tangent, 0xBFE6, 0xCE2F98CF834C1B69, 0x0000, 0x0000000000000000, 0xBFE6,
            0xCE2F98CF834C47FE),
        .init(
            .power, 0x3FEE, 0xA3495D0157079670, 0x0000, 0x0000000000000000, 0x3FED,
            0xE25D30901DA32827),
        .init(
            .logarithm, 0x404E, 0x8BC90F368B8E8F4E, 0x3FFF, 0x96B7977E4E613A36, 0x4005,
            0xBA573A3AD80717EF),
        .init(
            .logarithmOfNext, 0xBFF6, 0xDC4E272B261C374B, 0x3FFF, 0xDC2D2E692959FEA3, 0xBFF8,
            0x88E8A85058D4DF08),
        .init(
            .arcTangent, 0xBFF9, 0xC44ABC3F99C4258B, 0xBFFF, 0xCC06E37FBD953DC2, 0xBFFF,
            0xCAFC67FE9D4228EF),
        .init(
            .sine, 0x4001, 0xD352DE4C74A677C6, 0x0000, 0x0000000000000000, 0x3FFD,
            0xA163852671CDD688),
        .init(
            .cosine, 0xC020, 0xF541C2A5FAA30FAC, 0x0000, 0x0000000000000000, 0xBFFD,
            0xC5363C2311D37D5B),
        .init(
            .tangent, 0xC009, 0xAAC6956D7E5A3930, 0x0000, 0x0000000000000000, 0x3FFD,
            0xD0B46C569ADD8E0A),
        .init(
            .power, 0xBFE4, 0xC832B647BB4E5C11, 0x0000, 0x0000000000000000, 0xBFE4,
            0x8AC44951B8CDDC27),
        .init(
            .logarithm, 0x3FBC, 0xF2C061AFA161D909, 0xC003, 0xAFBE62EC6F3F0240, 0x4009,
            0xB5723A86638AAF8B),
        .init(
            .logarithmOfNext, 0xBFCC, 0xA5BC6E1E6BAF71D7, 0xBFFA, 0xCF695506FFD21F09, 0x3FC8,
            0xC1B971C342F00AD7),
        .init(
            .arcTangent, 0x3FFB, 0xFAE5957E741B324D, 0x4000, 0xBD5143565154EF5F, 0x3FFF,
            0xC3C38D571F6A267A),
        .init(
            .sine, 0xBFFC, 0xF37029FB675EBE3B, 0x0000, 0x0000000000000000, 0xBFFC,
            0xF126CC56D2BB54FE),
        .init(
            .cosine, 0xBFFD, 0xFE837CFBD2723248, 0x0000, 0x0000000000000000, 0x3FFE,
            0xE10438C98509F1BA),
        .init(
            .tangent, 0x4003, 0xF7F459DAA080C6A5, 0x0000, 0x0000000000000000, 0xBFFD,
            0xE5A3298536B7D578),
        .init(
            .power, 0x3FF6, 0x8B68DAD62E1C5D3A, 0x0000, 0x0000000000000000, 0x3FF5,
            0xC167C04FF83D7E6A),
        .init(
            .logarithm, 0x4018, 0xC1F1619445B61DF2, 0x4007, 0x8813F2E95C7FE058, 0x400B,
            0xD9B86758CBDC5033),
        .init(
            .logarithmOfNext, 0x3FF5, 0xD8E88BDB5B0F13B0, 0x4008, 0xA72125C9C277AF32, 0x3FFF,
            0xCC210B585C6A2C14),
        .init(
            .arcTangent, 0x3FFE, 0xA3F2F5C6AB163406, 0xC000, 0xD86EDA45FB1FF91A, 0xBFFF,
            0xB11B0037640B5E8E),
    ]
}
