import X86

/// The translation caches: lookup, fill, and the ways they are emptied. See `TLBEntry` for the form
/// of a tag.
extension CPU {
    /// The data-TLB entry that a linear address selects.
    @inline(__always)
    func dataEntry(_ linear: UInt64) -> UnsafeMutablePointer<TLBEntry> {
        pointee.dataTLB
            + Int(truncatingIfNeeded: (linear &>> 12) & UInt64(TLB.dataEntries &- 1))
    }

    /// The code-TLB entry that a linear address selects.
    @inline(__always)
    func codeEntry(_ linear: UInt64) -> UnsafeMutablePointer<TLBEntry> {
        pointee.codeTLB
            + Int(truncatingIfNeeded: (linear &>> 12) & UInt64(TLB.codeEntries &- 1))
    }

    /// The tag context of implicit supervisor accesses, whatever the CPL.
    @inline(__always)
    var supervisorContext: UInt64 { pointee.tlbContext & ~TLB.userBit }

    /// Translates a data read through the cache; the access must not cross a page.
    @inline(__always)
    func translateRead(_ linear: UInt64, context: UInt64) throws(Fault) -> UInt64 {
        let entry = dataEntry(linear)
        if (linear & ~0xFFF) | context == entry.pointee.readTag {
            return (entry.pointee.physical & ~0xFFF) | (linear & 0xFFF)
        }
        return try fillData(linear, write: false, context: context)
    }

    /// Translates a data write through the cache; the access must not cross a page. A withheld
    /// write tag costs no walk when the translation is known to permit writes.
    @inline(__always)
    func translateWrite(_ linear: UInt64, context: UInt64) throws(Fault) -> UInt64 {
        let entry = dataEntry(linear)
        if (linear & ~0xFFF) | context == entry.pointee.readTag
            && entry.pointee.physical & TLB.writable != 0
        {
            return (entry.pointee.physical & ~0xFFF) | (linear & 0xFFF)
        }
        return try fillData(linear, write: true, context: context)
    }

    /// Walks for a data access and caches the result when the page is memory.
    @inline(never)
    private func fillData(
        _ linear: UInt64, write: Bool, context: UInt64
    ) throws(Fault) -> UInt64 {
        let cached = dataEntry(linear)
        if isGlobal(cached, linear, context), !write || cached.pointee.physical & TLB.writable != 0
        {
            cached.pointee.readTag = (linear & ~0xFFF) | context
            cached.pointee.writeTag = TLB.emptyTag
            let physical = cached.pointee.physical & ~0xFFF
            grantWrites(linear, physical: physical, context: context)
            return physical | (linear & 0xFFF)
        }
        let page = try walk(
            linear,
            PageAccess(write: write, fetch: false, user: context & TLB.userBit != 0))
        let physical = page & ~0xFFF
        if isMemory(physical) {
            chargeWalk(page, missed: cached.pointee.readTag != (linear & ~0xFFF) | context)
            let linearPage = linear & ~0xFFF
            let host = UInt64(UInt(bitPattern: pointee.shared.pointee.memory)) &+ physical
            dataEntry(linear).pointee = TLBEntry(
                readTag: linearPage | context, writeTag: TLB.emptyTag,
                addend: host &- linearPage, physical: page)
            noteSize(linear, page)
            if page & TLB.relaxed != 0 { noteRelaxedPage(linear) }
            grantWrites(linear, physical: physical, context: context)
        }
        return physical | (linear & 0xFFF)
    }

    /// Gives the entry of a cached, writable page its write tag when nothing needs to see the next
    /// write: the page is in the dirty map and holds no decoded code.
    @inline(__always)
    func grantWrites(_ linear: UInt64, physical: UInt64, context: UInt64) {
        let entry = dataEntry(linear)
        let tag = (linear & ~0xFFF) | context
        guard entry.pointee.readTag == tag, entry.pointee.physical & TLB.writable != 0 else {
            return
        }
        let flags = pointee.shared.pointee
            .pageFlags[Int(truncatingIfNeeded: physical &>> 12)]
        let settled = PageFlag.dirty | PageFlag.used
        let watched = PageFlag.code | PageFlag.monitored
        if flags & (settled | watched) == settled { entry.pointee.writeTag = tag }
    }

    /// Translates a fetch through the code TLB and returns the physical address. Throws #PF.
    @inline(__always)
    func translateFetch(_ linear: UInt64) throws(Fault) -> UInt64 {
        let entry = codeEntry(linear)
        if (linear & ~0xFFF) | pointee.tlbContext == entry.pointee.readTag {
            return (entry.pointee.physical & ~0xFFF) | (linear & 0xFFF)
        }
        return try fillCode(linear)
    }

    @inline(never)
    private func fillCode(_ linear: UInt64) throws(Fault) -> UInt64 {
        let cached = codeEntry(linear)
        if isGlobal(cached, linear, pointee.tlbContext) {
            cached.pointee.readTag = (linear & ~0xFFF) | pointee.tlbContext
            return (cached.pointee.physical & ~0xFFF) | (linear & 0xFFF)
        }
        let page = try walk(
            linear, PageAccess(write: false, fetch: true, user: pointee.cpl == 3))
        let physical = page & ~0xFFF
        if isMemory(physical) {
            chargeWalk(page, missed: true)
            let linearPage = linear & ~0xFFF
            let host = UInt64(UInt(bitPattern: pointee.shared.pointee.memory)) &+ physical
            codeEntry(linear).pointee = TLBEntry(
                readTag: linearPage | pointee.tlbContext, writeTag: TLB.emptyTag,
                addend: host &- linearPage, physical: page & ~TLB.writable)
            noteSize(linear, page)
        }
        return physical | (linear & 0xFFF)
    }

    /// Charges and counts a walk whose result is about to be cached: here, and nowhere else, so
    /// that both executors charge the same at the same instruction. A walk that faults costs
    /// nothing by itself, as published figures for the delivery of #PF include it; nor do pages of
    /// devices, which are not cached here and would be on a processor.
    @inline(__always)
    private func chargeWalk(_ page: UInt64, missed: Bool) {
        if pointee.cr0 & CR0.pg == 0 { return }
        pointee.tally.pageWalks &+= 1
        if missed {
            pointee.tally.tlbMisses &+= 1
            charge(.tlbMiss)
        }
        // A page of 2^9 (2^10 in 32-bit paging) or 2^18 pieces ends its walk one or two levels up:
        // an eighth of the exponent.
        let size = (page &>> TLB.sizeShift) & TLB.sizeMask
        let deepest: UInt64 = pointee.longMode != 0 ? 4 : 2
        let level = UInt64(pointee.shared.pointee.costs[Int(CostClass.pageWalkLevel.rawValue)])
        pointee.cycles &+= level &* (deepest &- size &>> 3)
    }

    /// Charges and counts a flush that an instruction asks for.
    @inline(__always)
    func chargeFlush() {
        pointee.tally.flushes &+= 1
        charge(.tlbFlush)
    }

    /// The most that a miss can cost.
    @inline(__always)
    var worstMiss: UInt64 {
        let costs = pointee.shared.pointee.costs
        return UInt64(costs[Int(CostClass.tlbMiss.rawValue)])
            &+ UInt64(costs[Int(CostClass.pageWalkLevel.rawValue)]) &* 4
    }

    /// Whether an entry of an older generation holds a global page's translation for this address
    /// and privilege.
    @inline(__always)
    private func isGlobal(
        _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64, _ context: UInt64
    ) -> Bool {
        let tag = entry.pointee.readTag
        return entry.pointee.physical & TLB.global != 0
            && (tag ^ linear) & ~0xFFF == 0 && (tag ^ context) & TLB.userBit == 0
            && (tag & 0xFFF) &>> 1 >= pointee.globalFloor
    }

    /// Whether an entry stands for a translation now: of the current generation, or global.
    func isLive(_ entry: TLBEntry) -> Bool {
        if entry.readTag == TLB.emptyTag { return false }
        let generation = (entry.readTag & 0xFFF) &>> 1
        return generation == pointee.tlbContext &>> 1
            || entry.physical & TLB.global != 0 && generation >= pointee.globalFloor
    }

    /// Forgets all translations but those of global pages (MOV to CR3), by taking the next
    /// generation; clears the arrays once in 2046 flushes, when the generations run out.
    @inline(__always)
    func flushLocalTLB() {
        pointee.tlbContext &+= 2
        if pointee.tlbContext &>> 1 >= TLB.generationLimit { restartGenerations() }
    }

    /// Forgets all translations.
    @inline(__always)
    public func flushTLB() {
        flushLocalTLB()
        pointee.globalFloor = pointee.tlbContext &>> 1
        pointee.largePieces = 0
    }

    @inline(never)
    private func restartGenerations() {
        pointee.dataTLB.update(repeating: TLB.empty, count: TLB.dataEntries)
        pointee.codeTLB.update(repeating: TLB.empty, count: TLB.codeEntries)
        pointee.tlbContext = 2 | (pointee.tlbContext & TLB.userBit)
        pointee.globalFloor = 1
    }

    /// Notes that a piece of a large page has been cached.
    @inline(__always)
    private func noteSize(_ linear: UInt64, _ page: UInt64) {
        if page & (TLB.sizeMask &<< TLB.sizeShift) != 0 {
            pointee.largePieces |= gigabyteBit(linear)
        }
    }

    /// The bit of `largePieces` for a gigabyte. Hashed, so that equal low bits of its number, as
    /// those of an identity map and of a window at the start of another PML4 slot, do not meet.
    @inline(__always)
    private func gigabyteBit(_ linear: UInt64) -> UInt64 {
        1 &<< (((linear &>> 30) &* 0x9E37_79B9_7F4A_7C15) &>> 58)
    }

    /// Forgets the translations of the page at a linear address, for both privileges (INVLPG):
    /// all pieces of it, when a piece of a large page around it may be cached.
    public func invalidatePage(_ linear: UInt64) {
        invalidatePiece(linear)
        if pointee.largePieces & gigabyteBit(linear) == 0 { return }
        for n in 0..<TLB.dataEntries where covers(pointee.dataTLB[n], linear) {
            pointee.dataTLB[n] = TLB.empty
        }
        for n in 0..<TLB.codeEntries where covers(pointee.codeTLB[n], linear) {
            pointee.codeTLB[n] = TLB.empty
        }
    }

    /// Whether an entry is a piece of a page that contains `linear`.
    @inline(__always)
    private func covers(_ entry: TLBEntry, _ linear: UInt64) -> Bool {
        let size = (entry.physical &>> TLB.sizeShift) & TLB.sizeMask
        return entry.readTag != TLB.emptyTag && (entry.readTag ^ linear) &>> (size &+ 12) == 0
    }

    /// Forgets the cached 4 KiB at a linear address, for both privileges.
    func invalidatePiece(_ linear: UInt64) {
        let page = linear & ~0xFFF
        let data = dataEntry(linear)
        if data.pointee.readTag & ~0xFFF == page { data.pointee = TLB.empty }
        let code = codeEntry(linear)
        if code.pointee.readTag & ~0xFFF == page { code.pointee = TLB.empty }
    }

    /// Withholds the write tags of every cached translation of a physical page, so that the next
    /// write to it takes the slow path. Needed on every vCPU when a page gains decoded code.
    public func withholdWrites(physicalPage: UInt64) {
        let page = physicalPage & ~0xFFF
        for n in 0..<TLB.dataEntries where pointee.dataTLB[n].physical & ~0xFFF == page {
            pointee.dataTLB[n].writeTag = TLB.emptyTag
        }
    }

    /// Withholds all write tags. Needed on every vCPU when the dirty map is cleared.
    public func withholdAllWrites() {
        for n in 0..<TLB.dataEntries { pointee.dataTLB[n].writeTag = TLB.emptyTag }
    }

    /// Makes the tag context agree with `cpl`; to be called wherever `cpl` changes.
    @inline(__always)
    func setCPL(_ cpl: UInt8) {
        pointee.cpl = cpl
        pointee.tlbContext = (pointee.tlbContext & ~TLB.userBit) | (cpl == 3 ? 1 : 0)
    }
}
