/// SSE floating point as pure operations on Float and Double, with every MXCSR exception flag found
/// in software: nothing depends on the host's floating-point environment (Intel SDM vol. 1, chapter
/// 4 and 11.5). Rounding to nearest is the host's arithmetic, which IEEE 754 defines to the bit;
/// the other modes are computed in software (`SoftFloat`).
protocol SSEFloat: BinaryFloatingPoint where Exponent == Int {
    /// Bytes of an element.
    static var size: Int { get }
    static var format: FloatFormat { get }
    init(bits: UInt64)
    var bits: UInt64 { get }
    /// The NaN that an invalid operation gives: quiet, negative.
    static var indefinite: Self { get }
}

extension Float: SSEFloat {
    static var size: Int { 4 }
    static var format: FloatFormat { .single }
    @inline(__always)
    init(bits: UInt64) { self.init(bitPattern: UInt32(truncatingIfNeeded: bits)) }
    @inline(__always)
    var bits: UInt64 { UInt64(bitPattern) }
    static var indefinite: Float { Float(bitPattern: 0xFFC0_0000) }
}

extension Double: SSEFloat {
    static var size: Int { 8 }
    static var format: FloatFormat { .double }
    @inline(__always)
    init(bits: UInt64) { self.init(bitPattern: bits) }
    @inline(__always)
    var bits: UInt64 { bitPattern }
    static var indefinite: Double { Double(bitPattern: 0xFFF8_0000_0000_0000) }
}

/// Bits of MXCSR (Intel SDM vol. 1, 10.2.3).
enum MXCSR {
    static let invalid: UInt32 = 1 << 0
    static let denormal: UInt32 = 1 << 1
    static let divideByZero: UInt32 = 1 << 2
    static let overflow: UInt32 = 1 << 3
    static let underflow: UInt32 = 1 << 4
    static let precision: UInt32 = 1 << 5
    static let flags: UInt32 = 0x3F
    static let denormalsAreZero: UInt32 = 1 << 6
    static let maskShift: UInt32 = 7
    static let rounding: UInt32 = 3 << 13
    static let flushToZero: UInt32 = 1 << 15
}

/// The control half of MXCSR and the exceptions raised so far by one instruction.
struct FloatContext {
    let control: UInt32
    var raised: UInt32 = 0
    /// Raised, and masked, by earlier stages of an instruction that has several.
    private(set) var settled: UInt32 = 0

    @inline(__always)
    init(control: UInt32) { self.control = control }

    /// Exceptions raised and not masked.
    var unmasked: UInt32 { raised & ~(control &>> MXCSR.maskShift) & MXCSR.flags }

    /// To be called when all elements are done: an exception found before computing (IE, DE, ZE) in
    /// any element and not masked keeps the others (OE, UE, PE) from being found in all.
    mutating func finish() {
        let before = MXCSR.invalid | MXCSR.denormal | MXCSR.divideByZero
        if unmasked & before != 0 { raised &= before }
    }

    /// Ends a stage: its exceptions are found before the next one's, which hide none of them. False
    /// where one is not masked, so that there is no next stage.
    mutating func endStage() -> Bool {
        finish()
        if unmasked != 0 { return false }
        settled |= raised
        raised = 0
        return true
    }

    private var isOverflowMasked: Bool {
        control & (MXCSR.overflow &<< MXCSR.maskShift) != 0
    }

    private var isUnderflowMasked: Bool {
        control & (MXCSR.underflow &<< MXCSR.maskShift) != 0
    }

    /// An operand as the operation sees it: with DAZ a denormal is a zero of its sign, else it
    /// raises DE.
    @inline(__always)
    mutating func operand<T: SSEFloat>(_ v: T) -> T {
        if !v.isSubnormal { return v }
        if control & MXCSR.denormalsAreZero != 0 { return T(signOf: v, magnitudeOf: 0) }
        raised |= MXCSR.denormal
        return v
    }

    /// The result for NaN operands: the first one, made quiet; IE if either signals. The denormal
    /// flag is not raised then.
    mutating func propagate<T: SSEFloat>(_ a: T, _ b: T) -> T? {
        if !a.isNaN {
            if !b.isNaN { return nil }
            return quiet(b)
        }
        if b.isSignalingNaN { raised |= MXCSR.invalid }
        return quiet(a)
    }

    mutating func quiet<T: SSEFloat>(_ v: T) -> T {
        if v.isSignalingNaN { raised |= MXCSR.invalid }
        return T(bits: v.bits | 1 &<< UInt64(T.significandBitCount &- 1))
    }

    mutating func invalid<T: SSEFloat>() -> T {
        raised |= MXCSR.invalid
        return .indefinite
    }

    /// Settles a finite operation's rounded result `r`: `exact` says whether it is what it should
    /// be (where it is infinite: whether it would be without limits to the exponent), `tiny`
    /// whether the exact value, rounded as if exponents had no end, is below the normal range.
    mutating func settle<T: SSEFloat>(_ r: T, exact: Bool, tiny: Bool) -> T {
        if r.isInfinite {
            let isTold = isOverflowMasked || !exact
            raised |= MXCSR.overflow | (isTold ? MXCSR.precision : 0)
            return r
        }
        if tiny {
            if !isUnderflowMasked {
                raised |= MXCSR.underflow | (exact ? 0 : MXCSR.precision)
                return r
            }
            if control & MXCSR.flushToZero != 0 {
                raised |= MXCSR.underflow | MXCSR.precision
                return T(signOf: r, magnitudeOf: 0)
            }
            if !exact { raised |= MXCSR.underflow }
        }
        if !exact { raised |= MXCSR.precision }
        return r
    }

    mutating func add<T: SSEFloat>(_ x: T, _ y: T) -> T {
        if let r = propagate(x, y) { return r }
        let a = operand(x)
        let b = operand(y)
        if isDirected { return directedSum(a, b) }
        let r = a + b
        if a.isInfinite || b.isInfinite { return r.isNaN ? invalid() : r }
        if r.isInfinite {
            let half: T = 0.5
            let error = FloatContext.errorOfSum(a * half, b * half)
            return settle(r, exact: error == 0, tiny: false)
        }
        return settle(r, exact: FloatContext.errorOfSum(a, b) == 0, tiny: r.isSubnormal)
    }

    /// The rounding error of a sum is itself a number: zero for an exact one.
    @inline(__always)
    private static func errorOfSum<T: SSEFloat>(_ a: T, _ b: T) -> T {
        let r = a + b
        let t = r - a
        return (a - (r - t)) + (b - t)
    }

    mutating func multiply<T: SSEFloat>(_ x: T, _ y: T) -> T {
        if let r = propagate(x, y) { return r }
        let a = operand(x)
        let b = operand(y)
        let r = a * b
        if a.isInfinite || b.isInfinite { return r.isNaN ? invalid() : r }
        if a.isZero || b.isZero { return r }
        if isDirected { return directed(SoftFloat.product(Finite(a), Finite(b))) }
        let p = a.significand * b.significand
        let error = (-p).addingProduct(a.significand, b.significand)
        return settle(r, p, error: error, exponent: a.exponent &+ b.exponent)
    }

    mutating func divide<T: SSEFloat>(_ x: T, _ y: T) -> T {
        if let r = propagate(x, y) { return r }
        if x.isInfinite && y.isInfinite { return invalid() }
        let b = operand(y)
        if b.isZero {
            // Division by zero comes before a denormal dividend (measured).
            var ignored = self
            let a = ignored.operand(x)
            if a.isZero { return invalid() }
            if !a.isInfinite { raised |= MXCSR.divideByZero }
            return a / b
        }
        let a = operand(x)
        let r = a / b
        if a.isInfinite || b.isInfinite || a.isZero { return r }
        if isDirected { return directed(SoftFloat.quotient(Finite(a), Finite(b))) }
        let q = a.significand / b.significand
        let error = a.significand.addingProduct(-q, b.significand)
        return settle(r, q, error: error, exponent: a.exponent &- b.exponent)
    }

    mutating func squareRoot<T: SSEFloat>(_ x: T) -> T {
        if x.isNaN { return quiet(x) }
        if x.sign == .minus && !x.isZero {
            if x.isSubnormal && control & MXCSR.denormalsAreZero != 0 { return -T.zero }
            return invalid()
        }
        let a = operand(x)
        let r = a.squareRoot()
        if a.isInfinite || a.isZero { return r }
        if isDirected { return directed(SoftFloat.squareRoot(Finite(a))) }
        // An even power of two more or less keeps the root's significand.
        let odd = a.exponent & 1
        let s = odd == 0 ? a.significand : a.significand * 2
        let root = s.squareRoot()
        return settle(r, exact: s.addingProduct(-root, root) == 0, tiny: false)
    }

    /// Settles a product or quotient: its magnitude is (`scaled` + something of `error`'s sign) x
    /// 2^`exponent`, with `scaled` near one.
    private mutating func settle<T: SSEFloat>(
        _ r: T, _ scaled: T, error: T, exponent: Int
    ) -> T {
        let lowest = T.leastNormalMagnitude.exponent
        let tiny = exponent &+ scaled.exponent < lowest
        var exact = error == 0
        if exact && tiny && isUnderflowMasked {
            // Exact before it was denormalised; still so if no bit was lost.
            exact = !r.isZero && r.significand.magnitude == scaled.magnitude.significand
        }
        return settle(r, exact: exact, tiny: tiny)
    }

    /// MIN and MAX: the second operand for any NaN (IE) and for two zeros.
    mutating func extreme<T: SSEFloat>(_ x: T, _ y: T, maximum: Bool) -> T {
        if x.isNaN || y.isNaN {
            raised |= MXCSR.invalid
            let isZero = y.isSubnormal && control & MXCSR.denormalsAreZero != 0
            return isZero ? T(signOf: y, magnitudeOf: 0) : y
        }
        let a = operand(x)
        let b = operand(y)
        return (maximum ? a > b : a < b) ? a : b
    }

    /// Compares for CMPxx: predicate 0...7 (equal, less, less or equal, unordered, and their
    /// opposites).
    mutating func compare<T: SSEFloat>(_ x: T, _ y: T, predicate: UInt64) -> Bool {
        let isUnordered = x.isNaN || y.isNaN
        let basic = predicate & 3
        if isUnordered {
            let signalsAny = basic == 1 || basic == 2
            if signalsAny || x.isSignalingNaN || y.isSignalingNaN { raised |= MXCSR.invalid }
        }
        let a = isUnordered ? x : operand(x)
        let b = isUnordered ? y : operand(y)
        let holds: Bool
        switch basic {
        case 0: holds = a == b
        case 1: holds = a < b
        case 2: holds = a <= b
        default: holds = isUnordered
        }
        return holds != (predicate & 4 != 0)
    }

    /// To a signed integer of `bits` bits: what does not fit is invalid and gives the least one.
    mutating func toInteger<T: SSEFloat>(_ x: T, bits: Int, truncating: Bool) -> UInt64 {
        let least = UInt64(1) &<< UInt64(bits &- 1)
        var a = x
        if a.isSubnormal && control & MXCSR.denormalsAreZero != 0 { a = 0 }
        let r = a.rounded(truncating ? .towardZero : roundingRule)
        let limit = T(sign: .plus, exponent: bits &- 1, significand: 1)
        if !(r >= -limit && r < limit) {
            raised |= MXCSR.invalid
            return least
        }
        if r != a { raised |= MXCSR.precision }
        return UInt64(bitPattern: Int64(r)) & ALU.mask(bits / 8)
    }

    /// From a signed integer; a 64-bit one may be inexact.
    mutating func fromInteger<T: SSEFloat>(_ v: Int64) -> T {
        if isDirected && v != 0 {
            return directed(Unrounded(Finite(negative: v < 0, magnitude: v.magnitude)))
        }
        let r = T(v)
        // 2^63 is what the greatest integers round to, and never exact for one.
        if r >= T(sign: .plus, exponent: 63, significand: 1) || Int64(r) != v {
            raised |= MXCSR.precision
        }
        return r
    }

    /// Single to double: always exact.
    mutating func widen(_ x: Float) -> Double {
        if x.isNaN {
            let q = quiet(x)
            let payload = UInt64(q.bitPattern & 0x7F_FFFF) &<< 29
            return Double(
                bitPattern: UInt64(q.bitPattern & 0x8000_0000) &<< 32 | 0x7FF0 &<< 48 | payload)
        }
        return Double(operand(x))
    }

    /// Double to single.
    mutating func narrow(_ x: Double) -> Float {
        if x.isNaN {
            let q = quiet(x)
            let payload = UInt32(truncatingIfNeeded: q.bitPattern &>> 29) & 0x7F_FFFF
            return Float(
                bitPattern: UInt32(truncatingIfNeeded: q.bitPattern &>> 32) & 0x8000_0000
                    | 0x7F80_0000 | payload)
        }
        let a = operand(x)
        let r = Float(a)
        if a.isInfinite || a.isZero { return r }
        if isDirected { return directed(Unrounded(Finite(a))) }
        let rounded = Float(a.significand)
        let tiny = a.exponent &+ rounded.exponent < Float.leastNormalMagnitude.exponent
        // What is not delivered counts as rounded without limits to its exponent.
        let isUnlimited =
            tiny && !isUnderflowMasked || r.isInfinite && !isOverflowMasked
        let exact = isUnlimited ? Double(rounded) == a.significand : Double(r) == a
        return settle(r, exact: exact, tiny: tiny)
    }

    // MARK: - Other rounding modes

    /// MXCSR asks for another rounding than to nearest.
    @inline(__always)
    var isDirected: Bool { control & MXCSR.rounding != 0 }

    /// MXCSR's rounding mode: 0 nearest, 1 down, 2 up, 3 towards zero.
    var roundingMode: UInt64 { UInt64(control &>> 13) & 3 }

    private var roundingRule: FloatingPointRoundingRule { FloatContext.rule(roundingMode) }

    static func rule(_ mode: UInt64) -> FloatingPointRoundingRule {
        switch mode & 3 {
        case 0: .toNearestOrEven
        case 1: .down
        case 2: .up
        default: .towardZero
        }
    }

    /// An exact result rounded in software as MXCSR says.
    private mutating func directed<T: SSEFloat>(_ v: Unrounded) -> T {
        let mode = FloatControl.Rounding(rawValue: UInt8(roundingMode)).unsafelyUnwrapped
        var c = FloatControl(
            rounding: mode, masks: UInt16(truncatingIfNeeded: control &>> MXCSR.maskShift))
        let r = c.round(v, to: T.format)
        if c.isTiny && isUnderflowMasked && control & MXCSR.flushToZero != 0 {
            raised |= MXCSR.underflow | MXCSR.precision
            return v.negative ? -T.zero : T.zero
        }
        raised |= UInt32(c.raised)
        return T(bits: FloatControl.bits(r, T.format))
    }

    /// A sum of two numbers or infinities.
    private mutating func directedSum<T: SSEFloat>(_ a: T, _ b: T) -> T {
        if a.isInfinite || b.isInfinite {
            let r = a + b
            return r.isNaN ? invalid() : r
        }
        let zero = roundingMode == 1 ? -T.zero : T.zero
        if a.isZero && b.isZero { return a.sign == b.sign ? a : zero }
        if a.isZero { return directed(Unrounded(Finite(b))) }
        if b.isZero { return directed(Unrounded(Finite(a))) }
        guard let sum = SoftFloat.sum(Finite(a), Finite(b)) else { return zero }
        return directed(sum)
    }

    /// ROUNDxx: to an integral value by mode 0 nearest, 1 down, 2 up, 3 towards zero.
    mutating func round<T: SSEFloat>(_ x: T, mode: UInt64, inexact: Bool) -> T {
        if x.isNaN { return quiet(x) }
        var a = x
        if a.isSubnormal && control & MXCSR.denormalsAreZero != 0 {
            a = T(signOf: a, magnitudeOf: 0)
        }
        let r = a.rounded(FloatContext.rule(mode))
        if inexact && r != a { raised |= MXCSR.precision }
        return r
    }
}

extension Finite {
    /// From a finite SSE operand that is not zero.
    @inline(__always)
    init<T: SSEFloat>(_ v: T) {
        self.init(
            T.size == 4
                ? Extended(single: UInt32(truncatingIfNeeded: v.bits)) : Extended(double: v.bits))
    }
}
