/// What CPUID promises, by processor model: a table. Each row is a feature's place and the models
/// that have it (Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E). Both models are x86-64-v2
/// processors: AVX and all that builds on it are absent, and what is promised works.
struct ProcessorFeature {
    enum Word {
        case leaf1EDX, leaf1ECX, leaf7EBX, leaf7ECX, leaf7EDX, extendedECX, extendedEDX
        case sizesEBX
    }

    enum Models {
        case all, intel, amd
    }

    var word: Word
    var bit: UInt32
    var name: StaticString
    var models: Models

    init(_ word: Word, _ bit: UInt32, _ name: StaticString, _ models: Models = .all) {
        self.word = word
        self.bit = bit
        self.name = name
        self.models = models
    }

    static let table: [ProcessorFeature] = [
        .init(.leaf1EDX, 0, "fpu"), .init(.leaf1EDX, 2, "de"), .init(.leaf1EDX, 3, "pse"),
        .init(.leaf1EDX, 4, "tsc"), .init(.leaf1EDX, 5, "msr"), .init(.leaf1EDX, 6, "pae"),
        .init(.leaf1EDX, 7, "mce"), .init(.leaf1EDX, 8, "cx8"), .init(.leaf1EDX, 9, "apic"),
        .init(.leaf1EDX, 11, "sep"), .init(.leaf1EDX, 13, "pge"), .init(.leaf1EDX, 15, "cmov"),
        .init(.leaf1EDX, 16, "pat"), .init(.leaf1EDX, 17, "pse36"),
        .init(.leaf1EDX, 19, "clflush"), .init(.leaf1EDX, 23, "mmx"),
        .init(.leaf1EDX, 24, "fxsr"), .init(.leaf1EDX, 25, "sse"), .init(.leaf1EDX, 26, "sse2"),

        .init(.leaf1ECX, 0, "sse3"), .init(.leaf1ECX, 3, "monitor"),
        .init(.leaf1ECX, 9, "ssse3"), .init(.leaf1ECX, 13, "cx16"),
        .init(.leaf1ECX, 17, "pcid"), .init(.leaf1ECX, 19, "sse4.1"),
        .init(.leaf1ECX, 20, "sse4.2"), .init(.leaf1ECX, 21, "x2apic"),
        .init(.leaf1ECX, 22, "movbe"), .init(.leaf1ECX, 23, "popcnt"),
        .init(.leaf1ECX, 24, "tsc-deadline"), .init(.leaf1ECX, 26, "xsave"),
        .init(.leaf1ECX, 30, "rdrand"),

        .init(.leaf7EBX, 0, "fsgsbase"), .init(.leaf7EBX, 7, "smep"),
        .init(.leaf7EBX, 9, "erms"), .init(.leaf7EBX, 10, "invpcid"),
        // FCS and FDS are stored as zero.
        .init(.leaf7EBX, 13, "zero-fcs-fds"), .init(.leaf7EBX, 18, "rdseed"),
        .init(.leaf7EBX, 20, "smap"), .init(.leaf7EBX, 23, "clflushopt"),
        .init(.leaf7ECX, 2, "umip"),
        .init(.leaf7EDX, 29, "arch-capabilities", .intel),

        .init(.extendedECX, 0, "lahf"), .init(.extendedECX, 8, "prefetchw"),
        .init(.extendedEDX, 11, "syscall"), .init(.extendedEDX, 20, "nx"),
        .init(.extendedEDX, 26, "pdpe1gb"), .init(.extendedEDX, 27, "rdtscp"),
        .init(.extendedEDX, 29, "lm"),
        // FXSAVE always stores the error pointers.
        .init(.sizesEBX, 2, "xsaveerptr", .amd),
    ]

    /// Those of leaf 1's EDX that AMD repeats in leaf 0x80000001.
    static let repeatedByAMD: UInt32 = 0x0183_F3FF

    /// A word of features of a vendor's model.
    static func word(_ word: Word, _ vendor: Vendor) -> UInt32 {
        var bits: UInt32 = 0
        for feature in table where feature.word == word {
            switch feature.models {
            case .all: bits |= 1 &<< feature.bit
            case .intel: bits |= vendor == .intel ? 1 &<< feature.bit : 0
            case .amd: bits |= vendor == .amd ? 1 &<< feature.bit : 0
            }
        }
        return bits
    }

    /// IA32_ARCH_CAPABILITIES: nothing here speculates, so none of the flaws it lists exists:
    /// RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO,
    /// FBSDP_NO, PSDP_NO, BHI_NO and PBRSB_NO (Intel SDM vol. 4, MSR 10AH).
    static let architecturalCapabilities: UInt64 = [0, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24]
        .reduce(0) { $0 | 1 &<< UInt64($1) }
}
