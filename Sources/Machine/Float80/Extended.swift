/// A number in the 80-bit double extended-precision format, as its bits (Intel SDM vol. 1, 4.2.2
/// and table 4-3): any of the 2^80 patterns, the unsupported ones included.
struct Extended: Equatable {
    /// The significand with its explicit integer bit at 63.
    var significand: UInt64
    /// The sign in bit 15 and the biased exponent below it.
    var signExponent: UInt16

    static let bias = 16383
    static let signBit: UInt16 = 0x8000
    static let integerBit: UInt64 = 1 << 63
    static let quietBit: UInt64 = 1 << 62

    /// The QNaN that stands for an invalid operation's result.
    static let indefinite = Extended(significand: 3 << 62, signExponent: 0xFFFF)
    static let one = Extended(significand: integerBit, signExponent: 0x3FFF)

    static func zero(negative: Bool) -> Extended {
        Extended(significand: 0, signExponent: negative ? signBit : 0)
    }

    static func infinity(negative: Bool) -> Extended {
        Extended(significand: integerBit, signExponent: negative ? 0xFFFF : 0x7FFF)
    }

    var isNegative: Bool { signExponent & Extended.signBit != 0 }
    var biasedExponent: Int { Int(signExponent & 0x7FFF) }
    var isZero: Bool { biasedExponent == 0 && significand == 0 }
    var isInfinite: Bool { biasedExponent == 0x7FFF && significand == Extended.integerBit }
    var isNaN: Bool { biasedExponent == 0x7FFF && significand > Extended.integerBit }
    var isSignalingNaN: Bool { isNaN && significand & Extended.quietBit == 0 }
    /// Denormals and pseudo-denormals.
    var isDenormal: Bool { biasedExponent == 0 && significand != 0 }
    /// Pseudo-NaNs, pseudo-infinities and unnormals: invalid as operands (SDM vol. 1, table 8-3).
    var isUnsupported: Bool { biasedExponent != 0 && significand & Extended.integerBit == 0 }

    var magnitude: Extended {
        Extended(significand: significand, signExponent: signExponent & ~Extended.signBit)
    }
    var negated: Extended {
        Extended(significand: significand, signExponent: signExponent ^ Extended.signBit)
    }
    /// A NaN made quiet.
    var quieted: Extended {
        Extended(significand: significand | Extended.quietBit, signExponent: signExponent)
    }
}

/// A finite number that is not zero: (-1)^negative x significand / 2^63 x 2^exponent, with bit 63
/// of the significand set.
struct Finite: Equatable {
    var negative: Bool
    var exponent: Int
    var significand: UInt64

    init(negative: Bool, exponent: Int, significand: UInt64) {
        self.negative = negative
        self.exponent = exponent
        self.significand = significand
    }

    /// From a finite, supported operand that is not zero.
    init(_ v: Extended) {
        let shift = v.significand.leadingZeroBitCount
        negative = v.isNegative
        significand = v.significand &<< UInt64(shift)
        exponent = max(v.biasedExponent, 1) &- Extended.bias &- shift
    }

    /// From an integer that is not zero.
    init(negative: Bool, magnitude: UInt64) {
        let shift = magnitude.leadingZeroBitCount
        self.init(
            negative: negative, exponent: 63 &- shift, significand: magnitude &<< UInt64(shift))
    }
}

/// The exact value of a result before rounding, or as much of it as rounding can tell apart:
/// (-1)^negative x significand / 2^127 x 2^exponent, with bit 127 set. Bit 0 also stands for all
/// bits below it.
struct Unrounded {
    var negative: Bool
    var exponent: Int
    var significand: UInt128

    init(negative: Bool, exponent: Int, significand: UInt128) {
        self.negative = negative
        self.exponent = exponent
        self.significand = significand
    }

    /// From a significand that is not zero and need not be normal: its bit 127 has the weight
    /// 2^`exponent`.
    init(negative: Bool, exponent: Int, unnormal: UInt128) {
        let shift = unnormal.leadingZeroBitCount
        self.init(
            negative: negative, exponent: exponent &- shift,
            significand: unnormal &<< UInt128(shift))
    }

    init(_ v: Finite) {
        self.init(
            negative: v.negative, exponent: v.exponent, significand: UInt128(v.significand) &<< 64)
    }
}

extension UInt128 {
    /// Shifted right by any count; bits shifted out are or-ed into bit 0.
    func shiftedRightSticky(_ count: Int) -> UInt128 {
        if count <= 0 { return self }
        if count > 127 { return self == 0 ? 0 : 1 }
        let lost = self & ((1 &<< UInt128(count)) &- 1)
        return (self &>> UInt128(count)) | (lost == 0 ? 0 : 1)
    }
}
