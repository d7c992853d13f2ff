import X86

/// Near branches (Intel SDM vol. 2). RIP is already that of the next instruction while one
/// executes; nothing changes before the target and the stack have passed their checks.
extension CPU {
    /// The target of a direct or indirect near branch.
    @inline(__always)
    private func branchTarget(_ i: borrowing Instruction) throws(Fault) -> UInt64 {
        let o = i.operands.0
        return o.kind == .relative ? pointee.rip &+ i.immediate : try readOperand(i, o)
    }

    func executeJump(_ i: borrowing Instruction) throws(Fault) {
        try branch(to: try branchTarget(i), i)
    }

    func executeConditionalJump(_ i: borrowing Instruction) throws(Fault) {
        if condition(i.condition) { try branch(to: pointee.rip &+ i.immediate, i) }
    }

    /// CALL: the stack is checked, then the target, and only then the return address pushed
    /// (measured for faults in both).
    func executeCall(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operandSize)
        let back = pointee.rip
        let target = try branchTarget(i)
        let top = (pointee.rsp &- UInt64(truncatingIfNeeded: size)) & stackMask
        let a = try linear(segment: Int(SegmentNumber.ss), offset: top, size: size, write: true)
        try checkWrite(a, size: size)
        try branch(to: target, i)
        try push(back, size: size)
    }

    /// RET, with or without the release of parameters.
    func executeReturn(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operandSize)
        try branch(to: try readStack(0, size: size), i)
        let released = i.operandCount == 0 ? 0 : i.immediate
        let top = pointee.rsp &+ UInt64(truncatingIfNeeded: size) &+ released
        setStackPointer(top, mask: stackMask)
    }

    /// JCXZ, JECXZ and JRCXZ, by address size.
    func executeJumpIfCountZero(_ i: borrowing Instruction) throws(Fault) {
        if readRegister(1, size: Int(i.addressSize)) == 0 {
            try branch(to: pointee.rip &+ i.immediate, i)
        }
    }

    /// LOOP, LOOPE and LOOPNE: rCX has the address size. `wanted` is the ZF that keeps looping, nil
    /// for LOOP.
    func executeLoop(_ i: borrowing Instruction, wanted: Bool?) throws(Fault) {
        let size = Int(i.addressSize)
        let count = (readRegister(1, size: size) &- 1) & sizeMask(size)
        let zero = pointee.rflags & RFLAGS.zf != 0
        if count != 0 && (wanted == nil || wanted == zero) {
            try branch(to: pointee.rip &+ i.immediate, i)
        }
        writeRegister(1, count, size: size)
    }
}
