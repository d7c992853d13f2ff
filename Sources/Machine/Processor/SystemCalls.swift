import X86

/// SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS (Intel SDM vol. 2; AMD APM vol. 3). The segments
/// are loaded with constants: no descriptor table is read.
extension CPU {
    /// Flat 64-bit code, read and accessed; the DPL is or-ed in.
    private static var code64: UInt16 { 0xA09B }
    /// Flat 32-bit code.
    private static var code32: UInt16 { 0xC09B }
    /// Flat writable data.
    private static var data: UInt16 { 0xC093 }

    @inline(__always)
    var isAMD: Bool { pointee.shared.pointee.vendor == .amd }

    /// A flat segment register.
    @inline(__always)
    private func flat(_ selector: UInt16, _ attributes: UInt16, cpl: UInt8) -> SegmentRegister {
        var segment = SegmentRegister()
        segment.limit = 0xFFFF_FFFF
        segment.attributes = attributes | UInt16(cpl) &<< SegmentRegister.dplShift
        segment.selector = selector
        return segment
    }

    /// CS and SS for a transfer to `cpl`; 64-bit code when `long`.
    @inline(__always)
    private func enterFlat(cs: UInt16, ss: UInt16, cpl: UInt8, long: Bool) {
        pointee.cs = flat(cs, long ? Self.code64 : Self.code32, cpl: cpl)
        pointee.ss = flat(ss, Self.data, cpl: cpl)
        setCPL(cpl)
        pointee.codeSize = long ? CodeSize.bits64.rawValue : CodeSize.bits32.rawValue
    }

    /// SYSCALL. Intel's processors know it in 64-bit mode only; AMD's also in compatibility mode
    /// (CSTAR) and in legacy protected mode (STAR).
    func executeSyscall(_ i: borrowing Instruction) throws(Fault) {
        if pointee.efer & EFER.sce == 0 { throw .undefinedOpcode }
        if !in64Bit && !(isAMD && inProtectedMode) { throw .undefinedOpcode }
        let from = origin()
        let selector = UInt16(truncatingIfNeeded: pointee.star &>> 32) & 0xFFFC
        if pointee.longMode != 0 {
            let target = in64Bit ? pointee.lstar : pointee.cstar
            pointee.rcx = pointee.rip
            // RF, which an IRET may have left for this instruction, is cleared before the copy (AMD
            // APM vol. 3, SYSCALL; Linux's entry code says it of both vendors' processors).
            pointee.r11 = pointee.rflags & ~RFLAGS.rf
            pointee.rflags =
                pointee.rflags & ~(pointee.sfmask | RFLAGS.rf) | RFLAGS.fixedOne
            pointee.rip = target
            enterFlat(cs: selector, ss: selector &+ 8, cpl: 0, long: true)
        } else {
            pointee.rcx = pointee.rip
            pointee.rflags &= ~(RFLAGS.vm | RFLAGS.interruptEnable | RFLAGS.rf)
            pointee.rip = pointee.star & 0xFFFF_FFFF
            enterFlat(cs: selector, ss: selector &+ 8, cpl: 0, long: false)
        }
        updateStepping()
        notify(.syscall, from: from)
    }

    /// SYSRET. With a non-canonical RCX Intel's processors raise #GP(0) here, still at CPL 0; AMD's
    /// complete it, and the fetch at CPL 3 faults. AMD's leave the hidden part of SS as it was.
    func executeSysret(_ i: borrowing Instruction) throws(Fault) {
        if pointee.efer & EFER.sce == 0 { throw .undefinedOpcode }
        if !isAMD && !in64Bit { throw .undefinedOpcode }
        if pointee.cpl != 0 || !inProtectedMode { throw .generalProtection(0) }
        var from = origin()
        from.rip = from.rip &- UInt64(i.length)
        let long = i.operandSize == 8
        if long && !isAMD && !isCanonical(pointee.rcx) { throw .generalProtection(0) }
        let base = UInt16(truncatingIfNeeded: pointee.star &>> 48)
        let hiddenSS = pointee.ss.attributes
        let oldSS = pointee.ss
        if pointee.longMode != 0 {
            pointee.rflags = (pointee.r11 & 0x3C_7FD7) | RFLAGS.fixedOne
        } else {
            pointee.rflags |= RFLAGS.interruptEnable
        }
        pointee.rip = long ? pointee.rcx : pointee.rcx & 0xFFFF_FFFF
        enterFlat(cs: (base &+ (long ? 16 : 0)) | 3, ss: (base &+ 8) | 3, cpl: 3, long: long)
        if isAMD {
            let selector = pointee.ss.selector
            pointee.ss = oldSS
            pointee.ss.selector = selector
            pointee.ss.attributes = hiddenSS | 3 &<< SegmentRegister.dplShift
        }
        updateStepping()
        // As if the SYSCALL in user code had just completed: TF counts as it is at the end.
        if pointee.rflags & RFLAGS.tf != 0 { latchSingleStep() }
        notify(.sysret, from: from)
    }

    /// SYSENTER. In IA-32e mode AMD's processors do not know it.
    func executeSysenter(_ i: borrowing Instruction) throws(Fault) {
        if isAMD && pointee.longMode != 0 { throw .undefinedOpcode }
        if pointee.cr0 & CR0.pe == 0 || pointee.sysenterCS & 0xFFFC == 0 {
            throw .generalProtection(0)
        }
        let from = origin()
        let long = pointee.longMode != 0
        let selector = UInt16(truncatingIfNeeded: pointee.sysenterCS) & 0xFFFC
        pointee.rflags &= ~(RFLAGS.vm | RFLAGS.interruptEnable | RFLAGS.rf)
        pointee.rsp = long ? pointee.sysenterESP : pointee.sysenterESP & 0xFFFF_FFFF
        pointee.rip = long ? pointee.sysenterEIP : pointee.sysenterEIP & 0xFFFF_FFFF
        enterFlat(cs: selector, ss: selector &+ 8, cpl: 0, long: long)
        updateStepping()
        notify(.syscall, from: from, number: 1)
    }

    /// SYSEXIT.
    func executeSysexit(_ i: borrowing Instruction) throws(Fault) {
        if isAMD && pointee.longMode != 0 { throw .undefinedOpcode }
        let base = UInt16(truncatingIfNeeded: pointee.sysenterCS) & 0xFFFC
        if base == 0 || pointee.cpl != 0 || !inProtectedMode { throw .generalProtection(0) }
        var from = origin()
        from.rip = from.rip &- UInt64(i.length)
        let long = i.operandSize == 8
        if long && (!isCanonical(pointee.rcx) || !isCanonical(pointee.rdx)) {
            throw .generalProtection(0)
        }
        let mask: UInt64 = long ? .max : 0xFFFF_FFFF
        pointee.rsp = pointee.rcx & mask
        pointee.rip = pointee.rdx & mask
        let selector = base &+ (long ? 32 : 16)
        enterFlat(cs: selector | 3, ss: (selector &+ 8) | 3, cpl: 3, long: long)
        updateStepping()
        notify(.sysret, from: from, number: 1)
    }

    /// SWAPGS: exchanges the GS base with IA32_KERNEL_GS_BASE.
    func executeSwapgs(_ i: borrowing Instruction) throws(Fault) {
        if !in64Bit { throw .undefinedOpcode }
        if pointee.cpl != 0 { throw .generalProtection(0) }
        let base = pointee.gs.base
        pointee.gs.base = pointee.kernelGSBase
        pointee.kernelGSBase = base
        notifyRegister(.swapgs, pointee.gs.base)
    }
}
