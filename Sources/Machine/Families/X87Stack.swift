import X86

/// The x87 register stack, its tags and its exceptions (Intel SDM vol. 1, 8.1 and 8.4...8.7). Every
/// instruction computes in a `FloatControl` and settles what it raised at its end, when nothing can
/// fault any more.
///
/// Only whether a register is empty is kept in the tag word (3, else anything below); valid, zero
/// and special are told from the contents where the word is stored.
extension CPU {
    static var x87C0: UInt16 { 1 << 8 }
    static var x87C1: UInt16 { 1 << 9 }
    static var x87C2: UInt16 { 1 << 10 }
    static var x87C3: UInt16 { 1 << 14 }

    /// What every waiting instruction asks first: #NM, then #MF.
    func beginX87() throws(Fault) {
        try requireX87()
        try checkX87Exception()
    }

    /// Rounding, precision and masks as the control word has them. The reserved precision 1 is the
    /// extended one.
    var x87Control: FloatControl {
        let word = vectorState.pointee.controlWord
        let format: FloatFormat
        switch (word &>> 8) & 3 {
        case 0: format = .extended24
        case 2: format = .extended53
        default: format = .extended
        }
        return FloatControl(
            rounding: FloatControl.Rounding(rawValue: UInt8(word &>> 10) & 3).unsafelyUnwrapped,
            masks: word, format: format)
    }

    // MARK: - Registers

    @inline(__always)
    var x87Top: Int { Int(vectorState.pointee.statusWord &>> 11) & 7 }

    @inline(__always)
    func setX87Top(_ n: Int) {
        let bits = UInt16(truncatingIfNeeded: n & 7) &<< 11
        vectorState.pointee.statusWord = (vectorState.pointee.statusWord & ~0x3800) | bits
    }

    /// ST(n), whether or not it is empty.
    func stackRegister(_ n: Int) -> Extended {
        let at = ((x87Top &+ n) & 7) &* 2
        return Extended(
            significand: x87Words[at],
            signExponent: UInt16(truncatingIfNeeded: x87Words[at &+ 1]))
    }

    /// ST(n) := v, and not empty.
    func setStackRegister(_ n: Int, _ v: Extended) {
        let physical = (x87Top &+ n) & 7
        x87Words[physical &* 2] = v.significand
        x87Words[physical &* 2 &+ 1] = UInt64(v.signExponent)
        vectorState.pointee.tagWord &= ~(3 &<< UInt16(physical &* 2))
    }

    func isStackEmpty(_ n: Int) -> Bool {
        let physical = (x87Top &+ n) & 7
        return (vectorState.pointee.tagWord &>> UInt16(physical &* 2)) & 3 == 3
    }

    func freeStackRegister(_ n: Int) {
        vectorState.pointee.tagWord |= 3 &<< UInt16(((x87Top &+ n) & 7) &* 2)
    }

    func pushX87(_ v: Extended) {
        setX87Top(x87Top &- 1)
        setStackRegister(0, v)
    }

    func popX87(_ count: Int = 1) {
        for _ in 0..<count {
            freeStackRegister(0)
            setX87Top(x87Top &+ 1)
        }
    }

    // MARK: - Exceptions and pointers

    /// Puts what an instruction raised into the status word; C1 says that it rounded up. An
    /// exception found before computing keeps those found after it from being told.
    func settleX87(_ c: FloatControl) {
        var raised = c.raised
        if c.isRefused { raised &= FloatControl.before | FloatControl.stackFault }
        let up = c.roundedUp && !c.isRefused ? CPU.x87C1 : 0
        vectorState.pointee.statusWord =
            (vectorState.pointee.statusWord & ~CPU.x87C1) | raised | up
        summariseX87Exceptions()
    }

    /// A stack fault: C1 tells overflow from underflow. True when its masked response follows.
    func x87StackFault(overflow: Bool) -> Bool {
        let state = vectorState
        let raised = FloatControl.invalid | FloatControl.stackFault
        state.pointee.statusWord =
            (state.pointee.statusWord & ~CPU.x87C1) | raised | (overflow ? CPU.x87C1 : 0)
        summariseX87Exceptions()
        return state.pointee.controlWord & FloatControl.invalid != 0
    }

    /// The pointers that a non-control instruction leaves: its own offset, that of its memory
    /// operand if it has one, and its opcode (SDM vol. 1, 8.1.8 and 8.1.9). The selectors are not
    /// kept, as CPUID says.
    func noteX87(_ i: borrowing Instruction) {
        let state = vectorState
        state.pointee.instructionPointer = pointee.rip &- UInt64(i.length)
        if i.operands.0.kind == .memory { state.pointee.dataPointer = effectiveOffset(i) }
        let escape = UInt16(OpcodeTable.opcode(ofRow: Int(i.row)) & 7)
        state.pointee.lastOpcode = escape &<< 8 | UInt16(i.modRM)
    }

    /// The tag word as it is stored: each register's tag from its contents.
    var fullX87Tags: UInt16 {
        var tags: UInt16 = 0
        for n in 0..<8 {
            let v = Extended(
                significand: x87Words[2 &* n],
                signExponent: UInt16(truncatingIfNeeded: x87Words[2 &* n &+ 1]))
            let isEmpty = (vectorState.pointee.tagWord &>> UInt16(2 &* n)) & 3 == 3
            let isValid = v.biasedExponent != 0 && v.biasedExponent != 0x7FFF && !v.isUnsupported
            let tag: UInt16 = isEmpty ? 3 : v.isZero ? 1 : isValid ? 0 : 2
            tags |= tag &<< UInt16(2 &* n)
        }
        return tags
    }

    /// Takes a tag word: what matters is which registers are empty.
    func setX87Tags(_ tags: UInt16) {
        let empty = tags & (tags &>> 1) & 0x5555
        vectorState.pointee.tagWord = empty | empty &<< 1
    }
}
