import X86

/// AND, OR, XOR, TEST and NOT (Intel SDM vol. 2).
extension CPU {
    func executeAnd(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let a = try readOperandForWrite(i, o)
        let r = ALU.logic(a & (try readOperand(i, i.operands.1)), Int(o.size))
        try writeOperand(i, o, r.value)
        setArithmeticFlags(r.flags)
    }

    func executeOr(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let a = try readOperandForWrite(i, o)
        let r = ALU.logic(a | (try readOperand(i, i.operands.1)), Int(o.size))
        try writeOperand(i, o, r.value)
        setArithmeticFlags(r.flags)
    }

    func executeExclusiveOr(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let a = try readOperandForWrite(i, o)
        let r = ALU.logic(a ^ (try readOperand(i, i.operands.1)), Int(o.size))
        try writeOperand(i, o, r.value)
        setArithmeticFlags(r.flags)
    }

    func executeTest(_ i: borrowing Instruction) throws(Fault) {
        let a = try readOperand(i, i.operands.0)
        let b = try readOperand(i, i.operands.1)
        setArithmeticFlags(ALU.logic(a & b, Int(i.operands.0.size)).flags)
    }

    /// NOT: no flags.
    func executeNot(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let a = try readOperandForWrite(i, o)
        try writeOperand(i, o, ~a & sizeMask(Int(o.size)))
    }
}
