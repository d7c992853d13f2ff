/// Logarithms and powers of two: FYL2X, FYL2XP1 and F2XM1 (Intel SDM vol. 2). With 128-bit
/// arithmetic throughout, results err by less than 2^-50 units in the last place before they are
/// rounded as RC says; the manual allows one unit (SDM vol. 1, 8.3.10). Precision control has no
/// say.
extension FloatControl {
    /// y x log2(x).
    mutating func multiplyByLogarithm(_ y: Extended, _ x: Extended) -> Extended {
        if let r = special(y, x) { return r }
        if x.isNegative && !x.isZero { return invalidResult() }
        let towardsMinus = x.isZero || (!x.isInfinite && x.biasedExponent < Extended.bias)
        if x.isZero || x.isInfinite {
            if y.isZero { return invalidResult() }
            if x.isZero && !y.isInfinite {
                raised |= FloatControl.divideByZero
                return .infinity(negative: !y.isNegative)
            }
            noteDenormal(y)
            return .infinity(negative: y.isNegative != towardsMinus)
        }
        if y.isInfinite {
            if x == .one { return invalidResult() }
            noteDenormal(x)
            return .infinity(negative: y.isNegative != towardsMinus)
        }
        noteDenormals(x, y)
        if y.isZero { return .zero(negative: y.isNegative != towardsMinus) }
        guard let logarithm = Logarithm.base2(Unrounded(Finite(x))) else {
            return .zero(negative: y.isNegative)
        }
        return finishProduct(logarithm, y)
    }

    /// y x log2(x + 1). Where x <= -1 the manual leaves the result undefined: here it is x, inexact
    /// (measured).
    mutating func multiplyByLogarithmOfNext(_ y: Extended, _ x: Extended) -> Extended {
        if let r = special(y, x) { return r }
        if x.isInfinite && x.isNegative { return invalidResult() }
        let negative = x.isNegative != y.isNegative
        if x.isInfinite || y.isInfinite {
            if x.isZero || y.isZero { return invalidResult() }
            noteDenormals(x, y)
            return .infinity(negative: negative)
        }
        noteDenormals(x, y)
        if x.isZero || y.isZero { return .zero(negative: negative) }
        if x.isNegative && x.biasedExponent >= Extended.bias {
            raised |= FloatControl.precision
            return x
        }
        return finishProduct(Logarithm.base2OfNext(Unrounded(Finite(x))), y)
    }

    /// Always inexact, even where x is a power of two (measured).
    private mutating func finishProduct(_ logarithm: Unrounded, _ y: Extended) -> Extended {
        let r = finishExtended(logarithm.times(Unrounded(Finite(y))))
        raised |= FloatControl.precision | (r.isDenormal ? FloatControl.underflow : 0)
        return r
    }

    /// 2^x - 1 for -1 <= x <= 1. The manual leaves the result for other numbers undefined: here
    /// they stay as they are. Always inexact (measured).
    mutating func powerOf2Less1(_ x: Extended) -> Extended {
        if let r = special(x) { return r }
        if x.isInfinite { return x.isNegative ? Extended.one.negated : x }
        if x.isZero { return x }
        noteDenormal(x)
        if x.biasedExponent >= Extended.bias {
            raised |= FloatControl.precision
            if x == Extended.one.negated {
                return Extended(significand: Extended.integerBit, signExponent: 0xBFFE)
            }
            return x
        }
        return finishExtended(Logarithm.powerOf2Less1(Unrounded(Finite(x))).inexact)
    }

    /// Rounds a transcendental result: always to the extended format.
    mutating func finishExtended(_ v: Unrounded) -> Extended {
        pack(round(v, to: .extended, wraps: true))
    }
}

enum Logarithm {
    /// log2 of a positive number; nil for 1.
    static func base2(_ x: Unrounded) -> Unrounded? {
        var power = x.exponent
        var numerator: UInt128
        var scale = 0
        // The significand is brought between the root of 1/2 and the root of 2.
        let isUpper = x.significand > WideConstant.rootOf2
        if isUpper {
            power &+= 1
            numerator = 0 &- x.significand
            scale = -1
        } else {
            numerator = x.significand &- (1 &<< 127)
        }
        var sum: Unrounded?
        if power != 0 {
            sum = Unrounded(
                Finite(negative: power < 0, magnitude: UInt64(power.magnitude)))
        }
        if numerator == 0 { return sum }
        let n = Unrounded(negative: isUpper, exponent: scale, unnormal: numerator)
        let m = Unrounded(negative: false, exponent: scale, significand: x.significand)
        let part = ofQuotient(n, m.plus(WideConstant.one) ?? WideConstant.one)
        guard let whole = sum else { return part }
        return whole.plus(part)
    }

    /// log2(1 + x) for x > -1 that is not zero.
    static func base2OfNext(_ x: Unrounded) -> Unrounded {
        if x.exponent < -2 {
            let two = Unrounded(negative: false, exponent: 1, significand: 1 &<< 127)
            return ofQuotient(x, two.plus(x) ?? two)
        }
        // 1 + x cannot be 0 or 1 here.
        return x.plus(WideConstant.one).flatMap(base2) ?? x
    }

    /// 2 / ln 2 x artanh(n / d), for quotients up to 0.172 in magnitude: what log2((d + n) / (d -
    /// n)) is.
    private static func ofQuotient(_ n: Unrounded, _ d: Unrounded) -> Unrounded {
        let s = n.over(d)
        let z = s.times(s).fraction
        let one: UInt128 = 1 &<< 127
        // 1 + z/3 + z^2/5 + ...: z < 0.03, so that 28 terms leave less than 2^-140.
        var r = one / 57
        var k: UInt128 = 55
        while k >= 1 {
            r = one / k &+ Unrounded.high(z, r)
            k &-= 2
            if k > 57 { break }
        }
        let series = Unrounded(negative: false, exponent: 0, unnormal: r)
        return s.times(series).times(WideConstant.twiceLogOfE)
    }

    /// 2^x - 1 for numbers between -1 and 1.
    static func powerOf2Less1(_ x: Unrounded) -> Unrounded {
        let t = x.times(WideConstant.naturalLogOf2)
        let fraction = t.fraction
        let one: UInt128 = 1 &<< 127
        // 1 + t/2 (1 + t/3 (1 + ...)): t < 0.7, so that 33 terms leave less than 2^-140.
        var r = one
        var k: UInt128 = 34
        while k >= 2 {
            let term = Unrounded.high(fraction, r) / k
            r = t.negative ? one &- term : one &+ term
            k &-= 1
        }
        return t.times(Unrounded(negative: false, exponent: 0, unnormal: r))
    }
}
