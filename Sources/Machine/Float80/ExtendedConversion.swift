/// Conversions between the extended format and singles, doubles, integers and packed decimals
/// (Intel SDM vol. 1, 4.2, 4.7 and 8.3.2).
extension Extended {
    /// A single, exactly; a signalling NaN still signals.
    init(single bits: UInt32) {
        self.init(
            negative: bits >> 31 != 0, exponent: Int(bits >> 23 & 0xFF), greatest: 0xFF, bias: 127,
            fraction: UInt64(bits & 0x7F_FFFF) &<< 40)
    }

    /// A double, exactly.
    init(double bits: UInt64) {
        self.init(
            negative: bits >> 63 != 0, exponent: Int(bits >> 52 & 0x7FF), greatest: 0x7FF,
            bias: 1023, fraction: (bits & 0xF_FFFF_FFFF_FFFF) &<< 11)
    }

    /// From fields; the fraction's top bit is at 62.
    private init(negative: Bool, exponent: Int, greatest: Int, bias: Int, fraction: UInt64) {
        let sign = negative ? Extended.signBit : 0
        if exponent == greatest {
            self.init(significand: fraction | Extended.integerBit, signExponent: sign | 0x7FFF)
        } else if exponent != 0 {
            let moved = UInt16(truncatingIfNeeded: exponent &- bias &+ Extended.bias)
            self.init(significand: fraction | Extended.integerBit, signExponent: sign | moved)
        } else if fraction == 0 {
            self.init(significand: 0, signExponent: sign)
        } else {
            let shift = fraction.leadingZeroBitCount
            let moved = UInt16(truncatingIfNeeded: 1 &- bias &+ Extended.bias &- shift)
            self.init(significand: fraction &<< UInt64(shift), signExponent: sign | moved)
        }
    }

    /// An integer, exactly.
    init(integer v: Int64) {
        self.init(negative: v < 0, magnitude: v.magnitude)
    }

    init(negative: Bool, magnitude: UInt64) {
        if magnitude == 0 {
            self = .zero(negative: negative)
            return
        }
        let shift = magnitude.leadingZeroBitCount
        let exponent = UInt16(truncatingIfNeeded: Extended.bias &+ 63 &- shift)
        self.init(
            significand: magnitude &<< UInt64(shift),
            signExponent: exponent | (negative ? Extended.signBit : 0))
    }

    /// A packed decimal of 18 digits and a sign: `low` holds 16 digits, `high` two and the sign in
    /// bit 15. A digit above 9 counts as what its bits say (the manual leaves it undefined).
    init(decimalLow low: UInt64, high: UInt64) {
        var magnitude: UInt64 = 0
        for n in 0..<18 {
            let digit = n < 2 ? high &>> UInt64(4 &- n &* 4) : low &>> UInt64(68 &- n &* 4)
            magnitude = magnitude &* 10 &+ (digit & 0xF)
        }
        self.init(negative: high & 0x8000 != 0, magnitude: magnitude)
    }
}

extension FloatControl {
    /// To a single (`format` .single) or double (.double), as stored in memory. Check `unmasked`
    /// before storing: IE, OE and UE leave memory alone.
    mutating func narrow(_ v: Extended, to format: FloatFormat) -> UInt64 {
        let bits = format == .single ? 32 : 64
        let fractionBits = format.precision &- 1
        let sign = UInt64(v.isNegative ? 1 : 0) &<< UInt64(bits &- 1)
        let infinity =
            ((UInt64(1) &<< UInt64(bits &- 1 &- fractionBits)) &- 1)
            &<< UInt64(fractionBits)
        if let r = special(v) {
            let payload = (r.significand & ~Extended.integerBit) &>> UInt64(63 &- fractionBits)
            let negative = UInt64(r.isNegative ? 1 : 0) &<< UInt64(bits &- 1)
            return negative | infinity | payload
        }
        if v.isZero { return sign }
        if v.isInfinite { return sign | infinity }
        return FloatControl.bits(round(Unrounded(Finite(v)), to: format), format)
    }

    /// A number's magnitude rounded to an integer; nil when it needs more than 64 bits. Raises
    /// nothing: `inexact` and `up` tell what was rounded.
    func integer(
        _ v: Finite, rounding mode: Rounding
    ) -> (magnitude: UInt64, inexact: Bool, up: Bool)? {
        if v.exponent >= 64 { return nil }
        let wide = (UInt128(v.significand) &<< 64).shiftedRightSticky(63 &- v.exponent)
        let kept = UInt64(truncatingIfNeeded: wide &>> 64)
        let rest = UInt64(truncatingIfNeeded: wide)
        let up: Bool
        switch mode {
        case .nearest: up = rest > 1 << 63 || (rest == 1 << 63 && kept & 1 != 0)
        case .down: up = v.negative && rest != 0
        case .up: up = !v.negative && rest != 0
        case .zero: up = false
        }
        if up && kept == .max { return nil }
        return (kept &+ (up ? 1 : 0), rest != 0, up)
    }

    /// To a signed integer of `bits` bits. IE for what does not fit; the caller stores the least
    /// integer then.
    mutating func toInteger(_ v: Extended, bits: Int, rounding mode: Rounding) -> UInt64 {
        let least = UInt64(1) &<< UInt64(bits &- 1)
        if v.isZero { return 0 }
        guard !v.isNaN, !v.isInfinite, !v.isUnsupported,
            let r = integer(Finite(v), rounding: mode),
            r.magnitude < least || (v.isNegative && r.magnitude == least)
        else {
            raised |= FloatControl.invalid
            return least
        }
        if r.inexact { raised |= FloatControl.precision }
        roundedUp = r.up
        let value = v.isNegative ? 0 &- r.magnitude : r.magnitude
        return bits == 64 ? value : value & ((1 &<< UInt64(bits)) &- 1)
    }

    /// The packed-decimal indefinite's high half; the low one is its C in the top bits.
    static let decimalIndefinite: (low: UInt64, high: UInt64) = (0xC000_0000_0000_0000, 0xFFFF)

    /// To a packed decimal: 16 digits low, two and the sign high. IE for more than 18 digits.
    mutating func toDecimal(_ v: Extended) -> (low: UInt64, high: UInt64) {
        let sign: UInt64 = v.isNegative ? 0x8000 : 0
        if v.isZero { return (0, sign) }
        guard !v.isNaN, !v.isInfinite, !v.isUnsupported,
            let r = integer(Finite(v), rounding: rounding), r.magnitude < 1_000_000_000_000_000_000
        else {
            raised |= FloatControl.invalid
            return FloatControl.decimalIndefinite
        }
        if r.inexact { raised |= FloatControl.precision }
        roundedUp = r.up
        var rest = r.magnitude
        var low: UInt64 = 0
        for n in 0..<16 {
            low |= (rest % 10) &<< UInt64(n &* 4)
            rest /= 10
        }
        return (low, sign | (rest / 10) &<< 4 | rest % 10)
    }

    /// FRNDINT: to an integer in the same format.
    mutating func roundToInteger(_ v: Extended) -> Extended {
        if let r = special(v) { return r }
        if v.isInfinite || v.isZero { return v }
        noteDenormal(v)
        let x = Finite(v)
        if x.exponent >= 63 { return v }
        guard let r = integer(x, rounding: rounding) else { return v }
        if r.inexact { raised |= FloatControl.precision }
        roundedUp = r.up
        return Extended(negative: x.negative, magnitude: r.magnitude)
    }
}
