import X86

/// DAA, DAS, AAA, AAS, AAM and AAD; none exists in 64-bit mode (Intel SDM vol. 2).
extension CPU {
    /// DAA and DAS. OF is unchanged.
    func executeDecimalAdjust(subtract: Bool) {
        let old = pointee.rax & 0xFF
        let oldCarry = carry != 0
        var al = old
        var flags: UInt64 = 0
        if old & 0xF > 9 || pointee.rflags & RFLAGS.af != 0 {
            al = subtract ? al &- 6 : al &+ 6
            // A carry or borrow out of AL in this step counts as the decimal one.
            if oldCarry || al > 0xFF { flags |= RFLAGS.cf }
            flags |= RFLAGS.af
        }
        if old > 0x99 || oldCarry {
            al = subtract ? al &- 0x60 : al &+ 0x60
            flags |= RFLAGS.cf
        } else if !subtract {
            flags &= ~RFLAGS.cf
        }
        al &= 0xFF
        writeRegister(0, al, size: 1)
        setFlags(flags | ALU.resultFlags(al, 1), in: RFLAGS.arithmetic & ~RFLAGS.of)
    }

    /// AAA and AAS. OF, SF, ZF and PF are unchanged.
    func executeASCIIAdjust(subtract: Bool) {
        var ax = pointee.rax & 0xFFFF
        var flags: UInt64 = 0
        if ax & 0xF > 9 || pointee.rflags & RFLAGS.af != 0 {
            ax = subtract ? ax &- 0x106 : ax &+ 0x106
            flags = RFLAGS.af | RFLAGS.cf
        }
        writeRegister(0, ax & 0xFF0F, size: 2)
        setFlags(flags, in: RFLAGS.af | RFLAGS.cf)
    }

    /// AAM: AH := AL / base, AL := AL mod base; #DE for base 0. OF, AF and CF become 0.
    func executeASCIIAdjustMultiply(_ i: borrowing Instruction) throws(Fault) {
        let base = i.immediate & 0xFF
        if base == 0 { throw .divideError }
        let al = pointee.rax & 0xFF
        writeRegister(0, ((al / base) &<< 8) | (al % base), size: 2)
        setArithmeticFlags(ALU.resultFlags(al % base, 1))
    }

    /// AAD: AL := AL + AH * base, AH := 0. OF, AF and CF become 0.
    func executeASCIIAdjustDivide(_ i: borrowing Instruction) {
        let ah = (pointee.rax &>> 8) & 0xFF
        let al = ((pointee.rax & 0xFF) &+ ah &* (i.immediate & 0xFF)) & 0xFF
        writeRegister(0, al, size: 2)
        setArithmeticFlags(ALU.resultFlags(al, 1))
    }
}
