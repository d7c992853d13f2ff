/// Sine, cosine, tangent and arc tangent (Intel SDM vol. 2, FSIN, FCOS, FSINCOS, FPTAN, FPATAN).
/// Arguments are reduced exactly, by the 66-bit pi that the manual documents (vol. 1, 8.3.8); what
/// follows uses 128-bit arithmetic, so that results err by less than 2^-50 units in the last place
/// (of the sine of the reduced argument) before they are rounded as RC says. Precision control has
/// no say.
extension FloatControl {
    /// Nil when the argument is 2^63 or more in magnitude: C2, and nothing changes.
    mutating func sine(_ x: Extended) -> Extended? {
        trigonometric(x, atZero: x) { $0.sine }
    }

    mutating func cosine(_ x: Extended) -> Extended? {
        trigonometric(x, atZero: .one) { $0.cosine }
    }

    mutating func tangent(_ x: Extended) -> Extended? {
        trigonometric(x, atZero: x) { $0.tangent }
    }

    private mutating func trigonometric(
        _ x: Extended, atZero: Extended, _ f: (Angle) -> Unrounded
    ) -> Extended? {
        if let r = special(x) { return r }
        if x.isInfinite { return invalidResult() }
        if x.isZero { return atZero }
        if FloatControl.isOutOfRange(x) { return nil }
        noteDenormal(x)
        return finishExtended(f(Angle(Finite(x))).inexact)
    }

    /// A number of 2^63 or more in magnitude, which the trigonometric instructions refuse.
    static func isOutOfRange(_ x: Extended) -> Bool {
        x.biasedExponent >= Extended.bias &+ 63 && !x.isNaN && !x.isInfinite && !x.isUnsupported
    }

    /// The angle of the point (x, y): arctan(y / x) with the quadrant that the signs say.
    mutating func arcTangent(_ y: Extended, _ x: Extended) -> Extended {
        if let r = special(y, x) { return r }
        noteDenormals(y, x)
        if y.isZero || x.isInfinite && !y.isInfinite {
            if !x.isNegative { return .zero(negative: y.isNegative) }
            return finishAngle(WideConstant.pi, y)
        }
        if y.isInfinite && x.isInfinite {
            // pi/4, or pi/2 + pi/4.
            var quarter = WideConstant.halfPi
            quarter.exponent &-= 1
            let both = quarter.plus(WideConstant.halfPi) ?? quarter
            return finishAngle(x.isNegative ? both : quarter, y)
        }
        if x.isZero || y.isInfinite { return finishAngle(WideConstant.halfPi, y) }
        let a = Unrounded(Finite(y)).magnitude
        let b = Unrounded(Finite(x)).magnitude
        return finishAngle(Angle.between(a, b, isLeft: x.isNegative), y)
    }

    private mutating func finishAngle(_ v: Unrounded, _ y: Extended) -> Extended {
        finishExtended((y.isNegative ? v.negated : v).inexact)
    }
}

/// An angle reduced to at most pi/4 either way of a multiple of pi/2.
struct Angle {
    private var rest: Unrounded
    private var quadrant: Int
    private var negative: Bool

    /// Below 2^63 in magnitude.
    init(_ x: Finite) {
        negative = x.negative
        quadrant = 0
        rest = Unrounded(Finite(negative: false, exponent: x.exponent, significand: x.significand))
        if x.exponent < -1 { return }
        // In units of 2^-65 both the argument and half of pi are integers.
        let argument = UInt128(x.significand) &<< UInt128(x.exponent &+ 2)
        let divisor = WideConstant.reducingHalfPi
        var (quotient, left) = argument.quotientAndRemainder(dividingBy: divisor)
        let isBeyond = left > divisor &>> 1
        if isBeyond {
            left = divisor &- left
            quotient &+= 1
        }
        quadrant = Int(truncatingIfNeeded: quotient & 3)
        // The divisor has no factor in common with any argument: something is always left.
        rest = Unrounded(negative: isBeyond, exponent: 62, unnormal: left)
    }

    var sine: Unrounded {
        let r = quadrant & 1 == 0 ? ofRestSine : ofRestCosine
        return (quadrant & 2 != 0) != negative ? r.negated : r
    }

    var cosine: Unrounded {
        let r = quadrant & 1 == 0 ? ofRestCosine : ofRestSine
        return quadrant == 1 || quadrant == 2 ? r.negated : r
    }

    var tangent: Unrounded {
        if quadrant == 0 && rest.exponent < -62 {
            let r = rest.nudged(outwards: true)
            return negative ? r.negated : r
        }
        return sine.over(cosine)
    }

    private var square: UInt128 { rest.times(rest).fraction }

    /// r (1 - z/(2*3) (1 - z/(4*5) (1 - ...))) with z = r^2 < 0.617: 17 terms leave less than
    /// 2^-130.
    private var ofRestSine: Unrounded {
        if rest.exponent < -62 { return rest.nudged(outwards: false) }
        return rest.times(series(first: 2))
    }

    /// 1 - z/(1*2) (1 - z/(3*4) (1 - ...)).
    private var ofRestCosine: Unrounded {
        if rest.exponent < -62 { return WideConstant.one.nudged(outwards: false) }
        return series(first: 1)
    }

    private func series(first: UInt128) -> Unrounded {
        let z = square
        let one: UInt128 = 1 &<< 127
        var r = one
        var k = first &+ 34
        while k >= first {
            r = one &- Unrounded.high(z, r) / (k &* (k &+ 1))
            if k == first { break }
            k &-= 2
        }
        return Unrounded(negative: false, exponent: 0, unnormal: r)
    }

    /// The angle of the point (b, a), both positive, or of (-b, a) when it lies left.
    static func between(_ a: Unrounded, _ b: Unrounded, isLeft: Bool) -> Unrounded {
        let isSteep =
            a.exponent > b.exponent || a.exponent == b.exponent && a.significand > b.significand
        let angle = isSteep ? arcTangent(b.over(a)) : arcTangent(a.over(b))
        // From the axis it is nearest to, to the one it is counted from.
        if isSteep {
            let part = isLeft ? angle : angle.negated
            return WideConstant.halfPi.plus(part) ?? angle
        }
        return isLeft ? WideConstant.pi.plus(angle.negated) ?? angle : angle
    }

    /// Of a number above 0 and not above 1.
    private static func arcTangent(_ q: Unrounded) -> Unrounded {
        if q.exponent < -62 { return q.nudged(outwards: false) }
        // The nearest multiple of 1/32.
        let inUnits = q.exponent == 0 ? 32 : (q.fraction &>> 122 &+ 1) &>> 1
        if inUnits == 0 { return nearZero(q) }
        let step = Unrounded(negative: false, exponent: 122, unnormal: inUnits)
        let known = Unrounded(
            negative: false, exponent: -1,
            unnormal: WideConstant.arcTangents[Int(truncatingIfNeeded: inUnits) &- 1])
        // arctan q = arctan c + arctan((q - c) / (1 + q c)).
        guard let above = q.plus(step.negated),
            let below = WideConstant.one.plus(q.times(step))
        else { return known }
        return known.plus(nearZero(above.over(below))) ?? known
    }

    /// u (1 - z/3 + z^2/5 - ...) with z = u^2 <= 2^-12: 12 terms leave less than 2^-150.
    private static func nearZero(_ u: Unrounded) -> Unrounded {
        let z = u.times(u).fraction
        let one: UInt128 = 1 &<< 127
        var r = one / 25
        var k: UInt128 = 23
        while true {
            r = one / k &- Unrounded.high(z, r)
            if k == 1 { break }
            k &-= 2
        }
        return u.times(Unrounded(negative: false, exponent: 0, unnormal: r))
    }
}
