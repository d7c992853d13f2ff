import X86

/// Reset, INIT and start-up of a vCPU (Intel SDM vol. 3, 9.1 and 8.4).
extension CPU {
    private static func realModeSegment(_ selector: UInt16, base: UInt64, type: UInt16)
        -> SegmentRegister
    {
        var segment = SegmentRegister()
        segment.base = base
        segment.limit = 0xFFFF
        segment.selector = selector
        segment.attributes = type | SegmentRegister.present
        return segment
    }

    /// The processor state after reset or INIT (table 9-1): what both of them set, but for EDX,
    /// which names the processor. Vector state, MSRs that only reset touches, and the counters
    /// stay.
    func resetProcessor() {
        for n in 0..<17 { registers[n] = 0 }
        pointee.rip = 0xFFF0
        pointee.rflags = RFLAGS.fixedOne
        let data = Self.realModeSegment(0, base: 0, type: 0x3 | SegmentRegister.codeOrData)
        pointee.es = data
        pointee.ss = data
        pointee.ds = data
        pointee.fs = data
        pointee.gs = data
        pointee.cs = Self.realModeSegment(
            0xF000, base: 0xFFFF_0000, type: 0xB | SegmentRegister.codeOrData)
        pointee.ldtr = Self.realModeSegment(0, base: 0, type: 0x2)
        pointee.tr = Self.realModeSegment(0, base: 0, type: 0xB)
        pointee.gdtr = TableRegister()
        pointee.gdtr.limit = 0xFFFF
        pointee.idtr = pointee.gdtr
        pointee.cr0 = CR0.et | pointee.cr0 & (CR0.cd | CR0.nw)
        pointee.cr2 = 0
        pointee.cr3 = 0
        pointee.cr4 = 0
        pointee.efer = 0
        pointee.dr0 = 0
        pointee.dr1 = 0
        pointee.dr2 = 0
        pointee.dr3 = 0
        pointee.dr6 = 0xFFFF_0FF0
        pointee.dr7 = 0x400
        pointee.codeSize = CodeSize.bits16.rawValue
        pointee.longMode = 0
        pointee.interruptShadow = 0
        pointee.nmiBlocked = 0
        pointee.pendingDR6 = 0
        pointee.attention &= Attention.stop | Attention.leaveBlock
        pointee.monitoredLine = CPUState.noMonitor
        setCPL(0)
        flushTLB()
    }

    /// INIT reaches the vCPU at an instruction boundary. The bootstrap processor starts again at
    /// the reset vector, the others wait for a start-up message.
    func initialise() {
        resetProcessor()
        pointee.rdx = UInt64(identify(leaf: 1, subleaf: 0).eax)
        let isBootstrap = pointee.apicBase & APICBase.bootstrap != 0
        pointee.activity = isBootstrap ? Activity.active : Activity.waitForStartup
    }

    /// A start-up message reaches the vCPU: real mode at `vector << 12`, if it waits for one.
    func start(vector: UInt8) {
        guard pointee.activity == Activity.waitForStartup else { return }
        pointee.cs = Self.realModeSegment(
            UInt16(vector) << 8, base: UInt64(vector) << 12,
            type: 0xB | SegmentRegister.codeOrData)
        pointee.rip = 0
        pointee.activity = Activity.active
    }

    /// Whether the vCPU is in HLT or MWAIT.
    public var isWaiting: Bool {
        switch pointee.activity {
        case Activity.halted, Activity.monitorWait, Activity.monitorWaitUnmasked: true
        default: false
        }
    }

    /// Whether an interrupt that can be delivered ends the wait.
    var wakesForInterrupt: Bool {
        pointee.rflags & RFLAGS.interruptEnable != 0
            || pointee.activity == Activity.monitorWaitUnmasked
    }

    /// Whether the vCPU has something to do now: it is active, or waits with an event that wakes
    /// it (Intel SDM vol. 2, HLT, MWAIT).
    var isRunnable: Bool {
        if pointee.activity == Activity.active { return true }
        guard isWaiting else { return false }
        let attention = pointee.attention
        let always = Attention.machineCheck | Attention.debugTrap | Attention.monitorHit
        if attention & always != 0 { return true }
        if attention & Attention.nmi != 0 && pointee.nmiBlocked == 0 { return true }
        return attention & Attention.interrupt != 0 && wakesForInterrupt
    }
}
