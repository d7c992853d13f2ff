/// How one operation rounds, what it may raise unmasked, and what it has raised so far. Exceptions
/// have the places that the x87 status word, its control word's masks and MXCSR share.
struct FloatControl {
    enum Rounding: UInt8 {
        case nearest, down, up, zero
    }

    static let invalid: UInt16 = 1 << 0
    static let denormal: UInt16 = 1 << 1
    static let divideByZero: UInt16 = 1 << 2
    static let overflow: UInt16 = 1 << 3
    static let underflow: UInt16 = 1 << 4
    static let precision: UInt16 = 1 << 5
    /// x87 only: the invalid operation is a stack fault.
    static let stackFault: UInt16 = 1 << 6
    /// Exceptions found before a result is computed: when one of them is not masked, the
    /// instruction has no result.
    static let before: UInt16 = invalid | denormal | divideByZero

    var rounding: Rounding
    /// A bit for each exception that is masked.
    var masks: UInt16
    /// Results of arithmetic are rounded to this format.
    var format: FloatFormat
    var raised: UInt16 = 0
    /// The result was rounded away from zero.
    var roundedUp = false
    /// The result, rounded as if exponents had no end, is below the normal range.
    var isTiny = false
    /// An operand was a denormal of a narrower format, which its extended form does not show.
    var hasDenormalSource = false

    init(rounding: Rounding, masks: UInt16, format: FloatFormat = .extended) {
        self.rounding = rounding
        self.masks = masks & 0x3F
        self.format = format
    }

    /// Exceptions raised and not masked.
    var unmasked: UInt16 { raised & ~masks & 0x3F }
    /// An exception found before computing is not masked.
    var isRefused: Bool { unmasked & FloatControl.before != 0 }

    func isMasked(_ exception: UInt16) -> Bool { masks & exception != 0 }

    /// The invalid operation's masked result.
    mutating func invalidResult() -> Extended {
        raised |= FloatControl.invalid
        return .indefinite
    }
}

/// A binary format to round to: its precision and the exponents of its normal numbers.
struct FloatFormat: Equatable {
    var precision: Int
    var least: Int
    var greatest: Int

    static let single = FloatFormat(precision: 24, least: -126, greatest: 127)
    static let double = FloatFormat(precision: 53, least: -1022, greatest: 1023)
    static let extended = FloatFormat(precision: 64, least: -16382, greatest: 16383)
    /// The extended format's range with a shorter significand, as the precision control has it.
    static let extended24 = FloatFormat(precision: 24, least: -16382, greatest: 16383)
    static let extended53 = FloatFormat(precision: 53, least: -16382, greatest: 16383)

    /// What is added to or taken from the exponent of an unmasked underflow's or overflow's result
    /// in an x87 register (Intel SDM vol. 1, 8.5.4 and 8.5.5).
    static let wrap = 24576
}

/// A rounded result: zero, infinite, or significand / 2^63 x 2^exponent, where bit 63 is clear only
/// for a denormal, whose exponent is the format's least.
struct Rounded {
    var negative: Bool
    var exponent: Int
    var significand: UInt64
    var isInfinite = false
}

extension FloatControl {
    /// Whether a magnitude is rounded up, from whether its last kept bit is `odd` and how the rest
    /// compares with half of that bit.
    @inline(__always)
    private func goesUp(negative: Bool, odd: Bool, rest: UInt128, half: UInt128) -> Bool {
        switch rounding {
        case .nearest: rest > half || (rest == half && odd)
        case .down: negative && rest != 0
        case .up: !negative && rest != 0
        case .zero: false
        }
    }

    /// The top `precision` bits of a significand, rounded: as many bits at the top of 64, and
    /// whether rounding carried out of them.
    private func cut(
        _ significand: UInt128, precision: Int, negative: Bool
    ) -> (significand: UInt64, carried: Bool, inexact: Bool, up: Bool) {
        let drop = UInt128(128 &- precision)
        let rest = significand & ((1 &<< drop) &- 1)
        let half: UInt128 = 1 &<< (drop &- 1)
        var kept = significand &>> drop
        let up = goesUp(negative: negative, odd: kept & 1 != 0, rest: rest, half: half)
        if up { kept &+= 1 }
        let carried = kept &>> UInt128(precision) != 0
        if carried { kept &>>= 1 }
        let top = UInt64(truncatingIfNeeded: kept) &<< UInt64(64 &- precision)
        return (top, carried, rest != 0, up)
    }

    /// Rounds a result to a format and raises OE, UE and PE. Tininess is found after rounding (SDM
    /// vol. 1, 4.9.1.5). With `wraps` (x87 registers) an unmasked overflow or underflow gives the
    /// result with its exponent moved into the range; where even that is not enough, infinity or
    /// zero.
    mutating func round(
        _ v: Unrounded, to format: FloatFormat, wraps: Bool = false
    ) -> Rounded {
        let first = cut(v.significand, precision: format.precision, negative: v.negative)
        let exponent = first.carried ? v.exponent &+ 1 : v.exponent
        if exponent < format.least {
            return tiny(
                v, first: (first.significand, first.inexact, first.up), exponent, format, wraps)
        }
        if first.inexact { raised |= FloatControl.precision }
        roundedUp = first.up
        if exponent <= format.greatest {
            return Rounded(
                negative: v.negative, exponent: exponent, significand: first.significand)
        }
        raised |= FloatControl.overflow
        let moved = exponent &- FloatFormat.wrap
        if !isMasked(FloatControl.overflow) && wraps && moved <= format.greatest {
            return Rounded(
                negative: v.negative, exponent: moved, significand: first.significand)
        }
        if isMasked(FloatControl.overflow) || wraps { raised |= FloatControl.precision }
        if !isMasked(FloatControl.overflow) && wraps {
            // Only FSCALE comes here (measured).
            roundedUp = true
            return Rounded(
                negative: v.negative, exponent: format.greatest, significand: 0, isInfinite: true)
        }
        return overflowed(negative: v.negative, format)
    }

    /// The masked result of an overflow: infinity, or the greatest number where that lies on the
    /// way.
    private mutating func overflowed(negative: Bool, _ format: FloatFormat) -> Rounded {
        let toGreatest: Bool
        switch rounding {
        case .nearest: toGreatest = false
        case .down: toGreatest = !negative
        case .up: toGreatest = negative
        case .zero: toGreatest = true
        }
        roundedUp = !toGreatest
        let greatest = UInt64.max &<< UInt64(64 &- format.precision)
        return Rounded(
            negative: negative, exponent: format.greatest, significand: greatest,
            isInfinite: !toGreatest)
    }

    /// A result below the normal range: `first` and `exponent` are it rounded as if exponents had
    /// no end.
    private mutating func tiny(
        _ v: Unrounded, first: (significand: UInt64, inexact: Bool, up: Bool), _ exponent: Int,
        _ format: FloatFormat, _ wraps: Bool
    ) -> Rounded {
        isTiny = true
        if !isMasked(FloatControl.underflow) {
            raised |= FloatControl.underflow
            let moved = exponent &+ FloatFormat.wrap
            let isSettled = !wraps || moved >= format.least
            if !isSettled {
                raised |= FloatControl.precision
                return Rounded(negative: v.negative, exponent: format.least, significand: 0)
            }
            if first.inexact { raised |= FloatControl.precision }
            roundedUp = first.up
            if wraps {
                return Rounded(
                    negative: v.negative, exponent: moved, significand: first.significand)
            }
        }
        let shifted = v.significand.shiftedRightSticky(format.least &- v.exponent)
        let last = cut(shifted, precision: format.precision, negative: v.negative)
        if last.inexact && isMasked(FloatControl.underflow) {
            raised |= FloatControl.underflow | FloatControl.precision
            roundedUp = last.up
        }
        return Rounded(
            negative: v.negative, exponent: format.least, significand: last.significand)
    }

    /// Rounds to the format in force and packs; `wraps` as for x87 registers.
    mutating func finish(_ v: Unrounded) -> Extended {
        pack(round(v, to: format, wraps: true))
    }

    /// The bits of a result that was rounded to the single or double format.
    static func bits(_ r: Rounded, _ format: FloatFormat) -> UInt64 {
        let width = format == .single ? 32 : 64
        let fractionBits = UInt64(format.precision &- 1)
        let sign = UInt64(r.negative ? 1 : 0) &<< UInt64(width &- 1)
        if r.isInfinite {
            let exponent = UInt64(format.greatest &- format.least &+ 2)
            return sign | exponent &<< fractionBits
        }
        let fraction = r.significand &>> (63 &- fractionBits)
        // The integer bit, where it is set, adds one to the biased exponent.
        let isNormal = r.significand & Extended.integerBit != 0
        let exponent = isNormal ? UInt64(r.exponent &- format.least) : 0
        return sign | ((exponent &<< fractionBits) &+ fraction)
    }

    /// The bits of a result that was rounded to a format of the extended range.
    func pack(_ r: Rounded) -> Extended {
        if r.isInfinite { return .infinity(negative: r.negative) }
        let isNormal = r.significand & Extended.integerBit != 0
        let biased = isNormal ? UInt16(truncatingIfNeeded: r.exponent &+ Extended.bias) : 0
        return Extended(
            significand: r.significand,
            signExponent: biased | (r.negative ? Extended.signBit : 0))
    }
}
