import X86

@testable import Machine

/// x87 state for the native comparison: random stacks, tags, control and status words, and numbers
/// near all the edges of the extended format and of those it is converted to.
extension NativeGenerator {
    /// The mnemonics of the escape opcodes, and FWAIT.
    static let x87: Set<Mnemonic> = {
        var found: Set<Mnemonic> = [.fwait]
        for row in 0..<OpcodeTable.rowCount {
            let source = OpcodeTable.source(ofRow: row)
            if source.hasPrefix("D8 ") || source.hasPrefix("D9 ") || source.hasPrefix("DA ")
                || source.hasPrefix("DB ") || source.hasPrefix("DC ") || source.hasPrefix("DD ")
                || source.hasPrefix("DE ") || source.hasPrefix("DF ")
            {
                found.insert(OpcodeTable.mnemonic(ofRow: row))
            }
        }
        return found
    }()

    mutating func fillX87(_ c: inout NativeCase) {
        let isPlain = subject == .transcendental
        var v = NativeVectors()
        v.control = 0x40 | UInt16(random.below(16)) << 8
        v.control |= random.chance(isPlain ? 90 : 60) ? 0x3F : UInt16(random.below(64))
        v.status = UInt16(random.below(8)) << 11 | UInt16(random.next() & 0x4700)
        if random.chance(30) { v.status |= UInt16(random.below(64)) }
        if random.chance(10) { v.status |= 0x41 }
        if v.status & ~v.control & 0x3F != 0 {
            if random.chance(isPlain ? 0 : 20) {
                v.status |= 0x8080
            } else {
                v.status &= v.control | ~0x3F
            }
        }
        v.tags = stackTags(v.status)
        for n in 0..<8 { putExtended(&v, n, isPlain) }
        v.opcode = UInt16(random.below(2048))
        v.instructionPointer = random.next() >> 17
        v.dataPointer = random.next() >> 17
        c.vectors = v
    }

    /// Mostly a stack with room above and something on it.
    private mutating func stackTags(_ status: UInt16) -> UInt16 {
        let top = UInt16(status >> 11) & 7
        switch random.below(10) {
        case 0: return 0xFF
        case 1: return 0
        case 2, 3: return UInt16(random.below(256))
        default:
            let depth = 1 + UInt16(random.below(7))
            let bits = (UInt16(1) << depth) - 1
            let rotated = bits << top
            return (rotated | rotated >> 8) & 0xFF
        }
    }

    private mutating func putExtended(_ v: inout NativeVectors, _ n: Int, _ isPlain: Bool) {
        let number = isPlain && random.chance(92) ? argument() : extended()
        v.x87[2 * n] = number.significand
        v.x87[2 * n + 1] = UInt64(number.signExponent)
    }

    /// An operand in the range of the transcendental instructions.
    private mutating func argument() -> Extended {
        let sign: UInt16 = random.chance(50) ? 0x8000 : 0
        let exponent: Int
        switch random.below(10) {
        case 0: exponent = random.below(0x3FFF + 66)
        case 1: exponent = 0x3FFF + random.below(66)
        case 2: exponent = 0x3FFF - 80 + random.below(80)
        default: exponent = 0x3FFF - 12 + random.below(14)
        }
        return Extended(
            significand: significand() | 1 << 63, signExponent: sign | UInt16(exponent))
    }

    private mutating func extended() -> Extended {
        let sign: UInt16 = random.chance(50) ? 0x8000 : 0
        switch random.below(20) {
        case 0: return Extended(significand: 0, signExponent: sign)
        case 1: return Extended(significand: significand() & ~(1 << 63), signExponent: sign)
        case 2: return Extended(significand: significand() | 1 << 63, signExponent: sign)
        case 3: return Extended(significand: 1 << 63, signExponent: sign | 0x7FFF)
        case 4: return Extended(significand: significand() | 1 << 63, signExponent: sign | 0x7FFF)
        case 5:
            return Extended(
                significand: significand(),
                signExponent: UInt16(truncatingIfNeeded: random.next()))
        case 6: return Extended(integer: Int64(bitPattern: value()))
        case 7: return Extended(integer: Int64(random.below(2000)) - 1000)
        case 8: return Extended(double: double())
        default: break
        }
        let edges = [
            1, 2, 0x7FFE, 0x7FFD, 0x3FFF, 0x4000, 0x3FFE, 0x3FFF - 1022, 0x3FFF - 1023,
            0x3FFF - 126,
            0x3FFF - 127, 0x3FFF + 1023, 0x3FFF + 127, 0x3FFF + 62, 0x3FFF + 63, 0x3FFF + 30,
            0x3FFF + 15, 0x3FFF + 59, 0x3FFF - 1022 - 52, 0x3FFF - 126 - 23,
        ]
        var exponent = edges[random.below(edges.count)] - 2 + random.below(5)
        if random.chance(45) { exponent = 0x3FFF - 40 + random.below(80) }
        if random.chance(10) { exponent = random.below(0x7FFF) }
        exponent = min(max(exponent, 1), 0x7FFE)
        return Extended(
            significand: significand() | 1 << 63, signExponent: sign | UInt16(exponent))
    }

    /// Many near what rounding to 24 or 53 bits decides on.
    private mutating func significand() -> UInt64 {
        let whole = random.next()
        switch random.below(8) {
        case 0: return 0
        case 1: return .max
        case 2: return whole & ~0xFF_FFFF_FFFF
        case 3: return whole & ~0x7FF
        case 4: return whole & ~0xFF_FFFF_FFFF | 1 << 39 | UInt64(random.below(3))
        case 5: return whole & ~0x7FF | 1 << 10 | UInt64(random.below(3))
        case 6: return 1 << UInt64(random.below(64))
        default: return whole
        }
    }
}
