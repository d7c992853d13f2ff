import X86

/// CPUID (Intel SDM vol. 2; AMD APM vol. 3, appendix E): an x86-64 processor of family 6 (Intel) or
/// 0x17 (AMD) that promises what `ProcessorFeature.table` has. The hypervisor bit is clear.
extension CPU {
    struct CPUIDAnswer: Equatable {
        var eax: UInt32 = 0
        var ebx: UInt32 = 0
        var ecx: UInt32 = 0
        var edx: UInt32 = 0
    }

    /// CPUID: serialising, unprivileged.
    func executeCPUID(_ i: borrowing Instruction) throws(Fault) {
        let leaf = UInt32(truncatingIfNeeded: pointee.rax)
        var answer = identify(
            leaf: leaf, subleaf: UInt32(truncatingIfNeeded: pointee.rcx))
        withhold(leaf, &answer)
        pointee.rax = UInt64(answer.eax)
        pointee.rbx = UInt64(answer.ebx)
        pointee.rcx = UInt64(answer.ecx)
        pointee.rdx = UInt64(answer.edx)
    }

    /// What CPUID answers. Beyond the last basic leaf Intel's processors repeat it and AMD's
    /// answer zeros.
    func identify(leaf: UInt32, subleaf: UInt32) -> CPUIDAnswer {
        let vendor = pointee.shared.pointee.vendor
        let isIntel = vendor == .intel
        let last: UInt32 = 0xD
        switch leaf {
        case 0:
            return isIntel
                ? CPUIDAnswer(eax: last, ebx: 0x756E_6547, ecx: 0x6C65_746E, edx: 0x4965_6E69)
                : CPUIDAnswer(eax: last, ebx: 0x6874_7541, ecx: 0x444D_4163, edx: 0x6974_6E65)
        case 1:
            let id = UInt32(pointee.index)
            // OSXSAVE mirrors CR4.
            let osxsave: UInt32 = pointee.cr4 & CR4.osxsave != 0 ? 1 << 27 : 0
            return CPUIDAnswer(
                eax: isIntel ? 0x0001_06A5 : 0x0080_0F12,
                ebx: id &<< 24 | 1 &<< (16 &+ coreBits) | 0x0800,
                ecx: ProcessorFeature.word(.leaf1ECX, vendor) | osxsave,
                edx: ProcessorFeature.word(.leaf1EDX, vendor) | memoryTypeRanges
                    | (coreBits != 0 ? 1 &<< 28 : 0))
        case 5:
            // MONITOR: lines of 64 bytes; extensions are told of, and interrupts may end a wait
            // though IF is 0; one kind of C1.
            return CPUIDAnswer(eax: 64, ebx: 64, ecx: 3, edx: 1 << 4)
        case 6:
            // The APIC timer never stops.
            return CPUIDAnswer(eax: 1 << 2)
        case 7 where subleaf == 0:
            return CPUIDAnswer(
                ebx: ProcessorFeature.word(.leaf7EBX, vendor),
                ecx: ProcessorFeature.word(.leaf7ECX, vendor),
                edx: ProcessorFeature.word(.leaf7EDX, vendor))
        case 0xB: return topology(subleaf)
        case 0xD: return extendedState(subleaf)
        case 0x8000_0000: return CPUIDAnswer(eax: 0x8000_0008)
        case 0x8000_0001:
            let repeated =
                isIntel
                ? 0
                : (ProcessorFeature.word(.leaf1EDX, vendor) | memoryTypeRanges)
                    & ProcessorFeature.repeatedByAMD
            return CPUIDAnswer(
                ecx: ProcessorFeature.word(.extendedECX, vendor)
                    | (!isIntel && coreBits != 0 ? 1 &<< 1 : 0),
                edx: ProcessorFeature.word(.extendedEDX, vendor) | repeated)
        case 0x8000_0002...0x8000_0004: return brand(Int(leaf & 7) &- 2)
        case 0x8000_0007:
            // The TSC's rate is constant.
            return CPUIDAnswer(edx: 1 << 8)
        case 0x8000_0008:
            return CPUIDAnswer(
                eax: UInt32(PageEntry.physicalBits) | 48 << 8,
                ebx: ProcessorFeature.word(.sizesEBX, vendor),
                ecx: isIntel || coreBits == 0 ? 0 : coreBits &<< 12 | cpuCount &- 1)
        case 2...last: return CPUIDAnswer()
        default:
            return isIntel && leaf < 0x4000_0000 ? topology(subleaf) : CPUIDAnswer()
        }
    }

    /// The feature bit of MTRRs, which firmware sets up: only a `pc` has any.
    private var memoryTypeRanges: UInt32 {
        pointee.shared.pointee.bus._withUnsafeGuaranteedRef { $0.hasFirmware ? 1 &<< 12 : 0 }
    }

    private var cpuCount: UInt32 {
        UInt32(
            truncatingIfNeeded: pointee.shared.pointee.machine._withUnsafeGuaranteedRef {
                $0.cpuCount
            })
    }

    /// Bits of an APIC ID that number the cores of a package.
    private var packageBits: UInt32 {
        UInt32(truncatingIfNeeded: 32 &- (cpuCount &- 1).leadingZeroBitCount)
    }

    /// The same where leaves that are older than leaf 0BH tell of cores: HTT and EBX[23:16] of leaf
    /// 1, which kernels use beside leaf 0BH (Intel SDM vol. 2, CPUID; vol. 3, 8.9.1), and of AMD's
    /// CmpLegacy, NC and ApicIdCoreIdSize (AMD APM vol. 3, E.4.2, E.4.7, E.5.1). 0 before the
    /// fourth edition, whose processors were packages of their own by these leaves.
    private var coreBits: UInt32 {
        pointee.shared.pointee.edition >= .fourth ? packageBits : 0
    }

    /// Extended topology: one thread a core, all cores in one package.
    private func topology(_ subleaf: UInt32) -> CPUIDAnswer {
        let id = UInt32(pointee.index)
        switch subleaf {
        case 0: return CPUIDAnswer(eax: 0, ebx: 1, ecx: 1 << 8, edx: id)
        case 1: return CPUIDAnswer(eax: packageBits, ebx: cpuCount, ecx: 2 << 8 | 1, edx: id)
        default: return CPUIDAnswer(ecx: subleaf & 0xFF, edx: id)
        }
    }

    /// XCR0's bits and the size of an XSAVE image, which the legacy region and the header make;
    /// XSAVEOPT.
    private func extendedState(_ subleaf: UInt32) -> CPUIDAnswer {
        let size = UInt32(CPU.extendedImageSize)
        switch subleaf {
        case 0:
            return CPUIDAnswer(
                eax: UInt32(truncatingIfNeeded: CPU.supportedStates), ebx: size, ecx: size)
        case 1: return CPUIDAnswer(eax: 1 << 0)
        default: return CPUIDAnswer()
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
