import X86

/// Cycles by class of operation. A profile changes cycles only, never results.
public struct CostProfile: Equatable, Sendable {
    /// The profile's name, as it is written in traces.
    public var name: String
    /// By `CostClass.rawValue`; each at least 1, so that time always advances.
    public private(set) var cycles: [UInt16]

    /// A profile in which every class costs the same.
    public init(name: String, uniform: UInt16 = 1) {
        self.name = name
        cycles = Array(repeating: max(1, uniform), count: CostClass.allCases.count)
    }

    public subscript(_ cost: CostClass) -> UInt16 {
        get { cycles[Int(cost.rawValue)] }
        set { cycles[Int(cost.rawValue)] = max(1, newValue) }
    }

    public static let `default` = zen3

    /// AMD Zen 3, and Intel Skylake or Haswell where no figure for Zen 3 is published. Sources:
    /// [A] Agner Fog, instruction tables (2021); [B] Haase, kernel_entry_benchmark (2019, Xeon
    /// E3-1270 v5); [D] public getpid measurements on Skylake and Zen 4; [I] InstLatx64 dumps
    /// (Ryzen 5900X); [L] Torvalds, page-fault test (2014, Haswell); [P] PVM paper (SOSP 2023,
    /// Xeon 8269CY); [U] uops.info measurements. `estimated` is our judgement, for want of any.
    public static let zen3 = makeZen3()

    private static func makeZen3() -> CostProfile {
        var p = CostProfile(name: "zen3")
        ordinary(&p)
        system(&p)
        // [L] delivery of #PF alone, Haswell, minimum over runs.
        p[.exceptionDelivery] = 715
        // [B] INT n + IRETQ 614 less [L] IRETQ 330; the hardware interrupt by analogy.
        p[.interruptDelivery] = 284
        p[.softwareInterrupt] = 284
        return p
    }

    private static func ordinary(_ p: inout CostProfile) {
        p[.simple] = 1  // [I] ADD r,r latency
        p[.load] = 4  // [I] L1D load-use
        p[.store] = 1  // estimated: retires through the store buffer
        p[.readModifyWrite] = 8  // [I] ADD m,r 7.8
        p[.branch] = 1  // estimated: predicted
        p[.call] = 2  // estimated
        p[.ret] = 2  // estimated
        p[.multiply] = 3  // [I] IMUL r64
        p[.divide] = 14  // [I] DIV r64 7...20, middle
        p[.push] = 1  // estimated, as a store
        p[.pop] = 4  // as a load
        p[.atomic] = 8  // [I] LOCK ADD 6.5-7.5, [A] LOCK CMPXCHG 7.7-9
        p[.stringStart] = 19  // [U] short REP
        p[.stringStep] = 1  // [I] below 1 for MOVSB and STOSB; 1 is the least there is
        p[.vector] = 3  // estimated: latency of most SSE arithmetic
        p[.x87] = 6  // estimated
        p[.pushf] = 4  // [I]
        p[.popf] = 13  // [I]
        p[.flagControl] = 9  // [U] CLI 8.7
        p[.pause] = 65  // [I]
        p[.fence] = 10  // [I] LFENCE
        p[.cpuid] = 128  // [I] leaf 0, native
        p[.rdtsc] = 36  // [I]
    }

    private static func system(_ p: inout CostProfile) {
        p[.segmentLoad] = 13  // [A] Nehalem, the newest measured
        p[.farTransfer] = 228  // [B] half of call gate + far RET, 456
        p[.syscall] = 38  // [B] half of SYSCALL + SYSRET, 76
        p[.sysret] = 38  // [B] the other half
        p[.swapgs] = 9  // [D] at most 10 by subtraction
        p[.interruptReturn] = 330  // [L] IRETQ to user, Haswell
        p[.rdmsr] = 172  // [U] MSR not named
        p[.wrmsr] = 231  // [U] MSR not named
        p[.tableLoad] = 72  // [U] LGDT, LIDT
        p[.tableStore] = 6  // [U] SGDT, SIDT
        p[.taskRegisterLoad] = 222  // [U] LLDT; LTR itself is estimated to be the same
        p[.readControl] = 6  // [U]
        p[.writeControl] = 200  // estimated: CR4.PGE toggles cost more, CR0.TS less
        // [P] about 200 with PCID and no flush, and [Lutomirski 2017] about 250 for the flush.
        p[.writeCR3] = 450
        p[.invlpg] = 118  // [U]
        p[.readDebug] = 30  // estimated
        p[.writeDebug] = 60  // estimated
        p[.portIO] = 5600  // [U] least IN measured; a platform's figure, not a core's
        p[.halt] = 100  // estimated: waking is counted from the event, not from the C-state
        p[.stateSave] = 85  // [A] FXSAVE
        p[.stateRestore] = 180  // [A] FXRSTOR
        p[.cacheControl] = 500  // estimated
    }
}
