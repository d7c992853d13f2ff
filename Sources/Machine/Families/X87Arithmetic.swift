import X86

/// x87 arithmetic and comparisons (Intel SDM vol. 2).
extension CPU {
    enum X87Operation {
        case add, multiply, subtract, subtractReversed, divide, divideReversed
    }

    /// FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR, with a pop, or with an integer operand.
    func executeX87Arithmetic(
        _ i: borrowing Instruction, _ operation: X87Operation, pops: Bool = false,
        integer: Bool = false
    ) throws(Fault) {
        try beginX87()
        let o = i.operands.0
        let target: Int
        let source: Extended
        var c = x87Control
        var isEmpty = false
        if o.kind == .memory {
            source = try readX87Source(i, integer: integer, &c)
            target = 0
        } else {
            let n = Int(i.operands.1.register)
            source = stackRegister(n)
            isEmpty = isStackEmpty(n)
            target = Int(o.register)
        }
        noteX87(i)
        if isEmpty || isStackEmpty(target) {
            if x87StackFault(overflow: false) {
                setStackRegister(target, .indefinite)
                if pops { popX87() }
            }
            return
        }
        let r = CPU.compute(&c, operation, stackRegister(target), source)
        settleX87(c)
        if c.isRefused { return }
        setStackRegister(target, r)
        if pops { popX87() }
    }

    /// An integer or floating-point memory operand of arithmetic.
    private func readX87Source(
        _ i: borrowing Instruction, integer: Bool, _ c: inout FloatControl
    ) throws(Fault) -> Extended {
        if integer { return try readX87Integer(i, i.operands.0) }
        let source = try readX87Float(i, i.operands.0)
        c.hasDenormalSource = source.isDenormal
        return source.value
    }

    private static func compute(
        _ c: inout FloatControl, _ operation: X87Operation, _ a: Extended, _ b: Extended
    ) -> Extended {
        switch operation {
        case .add: c.add(a, b)
        case .multiply: c.multiply(a, b)
        case .subtract: c.subtract(a, b)
        case .subtractReversed: c.subtract(b, a)
        case .divide: c.divide(a, b)
        case .divideReversed: c.divide(b, a)
        }
    }

    /// An operation on ST(0) alone. `f` returns nil to leave it as it is.
    func executeX87Unary(
        _ i: borrowing Instruction, _ f: (inout FloatControl, Extended) -> Extended?
    ) throws(Fault) {
        try beginX87()
        noteX87(i)
        if isStackEmpty(0) {
            if x87StackFault(overflow: false) { setStackRegister(0, .indefinite) }
            return
        }
        var c = x87Control
        let r = f(&c, stackRegister(0))
        settleX87(c)
        if let r, !c.isRefused { setStackRegister(0, r) }
    }

    /// An operation on ST(0) and ST(1), whose result goes to ST(0) or, with `pops`, to ST(1), which
    /// becomes the top.
    func executeX87Binary(
        _ i: borrowing Instruction, pops: Bool,
        _ f: (inout FloatControl, _ st0: Extended, _ st1: Extended) -> Extended
    ) throws(Fault) {
        try beginX87()
        noteX87(i)
        if isStackEmpty(0) || isStackEmpty(1) {
            if x87StackFault(overflow: false) {
                setStackRegister(pops ? 1 : 0, .indefinite)
                if pops { popX87() }
            }
            return
        }
        var c = x87Control
        let r = f(&c, stackRegister(0), stackRegister(1))
        settleX87(c)
        if c.isRefused { return }
        setStackRegister(pops ? 1 : 0, r)
        if pops { popX87() }
    }

    /// FPREM and, with `nearest`, FPREM1. C2 says that the remainder is partial; else C0, C3 and C1
    /// are bits 2, 1 and 0 of the quotient.
    func executeX87Remainder(_ i: borrowing Instruction, nearest: Bool) throws(Fault) {
        try beginX87()
        noteX87(i)
        let codes = CPU.x87C0 | CPU.x87C1 | CPU.x87C2 | CPU.x87C3
        vectorState.pointee.statusWord &= ~CPU.x87C2
        if isStackEmpty(0) || isStackEmpty(1) {
            if x87StackFault(overflow: false) { setStackRegister(0, .indefinite) }
            return
        }
        var c = x87Control
        let r = c.remainder(stackRegister(0), stackRegister(1), nearest: nearest)
        settleX87(c)
        if c.isRefused { return }
        let kept = r.isSpecial ? CPU.x87C0 | CPU.x87C3 : 0
        var word = vectorState.pointee.statusWord & ~(codes & ~kept)
        if r.isPartial { word |= CPU.x87C2 }
        if r.quotient & 4 != 0 { word |= CPU.x87C0 }
        if r.quotient & 2 != 0 { word |= CPU.x87C3 }
        if r.quotient & 1 != 0 { word |= CPU.x87C1 }
        vectorState.pointee.statusWord = word
        setStackRegister(0, r.value)
    }

    // MARK: - Comparisons

    private func setX87Order(_ order: FloatControl.Order) {
        let codes = CPU.x87C0 | CPU.x87C2 | CPU.x87C3
        let word: UInt16
        switch order {
        case .greater: word = 0
        case .less: word = CPU.x87C0
        case .equal: word = CPU.x87C3
        case .unordered: word = codes
        }
        vectorState.pointee.statusWord = (vectorState.pointee.statusWord & ~codes) | word
    }

    /// FCOM, FUCOM (`quiet`), FICOM and FTST, with their popping forms.
    func executeX87Compare(
        _ i: borrowing Instruction, quiet: Bool = false, integer: Bool = false, pops: Int = 0
    ) throws(Fault) {
        try beginX87()
        let source: Extended
        var c = x87Control
        var isEmpty = isStackEmpty(0)
        if i.operands.0.kind == .memory {
            source = try readX87Source(i, integer: integer, &c)
        } else if i.mnemonic == .ftst {
            source = .zero(negative: false)
        } else {
            // FCOMPP and FUCOMPP name no register.
            let n = i.operandCount < 2 ? 1 : Int(i.operands.1.register)
            source = stackRegister(n)
            isEmpty = isEmpty || isStackEmpty(n)
        }
        noteX87(i)
        // An unmasked exception leaves the codes alone on Intel's processors, and not on AMD's.
        let setsAlways = pointee.shared.pointee.vendor == .amd
        if isEmpty {
            let isMasked = x87StackFault(overflow: false)
            if isMasked || setsAlways { setX87Order(.unordered) }
            if isMasked { popX87(pops) }
            return
        }
        let order = c.compare(stackRegister(0), source, quiet: quiet)
        settleX87(c)
        if !c.isRefused || setsAlways { setX87Order(order) }
        if !c.isRefused { popX87(pops) }
    }

    /// FCOMI, FUCOMI and their popping forms: ZF PF CF; OF SF AF become 0. C1 becomes 0 but on
    /// AMD's processors, which keep it.
    func executeX87CompareFlags(
        _ i: borrowing Instruction, quiet: Bool, pops: Int
    ) throws(Fault) {
        try beginX87()
        noteX87(i)
        let n = Int(i.operands.1.register)
        let unordered = RFLAGS.zf | RFLAGS.pf | RFLAGS.cf
        let setsAlways = pointee.shared.pointee.vendor == .amd
        if isStackEmpty(0) || isStackEmpty(n) {
            let isMasked = x87StackFault(overflow: false)
            if isMasked || setsAlways { setArithmeticFlags(unordered) }
            if isMasked { popX87(pops) }
            return
        }
        var c = x87Control
        let order = c.compare(stackRegister(0), stackRegister(n), quiet: quiet)
        let c1 = setsAlways ? vectorState.pointee.statusWord & CPU.x87C1 : 0
        settleX87(c)
        vectorState.pointee.statusWord |= c1
        if c.isRefused && !setsAlways { return }
        switch order {
        case .greater: setArithmeticFlags(0)
        case .less: setArithmeticFlags(RFLAGS.cf)
        case .equal: setArithmeticFlags(RFLAGS.zf)
        case .unordered: setArithmeticFlags(unordered)
        }
        if !c.isRefused { popX87(pops) }
    }

    /// FXAM: C3, C2 and C0 name the class, C1 the sign, of an empty register too.
    func executeX87Examine(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        noteX87(i)
        let v = stackRegister(0)
        let word: UInt16
        if isStackEmpty(0) {
            word = CPU.x87C3 | CPU.x87C0
        } else if v.isUnsupported {
            word = 0
        } else if v.isNaN {
            word = CPU.x87C0
        } else if v.isInfinite {
            word = CPU.x87C2 | CPU.x87C0
        } else if v.isZero {
            word = CPU.x87C3
        } else if v.isDenormal {
            word = CPU.x87C3 | CPU.x87C2
        } else {
            word = CPU.x87C2
        }
        let codes = CPU.x87C0 | CPU.x87C1 | CPU.x87C2 | CPU.x87C3
        vectorState.pointee.statusWord =
            (vectorState.pointee.statusWord & ~codes) | word | (v.isNegative ? CPU.x87C1 : 0)
    }
}
