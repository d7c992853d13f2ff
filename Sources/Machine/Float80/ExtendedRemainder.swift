/// Partial remainders, scaling and the taking apart of numbers (Intel SDM vol. 2, FPREM, FPREM1,
/// FSCALE, FXTRACT). Remainders are exact.
extension FloatControl {
    struct Remainder {
        var value: Extended
        /// The low three bits of the quotient's magnitude.
        var quotient: UInt64 = 0
        /// The dividend was only reduced: C2.
        var isPartial = false
        /// The operands were not numbers to divide.
        var isSpecial = false
    }

    /// FPREM (the quotient is truncated) or, with `nearest`, FPREM1. Where the exponents differ by
    /// D >= 64 one execution reduces them by 32 + D mod 32, within what the manual allows.
    mutating func remainder(_ a: Extended, _ b: Extended, nearest: Bool) -> Remainder {
        if let r = special(a, b) { return Remainder(value: r, isSpecial: true) }
        if a.isInfinite || b.isZero {
            return Remainder(value: invalidResult(), isSpecial: true)
        }
        noteDenormals(a, b)
        if a.isZero { return Remainder(value: a) }
        if b.isInfinite { return Remainder(value: renormalised(a)) }
        let x = Finite(a)
        let y = Finite(b)
        let difference = x.exponent &- y.exponent
        if difference < -1 || difference < 0 && !nearest {
            return Remainder(value: renormalised(a))
        }
        if difference >= 64 {
            // The quotient of these steps is truncated and thrown away.
            let steps = 32 &+ difference & 31
            let r = divide(x.significand, y.significand, bits: steps)
            return Remainder(
                value: exact(negative: x.negative, x.exponent &- steps, r.rest), isPartial: true)
        }
        return complete(x, y, difference, nearest)
    }

    /// A finite operand that is its own result; a pseudo-denormal becomes the normal number it is.
    private mutating func renormalised(_ a: Extended) -> Extended {
        exact(negative: a.isNegative, Finite(a).exponent, Finite(a).significand)
    }

    private mutating func complete(
        _ x: Finite, _ y: Finite, _ difference: Int, _ nearest: Bool
    ) -> Remainder {
        var negative = x.negative
        var quotient: UInt64 = 0
        var rest = x.significand
        // With a difference of -1 the quotient is 0 or, to nearest, 1: count in halves.
        if difference >= 0 {
            (quotient, rest) = divide(x.significand, y.significand, bits: difference)
        }
        let exponent = difference >= 0 ? y.exponent : x.exponent
        if nearest {
            // Twice the rest against the divisor, in units of the rest.
            let twice = UInt128(rest) &<< 1
            let divisor = UInt128(y.significand) &<< (difference < 0 ? 1 : 0)
            if twice > divisor || (twice == divisor && quotient & 1 != 0) {
                quotient &+= 1
                rest = UInt64(truncatingIfNeeded: divisor &- UInt128(rest))
                negative.toggle()
            }
        }
        let value =
            rest == 0
            ? Extended.zero(negative: x.negative)
            : exact(negative: negative, exponent, rest)
        return Remainder(value: value, quotient: quotient & 7)
    }

    /// `a` x 2^`bits` divided by `b`, both with bit 63 set: the quotient's low 64 bits and the
    /// rest.
    private func divide(_ a: UInt64, _ b: UInt64, bits: Int) -> (quotient: UInt64, rest: UInt64) {
        var rest = a >= b ? a &- b : a
        var quotient: UInt64 = a >= b ? 1 : 0
        if bits == 0 { return (quotient, rest) }
        // rest < b, so the quotient of rest x 2^bits has at most `bits` bits, up to 63.
        let r = b.dividingFullWidth((rest &>> UInt64(64 &- bits), rest &<< UInt64(bits)))
        quotient = (quotient &<< UInt64(bits)) &+ r.quotient
        rest = r.remainder
        return (quotient, rest)
    }

    /// `significand` / 2^63 x 2^`exponent` where that is exact: at worst a denormal.
    private mutating func exact(negative: Bool, _ exponent: Int, _ significand: UInt64) -> Extended
    {
        if significand == 0 { return .zero(negative: negative) }
        return pack(
            round(
                Unrounded(
                    negative: negative, exponent: exponent,
                    unnormal: UInt128(significand) &<< 64),
                to: .extended, wraps: true))
    }

    /// FSCALE: a x 2^(b truncated to an integer). The precision control has no say.
    mutating func scale(_ a: Extended, _ b: Extended) -> Extended {
        if let r = special(a, b) { return r }
        if b.isInfinite {
            if b.isNegative {
                if a.isInfinite { return invalidResult() }
                noteDenormal(a)
                return .zero(negative: a.isNegative)
            }
            if a.isZero { return invalidResult() }
            noteDenormal(a)
            return .infinity(negative: a.isNegative)
        }
        noteDenormals(a, b)
        if a.isInfinite || a.isZero { return a }
        var x = Unrounded(Finite(a))
        if !b.isZero {
            let y = Finite(b)
            // More than any sum of exponents can be.
            let limit = 0x1_0000
            let r = integer(y, rounding: .zero)
            let n = min(Int(truncatingIfNeeded: min(r?.magnitude ?? .max, UInt64(limit))), limit)
            x.exponent &+= y.negative ? 0 &- n : n
        }
        return pack(round(x, to: .extended, wraps: true))
    }

    /// FXTRACT: the exponent and the significand of a number, each as a number.
    mutating func extract(_ a: Extended) -> (exponent: Extended, significand: Extended) {
        if let r = special(a) { return (r, r) }
        if a.isInfinite { return (.infinity(negative: false), a) }
        if a.isZero {
            raised |= FloatControl.divideByZero
            return (.infinity(negative: true), a)
        }
        noteDenormal(a)
        let x = Finite(a)
        let sign = x.negative ? Extended.signBit : 0
        return (
            Extended(integer: Int64(x.exponent)),
            Extended(significand: x.significand, signExponent: sign | 0x3FFF)
        )
    }
}
