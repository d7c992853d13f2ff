import X86

/// A segment register with its hidden part (Intel SDM vol. 3, 3.4.3). 16 bytes, no padding.
public struct SegmentRegister: Equatable, Sendable {
    public var base: UInt64 = 0
    /// Limit in bytes, granularity already applied.
    public var limit: UInt32 = 0
    /// Bits 0-3 type, 4 S, 5-6 DPL, 7 P, 8 unusable (null loaded), 12 AVL, 13 L, 14 D/B, 15 G.
    public var attributes: UInt16 = 0
    public var selector: UInt16 = 0

    public static let typeMask: UInt16 = 0xF
    public static let codeOrData: UInt16 = 1 << 4
    public static let dplShift: UInt16 = 5
    public static let present: UInt16 = 1 << 7
    public static let unusable: UInt16 = 1 << 8
    public static let available: UInt16 = 1 << 12
    public static let long: UInt16 = 1 << 13
    public static let big: UInt16 = 1 << 14
    public static let granular: UInt16 = 1 << 15

    @inline(__always) public init() {}
    @inline(__always)
    public var dpl: UInt8 { UInt8(truncatingIfNeeded: attributes >> 5) & 3 }
}

/// GDTR or IDTR. 16 bytes with explicit padding.
public struct TableRegister: Equatable, Sendable {
    public var base: UInt64 = 0
    public var limit: UInt16 = 0
    var padding0: UInt16 = 0
    var padding1: UInt32 = 0
    @inline(__always) public init() {}
}

/// What the processor is doing between instructions (Intel SDM vol. 3, 25.4.2 names the states).
public enum Activity {
    public static let active: UInt8 = 0
    public static let halted: UInt8 = 1
    public static let shutdown: UInt8 = 2
    public static let waitForStartup: UInt8 = 3
    /// In MWAIT.
    public static let monitorWait: UInt8 = 4
    /// In MWAIT with ECX bit 0: interrupts end it though RFLAGS.IF is 0.
    public static let monitorWaitUnmasked: UInt8 = 5
}

/// Reasons to stop at the next instruction boundary instead of running straight on.
public enum Attention {
    /// An NMI is latched.
    public static let nmi: UInt32 = 1 << 0
    /// The local APIC has a vector above the processor priority to deliver.
    public static let interrupt: UInt32 = 1 << 1
    /// A #DB trap is pending (single step, or a data breakpoint held by a MOV SS shadow).
    public static let debugTrap: UInt32 = 1 << 2
    /// An interrupt shadow (STI, MOV SS, POP SS) covers the next instruction.
    public static let shadow: UInt32 = 1 << 3
    /// RFLAGS.TF is set: every instruction is stepped singly.
    public static let singleStep: UInt32 = 1 << 4
    /// A device was accessed, code was modified, or the schedule changed: leave the block.
    public static let leaveBlock: UInt32 = 1 << 5
    /// The machine is asked to stop (shutdown, debug exit, a host-side limit).
    public static let stop: UInt32 = 1 << 6
    /// INIT is latched.
    public static let initialise: UInt32 = 1 << 7
    /// A machine check is latched.
    public static let machineCheck: UInt32 = 1 << 8
    /// An enabled data or instruction breakpoint exists in DR7: instructions are stepped singly.
    public static let breakpoints: UInt32 = 1 << 9
    /// CPL is 3 and CR0.AM and RFLAGS.AC are set: instructions are stepped singly, and data
    /// accesses must be aligned.
    public static let alignment: UInt32 = 1 << 10
    /// The next instruction reads a clock, and another vCPU has yet to come as far: set between
    /// turns only.
    public static let awaitsTurn: UInt32 = 1 << 11
    /// A store has reached the line that the vCPU monitors: MWAIT ends.
    public static let monitorHit: UInt32 = 1 << 12
}

/// Counts that no instruction can see, all from machine reset. 56 bytes, no padding.
public struct Tally: Equatable, Sendable {
    /// Translations that were not cached and are now.
    public var tlbMisses: UInt64 = 0
    /// Walks that ended in a cached translation: one for each miss, and one for each cached
    /// translation that had to become writable.
    public var pageWalks: UInt64 = 0
    /// Flushes of the translation cache that instructions asked for: by CR3, CR4, CR0, EFER and
    /// IA32_APIC_BASE.
    public var flushes: UInt64 = 0
    /// LGDT, LIDT, LLDT and LTR.
    public var tableLoads: UInt64 = 0
    /// MOV to CR3 and CR4.
    public var controlLoads: UInt64 = 0
    /// WRMSR.
    public var modelSpecificLoads: UInt64 = 0
    /// MOV and POP to segment registers, LDS, LES, LFS, LGS and LSS; not what far transfers and
    /// system calls load.
    public var segmentLoads: UInt64 = 0

    @inline(__always) public init() {}

    /// Table loads of every kind.
    public var loads: UInt64 {
        tableLoads &+ controlLoads &+ modelSpecificLoads &+ segmentLoads
    }
}

/// All state of one vCPU that an instruction can see or change, plus the pointers that let the
/// executors reach memory. Plain data, allocated once, never copied while running. The first
/// seventeen words are the general registers and the zero register, addressed by number; the rest
/// is addressed by name.
///
/// Invariants: `zero` is 0; RFLAGS bit 1 is set; `cpl` equals SS.DPL in protected and long mode;
/// `rip` is that of the next instruction to execute; `cycles` and `instructions` never decrease.
public struct CPUState {
    // General registers, in encoding order. `zero` is register number 16.
    public var rax: UInt64 = 0
    public var rcx: UInt64 = 0
    public var rdx: UInt64 = 0
    public var rbx: UInt64 = 0
    public var rsp: UInt64 = 0
    public var rbp: UInt64 = 0
    public var rsi: UInt64 = 0
    public var rdi: UInt64 = 0
    public var r8: UInt64 = 0
    public var r9: UInt64 = 0
    public var r10: UInt64 = 0
    public var r11: UInt64 = 0
    public var r12: UInt64 = 0
    public var r13: UInt64 = 0
    public var r14: UInt64 = 0
    public var r15: UInt64 = 0
    public var zero: UInt64 = 0

    public var rip: UInt64 = 0xFFF0
    /// RFLAGS in architectural form. An executor that keeps flags in another form writes them back
    /// here before anything else can look.
    public var rflags: UInt64 = RFLAGS.fixedOne

    // Time. Both count from machine reset.
    /// Core cycles, as the cost profile charges them.
    public var cycles: UInt64 = 0
    /// Retired instructions; a repeated string instruction counts once, when it completes.
    public var instructions: UInt64 = 0
    /// The executor stops at the first instruction boundary with `cycles >= cycleDeadline`.
    public var cycleDeadline: UInt64 = 0
    /// The executor stops at the first boundary with `instructions >= instructionDeadline`.
    public var instructionDeadline: UInt64 = 0

    /// Bits of `Attention`.
    public var attention: UInt32 = 0
    public var cpl: UInt8 = 0
    /// `CodeSize` raw value that CS and EFER.LMA select now.
    public var codeSize: UInt8 = 2
    public var activity: UInt8 = Activity.active
    /// 0 none, 1 STI, 2 MOV SS or POP SS: what the shadow on the next instruction blocks.
    public var interruptShadow: UInt8 = 0
    public var nmiBlocked: UInt8 = 0
    /// 1 while EFER.LMA is set.
    public var longMode: UInt8 = 0
    /// Index of this vCPU in its machine.
    public var index: UInt8 = 0
    /// How many translations that only RFLAGS.AC permits may be cached; see
    /// `SupervisorProtection.swift`.
    var relaxedPages: UInt8 = 0
    /// DR6 bits that the pending #DB trap will set.
    public var pendingDR6: UInt32 = 0

    // Segment registers by `SegmentNumber`.
    public var es = SegmentRegister()
    public var cs = SegmentRegister()
    public var ss = SegmentRegister()
    public var ds = SegmentRegister()
    public var fs = SegmentRegister()
    public var gs = SegmentRegister()
    public var ldtr = SegmentRegister()
    public var tr = SegmentRegister()
    public var gdtr = TableRegister()
    public var idtr = TableRegister()

    public var cr0: UInt64 = CR0.et | CR0.nw | CR0.cd
    public var cr2: UInt64 = 0
    public var cr3: UInt64 = 0
    public var cr4: UInt64 = 0
    public var efer: UInt64 = 0
    public var dr0: UInt64 = 0
    public var dr1: UInt64 = 0
    public var dr2: UInt64 = 0
    public var dr3: UInt64 = 0
    public var dr6: UInt64 = 0xFFFF_0FF0
    public var dr7: UInt64 = 0x400

    public var star: UInt64 = 0
    public var lstar: UInt64 = 0
    public var cstar: UInt64 = 0
    public var sfmask: UInt64 = 0
    public var kernelGSBase: UInt64 = 0
    public var tscAux: UInt64 = 0
    /// Added to `cycles` to give the time-stamp counter.
    public var tscOffset: UInt64 = 0
    public var sysenterCS: UInt64 = 0
    public var sysenterESP: UInt64 = 0
    public var sysenterEIP: UInt64 = 0
    public var pat: UInt64 = 0x0007_0406_0007_0406
    public var miscEnable: UInt64 = 0
    /// IA32_APIC_BASE; the local APIC's registers are the device's.
    public var apicBase: UInt64 = 0xFEE0_0900
    /// CR8, mirrored from the local APIC's TPR.
    public var cr8: UInt64 = 0
    // The four PDPTE registers of PAE paging, loaded with CR3 (Intel SDM vol. 3, 4.4.1).
    public var pdpte0: UInt64 = 0
    public var pdpte1: UInt64 = 0
    public var pdpte2: UInt64 = 0
    public var pdpte3: UInt64 = 0

    // Floating-point and vector state lives apart (`VectorState`), as the hot loop never needs it.
    public var vectors: UnsafeMutableRawPointer? = nil

    // Paths to memory; not architectural, never saved.
    /// `TLBEntry` x `TLB.dataEntries`, direct-mapped by linear page number.
    public var dataTLB: UnsafeMutablePointer<TLBEntry>
    /// `TLBEntry` x `TLB.codeEntries`, direct-mapped by linear page number; fetches only.
    public var codeTLB: UnsafeMutablePointer<TLBEntry>
    /// Low 12 bits of a valid tag now: generation << 1 | (CPL is 3).
    public var tlbContext: UInt64 = 2
    /// The generation that began with the last flush of global pages.
    var globalFloor: UInt64 = 1
    /// Which gigabytes may have pieces of large pages cached, a bit for each by `gigabyteBit`. It
    /// only ever says too much.
    var largePieces: UInt64 = 0
    public var shared: UnsafeMutablePointer<SharedState>
    /// What has been counted for those who compare costs.
    public var tally = Tally()
    /// What the instruction now executing has to tell the observer once it has retired; see
    /// `emitPendingEvent`. Never pending at a boundary.
    var event = MachineEvent()
    var eventPending = false
    /// An access to a system table is on its way through the slow path; set only with CR4.SMAP.
    var isImplicitAccess = false
    /// Places of the data translations that `relaxedPages` counts.
    var relaxedPlaces: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    /// How many numbers RDRAND and RDSEED have given. Part of the architectural state.
    public var randomDraws: UInt64 = 0
    /// The guest-physical line (address / 64) that MONITOR has armed, or `noMonitor`. Part of the
    /// architectural state.
    var monitoredLine: UInt64 = CPUState.noMonitor
    /// The least cycle of the other vCPUs that run in this turn; no clock is read beyond it.
    var timeHorizon: UInt64 = .max
    /// Where its turn ends if no limit of the run is there first (`Schedule/MachineRun.swift`).
    var turnBarrier: UInt64 = 0

    static let noMonitor: UInt64 = .max

    public init(
        dataTLB: UnsafeMutablePointer<TLBEntry>, codeTLB: UnsafeMutablePointer<TLBEntry>,
        shared: UnsafeMutablePointer<SharedState>
    ) {
        self.dataTLB = dataTLB
        self.codeTLB = codeTLB
        self.shared = shared
    }
}

/// How executors and instruction families name the vCPU they work on. Instruction semantics are
/// extensions of this type, one file per family.
public typealias CPU = UnsafeMutablePointer<CPUState>

extension UnsafeMutablePointer<CPUState> {
    /// The general registers as words 0...15, and the zero register as word 16.
    @inline(__always)
    public var registers: UnsafeMutablePointer<UInt64> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: UInt64.self)
    }

    /// The segment registers by `SegmentNumber`.
    @inline(__always)
    public var segments: UnsafeMutablePointer<SegmentRegister> {
        UnsafeMutableRawPointer(self).advanced(by: CPULayout.es)
            .assumingMemoryBound(to: SegmentRegister.self)
    }

    /// The four PDPTE registers.
    @inline(__always)
    var pdptes: UnsafeMutablePointer<UInt64> {
        UnsafeMutableRawPointer(self).advanced(by: CPULayout.pdptes)
            .assumingMemoryBound(to: UInt64.self)
    }
}

/// Offsets that code relies on, checked once when a machine is made.
public enum CPULayout {
    /// Byte offset of ES: 17 registers, RIP, RFLAGS, 4 time words, and 16 bytes of small fields.
    public static let es = 17 * 8 + 2 * 8 + 4 * 8 + 16

    /// Byte offset of the first PDPTE register.
    static let pdptes = MemoryLayout<CPUState>.offset(of: \.pdpte0).unsafelyUnwrapped

    /// Byte offset of the event being prepared.
    static let event = MemoryLayout<CPUState>.offset(of: \.event).unsafelyUnwrapped

    /// Byte offset of the places of relaxed translations.
    static let relaxedPlaces = MemoryLayout<CPUState>.offset(of: \.relaxedPlaces)
        .unsafelyUnwrapped

    static func check() {
        precondition(MemoryLayout<CPUState>.offset(of: \.rax) == 0)
        precondition(MemoryLayout<CPUState>.offset(of: \.zero) == 128)
        precondition(MemoryLayout<CPUState>.offset(of: \.es) == es)
        precondition(MemoryLayout<CPUState>.offset(of: \.tr) == es + 7 * 16)
        precondition(MemoryLayout<SegmentRegister>.size == 16)
        precondition(MemoryLayout<TableRegister>.size == 16)
        precondition(MemoryLayout<TLBEntry>.size == 32)
    }
}
