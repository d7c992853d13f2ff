import X86

/// MOVS, STOS, LODS, CMPS, SCAS, INS and OUTS, once or repeated (Intel SDM vol. 2, REP).
///
/// A repeated one charges `stringStep` for each iteration as it completes; its own cost is charged
/// by whoever retires it, once. Between two iterations it stops with `Fault.suspended` when the
/// cycle deadline has come, attention is wanted, or it has written to a page that holds its own
/// bytes (so that it is fetched again). CMPS and SCAS set flags only when they complete: a fault or
/// a suspension leaves those from before, as the SDM has it for faults.
///
/// This is what their steps need to know of the instruction.
struct StringForm {
    /// Bytes of an element.
    let size: Int
    /// Bytes of rCX, rSI and rDI.
    let width: Int
    /// Segment of the source: DS unless overridden. The destination's is always ES.
    let source: Int
    /// A REP prefix is there.
    let isRepeated: Bool
    /// The ZF with which CMPS and SCAS go on.
    let wanted: UInt64
    /// Length of the instruction.
    let length: UInt64

    @inline(__always)
    init(_ i: borrowing Instruction) {
        size = Int(i.operandSize)
        width = Int(i.addressSize)
        source =
            i.flags.contains(.segmentOverride) ? Int(i.segment) : Int(SegmentNumber.ds)
        let repne = i.flags.contains(.repne)
        let rep = i.flags.contains(.rep)
        isRepeated = rep ? true : repne
        wanted = repne ? 0 : RFLAGS.zf
        length = UInt64(i.length)
    }
}

extension CPU {
    func executeMoveString(_ i: borrowing Instruction) throws(Fault) {
        let s = StringForm(i)
        try repeated(s) { (limit) throws(Fault) in
            let n = moveBulk(s, limit)
            if n != 0 { return (n, ownPage: false) }
            let v = try readSource(s)
            let to = try writeDestination(s, v)
            advanceIndex(6, s)
            advanceIndex(7, s)
            return (1, holdsOwnCode(s, to, s.size))
        }
    }

    func executeStoreString(_ i: borrowing Instruction) throws(Fault) {
        let s = StringForm(i)
        try repeated(s) { (limit) throws(Fault) in
            let n = storeBulk(s, limit)
            if n != 0 { return (n, ownPage: false) }
            let to = try writeDestination(s, readRegister(0, size: s.size))
            advanceIndex(7, s)
            return (1, holdsOwnCode(s, to, s.size))
        }
    }

    func executeLoadString(_ i: borrowing Instruction) throws(Fault) {
        let s = StringForm(i)
        try repeated(s) { (_) throws(Fault) in
            writeRegister(0, try readSource(s), size: s.size)
            advanceIndex(6, s)
            return (1, ownPage: false)
        }
    }

    func executeCompareString(_ i: borrowing Instruction) throws(Fault) {
        let s = StringForm(i)
        try compareRepeated(s) { () throws(Fault) in
            let a = try readSource(s)
            let flags = ALU.subtract(a, try readDestination(s), s.size).flags
            advanceIndex(6, s)
            advanceIndex(7, s)
            return flags
        }
    }

    func executeScanString(_ i: borrowing Instruction) throws(Fault) {
        let s = StringForm(i)
        try compareRepeated(s) { () throws(Fault) in
            let a = readRegister(0, size: s.size)
            let flags = ALU.subtract(a, try readDestination(s), s.size).flags
            advanceIndex(7, s)
            return flags
        }
    }

    /// INS: the destination is known to be writable before the port is read.
    func executeInString(_ i: borrowing Instruction) throws(Fault) {
        let s = StringForm(i)
        let port = UInt16(truncatingIfNeeded: pointee.rdx)
        try checkPort(port, size: s.size)
        try repeated(s) { (_) throws(Fault) in
            let to = try destination(s, write: true)
            try checkWrite(to, size: s.size)
            try readsClock(port: port)
            try writeLinear(to, readPort(port, size: s.size), size: s.size)
            advanceIndex(7, s)
            return (1, holdsOwnCode(s, to, s.size))
        }
    }

    func executeOutString(_ i: borrowing Instruction) throws(Fault) {
        let s = StringForm(i)
        let port = UInt16(truncatingIfNeeded: pointee.rdx)
        try checkPort(port, size: s.size)
        try repeated(s) { (_) throws(Fault) in
            writePort(port, try readSource(s), size: s.size)
            advanceIndex(6, s)
            return (1, ownPage: false)
        }
    }
}

// MARK: - Repetition

extension CPU {
    /// Runs `body` once, or rCX times under a REP prefix. `body` is told how many iterations it may
    /// do in one go, and returns how many it did and whether one of them wrote to a page of the
    /// instruction itself.
    @inline(__always)
    private func repeated(
        _ s: StringForm,
        _ body: (UInt64) throws(Fault) -> (done: UInt64, ownPage: Bool)
    ) throws(Fault) {
        if !s.isRepeated {
            _ = try body(1)
            return
        }
        let width = s.width
        let step = stringStepCost
        var count = readRegister(1, size: width)
        while count != 0 {
            let result = try body(min(count, iterationsToDeadline(step)))
            count = count &- result.done
            writeRegister(1, count, size: width)
            pointee.cycles = pointee.cycles &+ step &* result.done
            if count != 0 && (result.ownPage || mustSuspend) { throw .suspended }
        }
    }

    /// The same for CMPS and SCAS, whose `body` returns the comparison's flags: REPE goes on while
    /// they have ZF, REPNE while they have not.
    @inline(__always)
    private func compareRepeated(
        _ s: StringForm, _ body: () throws(Fault) -> UInt64
    ) throws(Fault) {
        if !s.isRepeated {
            setArithmeticFlags(try body())
            return
        }
        let width = s.width
        let step = stringStepCost
        var count = readRegister(1, size: width)
        while count != 0 {
            let flags = try body()
            count = count &- 1
            writeRegister(1, count, size: width)
            pointee.cycles = pointee.cycles &+ step
            if count == 0 || flags & RFLAGS.zf != s.wanted {
                setArithmeticFlags(flags)
                return
            }
            if mustSuspend { throw .suspended }
        }
    }

    @inline(__always)
    private var stringStepCost: UInt64 {
        UInt64(pointee.shared.pointee.costs[Int(CostClass.stringStep.rawValue)])
    }

    @inline(__always)
    private var mustSuspend: Bool {
        isUrgent || pointee.cycles >= pointee.cycleDeadline
    }

    /// How many iterations start before the deadline; at least one, as the instruction did.
    @inline(__always)
    private func iterationsToDeadline(_ step: UInt64) -> UInt64 {
        if step == 0 { return .max }
        if pointee.cycles >= pointee.cycleDeadline { return 1 }
        return (pointee.cycleDeadline &- pointee.cycles &- 1) / step &+ 1
    }
}

// MARK: - One element

extension CPU {
    @inline(__always)
    private func readSource(
        _ s: StringForm
    ) throws(Fault) -> UInt64 {
        let offset = readRegister(6, size: s.width)
        let a = try linear(segment: s.source, offset: offset, size: s.size, write: false)
        return try readLinear(a, size: s.size)
    }

    /// The linear address of ES:rDI; ES cannot be overridden.
    @inline(__always)
    private func destination(
        _ s: StringForm, write: Bool
    ) throws(Fault) -> UInt64 {
        try linear(
            segment: Int(SegmentNumber.es), offset: readRegister(7, size: s.width),
            size: s.size, write: write)
    }

    @inline(__always)
    private func readDestination(
        _ s: StringForm
    ) throws(Fault) -> UInt64 {
        try readLinear(try destination(s, write: false), size: s.size)
    }

    /// Writes at ES:rDI and returns the linear address.
    @inline(__always)
    private func writeDestination(
        _ s: StringForm, _ v: UInt64
    ) throws(Fault) -> UInt64 {
        let a = try destination(s, write: true)
        try writeLinear(a, v, size: s.size)
        return a
    }

    /// Moves rSI (6) or rDI (7) by one element in the direction that DF says.
    @inline(__always)
    private func advanceIndex(_ n: UInt8, _ s: StringForm) {
        let step = UInt64(truncatingIfNeeded: s.size)
        let down = pointee.rflags & RFLAGS.df != 0
        let v = registers[Int(n)]
        writeRegister(n, down ? v &- step : v &+ step, size: s.width)
    }

    /// Whether a write just made at `a` went to a physical page from which the instruction's own
    /// bytes were fetched. When the code TLB no longer knows the page, the answer is yes: that
    /// costs a fetch, which cannot be seen.
    private func holdsOwnCode(_ s: StringForm, _ a: UInt64, _ size: Int) -> Bool {
        let base = in64Bit ? 0 : pointee.cs.base
        let next = base &+ pointee.rip
        let first = next &- s.length
        return sharesPage(first, a) || sharesPage(next &- 1, a)
            || sharesPage(first, a &+ UInt64(size &- 1))
            || sharesPage(next &- 1, a &+ UInt64(size &- 1))
    }

    /// Whether code at `code` and data at `data` (linear addresses) lie on one physical page.
    private func sharesPage(_ code: UInt64, _ data: UInt64) -> Bool {
        let written = dataEntry(data).pointee
        // Not cached: a device, which no instruction is fetched from.
        if written.readTag != (data & ~0xFFF) | pointee.tlbContext { return false }
        let fetched = codeEntry(code).pointee
        if fetched.readTag != (code & ~0xFFF) | pointee.tlbContext { return true }
        return (written.physical ^ fetched.physical) & ~0xFFF == 0
    }
}

// MARK: - Many elements at once

extension CPU {
    /// The host address of a run of `count` elements upwards from segment:`offset`, if the run lies
    /// on one page whose translation is cached for that access; nil leaves it to the single steps.
    private func hostRun(
        segment: Int, offset: UInt64, bytes: UInt64, write: Bool
    ) -> UnsafeMutableRawPointer? {
        guard let a = try? linear(segment: segment, offset: offset, size: Int(bytes), write: write)
        else { return nil }
        if (a & 0xFFF) &+ bytes > 4096 { return nil }
        let entry = dataEntry(a).pointee
        let tag = (a & ~0xFFF) | pointee.tlbContext
        if (write ? entry.writeTag : entry.readTag) != tag { return nil }
        return UnsafeMutableRawPointer(bitPattern: UInt(truncatingIfNeeded: a &+ entry.addend))
    }

    /// How many of `limit` elements lie upwards from `offset` before its page or the address size
    /// ends.
    private func elementsOnPage(_ offset: UInt64, _ segment: Int, _ size: Int) -> UInt64 {
        let base = in64Bit && segment < Int(SegmentNumber.fs) ? 0 : segments[segment].base
        return (4096 &- ((base &+ offset) & 0xFFF)) / UInt64(size)
    }

    /// Iterations of MOVS done in one go, with the same effect as one by one: the pages are cached,
    /// so that nothing can fault or fill the TLB, no attention is pending, and elements are copied
    /// upwards one after the other, so that overlap behaves. 0 leaves it to the single steps.
    private func moveBulk(_ s: StringForm, _ limit: UInt64) -> UInt64 {
        guard bulkPossible(limit) else { return 0 }
        let from = readRegister(6, size: s.width)
        let to = readRegister(7, size: s.width)
        let es = Int(SegmentNumber.es)
        let n = min(limit, elementsOnPage(from, s.source, s.size), elementsOnPage(to, es, s.size))
        let bytes = n &* UInt64(s.size)
        guard n > 1, fits(from, bytes, s), fits(to, bytes, s),
            let read = hostRun(segment: s.source, offset: from, bytes: bytes, write: false),
            let write = hostRun(segment: es, offset: to, bytes: bytes, write: true)
        else { return 0 }
        if ownsDestination(s, to) { return 0 }
        for at in stride(from: 0, to: Int(bytes), by: s.size) {
            storeHost(write + at, loadHost(read + at, s.size), s.size)
        }
        writeRegister(6, from &+ bytes, size: s.width)
        writeRegister(7, to &+ bytes, size: s.width)
        return n
    }

    /// The same for STOS.
    private func storeBulk(_ s: StringForm, _ limit: UInt64) -> UInt64 {
        guard bulkPossible(limit) else { return 0 }
        let to = readRegister(7, size: s.width)
        let es = Int(SegmentNumber.es)
        let n = min(limit, elementsOnPage(to, es, s.size))
        let bytes = n &* UInt64(s.size)
        guard n > 1, fits(to, bytes, s),
            let write = hostRun(segment: es, offset: to, bytes: bytes, write: true)
        else { return 0 }
        if ownsDestination(s, to) { return 0 }
        let v = readRegister(0, size: s.size)
        for at in stride(from: 0, to: Int(bytes), by: s.size) { storeHost(write + at, v, s.size) }
        writeRegister(7, to &+ bytes, size: s.width)
        return n
    }

    /// Upwards, more than one, and nothing waiting at the next boundary.
    @inline(__always)
    private func bulkPossible(_ limit: UInt64) -> Bool {
        limit > 1 && !isUrgent && pointee.rflags & RFLAGS.df == 0
    }

    /// The run does not wrap around the end of the address size.
    @inline(__always)
    private func fits(_ offset: UInt64, _ bytes: UInt64, _ s: StringForm) -> Bool {
        offset <= sizeMask(s.width) &- bytes
    }

    @inline(__always)
    private func ownsDestination(_ s: StringForm, _ to: UInt64) -> Bool {
        let base = in64Bit ? 0 : pointee.es.base
        return holdsOwnCode(s, (base &+ to) & (in64Bit ? .max : 0xFFFF_FFFF), 1)
    }
}
