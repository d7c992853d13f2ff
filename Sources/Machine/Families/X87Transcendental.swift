import X86

/// x87 instructions that leave two results, or none where the argument is out of range (Intel SDM
/// vol. 2).
extension CPU {
    /// FSIN and FCOS: C2 says that the argument was out of range, and ST(0) is as it was.
    func executeX87Sine(_ i: borrowing Instruction, cosine: Bool) throws(Fault) {
        try beginX87()
        noteX87(i)
        vectorState.pointee.statusWord &= ~CPU.x87C2
        if isStackEmpty(0) {
            if x87StackFault(overflow: false) { setStackRegister(0, .indefinite) }
            return
        }
        var c = x87Control
        let x = stackRegister(0)
        guard let r = cosine ? c.cosine(x) : c.sine(x) else { return refuseRange() }
        settleX87(c)
        if !c.isRefused { setStackRegister(0, r) }
    }

    private func refuseRange() {
        vectorState.pointee.statusWord &= ~CPU.x87C1
        vectorState.pointee.statusWord |= CPU.x87C2
    }

    /// An instruction that replaces ST(0) and pushes a second result.
    private func replaceAndPush(
        _ i: borrowing Instruction,
        _ f: (inout FloatControl, Extended) -> (replaced: Extended, pushed: Extended)?
    ) throws(Fault) {
        try beginX87()
        noteX87(i)
        if isStackEmpty(0) || !isStackEmpty(-1) {
            if x87StackFault(overflow: !isStackEmpty(0)) {
                setStackRegister(0, .indefinite)
                pushX87(.indefinite)
            }
            return
        }
        var c = x87Control
        guard let r = f(&c, stackRegister(0)) else { return refuseRange() }
        settleX87(c)
        if c.isRefused { return }
        setStackRegister(0, r.replaced)
        pushX87(r.pushed)
    }

    /// FPTAN: the tangent, then 1.
    func executeX87Tangent(_ i: borrowing Instruction) throws(Fault) {
        try clearRange()
        try replaceAndPush(i) { (c, x) in
            guard let r = c.tangent(x) else { return nil }
            return (r, r.isNaN ? r : .one)
        }
    }

    /// FSINCOS: the sine, then the cosine.
    func executeX87SineAndCosine(_ i: borrowing Instruction) throws(Fault) {
        try clearRange()
        try replaceAndPush(i) { (c, x) in
            guard let sine = c.sine(x), let cosine = c.cosine(x) else { return nil }
            return (sine, cosine)
        }
    }

    private func clearRange() throws(Fault) {
        try beginX87()
        vectorState.pointee.statusWord &= ~CPU.x87C2
    }

    /// FXTRACT: the exponent, then the significand.
    func executeX87Extract(_ i: borrowing Instruction) throws(Fault) {
        try replaceAndPush(i) { (c, x) in
            let r = c.extract(x)
            return (r.exponent, r.significand)
        }
    }
}
