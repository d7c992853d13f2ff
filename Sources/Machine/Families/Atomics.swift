import X86

/// XCHG, XADD, CMPXCHG, CMPXCHG8B and CMPXCHG16B (Intel SDM vol. 2). vCPUs take turns between
/// instructions, so each is atomic whether LOCK is there or not.
extension CPU {
    func executeExchange(_ i: borrowing Instruction) throws(Fault) {
        // Whichever operand is memory goes first: only it can fault.
        let first = i.operands.1.kind == .memory ? i.operands.1 : i.operands.0
        let second = i.operands.1.kind == .memory ? i.operands.0 : i.operands.1
        let a = try readOperandForWrite(i, first)
        let b = try readOperand(i, second)
        try writeOperand(i, first, b)
        try writeOperand(i, second, a)
    }

    /// XADD: the destination gets the sum, the source the old destination; the sum wins where both
    /// name one register.
    func executeExchangeAdd(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let a = try readOperandForWrite(i, o)
        let r = ALU.add(a, try readOperand(i, i.operands.1), Int(o.size))
        if o.kind == .memory {
            try writeOperand(i, o, r.value)
            try writeOperand(i, i.operands.1, a)
        } else {
            try writeOperand(i, i.operands.1, a)
            try writeOperand(i, o, r.value)
        }
        setArithmeticFlags(r.flags)
    }

    /// CMPXCHG: memory is written in either case, with its own value if the comparison fails; a
    /// register then stays whole, its upper half included.
    func executeCompareExchange(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let size = Int(o.size)
        let old = try readOperandForWrite(i, o)
        let source = try readOperand(i, i.operands.1)
        let r = ALU.subtract(readRegister(0, size: size), old, size)
        if r.flags & RFLAGS.zf != 0 {
            try writeOperand(i, o, source)
        } else {
            if o.kind == .memory { try writeOperand(i, o, old) }
            writeRegister(0, old, size: size)
        }
        setArithmeticFlags(r.flags)
    }

    /// CMPXCHG8B, and CMPXCHG16B with REX.W, which demands 16-byte alignment (#GP(0)). Only ZF
    /// changes.
    func executeCompareExchangeWide(_ i: borrowing Instruction) throws(Fault) {
        let half = i.flags.contains(.rexW) ? 8 : 4
        if half == 8 { try requireAlignment(i) }
        let a = try linearAddress(i, size: half &* 2, write: true)
        // Both halves must be writable before either changes; they may lie on two pages.
        try checkWrite(a, size: half)
        let upper = advance(a, half)
        let high = try readLinearForWrite(upper, size: half)
        let low = try readLinearForWrite(a, size: half)
        if low == readRegister(0, size: half) && high == readRegister(2, size: half) {
            try writeLinear(a, readRegister(3, size: half), size: half)
            try writeLinear(upper, readRegister(1, size: half), size: half)
            pointee.rflags |= RFLAGS.zf
        } else {
            try writeLinear(a, low, size: half)
            try writeLinear(upper, high, size: half)
            writeRegister(0, low, size: half)
            writeRegister(2, high, size: half)
            pointee.rflags &= ~RFLAGS.zf
        }
    }
}
