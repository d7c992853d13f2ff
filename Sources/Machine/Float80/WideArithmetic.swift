/// Arithmetic on numbers with 128 bits of significand, for the transcendental instructions: each
/// operation errs by at most two units of the last bit, about 2^-126 of its result. The operands
/// are not zero.
extension Unrounded {
    /// The high half of a product.
    @inline(__always)
    static func high(_ a: UInt128, _ b: UInt128) -> UInt128 {
        let a0 = UInt64(truncatingIfNeeded: a)
        let a1 = UInt64(truncatingIfNeeded: a &>> 64)
        let b0 = UInt64(truncatingIfNeeded: b)
        let b1 = UInt64(truncatingIfNeeded: b &>> 64)
        let x = a1.multipliedFullWidth(by: b0)
        let y = a0.multipliedFullWidth(by: b1)
        let z = a1.multipliedFullWidth(by: b1)
        let low = a0.multipliedFullWidth(by: b0)
        let middle = UInt128(x.low) &+ UInt128(y.low) &+ UInt128(low.high)
        return (UInt128(z.high) &<< 64 | UInt128(z.low)) &+ UInt128(x.high) &+ UInt128(y.high)
            &+ (middle &>> 64)
    }

    func times(_ b: Unrounded) -> Unrounded {
        Unrounded(
            negative: negative != b.negative, exponent: exponent &+ b.exponent &+ 1,
            unnormal: Unrounded.high(significand, b.significand))
    }

    func over(_ b: Unrounded) -> Unrounded {
        let isSmaller = significand < b.significand
        let high = isSmaller ? significand : significand &>> 1
        let low = isSmaller ? 0 : significand &<< 127
        return Unrounded(
            negative: negative != b.negative,
            exponent: exponent &- b.exponent &- (isSmaller ? 1 : 0),
            significand: b.significand.dividingFullWidth((high, low)).quotient)
    }

    /// The sum; nil when it is zero.
    func plus(_ y: Unrounded) -> Unrounded? {
        let swapped =
            exponent < y.exponent || exponent == y.exponent && significand < y.significand
        let a = swapped ? y : self
        let b = swapped ? self : y
        if a.negative != b.negative && a.exponent &- b.exponent < 2 {
            // Subtracted without losing a bit, as the leading bits may vanish.
            let shift = UInt128(a.exponent &- b.exponent)
            let r = a.significand &- (b.significand &>> shift)
            if r == 0 { return nil }
            return Unrounded(negative: a.negative, exponent: a.exponent, unnormal: r)
        }
        let distance = min(a.exponent &- b.exponent, 127)
        let high = a.significand &>> 1
        let low = (b.significand &>> 1) &>> UInt128(distance)
        let r = a.negative == b.negative ? high &+ low : high &- low
        return Unrounded(negative: a.negative, exponent: a.exponent &+ 1, unnormal: r)
    }

    var negated: Unrounded {
        Unrounded(negative: !negative, exponent: exponent, significand: significand)
    }
    var magnitude: Unrounded {
        Unrounded(negative: false, exponent: exponent, significand: significand)
    }

    /// The magnitude, below 1, in units of 2^-128.
    var fraction: UInt128 {
        let shift = -1 &- exponent
        return shift > 127 ? 0 : significand &>> UInt128(shift)
    }

    /// A number that is not known exactly: whatever its last bit, rounding must see a rest.
    var inexact: Unrounded {
        Unrounded(negative: negative, exponent: exponent, significand: significand | 1)
    }

    /// A little less than, or a little more than, an exact number of at most 127 bits.
    func nudged(outwards: Bool) -> Unrounded {
        if outwards { return inexact }
        return Unrounded(
            negative: negative, exponent: exponent &+ 1, unnormal: (significand &>> 1) &- 1)
    }
}
