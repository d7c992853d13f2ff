import X86

/// RDMSR, WRMSR, and the instructions that read counters or bases without them (Intel SDM vol. 4;
/// AMD APM vol. 2, appendix A). An MSR that is not here is #GP(0).
extension CPU {
    /// IA32_BIOS_SIGN_ID: the microcode's revision, 0.
    private static var microcodeRevision: UInt32 { 0x8B }

    /// The time-stamp counter: derived from the cycles charged, so it needs no log.
    @inline(__always)
    var timeStamp: UInt64 { pointee.cycles &+ pointee.tscOffset }

    /// RDMSR.
    func executeReadMSR(_ i: borrowing Instruction) throws(Fault) {
        try requireSupervisor()
        let value = try readMSR(UInt32(truncatingIfNeeded: pointee.rcx))
        pointee.rax = value & 0xFFFF_FFFF
        pointee.rdx = value &>> 32
    }

    /// WRMSR.
    func executeWriteMSR(_ i: borrowing Instruction) throws(Fault) {
        try requireSupervisor()
        let register = UInt32(truncatingIfNeeded: pointee.rcx)
        let value = (pointee.rdx &<< 32) | (pointee.rax & 0xFFFF_FFFF)
        try writeMSR(register, value)
        pointee.tally.modelSpecificLoads &+= 1
        notifyRegister(.msr, value, address: UInt64(register))
    }

    func readMSR(_ register: UInt32) throws(Fault) -> UInt64 {
        switch register {
        case MSR.timeStampCounter:
            try readsClock()
            return timeStamp
        case MSR.apicBase: return pointee.apicBase
        case MSR.sysenterCS: return pointee.sysenterCS
        case MSR.sysenterESP: return pointee.sysenterESP
        case MSR.sysenterEIP: return pointee.sysenterEIP
        case MSR.pat: return pointee.pat
        case MSR.efer: return pointee.efer
        case MSR.star: return pointee.star
        case MSR.lstar: return pointee.lstar
        case MSR.cstar: return pointee.cstar
        case MSR.sfmask: return pointee.sfmask
        case MSR.fsBase: return pointee.fs.base
        case MSR.gsBase: return pointee.gs.base
        case MSR.kernelGSBase: return pointee.kernelGSBase
        case MSR.tscAux: return pointee.tscAux
        case Self.microcodeRevision: return 0
        case MSR.miscEnable:
            if pointee.shared.pointee.vendor != .intel { throw .generalProtection(0) }
            return pointee.miscEnable
        case MSR.archCapabilities where pointee.shared.pointee.vendor == .intel:
            return ProcessorFeature.architecturalCapabilities
        case MSR.tscDeadline:
            return pointee.shared.pointee.bus._withUnsafeGuaranteedRef { $0.readDeadline(self) }
        case 0x800...0x8FF:
            if register == 0x839 { try readsClock() }
            let value = pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
                $0.readX2APIC(register, self)
            }
            guard let value else { throw .generalProtection(0) }
            return value
        default:
            guard let value = readHardwareConfiguration(register) ?? readModelMSR(register) else {
                throw .generalProtection(0)
            }
            return value
        }
    }

    func writeMSR(_ register: UInt32, _ value: UInt64) throws(Fault) {
        switch register {
        case MSR.timeStampCounter:
            pointee.tscOffset = value &- pointee.cycles
            pointee.shared.pointee.bus._withUnsafeGuaranteedRef { $0.timeStampChanged(self) }
        case MSR.apicBase: try writeAPICBase(value)
        case MSR.sysenterCS: pointee.sysenterCS = value & 0xFFFF_FFFF
        case MSR.sysenterESP: pointee.sysenterESP = try canonical(value)
        case MSR.sysenterEIP: pointee.sysenterEIP = try canonical(value)
        case MSR.pat: try writePAT(value)
        case MSR.efer: try writeEFER(value)
        case MSR.star: pointee.star = value
        case MSR.lstar: pointee.lstar = try canonical(value)
        case MSR.cstar: pointee.cstar = try canonical(value)
        case MSR.sfmask: pointee.sfmask = try word(value)
        case MSR.fsBase: pointee.fs.base = try canonical(value)
        case MSR.gsBase: pointee.gs.base = try canonical(value)
        case MSR.kernelGSBase: pointee.kernelGSBase = try canonical(value)
        case MSR.tscAux: pointee.tscAux = try word(value)
        case Self.microcodeRevision: break
        case MSR.miscEnable: try writeMiscEnable(value)
        case MSR.tscDeadline:
            pointee.attention |= Attention.leaveBlock
            pointee.shared.pointee.bus._withUnsafeGuaranteedRef { $0.writeDeadline(value, self) }
        case 0x800...0x8FF:
            pointee.attention |= Attention.leaveBlock
            let done = pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
                $0.writeX2APIC(register, value, self)
            }
            if !done { throw .generalProtection(0) }
        default:
            if !writeHardwareConfiguration(register, value) && !writeModelMSR(register, value) {
                throw .generalProtection(0)
            }
        }
    }

    @inline(__always)
    private func canonical(_ value: UInt64) throws(Fault) -> UInt64 {
        if !isCanonical(value) { throw .generalProtection(0) }
        return value
    }

    /// A register whose upper half is reserved.
    @inline(__always)
    private func word(_ value: UInt64) throws(Fault) -> UInt64 {
        if value &>> 32 != 0 { throw .generalProtection(0) }
        return value
    }

    /// EFER: LMA is read-only, LME is fixed while paging is on, the rest is reserved.
    private func writeEFER(_ value: UInt64) throws(Fault) {
        let hasNX = pointee.miscEnable & MiscEnable.disablesXD == 0
        let known = EFER.sce | EFER.lme | EFER.lma | (hasNX ? EFER.nxe : 0)
        let new = (value & ~EFER.lma) | (pointee.efer & EFER.lma)
        let changed = new ^ pointee.efer
        if value & ~known != 0 || (changed & EFER.lme != 0 && pointee.cr0 & CR0.pg != 0) {
            throw .generalProtection(0)
        }
        pointee.efer = new
        if changed & EFER.nxe != 0 {
            flushTLB()
            chargeFlush()
        }
    }

    /// Each byte of IA32_PAT is a memory type: 0, 1, 4, 5, 6 or 7 (Intel SDM vol. 3, 11.12.2).
    private func writePAT(_ value: UInt64) throws(Fault) {
        for n in 0..<8 {
            switch (value &>> UInt64(n &* 8)) & 0xFF {
            case 0, 1, 4, 5, 6, 7: break
            default: throw .generalProtection(0)
            }
        }
        pointee.pat = value
    }

    /// IA32_APIC_BASE (Intel SDM vol. 3, 10.12.1 and table 10-5): bit 8 is read-only, and x2APIC
    /// mode is entered from xAPIC mode and left to disabled only.
    private func writeAPICBase(_ value: UInt64) throws(Fault) {
        let bsp: UInt64 = 1 << 8
        let modeX2: UInt64 = 1 << 10
        let enabled: UInt64 = 1 << 11
        let known = bsp | modeX2 | enabled | PageEntry.address
        let old = pointee.apicBase
        let toX2 = value & modeX2 != 0
        let fromX2 = old & modeX2 != 0
        if value & ~known != 0 || toX2 && value & enabled == 0
            || toX2 && old & enabled == 0 || fromX2 && !toX2 && value & enabled != 0
        {
            throw .generalProtection(0)
        }
        pointee.apicBase = (value & ~bsp) | (old & bsp)
        pointee.attention |= Attention.leaveBlock
        flushTLB()
        chargeFlush()
        pointee.shared.pointee.bus._withUnsafeGuaranteedRef { $0.apicBaseChanged(self) }
    }

    /// RDTSC: #GP(0) above CPL 0 while CR4.TSD is set.
    func executeReadTimeStamp(_ i: borrowing Instruction) throws(Fault) {
        if pointee.cpl != 0 && pointee.cr4 & CR4.tsd != 0 { throw .generalProtection(0) }
        try readsClock()
        let value = timeStamp
        pointee.rax = value & 0xFFFF_FFFF
        pointee.rdx = value &>> 32
    }

    /// RDTSCP: as RDTSC, and IA32_TSC_AUX in ECX.
    func executeReadTimeStampAndAux(_ i: borrowing Instruction) throws(Fault) {
        try executeReadTimeStamp(i)
        pointee.rcx = pointee.tscAux & 0xFFFF_FFFF
    }

    /// RDPMC: there are no counters, so every index is out of range.
    func executeReadCounter(_ i: borrowing Instruction) throws(Fault) {
        throw .generalProtection(0)
    }

    /// RDFSBASE and RDGSBASE; `segment` says which.
    func executeReadBase(_ i: borrowing Instruction, segment: UInt8) throws(Fault) {
        if !in64Bit || pointee.cr4 & CR4.fsgsbase == 0 { throw .undefinedOpcode }
        let o = i.operands.0
        writeRegister(o.register, segments[Int(segment)].base, size: Int(o.size))
    }

    /// WRFSBASE and WRGSBASE; `segment` says which.
    func executeWriteBase(_ i: borrowing Instruction, segment: UInt8) throws(Fault) {
        if !in64Bit || pointee.cr4 & CR4.fsgsbase == 0 { throw .undefinedOpcode }
        let o = i.operands.0
        segments[Int(segment)].base = try canonical(
            readRegister(o.register, size: Int(o.size)))
    }
}
