import X86

/// The state of one vCPU in a snapshot: everything in `CPUState` but the pointers and the
/// deadlines, the vector state, and the translations that are cached now.
extension CPU {
    /// Attention bits that say how a run is being driven rather than what the machine's state is.
    private static var transientAttention: UInt32 { Attention.stop | Attention.leaveBlock }

    /// - Parameter counts: whether the form has the `Tally`.
    func transfer(_ stream: inout StateStream, counts: Bool) throws(MachineError) {
        for n in 0..<16 { try stream.field(&registers[n]) }
        try stream.field(&pointee.rip)
        try stream.field(&pointee.rflags)
        try stream.field(&pointee.cycles)
        try stream.field(&pointee.instructions)
        var attention = pointee.attention & ~Self.transientAttention
        try stream.field(&attention)
        if stream.reading { pointee.attention = attention }
        try transferModes(&stream)
        for n in 0..<8 { try Self.transfer(&segments[n], &stream) }
        try Self.transfer(&pointee.gdtr, &stream)
        try Self.transfer(&pointee.idtr, &stream)
        try transferControl(&stream)
        try transferModelSpecific(&stream)
        try stream.field(
            UnsafeMutableRawBufferPointer(
                start: pointee.vectors, count: MemoryLayout<VectorState>.size))
        try transferTranslations(&stream)
        if counts { try transferTally(&stream) }
    }

    private func transferTally(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&pointee.tally.tlbMisses)
        try stream.field(&pointee.tally.pageWalks)
        try stream.field(&pointee.tally.flushes)
        try stream.field(&pointee.tally.tableLoads)
        try stream.field(&pointee.tally.controlLoads)
        try stream.field(&pointee.tally.modelSpecificLoads)
        try stream.field(&pointee.tally.segmentLoads)
    }

    /// Whether something is not as after reset that only the extended format holds.
    var hasExtendedState: Bool { pointee.randomDraws != 0 }

    /// What the first state format did not hold; without it, as after reset.
    func transferExtension(
        _ stream: inout StateStream, isPresent: Bool
    ) throws(MachineError) {
        if isPresent {
            try stream.field(&pointee.randomDraws)
        } else {
            pointee.randomDraws = 0
        }
    }

    /// Whether MONITOR has armed a line, which only the state's second extension holds.
    var isMonitoring: Bool { pointee.monitoredLine != CPUState.noMonitor }

    func transferMonitor(_ stream: inout StateStream, isPresent: Bool) throws(MachineError) {
        if isPresent {
            try stream.field(&pointee.monitoredLine)
        } else {
            pointee.monitoredLine = CPUState.noMonitor
        }
        guard
            !isMonitoring || pointee.monitoredLine < pointee.shared.pointee.memorySize >> 6
        else { throw stream.damaged("a vCPU monitors what is not memory") }
    }

    private func transferModes(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&pointee.cpl)
        try stream.field(&pointee.codeSize)
        try stream.field(&pointee.activity)
        try stream.field(&pointee.interruptShadow)
        try stream.field(&pointee.nmiBlocked)
        try stream.field(&pointee.longMode)
        try stream.field(&pointee.pendingDR6)
        guard pointee.cpl <= 3, CodeSize(rawValue: pointee.codeSize) != nil,
            pointee.activity <= Activity.monitorWaitUnmasked, pointee.interruptShadow <= 2,
            pointee.nmiBlocked <= 1, pointee.longMode <= 1
        else { throw stream.damaged("a vCPU's mode is impossible") }
    }

    private static func transfer(
        _ segment: inout SegmentRegister, _ stream: inout StateStream
    ) throws(MachineError) {
        try stream.field(&segment.base)
        try stream.field(&segment.limit)
        try stream.field(&segment.attributes)
        try stream.field(&segment.selector)
    }

    private static func transfer(
        _ table: inout TableRegister, _ stream: inout StateStream
    ) throws(MachineError) {
        try stream.field(&table.base)
        try stream.field(&table.limit)
    }

    private func transferControl(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&pointee.cr0)
        try stream.field(&pointee.cr2)
        try stream.field(&pointee.cr3)
        try stream.field(&pointee.cr4)
        try stream.field(&pointee.cr8)
        for n in 0..<4 { try stream.field(&pdptes[n]) }
        try stream.field(&pointee.dr0)
        try stream.field(&pointee.dr1)
        try stream.field(&pointee.dr2)
        try stream.field(&pointee.dr3)
        try stream.field(&pointee.dr6)
        try stream.field(&pointee.dr7)
    }

    private func transferModelSpecific(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&pointee.efer)
        try stream.field(&pointee.star)
        try stream.field(&pointee.lstar)
        try stream.field(&pointee.cstar)
        try stream.field(&pointee.sfmask)
        try stream.field(&pointee.kernelGSBase)
        try stream.field(&pointee.tscAux)
        try stream.field(&pointee.tscOffset)
        try stream.field(&pointee.sysenterCS)
        try stream.field(&pointee.sysenterESP)
        try stream.field(&pointee.sysenterEIP)
        try stream.field(&pointee.pat)
        try stream.field(&pointee.miscEnable)
        try stream.field(&pointee.apicBase)
    }

    // MARK: Translations

    /// Entries of the current generation, and global pages'. Write tags are not saved: whether one
    /// is withheld follows from the dirty map and the decoded code, and the slow path grants it
    /// again without a walk.
    private func transferTranslations(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&pointee.tlbContext)
        let generation = pointee.tlbContext >> 1
        guard generation >= 1, generation < TLB.generationLimit,
            (pointee.tlbContext & TLB.userBit != 0) == (pointee.cpl == 3)
        else { throw stream.damaged("a translation cache's generation is impossible") }
        // What is restored gets the current generation, global pages included.
        if stream.reading {
            pointee.globalFloor = generation
            pointee.largePieces = .max
            pointee.relaxedPages = CPU.manyRelaxedPages
        }
        try transfer(pointee.dataTLB, TLB.dataEntries, &stream)
        try transfer(pointee.codeTLB, TLB.codeEntries, &stream)
    }

    private func transfer(
        _ entries: UnsafeMutablePointer<TLBEntry>, _ capacity: Int, _ stream: inout StateStream
    ) throws(MachineError) {
        var count = 0
        for n in 0..<capacity where isLive(entries[n]) { count += 1 }
        try stream.count(&count, itemSize: 16)
        guard stream.reading else {
            for n in 0..<capacity where isLive(entries[n]) {
                var linear = entries[n].readTag & ~0xFFF | entries[n].readTag & TLB.userBit
                try stream.field(&linear)
                try stream.field(&entries[n].physical)
            }
            return
        }
        entries.update(repeating: TLB.empty, count: capacity)
        for _ in 0..<count {
            var linear: UInt64 = 0
            var physical: UInt64 = 0
            try stream.field(&linear)
            try stream.field(&physical)
            let page = physical & ~0xFFF
            let isRelaxed = physical & TLB.relaxed != 0
            guard linear & 0xFFE == 0, !isRelaxed || linear & TLB.userBit == 0,
                physical & TLB.unused == 0,
                page < pointee.shared.pointee.memorySize
            else { throw stream.damaged("a cached translation is impossible") }
            let linearPage = linear & ~0xFFF
            let host = UInt64(UInt(bitPattern: pointee.shared.pointee.memory)) &+ page
            let n = Int(truncatingIfNeeded: linearPage >> 12) & (capacity - 1)
            entries[n] = TLBEntry(
                readTag: linearPage | pointee.tlbContext & ~TLB.userBit | linear & TLB.userBit,
                writeTag: TLB.emptyTag, addend: host &- linearPage, physical: physical)
        }
    }
}
