import X86

/// What the block executor does out of line. Every function here is entered with RFLAGS
/// architectural or untouched, and leaves the vCPU at an instruction boundary or inside the same
/// block.
extension UnsafeMutablePointer<CPUState> {
    /// Whether attention must be paid at this boundary. What is masked now cannot become urgent
    /// inside a block, as a block ends with any instruction that could unmask it.
    @inline(__always)
    var isUrgent: Bool {
        pointee.attention != 0 && isUrgentSlowly
    }

    @inline(never)
    private var isUrgentSlowly: Bool {
        var ignored: UInt32 = 0
        if pointee.rflags & RFLAGS.interruptEnable == 0 { ignored |= Attention.interrupt }
        if pointee.nmiBlocked != 0 { ignored |= Attention.nmi }
        // With TF clear this bit stands for RF alone, which blocks are never entered with.
        if pointee.rflags & RFLAGS.tf == 0 { ignored |= Attention.singleStep }
        return pointee.attention & ~ignored != 0
    }

    /// Whether another instruction may start.
    @inline(__always)
    var mayStart: Bool {
        pointee.cycles < pointee.cycleDeadline
            && pointee.instructions < pointee.instructionDeadline
    }

    /// The block at RIP, at an instruction boundary with nothing urgent and RF clear: nil when the
    /// single-step executor must go on (a deadline too near, a fetch that faults or is not from
    /// memory).
    /// `link` is then made to lead there, if it may.
    ///
    /// A fetch that misses is charged before its instruction, which executes then, come what may.
    /// The outer loop sees to that (`stepsNext`); others must not fill so near a deadline that the
    /// outer loop would take the charge for a reason to stop before it.
    @inline(never)
    func findBlock(
        _ cache: BlockCachePointer, _ link: LinkPointer, stepsNext: Bool = false
    ) -> BlockPointer? {
        guard mayStart else { return nil }
        let rip = pointee.rip
        var linear = rip
        if !in64Bit {
            if rip > UInt64(pointee.cs.limit) { return nil }
            linear = (rip &+ pointee.cs.base) & 0xFFFF_FFFF
        }
        let entry = codeEntry(linear)
        let physical: UInt64
        if (linear & ~0xFFF) | pointee.tlbContext == entry.pointee.readTag {
            physical = (entry.pointee.physical & ~0xFFF) | (linear & 0xFFF)
        } else {
            guard stepsNext || pointee.cycles &+ worstMiss < pointee.cycleDeadline else {
                return nil
            }
            guard isCanonical(linear), let filled = try? translateFetch(linear),
                isMemory(filled)
            else { return nil }
            physical = filled
        }
        let key = physical | (UInt64(blockMode) &<< Block.keyShift)
        let block = cache.find(key) ?? makeBlock(cache, physical, key, link)
        guard let block else { return nil }
        // Up to the limit exactly, the next address may wrap: the single-step executor knows how.
        if !in64Bit && rip &+ block.pointee.length > UInt64(pointee.cs.limit) { return nil }
        guard canRun(block), block.operations.pointee.kind != .step else { return nil }
        let old = link.pointee
        if old == cache.pointee.unlinked || old.pointee.key == 0 && old != cache.pointee.unlinkable
        {
            link.pointee = block
        }
        return block
    }

    /// Whether every instruction of a block may start before the deadlines.
    @inline(__always)
    func canRun(_ block: BlockPointer) -> Bool {
        pointee.cycles &+ block.pointee.lastStart < pointee.cycleDeadline
            && pointee.instructions &+ block.pointee.lastPosition < pointee.instructionDeadline
    }

    /// Executes the instruction of an operation by its family, as the single-step executor would.
    /// RIP still holds the block's start and the counts are those of the block's start. Returns
    /// where to go on, or nil at a boundary where the outer loop must look.
    @inline(never)
    func finishSlowly(
        _ op: OperationPointer, _ block: BlockPointer, _ cache: BlockCachePointer
    ) -> (block: BlockPointer, operation: OperationPointer)? {
        let start = pointee.rip
        pointee.rip = start &+ UInt64(op.pointee.offset)
        pointee.cycles &+= UInt64(op.pointee.cyclesBefore)
        pointee.instructions &+= UInt64(op.pointee.position)
        let context = pointee.tlbContext
        let retired = perform(block.pointee.instructions + Int(op.pointee.position))
        if isUrgent || pointee.activity != Activity.active { return nil }
        guard LazyFlags.canExpress(pointee.rflags) else { return nil }
        if retired && op.pointee.kind != .singleLast && !op.pointee.kind.endsBlock
            && pointee.rip == start &+ UInt64(op.pointee.end) && pointee.tlbContext == context
        {
            let next = op + 1
            pointee.rip = start
            pointee.cycles &-= UInt64(next.pointee.cyclesBefore)
            pointee.instructions &-= UInt64(next.pointee.position)
            // What the instruction was charged beyond the block's figures may have brought the
            // deadline into the block.
            if canRun(block) { return (block, next) }
            pointee.rip = start &+ UInt64(op.pointee.end)
            pointee.cycles &+= UInt64(next.pointee.cyclesBefore)
            pointee.instructions &+= UInt64(next.pointee.position)
            return nil
        }
        if pointee.rflags & RFLAGS.rf != 0 && !outliveResumeFlag(cache) { return nil }
        guard let next = findBlock(cache, cache.pointee.noLink) else { return nil }
        return (next, next.operations)
    }

    /// After a return to an instruction that had faulted RF is set until that instruction retires.
    /// Executes it alone; false when the outer loop must look afterwards.
    private func outliveResumeFlag(_ cache: BlockCachePointer) -> Bool {
        guard let block = findBlock(cache, cache.pointee.noLink) else { return false }
        let retired = perform(block.pointee.instructions)
        return retired && !isUrgent && pointee.activity == Activity.active
            && pointee.rflags & RFLAGS.rf == 0 && LazyFlags.canExpress(pointee.rflags)
    }

    /// Predecodes; nil when that emptied the cache, and the link with it.
    @inline(never)
    private func makeBlock(
        _ cache: BlockCachePointer, _ physical: UInt64, _ key: UInt64, _ link: LinkPointer
    ) -> BlockPointer? {
        let flushes = cache.pointee.flushes
        let block = Predecoder.makeBlock(
            at: physical, codeSize: CodeSize(rawValue: pointee.codeSize) ?? .bits64, key: key,
            cache: cache, shared: pointee.shared)
        return cache.pointee.flushes == flushes ? block : nil
    }
}

/// Executor B3.
extension UnsafeMutablePointer<CPUState> {
    /// Runs predecoded blocks under the contract of `runStepwise`, with the same results to the
    /// bit: until a stop is asked for, nothing is left to do, or a deadline is reached. What needs
    /// looking at between instructions is the single-step executor's: events that are due, shadows,
    /// traps and breakpoints, the last instructions before a deadline, and those that cross a page.
    public func runBlocks() {
        let cache = blockCache
        cache.enlist(self)
        while pointee.attention & Attention.stop == 0 && mayStart {
            pointee.attention &= ~Attention.leaveBlock
            if pointee.attention != 0 && serviceAttention() { continue }
            if pointee.activity != Activity.active { return }
            if !isUrgent && pointee.rflags & RFLAGS.rf == 0
                && LazyFlags.canExpress(pointee.rflags),
                let block = findBlock(cache, cache.pointee.noLink, stepsNext: true)
            {
                run(block, cache)
            } else if stepInstruction() == .stopped {
                return
            }
        }
    }

    /// Executes a decoded instruction at RIP as `step` would, at a boundary where no event is due
    /// and TF is clear. False when it did not retire; what follows from that has been done.
    @inline(__always)
    func perform(_ i: UnsafeMutablePointer<Instruction>) -> Bool {
        let start = pointee.rip
        let next = start &+ UInt64(i.pointee.length)
        pointee.rip = in64Bit ? next : next & 0xFFFF_FFFF
        do throws(Fault) {
            try execute(i.pointee)
        } catch {
            pointee.rip = start
            _ = settle(error, i.pointee, stepped: false)
            return false
        }
        retire(i.pointee, stepped: false)
        return true
    }
}
