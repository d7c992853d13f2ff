import X86

/// What an arithmetic operation produces: a result of the operand's size, zero-extended, and the
/// six arithmetic flags (CF, PF, AF, ZF, SF, OF) in their places, all other bits zero.
struct Outcome: Equatable {
    var value: UInt64
    var flags: UInt64

    @inline(__always)
    init(_ value: UInt64, _ flags: UInt64) {
        self.value = value
        self.flags = flags
    }
}

/// Pure integer operations on operands of 1, 2, 4 or 8 bytes, zero-extended to 64 bits. `size` is
/// always in bytes. Flags are as the Intel SDM (vol. 2, each instruction) defines them, and as
/// `UndefinedFlags` defines the rest.
enum ALU {
    /// Ones in the low `size` bytes.
    @inline(__always)
    static func mask(_ size: Int) -> UInt64 { UInt64.max &>> UInt64(64 &- size &* 8) }

    /// The top bit of a `size`-byte value, as 0 or 1.
    @inline(__always)
    static func sign(_ v: UInt64, _ size: Int) -> UInt64 { (v &>> UInt64(size &* 8 &- 1)) & 1 }

    /// A `size`-byte value sign-extended to 64 bits.
    @inline(__always)
    static func signExtend(_ v: UInt64, _ size: Int) -> UInt64 {
        let shift = UInt64(64 &- size &* 8)
        return UInt64(bitPattern: Int64(bitPattern: v &<< shift) &>> Int64(shift))
    }

    /// `flag` if `condition` is 1, zero if it is 0.
    @inline(__always)
    static func when(_ condition: UInt64, _ flag: UInt64) -> UInt64 { (0 &- condition) & flag }

    /// PF, ZF and SF of a result.
    @inline(__always)
    static func resultFlags(_ r: UInt64, _ size: Int) -> UInt64 {
        let odd = UInt64((r & 0xFF).nonzeroBitCount & 1)
        return when(odd ^ 1, RFLAGS.pf) | (r == 0 ? RFLAGS.zf : 0)
            | when(sign(r, size), RFLAGS.sf)
    }

    /// a + b + carry.
    @inline(__always)
    static func add(_ a: UInt64, _ b: UInt64, carry: UInt64 = 0, _ size: Int) -> Outcome {
        let r = (a &+ b &+ carry) & mask(size)
        let carries = (a & b) | ((a | b) & ~r)
        return Outcome(
            r,
            when(sign(carries, size), RFLAGS.cf) | ((a ^ b ^ r) & RFLAGS.af)
                | when(sign((a ^ r) & (b ^ r), size), RFLAGS.of) | resultFlags(r, size))
    }

    /// a - b - borrow.
    @inline(__always)
    static func subtract(_ a: UInt64, _ b: UInt64, borrow: UInt64 = 0, _ size: Int) -> Outcome {
        let r = (a &- b &- borrow) & mask(size)
        let borrows = (~a & b) | ((~a | b) & r)
        return Outcome(
            r,
            when(sign(borrows, size), RFLAGS.cf) | ((a ^ b ^ r) & RFLAGS.af)
                | when(sign((a ^ b) & (a ^ r), size), RFLAGS.of) | resultFlags(r, size))
    }

    /// Flags of AND, OR, XOR and TEST for a result of theirs: CF, OF and AF are zero.
    @inline(__always)
    static func logic(_ r: UInt64, _ size: Int) -> Outcome { Outcome(r, resultFlags(r, size)) }
}

extension CPU {
    @inline(__always)
    var carry: UInt64 { pointee.rflags & RFLAGS.cf }

    /// Replaces all six arithmetic flags.
    @inline(__always)
    func setArithmeticFlags(_ flags: UInt64) {
        pointee.rflags = (pointee.rflags & ~RFLAGS.arithmetic) | flags
    }

    /// Replaces the flags in `mask` only.
    @inline(__always)
    func setFlags(_ flags: UInt64, in mask: UInt64) {
        pointee.rflags = (pointee.rflags & ~mask) | (flags & mask)
    }

    /// Whether condition 0...15 of Jcc, SETcc and CMOVcc holds (Intel SDM vol. 1, appendix B).
    func condition(_ n: UInt8) -> Bool {
        let f = pointee.rflags
        let less = (f & RFLAGS.sf != 0) != (f & RFLAGS.of != 0)
        let holds: Bool
        switch n >> 1 {
        case 0: holds = f & RFLAGS.of != 0
        case 1: holds = f & RFLAGS.cf != 0
        case 2: holds = f & RFLAGS.zf != 0
        case 3: holds = f & (RFLAGS.cf | RFLAGS.zf) != 0
        case 4: holds = f & RFLAGS.sf != 0
        case 5: holds = f & RFLAGS.pf != 0
        case 6: holds = less
        default: holds = less || f & RFLAGS.zf != 0
        }
        return holds != (n & 1 != 0)
    }
}
