import X86

/// x87 loads, stores, constants and moves within the stack (Intel SDM vol. 2).
extension CPU {
    // MARK: - Memory operands

    /// An 80-bit memory operand: its low 8 and high 2 bytes.
    private func readTen(_ i: borrowing Instruction) throws(Fault) -> (low: UInt64, high: UInt64) {
        let a = try linearAddress(i, size: 10, write: false)
        let low = try readLinear(a, size: 8)
        return (low, try readLinear(advance(a, 8), size: 2))
    }

    private func writeTen(
        _ i: borrowing Instruction, _ v: (low: UInt64, high: UInt64)
    ) throws(Fault) {
        let a = try linearAddress(i, size: 10, write: true)
        try checkWrite(a, size: 10)
        try writeLinear(a, v.low, size: 8)
        try writeLinear(advance(a, 8), v.high, size: 2)
    }

    /// A floating-point memory operand of 4 or 8 bytes, exactly, and whether it is a denormal of
    /// its own format.
    func readX87Float(
        _ i: borrowing Instruction, _ o: Operand
    ) throws(Fault) -> (value: Extended, isDenormal: Bool) {
        let bits = try readOperand(i, o)
        if o.size == 4 {
            let isSmall = bits & 0x7F80_0000 == 0 && bits & 0x7F_FFFF != 0
            return (Extended(single: UInt32(truncatingIfNeeded: bits)), isSmall)
        }
        let isSmall = bits & 0x7FF0 &<< 48 == 0 && bits &<< 12 != 0
        return (Extended(double: bits), isSmall)
    }

    /// An integer memory operand, exactly.
    func readX87Integer(_ i: borrowing Instruction, _ o: Operand) throws(Fault) -> Extended {
        let bits = try readOperand(i, o)
        return Extended(integer: Int64(bitPattern: ALU.signExtend(bits, Int(o.size))))
    }

    /// A store that an unmasked exception keeps from happening faults as if it did (measured).
    private func checkDestination(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operands.0.size)
        try checkWrite(try linearAddress(i, size: size, write: true), size: size)
    }

    // MARK: - Loads

    /// Pushes what has been read; a full stack takes the indefinite, if that is masked.
    private func load(_ i: borrowing Instruction, _ v: Extended, _ c: FloatControl) {
        noteX87(i)
        if !isStackEmpty(-1) {
            if x87StackFault(overflow: true) { pushX87(.indefinite) }
            return
        }
        settleX87(c)
        // AMD's processors load a denormal also when DE is not masked.
        let isLoaded =
            c.unmasked & FloatControl.before == FloatControl.denormal
            && pointee.shared.pointee.vendor == .amd
        if !c.isRefused || isLoaded { pushX87(v) }
    }

    /// FLD: a single or double is converted, with IE and DE; an 80-bit one is taken as it is.
    func executeX87Load(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        let o = i.operands.0
        var c = x87Control
        if o.kind == .x87 {
            let n = Int(o.register)
            if isStackEmpty(n) {
                noteX87(i)
                if x87StackFault(overflow: false) { pushX87(.indefinite) }
                return
            }
            return load(i, stackRegister(n), c)
        }
        if o.size == 10 {
            let v = try readTen(i)
            let whole = Extended(
                significand: v.low, signExponent: UInt16(truncatingIfNeeded: v.high))
            return load(i, whole, c)
        }
        let source = try readX87Float(i, o)
        if source.isDenormal { c.raised |= FloatControl.denormal }
        let v = c.special(source.value) ?? source.value
        load(i, v, c)
    }

    /// FILD.
    func executeX87LoadInteger(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        load(i, try readX87Integer(i, i.operands.0), x87Control)
    }

    /// FBLD.
    func executeX87LoadDecimal(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        let v = try readTen(i)
        load(i, Extended(decimalLow: v.low, high: v.high), x87Control)
    }

    /// FLD1 and FLDZ.
    func executeX87LoadExact(_ i: borrowing Instruction, _ v: Extended) throws(Fault) {
        try beginX87()
        load(i, v, x87Control)
    }

    /// FLDL2T, FLDL2E, FLDPI, FLDLG2 and FLDLN2: rounded as RC says, to the extended format,
    /// without telling of it.
    func executeX87LoadConstant(_ i: borrowing Instruction, _ v: Unrounded) throws(Fault) {
        try beginX87()
        var c = x87Control
        let rounded = c.pack(c.round(v.inexact, to: .extended))
        load(i, rounded, x87Control)
    }

    // MARK: - Stores

    /// Whether ST(0) may be stored: not empty, or its masked response follows.
    private func underflowsAtTop(_ i: borrowing Instruction) -> Bool? {
        if !isStackEmpty(0) { return false }
        noteX87(i)
        return x87StackFault(overflow: false) ? true : nil
    }

    /// FST and FSTP. A store to memory that raised IE, OE or UE unmasked has not happened, nor does
    /// it pop.
    func executeX87Store(_ i: borrowing Instruction, pops: Int) throws(Fault) {
        try beginX87()
        let o = i.operands.0
        if o.kind == .x87 {
            guard let underflow = underflowsAtTop(i) else { return }
            let v = underflow ? Extended.indefinite : stackRegister(0)
            if !underflow {
                noteX87(i)
                settleX87(x87Control)
            }
            setStackRegister(Int(o.register), v)
            return popX87(pops)
        }
        if isStackEmpty(0) { return try storeIndefinite(i, pops: pops) }
        var c = x87Control
        let v = stackRegister(0)
        if o.size == 10 {
            try writeTen(i, (v.significand, UInt64(v.signExponent)))
        } else {
            let bits = c.narrow(v, to: o.size == 4 ? .single : .double)
            if c.unmasked & ~FloatControl.precision == 0 {
                try writeOperand(i, o, bits)
            } else {
                // What is not stored is not rounded either.
                c.raised &= ~FloatControl.precision
                c.roundedUp = false
                try checkDestination(i)
            }
        }
        noteX87(i)
        settleX87(c)
        if c.unmasked & ~FloatControl.precision == 0 { popX87(pops) }
    }

    /// The store of an empty ST(0): the indefinite of its kind, if that is masked.
    private func storeIndefinite(_ i: borrowing Instruction, pops: Int) throws(Fault) {
        let o = i.operands.0
        if vectorState.pointee.controlWord & FloatControl.invalid != 0 {
            if o.size == 10 {
                let v = Extended.indefinite
                try writeTen(i, (v.significand, UInt64(v.signExponent)))
            } else {
                try writeOperand(i, o, o.size == 4 ? 0xFFC0_0000 : 0xFFF8 &<< 48)
            }
        } else {
            try checkDestination(i)
        }
        noteX87(i)
        if x87StackFault(overflow: false) { popX87(pops) }
    }

    /// FIST, FISTP and, with `truncating`, FISTTP.
    func executeX87StoreInteger(
        _ i: borrowing Instruction, pops: Int, truncating: Bool = false
    ) throws(Fault) {
        try beginX87()
        let o = i.operands.0
        let bits = Int(o.size) &* 8
        var c = x87Control
        let isEmpty = isStackEmpty(0)
        let v =
            isEmpty
            ? UInt64(1) &<< UInt64(bits &- 1)
            : c.toInteger(stackRegister(0), bits: bits, rounding: truncating ? .zero : c.rounding)
        if isEmpty { c.raised |= FloatControl.invalid }
        let isStored = c.unmasked & FloatControl.invalid == 0
        if isStored { try writeOperand(i, o, v) } else { try checkDestination(i) }
        noteX87(i)
        if isEmpty { _ = x87StackFault(overflow: false) } else { settleX87(c) }
        if isStored { popX87(pops) }
    }

    /// FBSTP.
    func executeX87StoreDecimal(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        var c = x87Control
        let isEmpty = isStackEmpty(0)
        let v = isEmpty ? FloatControl.decimalIndefinite : c.toDecimal(stackRegister(0))
        if isEmpty { c.raised |= FloatControl.invalid }
        let isStored = c.unmasked & FloatControl.invalid == 0
        if isStored { try writeTen(i, v) } else { try checkDestination(i) }
        noteX87(i)
        if isEmpty { _ = x87StackFault(overflow: false) } else { settleX87(c) }
        if isStored { popX87() }
    }

    // MARK: - Within the stack

    /// FSTPNCE, the alias D9 D8 of FSTP ST(i): an empty ST(0) is popped without a stack fault
    /// (measured).
    func executeX87StoreQuietly(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        noteX87(i)
        vectorState.pointee.statusWord &= ~CPU.x87C1
        if !isStackEmpty(0) {
            setStackRegister(Int(i.operands.0.register), stackRegister(0))
        }
        popX87()
    }

    /// FXCH: an empty register counts as the indefinite, if that is masked.
    func executeX87Exchange(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        noteX87(i)
        let n = Int(i.operands.1.register)
        var a = stackRegister(0)
        var b = stackRegister(n)
        if isStackEmpty(0) || isStackEmpty(n) {
            if !x87StackFault(overflow: false) { return }
            if isStackEmpty(0) { a = .indefinite }
            if isStackEmpty(n) { b = .indefinite }
        } else {
            settleX87(x87Control)
        }
        setStackRegister(n, a)
        setStackRegister(0, b)
    }

    /// FCMOVcc: C1 changes only for a stack fault.
    func executeX87ConditionalMove(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        noteX87(i)
        let n = Int(i.operands.1.register)
        if isStackEmpty(0) || isStackEmpty(n) {
            if x87StackFault(overflow: false) { setStackRegister(0, .indefinite) }
            return
        }
        if condition(i.condition) { setStackRegister(0, stackRegister(n)) }
    }

    /// FFREE and, with `pops`, FFREEP. C1 becomes 0 (the manual leaves it undefined; measured).
    func executeX87Free(_ i: borrowing Instruction, pops: Bool) throws(Fault) {
        try beginX87()
        noteX87(i)
        vectorState.pointee.statusWord &= ~CPU.x87C1
        freeStackRegister(Int(i.operands.0.register))
        if pops { popX87() }
    }

    /// FINCSTP and FDECSTP: TOP moves, tags stay, C1 becomes 0.
    func executeX87Rotate(_ i: borrowing Instruction, by n: Int) throws(Fault) {
        try beginX87()
        noteX87(i)
        vectorState.pointee.statusWord &= ~CPU.x87C1
        setX87Top(x87Top &+ n)
    }
}
