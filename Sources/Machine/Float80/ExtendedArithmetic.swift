/// Addition, multiplication, division and square root in the extended format (Intel SDM vol. 1,
/// 8.3.5; special cases in vol. 2, each instruction's table). Exact before the one rounding.
extension FloatControl {
    /// What comes before any arithmetic: unsupported formats and NaNs. Nil when both operands are
    /// numbers; else the result (SDM vol. 1, table 4-7: the NaN with the larger significand, an
    /// SNaN only against a number).
    mutating func special(_ a: Extended, _ b: Extended) -> Extended? {
        if a.isUnsupported || b.isUnsupported { return invalidResult() }
        if !a.isNaN && !b.isNaN { return nil }
        if a.isSignalingNaN || b.isSignalingNaN { raised |= FloatControl.invalid }
        if !b.isNaN { return a.quieted }
        if !a.isNaN { return b.quieted }
        if a.isSignalingNaN != b.isSignalingNaN { return a.isSignalingNaN ? b : a }
        let x = a.quieted
        let y = b.quieted
        if x.significand != y.significand { return x.significand > y.significand ? x : y }
        return x.isNegative ? y : x
    }

    /// The same for one operand.
    mutating func special(_ a: Extended) -> Extended? {
        if a.isUnsupported { return invalidResult() }
        if !a.isNaN { return nil }
        if a.isSignalingNaN { raised |= FloatControl.invalid }
        return a.quieted
    }

    /// Raises DE for a denormal operand.
    mutating func noteDenormals(_ a: Extended, _ b: Extended) {
        if a.isDenormal || b.isDenormal || hasDenormalSource {
            raised |= FloatControl.denormal
        }
    }

    mutating func noteDenormal(_ a: Extended) {
        if a.isDenormal || hasDenormalSource { raised |= FloatControl.denormal }
    }

    /// A zero that is the exact sum of two numbers that are not both zeros of one sign.
    var zeroOfSum: Extended { .zero(negative: rounding == .down) }

    mutating func add(_ a: Extended, _ b: Extended) -> Extended {
        if let r = special(a, b) { return r }
        if a.isInfinite || b.isInfinite {
            if a.isInfinite && b.isInfinite && a.isNegative != b.isNegative {
                return invalidResult()
            }
            noteDenormals(a, b)
            return a.isInfinite ? a : b
        }
        noteDenormals(a, b)
        if a.isZero && b.isZero {
            return a.isNegative == b.isNegative ? a : zeroOfSum
        }
        if a.isZero { return finish(Unrounded(Finite(b))) }
        if b.isZero { return finish(Unrounded(Finite(a))) }
        guard let sum = SoftFloat.sum(Finite(a), Finite(b)) else { return zeroOfSum }
        return finish(sum)
    }

    /// a - b; a NaN keeps its sign.
    mutating func subtract(_ a: Extended, _ b: Extended) -> Extended {
        add(a, b.isNaN ? b : b.negated)
    }

    mutating func multiply(_ a: Extended, _ b: Extended) -> Extended {
        if let r = special(a, b) { return r }
        let negative = a.isNegative != b.isNegative
        if a.isInfinite || b.isInfinite {
            if a.isZero || b.isZero { return invalidResult() }
            noteDenormals(a, b)
            return .infinity(negative: negative)
        }
        noteDenormals(a, b)
        if a.isZero || b.isZero { return .zero(negative: negative) }
        return finish(SoftFloat.product(Finite(a), Finite(b)))
    }

    mutating func divide(_ a: Extended, _ b: Extended) -> Extended {
        if let r = special(a, b) { return r }
        let negative = a.isNegative != b.isNegative
        if a.isInfinite {
            if b.isInfinite { return invalidResult() }
            noteDenormal(b)
            return .infinity(negative: negative)
        }
        if b.isZero {
            if a.isZero { return invalidResult() }
            raised |= FloatControl.divideByZero
            return .infinity(negative: negative)
        }
        noteDenormals(a, b)
        if a.isZero || b.isInfinite { return .zero(negative: negative) }
        return finish(SoftFloat.quotient(Finite(a), Finite(b)))
    }

    mutating func squareRoot(_ a: Extended) -> Extended {
        if let r = special(a) { return r }
        if a.isZero { return a }
        if a.isNegative { return invalidResult() }
        if a.isInfinite { return a }
        noteDenormal(a)
        return finish(SoftFloat.squareRoot(Finite(a)))
    }
}

/// Operations on numbers that are finite and not zero, exact but for the sticky bit.
enum SoftFloat {
    /// Nil for an exact zero.
    static func sum(_ x: Finite, _ y: Finite) -> Unrounded? {
        let swapped =
            x.exponent < y.exponent
            || x.exponent == y.exponent && x.significand < y.significand
        let a = swapped ? y : x
        let b = swapped ? x : y
        // One bit is left free above for the carry of a sum.
        let high = UInt128(a.significand) &<< 63
        let low = (UInt128(b.significand) &<< 63)
            .shiftedRightSticky(a.exponent &- b.exponent)
        let r = a.negative == b.negative ? high &+ low : high &- low
        if r == 0 { return nil }
        return Unrounded(negative: a.negative, exponent: a.exponent &+ 1, unnormal: r)
    }

    static func product(_ a: Finite, _ b: Finite) -> Unrounded {
        let p = a.significand.multipliedFullWidth(by: b.significand)
        return Unrounded(
            negative: a.negative != b.negative, exponent: a.exponent &+ b.exponent &+ 1,
            unnormal: UInt128(p.high) &<< 64 | UInt128(p.low))
    }

    static func quotient(_ a: Finite, _ b: Finite) -> Unrounded {
        // The dividend is scaled to make the quotient's 128 bits begin with a one.
        let isSmaller = a.significand < b.significand
        let high = isSmaller ? a.significand : a.significand &>> 1
        let low = isSmaller ? 0 : a.significand &<< 63
        let first = b.significand.dividingFullWidth((high, low))
        let second = b.significand.dividingFullWidth((first.remainder, 0))
        let sticky: UInt64 = second.remainder == 0 ? 0 : 1
        return Unrounded(
            negative: a.negative != b.negative,
            exponent: a.exponent &- b.exponent &- (isSmaller ? 1 : 0),
            significand: UInt128(first.quotient) &<< 64 | UInt128(second.quotient | sticky))
    }

    /// Of a positive number.
    static func squareRoot(_ a: Finite) -> Unrounded {
        let isOdd = a.exponent & 1 != 0
        let (root, rest) = integerRoot(UInt128(a.significand) &<< (isOdd ? 64 : 63))
        // Half a unit more is root^2 + root + 1/4: the rest says on which side of it the root is.
        let below: UInt128 = rest > UInt128(root) ? 1 &<< 63 | 1 : rest == 0 ? 0 : 1
        return Unrounded(
            negative: false, exponent: (a.exponent &- (isOdd ? 1 : 0)) / 2,
            significand: UInt128(root) &<< 64 | below)
    }

    /// The integral square root of a number of 127 or 128 bits, and what its square leaves.
    private static func integerRoot(_ n: UInt128) -> (root: UInt64, rest: UInt128) {
        var root: UInt128 = 0
        var rest = n
        var bit: UInt128 = 1 &<< 126
        while bit != 0 {
            let trial = root &+ bit
            root &>>= 1
            if rest >= trial {
                rest &-= trial
                root &+= bit
            }
            bit &>>= 2
        }
        return (UInt64(truncatingIfNeeded: root), rest)
    }
}
