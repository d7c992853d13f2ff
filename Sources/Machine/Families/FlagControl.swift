import X86

/// CLC, STC, CMC, CLD, STD, CLI and STI (Intel SDM vol. 2; vol. 3, 6.8.1 for the last two).
extension CPU {
    /// CPL <= IOPL, or real-address mode: POPF, CLI and STI may change IF, and ports are open.
    @inline(__always)
    var mayChangeInterruptFlag: Bool {
        let iopl = (pointee.rflags & RFLAGS.iopl) &>> RFLAGS.ioplShift
        return pointee.cr0 & CR0.pe == 0 || UInt64(pointee.cpl) <= iopl
    }

    func executeComplementCarry() { pointee.rflags ^= RFLAGS.cf }

    /// #GP(0) when CPL > IOPL: the virtual interrupt flags (CR4.VME and PVI) are not offered.
    func executeClearInterrupts() throws(Fault) {
        if !mayChangeInterruptFlag { throw .generalProtection(0) }
        pointee.rflags &= ~RFLAGS.interruptEnable
    }

    /// STI: if interrupts were off, they stay held off until after the next instruction.
    func executeSetInterrupts() throws(Fault) {
        if !mayChangeInterruptFlag { throw .generalProtection(0) }
        if pointee.rflags & RFLAGS.interruptEnable == 0 {
            writeFlags(pointee.rflags | RFLAGS.interruptEnable)
            beginShadow(1)
        }
    }
}

extension CPU {
    /// Replaces RFLAGS where TF, RF or IF may change: stepping follows.
    @inline(__always)
    func writeFlags(_ v: UInt64) {
        pointee.rflags = v
        updateStepping()
    }
}
