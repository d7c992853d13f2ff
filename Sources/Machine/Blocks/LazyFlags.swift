import X86

/// The four operand widths of integer instructions.
protocol Width: FixedWidthInteger, UnsignedInteger {}

extension UInt8: Width {}
extension UInt16: Width {}
extension UInt32: Width {}
extension UInt64: Width {}

extension Width {
    /// Sign-extended to 64 bits.
    @inline(__always)
    var extended: UInt64 {
        let free = UInt64(64 &- Self.bitWidth)
        return UInt64(
            bitPattern: Int64(bitPattern: UInt64(truncatingIfNeeded: self) &<< free) &>> free)
    }
}

/// The arithmetic flags as three words; `Operation` explains the algebra. Meant to live in
/// registers: every method is inlined into the executor's loop.
struct LazyFlags {
    var result: UInt64
    var aux: UInt64
    var carry: UInt64

    static let signBit: UInt64 = 1 << 63

    /// Whether the three words can express these flags.
    @inline(__always)
    static func canExpress(_ rflags: UInt64) -> Bool {
        rflags & RFLAGS.zf == 0 || rflags & (RFLAGS.sf | RFLAGS.pf) == RFLAGS.pf
    }

    /// Takes the flags from RFLAGS; `canExpress` must hold.
    @inline(__always)
    init(_ rflags: UInt64) {
        carry = rflags & RFLAGS.cf
        aux = (rflags & RFLAGS.af) | (((rflags &>> 11) ^ rflags) &<< 63)
        let nonzero =
            ((rflags & RFLAGS.sf) &<< 56) | 0x100 | (((rflags &>> 2) & 1) ^ 1)
        result = rflags & RFLAGS.zf != 0 ? 0 : nonzero
    }

    /// RFLAGS with the arithmetic flags replaced by these.
    @inline(__always)
    func merged(_ rflags: UInt64) -> UInt64 {
        var flags = (rflags & ~RFLAGS.arithmetic) | carry | (aux & RFLAGS.af)
        flags |= parity &<< 2
        flags |= result == 0 ? RFLAGS.zf : 0
        flags |= (result &>> 56) & RFLAGS.sf
        flags |= ((aux &>> 63) ^ carry) &<< 11
        return flags
    }

    /// 1 when the low byte of the result has an even number of ones.
    @inline(__always)
    var parity: UInt64 {
        (0x9669 &>> ((result ^ (result &>> 4)) & 15)) & 1
    }

    // MARK: - Conditions

    @inline(__always) var overflow: Bool { (aux &>> 63) != carry }
    @inline(__always) var below: Bool { carry != 0 }
    @inline(__always) var equal: Bool { result == 0 }
    @inline(__always) var belowOrEqual: Bool { carry != 0 || result == 0 }
    @inline(__always) var sign: Bool { Int64(bitPattern: result) < 0 }
    @inline(__always) var even: Bool { parity != 0 }
    @inline(__always) var less: Bool { ((result ^ aux) &>> 63) != carry }
    @inline(__always) var lessOrEqual: Bool { less || result == 0 }

    /// Condition 0...15 (Intel SDM vol. 2, B.1.4.7).
    @inline(__always)
    func holds(_ condition: UInt8) -> Bool {
        let positive: Bool
        switch condition & 14 {
        case 0: positive = overflow
        case 2: positive = below
        case 4: positive = equal
        case 6: positive = belowOrEqual
        case 8: positive = sign
        case 10: positive = even
        case 12: positive = less
        default: positive = lessOrEqual
        }
        return positive != (condition & 1 != 0)
    }

    // MARK: - Arithmetic

    @inline(__always)
    mutating func add<T: Width>(_ a: T, _ b: T) -> T {
        let r = a &+ b
        result = r.extended
        aux = (a ^ b ^ r).extended
        carry = r < a ? 1 : 0
        return r
    }

    @inline(__always)
    mutating func adc<T: Width>(_ a: T, _ b: T) -> T {
        let (half, first) = a.addingReportingOverflow(b)
        let (r, second) = half.addingReportingOverflow(T(truncatingIfNeeded: carry))
        result = r.extended
        aux = (a ^ b ^ r).extended
        carry = first || second ? 1 : 0
        return r
    }

    @inline(__always)
    mutating func sub<T: Width>(_ a: T, _ b: T) -> T {
        let r = a &- b
        result = r.extended
        aux = (a ^ b ^ r).extended
        carry = a < b ? 1 : 0
        return r
    }

    @inline(__always)
    mutating func cmp<T: Width>(_ a: T, _ b: T) { _ = sub(a, b) }

    @inline(__always)
    mutating func sbb<T: Width>(_ a: T, _ b: T) -> T {
        let (half, first) = a.subtractingReportingOverflow(b)
        let (r, second) = half.subtractingReportingOverflow(T(truncatingIfNeeded: carry))
        result = r.extended
        aux = (a ^ b ^ r).extended
        carry = first || second ? 1 : 0
        return r
    }

    /// The flags of AND, OR, XOR and TEST.
    @inline(__always)
    mutating func logic<T: Width>(_ r: T) -> T {
        result = r.extended
        aux = 0
        carry = 0
        return r
    }

    @inline(__always) mutating func and<T: Width>(_ a: T, _ b: T) -> T { logic(a & b) }
    @inline(__always) mutating func or<T: Width>(_ a: T, _ b: T) -> T { logic(a | b) }
    @inline(__always) mutating func xor<T: Width>(_ a: T, _ b: T) -> T { logic(a ^ b) }
    @inline(__always) mutating func test<T: Width>(_ a: T, _ b: T) { _ = logic(a & b) }
    @inline(__always) mutating func neg<T: Width>(_ a: T) -> T { sub(0, a) }

    /// CF stays; the carry out of the sign is 1 exactly when the result is 0.
    @inline(__always)
    mutating func inc<T: Width>(_ a: T) -> T {
        let r = a &+ 1
        result = r.extended
        aux = (a ^ 1 ^ r).extended ^ ((r == 0 ? LazyFlags.signBit : 0) ^ (carry &<< 63))
        return r
    }

    /// CF stays; the borrow out of the sign is 1 exactly when the operand is 0.
    @inline(__always)
    mutating func dec<T: Width>(_ a: T) -> T {
        let r = a &- 1
        result = r.extended
        aux = (a ^ 1 ^ r).extended ^ ((a == 0 ? LazyFlags.signBit : 0) ^ (carry &<< 63))
        return r
    }

    /// One of the eight operations of the 00...3F rows; CMP returns its first operand.
    @inline(__always)
    mutating func alu<T: Width>(_ operation: UInt8, _ a: T, _ b: T) -> T {
        switch operation & 7 {
        case 0: return add(a, b)
        case 1: return or(a, b)
        case 2: return adc(a, b)
        case 3: return sbb(a, b)
        case 4: return and(a, b)
        case 5: return sub(a, b)
        case 6: return xor(a, b)
        default:
            cmp(a, b)
            return a
        }
    }

    // MARK: - Carry and overflow alone

    /// Sets CF and leaves OF and the others as they are.
    @inline(__always)
    mutating func setCarry(_ new: UInt64) {
        aux ^= (carry ^ new) &<< 63
        carry = new
    }

    /// Sets CF and OF (each 0 or 1) and leaves the others as they are.
    @inline(__always)
    mutating func setCarryOverflow(_ newCarry: UInt64, _ overflow: UInt64) {
        aux = (aux & ~LazyFlags.signBit) | ((newCarry ^ overflow) &<< 63)
        carry = newCarry
    }
}
