import X86

/// Shifts and rotates as pure operations. `count` is already masked (to 5 bits, or 6 for 8-byte
/// operands) and not zero; `flags` are the six arithmetic flags before.
extension ALU {
    @inline(__always)
    static func shiftLeft(_ a: UInt64, _ count: UInt64, _ size: Int) -> Outcome {
        let width = UInt64(size &* 8)
        // Swift's `<<` gives zero for counts from 64 on.
        let r = (a << count) & mask(size)
        let c: UInt64 = count > width ? 0 : (a >> (width &- count)) & 1
        return Outcome(
            r, c | UndefinedFlags.leftOverflow(r, carry: c, size) | resultFlags(r, size))
    }

    @inline(__always)
    static func shiftRight(_ a: UInt64, _ count: UInt64, _ size: Int) -> Outcome {
        let r = a >> count
        let c = (a >> (count &- 1)) & 1
        return Outcome(r, c | UndefinedFlags.rightOverflow(r, size) | resultFlags(r, size))
    }

    @inline(__always)
    static func shiftArithmeticRight(_ a: UInt64, _ count: UInt64, _ size: Int) -> Outcome {
        let extended = Int64(bitPattern: signExtend(a, size))
        let r = UInt64(bitPattern: extended >> Int64(count)) & mask(size)
        let c = UInt64(bitPattern: extended >> Int64(count &- 1)) & 1
        return Outcome(r, c | resultFlags(r, size))
    }

    @inline(__always)
    static func rotateLeft(
        _ a: UInt64, _ count: UInt64, flags: UInt64, _ size: Int
    ) -> Outcome {
        let width = UInt64(size &* 8)
        let n = count & (width &- 1)
        let r = ((a << n) | (a >> (width &- n))) & mask(size)
        let c = r & 1
        let kept = flags & ~(RFLAGS.cf | RFLAGS.of)
        return Outcome(r, kept | c | UndefinedFlags.leftOverflow(r, carry: c, size))
    }

    @inline(__always)
    static func rotateRight(
        _ a: UInt64, _ count: UInt64, flags: UInt64, _ size: Int
    ) -> Outcome {
        let width = UInt64(size &* 8)
        let n = count & (width &- 1)
        let r = ((a >> n) | (a << (width &- n))) & mask(size)
        let kept = flags & ~(RFLAGS.cf | RFLAGS.of)
        return Outcome(r, kept | sign(r, size) | UndefinedFlags.rightOverflow(r, size))
    }

    /// RCL: a rotate of CF:a, which is one bit wider than the operand.
    static func rotateCarryLeft(
        _ a: UInt64, _ count: UInt64, flags: UInt64, _ size: Int
    ) -> Outcome {
        let width = UInt64(size &* 8)
        let n = count % (width &+ 1)
        var r = a
        var c = flags & RFLAGS.cf
        if n != 0 {
            r = (a << n) | (c << (n &- 1)) | (a >> (width &+ 1 &- n))
            r &= mask(size)
            c = (a >> (width &- n)) & 1
        }
        let kept = flags & ~(RFLAGS.cf | RFLAGS.of)
        return Outcome(r, kept | c | UndefinedFlags.leftOverflow(r, carry: c, size))
    }

    /// RCR: a rotate of CF:a, which is one bit wider than the operand.
    static func rotateCarryRight(
        _ a: UInt64, _ count: UInt64, flags: UInt64, _ size: Int
    ) -> Outcome {
        let width = UInt64(size &* 8)
        let n = count % (width &+ 1)
        var r = a
        var c = flags & RFLAGS.cf
        if n != 0 {
            r = (a >> n) | (c << (width &- n)) | (a << (width &+ 1 &- n))
            r &= mask(size)
            c = (a >> (n &- 1)) & 1
        }
        let kept = flags & ~(RFLAGS.cf | RFLAGS.of)
        return Outcome(r, kept | c | UndefinedFlags.rightOverflow(r, size))
    }

    /// SHLD: `a` shifted left, filled from the top of `b`.
    static func shiftLeftDouble(
        _ a: UInt64, _ b: UInt64, _ count: UInt64, _ size: Int
    ) -> Outcome {
        let width = UInt64(size &* 8)
        var r = (a << count) | (b >> (width &- count))
        var c = (a >> (width &- count)) & 1
        if count > width {
            // Only for 16 bits: the 48-bit operand is a:b:a.
            r = (b << (count &- width)) | (a >> (width &* 2 &- count))
            c = (b >> (width &* 2 &- count)) & 1
        }
        r &= mask(size)
        return Outcome(
            r, c | UndefinedFlags.leftOverflow(r, carry: c, size) | resultFlags(r, size))
    }

    /// SHRD: `a` shifted right, filled from the bottom of `b`.
    static func shiftRightDouble(
        _ a: UInt64, _ b: UInt64, _ count: UInt64, _ size: Int
    ) -> Outcome {
        let width = UInt64(size &* 8)
        var r = (a >> count) | (b << (width &- count))
        var c = (a >> (count &- 1)) & 1
        if count > width {
            r = (b >> (count &- width)) | (a << (width &* 2 &- count))
            c = (b >> (count &- width &- 1)) & 1
        }
        r &= mask(size)
        return Outcome(r, c | UndefinedFlags.rightOverflow(r, size) | resultFlags(r, size))
    }
}

/// SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD and SHRD (Intel SDM vol. 2). A masked count of zero
/// changes nothing, but the destination is still accessed (and a 32-bit register destination still
/// loses its upper half).
extension CPU {
    /// The count operand, masked to 5 bits, or 6 for 8-byte operands.
    @inline(__always)
    private func shiftCount(
        _ i: borrowing Instruction, _ count: Operand, _ size: Int
    ) throws(Fault) -> UInt64 {
        try readOperand(i, count) & (size == 8 ? 63 : 31)
    }

    @inline(__always)
    private func shift(
        _ i: borrowing Instruction, _ operation: (UInt64, UInt64, UInt64, Int) -> Outcome
    ) throws(Fault) {
        let o = i.operands.0
        let size = Int(o.size)
        let count = try shiftCount(i, i.operands.1, size)
        let a = try readOperandForWrite(i, o)
        if count == 0 { return try writeOperand(i, o, a) }
        let r = operation(a, count, pointee.rflags & RFLAGS.arithmetic, size)
        try writeOperand(i, o, r.value)
        setArithmeticFlags(r.flags)
    }

    func executeShiftLeft(_ i: borrowing Instruction) throws(Fault) {
        try shift(i) { ALU.shiftLeft($0, $1, $3) }
    }

    func executeShiftRight(_ i: borrowing Instruction) throws(Fault) {
        try shift(i) { ALU.shiftRight($0, $1, $3) }
    }

    func executeShiftArithmeticRight(_ i: borrowing Instruction) throws(Fault) {
        try shift(i) { ALU.shiftArithmeticRight($0, $1, $3) }
    }

    func executeRotateLeft(_ i: borrowing Instruction) throws(Fault) {
        try shift(i) { ALU.rotateLeft($0, $1, flags: $2, $3) }
    }

    func executeRotateRight(_ i: borrowing Instruction) throws(Fault) {
        try shift(i) { ALU.rotateRight($0, $1, flags: $2, $3) }
    }

    func executeRotateCarryLeft(_ i: borrowing Instruction) throws(Fault) {
        try shift(i) { ALU.rotateCarryLeft($0, $1, flags: $2, $3) }
    }

    func executeRotateCarryRight(_ i: borrowing Instruction) throws(Fault) {
        try shift(i) { ALU.rotateCarryRight($0, $1, flags: $2, $3) }
    }

    /// SHLD and SHRD.
    func executeShiftDouble(_ i: borrowing Instruction, left: Bool) throws(Fault) {
        let o = i.operands.0
        let size = Int(o.size)
        let count = try shiftCount(i, i.operands.2, size)
        let b = try readOperand(i, i.operands.1)
        let a = try readOperandForWrite(i, o)
        if count == 0 { return try writeOperand(i, o, a) }
        let r =
            left
            ? ALU.shiftLeftDouble(a, b, count, size) : ALU.shiftRightDouble(a, b, count, size)
        try writeOperand(i, o, r.value)
        setArithmeticFlags(r.flags)
    }
}
