import X86

/// CPUID (Intel SDM vol. 2; AMD APM vol. 3, appendix E): an x86-64 processor of family 6 (Intel) or
/// 0x17 (AMD) that promises only what this one does. The hypervisor bit is clear.
extension CPU {
    struct CPUIDAnswer: Equatable {
        var eax: UInt32 = 0
        var ebx: UInt32 = 0
        var ecx: UInt32 = 0
        var edx: UInt32 = 0
    }

    /// FPU DE PSE TSC MSR PAE MCE CX8 APIC SEP PGE CMOV PAT PSE-36 CLFSH MMX FXSR SSE SSE2.
    private static var features: UInt32 {
        let bits: [UInt32] = [0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 19, 23, 24, 25, 26]
        return bits.reduce(0) { $0 | 1 &<< $1 }
    }
    /// CX16, x2APIC, TSC deadline.
    private static var features2: UInt32 { 1 << 13 | 1 << 21 | 1 << 24 }
    /// SYSCALL, NX, 1 GiB pages, RDTSCP, long mode.
    private static var extended: UInt32 { 1 << 11 | 1 << 20 | 1 << 26 | 1 << 27 | 1 << 29 }
    /// Those of `features` that AMD repeats in leaf 0x80000001.
    private static var repeatedByAMD: UInt32 { 0x0183_F3FF }

    /// CPUID: serialising, unprivileged.
    func executeCPUID(_ i: borrowing Instruction) throws(Fault) {
        let answer = identify(
            leaf: UInt32(truncatingIfNeeded: pointee.rax),
            subleaf: UInt32(truncatingIfNeeded: pointee.rcx))
        pointee.rax = UInt64(answer.eax)
        pointee.rbx = UInt64(answer.ebx)
        pointee.rcx = UInt64(answer.ecx)
        pointee.rdx = UInt64(answer.edx)
    }

    /// What CPUID answers. Beyond the last basic leaf Intel's processors repeat it and AMD's
    /// answer zeros.
    func identify(leaf: UInt32, subleaf: UInt32) -> CPUIDAnswer {
        let isIntel = pointee.shared.pointee.vendor == .intel
        let last: UInt32 = 0xB
        switch leaf {
        case 0:
            return isIntel
                ? CPUIDAnswer(eax: last, ebx: 0x756E_6547, ecx: 0x6C65_746E, edx: 0x4965_6E69)
                : CPUIDAnswer(eax: last, ebx: 0x6874_7541, ecx: 0x444D_4163, edx: 0x6974_6E65)
        case 1:
            let id = UInt32(pointee.index)
            return CPUIDAnswer(
                eax: isIntel ? 0x0001_06A5 : 0x0080_0F12, ebx: id &<< 24 | 0x0001_0800,
                ecx: Self.features2, edx: Self.features)
        case 7 where subleaf == 0:
            // FSGSBASE and SMEP; UMIP.
            return CPUIDAnswer(ebx: 1 << 0 | 1 << 7, ecx: 1 << 2)
        case 0xB: return topology(subleaf)
        case 0x8000_0000: return CPUIDAnswer(eax: 0x8000_0008)
        case 0x8000_0001:
            // LAHF in 64-bit mode.
            let repeated = isIntel ? 0 : Self.features & Self.repeatedByAMD
            return CPUIDAnswer(ecx: 1 << 0, edx: Self.extended | repeated)
        case 0x8000_0002...0x8000_0004: return brand(Int(leaf & 7) &- 2)
        case 0x8000_0007:
            // The TSC's rate is constant.
            return CPUIDAnswer(edx: 1 << 8)
        case 0x8000_0008:
            return CPUIDAnswer(eax: UInt32(PageEntry.physicalBits) | 48 << 8)
        case 2...last: return CPUIDAnswer()
        default:
            return isIntel && leaf < 0x4000_0000 ? topology(subleaf) : CPUIDAnswer()
        }
    }

    /// Extended topology: one thread a core, all cores in one package.
    private func topology(_ subleaf: UInt32) -> CPUIDAnswer {
        let count = UInt32(
            truncatingIfNeeded: pointee.shared.pointee.machine._withUnsafeGuaranteedRef {
                $0.cpuCount
            })
        let id = UInt32(pointee.index)
        switch subleaf {
        case 0: return CPUIDAnswer(eax: 0, ebx: 1, ecx: 1 << 8, edx: id)
        case 1:
            let shift = UInt32(truncatingIfNeeded: 32 &- (count &- 1).leadingZeroBitCount)
            return CPUIDAnswer(eax: shift, ebx: count, ecx: 2 << 8 | 1, edx: id)
        default: return CPUIDAnswer(ecx: subleaf & 0xFF, edx: id)
        }
    }

    /// 16 bytes of the brand string.
    private func brand(_ part: Int) -> CPUIDAnswer {
        let text: StaticString = "pvreplay deterministic x86-64 processor         "
        func word(_ n: Int) -> UInt32 {
            UnsafeRawPointer(text.utf8Start).loadUnaligned(
                fromByteOffset: part &* 16 &+ n &* 4, as: UInt32.self)
        }
        return CPUIDAnswer(eax: word(0), ebx: word(1), ecx: word(2), edx: word(3))
    }
}
