import X86

/// Bits of IA32_MISC_ENABLE (Intel SDM vol. 4, MSR 1A0H).
enum MiscEnable {
    static let fastStrings: UInt64 = 1 << 0
    static let monitor: UInt64 = 1 << 18
    static let limitsCPUID: UInt64 = 1 << 22
    static let disablesXD: UInt64 = 1 << 34
    /// Branch trace storage and precise event-based sampling are unavailable.
    static let readOnly: UInt64 = 1 << 11 | 1 << 12
    /// Thermal control, SpeedStep and xTPR messages; and of particular models, prefetchers, TM2 and
    /// turbo mode: kept, with nothing to act on.
    static let inert: UInt64 =
        1 << 3 | 1 << 9 | 1 << 10 | 1 << 13 | 1 << 16 | 1 << 19 | 1 << 20 | 1 << 23 | 1 << 24
        | 1 << 37 | 1 << 38 | 1 << 39
    static let writable = fastStrings | monitor | limitsCPUID | disablesXD | inert
}

/// Bits of AMD's HWCR, which stands where Intel has IA32_MISC_ENABLE (AMD APM vol. 2, appendix A;
/// Processor Programming Reference, MSRC001_0015).
enum HardwareConfiguration {
    static let number: UInt32 = 0xC001_0015
    static let disablesMonitor: UInt64 = 1 << 9
    static let monitorsForUsers: UInt64 = 1 << 10
    /// The TSC counts at the rate of P-state 0.
    static let countsAtP0: UInt64 = 1 << 24
    /// SMM lock, TLB cache disable, WBINVD as INVD, machine-check status writes, and performance
    /// boost: kept, with nothing to act on.
    static let inert: UInt64 = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 18 | 1 << 25 | 1 << 30
    static let writable = disablesMonitor | monitorsForUsers | inert
}

extension CPU {
    /// IA32_MISC_ENABLE or HWCR after reset.
    var resetMiscEnable: UInt64 {
        if pointee.shared.pointee.edition < .second { return 0 }
        return isAMD
            ? HardwareConfiguration.countsAtP0
            : MiscEnable.fastStrings | MiscEnable.readOnly | MiscEnable.monitor
    }

    /// AMD's HWCR; nil where the register is another.
    func readHardwareConfiguration(_ register: UInt32) -> UInt64? {
        guard isAMD, pointee.shared.pointee.edition >= .second,
            register == HardwareConfiguration.number
        else { return nil }
        return pointee.miscEnable
    }

    /// - Returns: false where the register is another.
    func writeHardwareConfiguration(_ register: UInt32, _ value: UInt64) -> Bool {
        guard isAMD, pointee.shared.pointee.edition >= .second,
            register == HardwareConfiguration.number
        else { return false }
        let writable = HardwareConfiguration.writable
        pointee.miscEnable = value & writable | pointee.miscEnable & ~writable
        return true
    }

    /// WRMSR: reserved bits are #GP(0), those that are read-only keep their value.
    func writeMiscEnable(_ value: UInt64) throws(Fault) {
        let shared = pointee.shared
        if shared.pointee.vendor != .intel { throw .generalProtection(0) }
        if shared.pointee.edition < .second {
            pointee.miscEnable = value
            return
        }
        let perfmonAvailable: UInt64 = 1 << 7
        let known = MiscEnable.writable | MiscEnable.readOnly | perfmonAvailable
        if value & ~known != 0 { throw .generalProtection(0) }
        pointee.miscEnable = value & MiscEnable.writable | MiscEnable.readOnly
    }

    /// What an answer of CPUID leaves out as the processor is set up now.
    func withhold(_ leaf: UInt32, _ answer: inout CPUIDAnswer) {
        guard pointee.shared.pointee.edition >= .second else {
            if leaf == 1 { answer.ecx &= ~(1 << 3) }
            if leaf == 5 { answer = CPUIDAnswer() }
            return
        }
        let isOff = pointee.apicBase & APICBase.enable == 0
        switch leaf {
        case 0 where pointee.miscEnable & MiscEnable.limitsCPUID != 0:
            answer.eax = 2
        case 1:
            if isOff { answer.edx &= ~(1 << 9) }
            if !hasMonitor { answer.ecx &= ~(1 << 3) }
        case 0x8000_0001:
            if isOff { answer.edx &= ~(1 << 9) }
            if pointee.miscEnable & MiscEnable.disablesXD != 0 { answer.edx &= ~(1 << 20) }
        default: break
        }
    }
}
