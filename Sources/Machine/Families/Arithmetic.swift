import X86

/// ADD, ADC, SUB, SBB, CMP, INC, DEC and NEG (Intel SDM vol. 2).
/// A locked instruction is atomic by construction: vCPUs take turns between instructions.
extension CPU {
    func executeAdd(_ i: borrowing Instruction, carry: UInt64) throws(Fault) {
        let o = i.operands.0
        let a = try readOperandForWrite(i, o)
        let r = ALU.add(a, try readOperand(i, i.operands.1), carry: carry, Int(o.size))
        try writeOperand(i, o, r.value)
        setArithmeticFlags(r.flags)
    }

    func executeSubtract(_ i: borrowing Instruction, borrow: UInt64) throws(Fault) {
        let o = i.operands.0
        let a = try readOperandForWrite(i, o)
        let r = ALU.subtract(a, try readOperand(i, i.operands.1), borrow: borrow, Int(o.size))
        try writeOperand(i, o, r.value)
        setArithmeticFlags(r.flags)
    }

    func executeCompare(_ i: borrowing Instruction) throws(Fault) {
        let a = try readOperand(i, i.operands.0)
        let b = try readOperand(i, i.operands.1)
        setArithmeticFlags(ALU.subtract(a, b, Int(i.operands.0.size)).flags)
    }

    /// INC: CF is kept.
    func executeIncrement(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let r = ALU.add(try readOperandForWrite(i, o), 1, Int(o.size))
        try writeOperand(i, o, r.value)
        setFlags(r.flags, in: RFLAGS.arithmetic & ~RFLAGS.cf)
    }

    /// DEC: CF is kept.
    func executeDecrement(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let r = ALU.subtract(try readOperandForWrite(i, o), 1, Int(o.size))
        try writeOperand(i, o, r.value)
        setFlags(r.flags, in: RFLAGS.arithmetic & ~RFLAGS.cf)
    }

    func executeNegate(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let r = ALU.subtract(0, try readOperandForWrite(i, o), Int(o.size))
        try writeOperand(i, o, r.value)
        setArithmeticFlags(r.flags)
    }
}
