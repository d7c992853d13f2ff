/// What the decoder has just read.
public enum RecordKind: Sendable {
    case event
    case eventReturn
    case console
    case input
}

/// Turns a chunk's columns back into records: the encoder's steps, with each value taken from a
/// column where the encoder put one there. The columns may hold anything: every read is bounded by
/// its column, every number by what it indexes.
struct ChunkDecoder {
    private var predictor: Predictor
    private let readers: UnsafeMutablePointer<ColumnReader>
    /// Whether a column of this chunk has been read past its end.
    private let anyFailed: UnsafeMutablePointer<Bool>
    private let sharedSize: Int
    private var raw: UnsafeMutableRawBufferPointer
    /// Of the chunk's block, for errors.
    private var offset: UInt64 = 0
    private var firstSequence: UInt64 = 0
    private var events = 0
    private var records = 0
    private var event = 0
    private var record = 0
    private var cpu = 0

    /// The page behind the last event, empty if it had none; valid until the next record is read.
    private(set) var page = UnsafeRawBufferPointer(start: nil, count: 0)

    /// A decoder of chunks whose shared page has this size, with no chunk begun.
    init(sharedSize: Int) {
        self.sharedSize = sharedSize
        readers = .allocate(capacity: ColumnID.count)
        anyFailed = .allocate(capacity: 1)
        anyFailed.initialize(to: false)
        predictor = Predictor(sharedSize: sharedSize)
        raw = .allocate(byteCount: Chunk.byteLimit * 2, alignment: 16)
    }

    func deallocate() {
        predictor.deallocate()
        readers.deallocate()
        anyFailed.deallocate()
        raw.deallocate()
    }

    /// Unpacks a chunk's frame and stands before its first record. `header` has been checked
    /// against the limits and has this decoder's `sharedSize`.
    mutating func begin(
        _ header: ChunkHeader, frame: UnsafeRawBufferPointer, offset: UInt64
    ) throws(TraceError) {
        self.offset = offset
        firstSequence = header.firstSequence
        events = Int(header.events)
        records = 0
        event = 0
        record = 0
        cpu = 0
        page = UnsafeRawBufferPointer(start: nil, count: 0)
        predictor.reset()
        anyFailed.pointee = false
        let size = Int(header.rawSize)
        if size > raw.count {
            raw.deallocate()
            raw = .allocate(byteCount: size, alignment: 16)
        }
        try Decompressor.unpack(frame, into: raw, size: size, offset: offset)
        try setColumns(size, Int(header.columns))
        guard self[.misses].pointee.remaining == Int(header.records) else {
            throw .malformed(offset: offset, what: "a chunk with another number of records")
        }
        records = Int(header.records)
    }

    /// Finds each column. Those that this reader does not know come last and are ignored; those
    /// that an older writer did not know are empty.
    private func setColumns(_ size: Int, _ count: Int) throws(TraceError) {
        guard let base = raw.baseAddress, size >= 4 * count else {
            throw .malformed(offset: offset, what: "a chunk without its table of columns")
        }
        var start = 4 * count
        for id in 0..<max(count, ColumnID.count) {
            let length = id < count ? Int(UnsafeRawPointer(base).load(UInt32.self, at: 4 * id)) : 0
            guard length <= size - start else {
                throw .malformed(offset: offset, what: "a column that is longer than its chunk")
            }
            if id < ColumnID.count {
                let bytes = (base + start).assumingMemoryBound(to: UInt8.self)
                (readers + id).initialize(
                    to: ColumnReader(
                        bytes, count: length, anyFailed: anyFailed))
            }
            start += length
        }
        guard start == size else {
            throw .malformed(offset: offset, what: "bytes after a chunk's columns")
        }
    }

    /// Sequence number of the next event.
    var nextSequence: UInt64 { firstSequence &+ UInt64(event) }

    @inline(__always)
    private subscript(_ id: ColumnID) -> UnsafeMutablePointer<ColumnReader> {
        readers + id.rawValue
    }

    private func malformed(_ what: String) -> TraceError {
        .malformed(offset: offset, what: "record \(record) of a chunk: \(what)")
    }

    /// Where the next record goes.
    struct Room {
        var event = Event()
        var eventReturn = EventReturn()
        var console = ConsoleOutput()
        var input = Input()
    }

    /// Reads the next record into its part of `room`; nil after the last.
    mutating func next(_ room: UnsafeMutablePointer<Room>) throws(TraceError) -> RecordKind? {
        if record == records {
            try checkEnd()
            return nil
        }
        record &+= 1
        let misses = self[.misses].pointee.byte()
        if misses & Miss.cpu != 0 { cpu = Int(self[.cpus].pointee.byte()) }
        let predicted = predictor.predictedNode(predictor.cpus + cpu)
        var code: UInt64
        if misses & Miss.node != 0 {
            code = self[.nodes].pointee.varint()
        } else {
            code =
                predicted & 1 == 1 ? NodeCode.eventReturn : NodeCode.site &+ UInt64(predicted &>> 1)
            if predicted == 0 { throw malformed("nothing is foretold here") }
        }
        switch code {
        case NodeCode.eventReturn:
            try readReturn(misses, &room.pointee.eventReturn)
            return .eventReturn
        case NodeCode.console:
            try readConsole(misses, &room.pointee.console)
            return .console
        case NodeCode.input:
            try readInput(misses, &room.pointee.input)
            return .input
        default:
            let site = try readSite(code)
            try readEvent(misses, site, &room.pointee.event)
            return .event
        }
    }

    private func checkEnd() throws(TraceError) {
        guard event == events else { throw malformed("fewer events than the header says") }
        for id in ColumnID.allCases
        where readers[id.rawValue].remaining != 0 || readers[id.rawValue].failed {
            throw malformed("column \(id.rawValue) has another length than its records need")
        }
    }

    /// Throws if any column has been read past its end.
    @inline(__always)
    private func checkColumns() throws(TraceError) {
        if anyFailed.pointee { try nameFailure() }
    }

    @inline(never)
    private func nameFailure() throws(TraceError) {
        for id in 0..<ColumnID.count where readers[id].failed {
            throw malformed("column \(id) is too short")
        }
    }

    // MARK: Events

    @inline(__always)
    private mutating func readSite(_ code: UInt64) throws(TraceError) -> Int {
        if code > NodeCode.site {
            let number = code &- NodeCode.site
            guard number <= UInt64(predictor.siteCount) else {
                throw malformed("site \(number) is not defined")
            }
            return Int(number)
        }
        guard code == NodeCode.newSite else { throw malformed("node code \(code) is unknown") }
        return try readNewSite()
    }

    @inline(never)
    private mutating func readNewSite() throws(TraceError) -> Int {
        guard predictor.siteCount < Predictor.siteLimit else { throw malformed("too many sites") }
        let column = self[.sites]
        var site = Site()
        let kind = column.pointee.byte()
        let contexts = column.pointee.byte()
        let vcpu = column.pointee.varint()
        let number = column.pointee.varint()
        site.rip = predictor.sites[predictor.siteCount].rip &+ column.pointee.zigzag()
        if column.pointee.failed { throw malformed("the column of sites is too short") }
        guard let known = EventKind(rawValue: kind), contexts < 32,
            let from = Context(rawValue: contexts & 3),
            let to = Context(rawValue: contexts >> 2 & 3),
            vcpu <= UInt64(UInt16.max), number <= UInt64(UInt32.max)
        else { throw malformed("an impossible site") }
        site.kind = known
        site.from = from
        site.to = to
        site.pageKnown = contexts & 16 != 0
        site.packed = number << 32 | vcpu << 16 | UInt64(kind) << 8 | UInt64(contexts)
        return predictor.define(site)
    }

    @inline(__always)
    private mutating func readEvent(
        _ misses: UInt8, _ number: Int, _ e: inout Event
    ) throws(TraceError) {
        guard event < events else { throw malformed("more events than the header says") }
        let site = predictor.sites[number]
        let kind = site.kind
        let asynchronous = Chunk.isAsynchronous(kind)
        let before = predictor.cpus + cpu
        let node = UInt32(truncatingIfNeeded: number) &<< 1
        predictor.learn(node, after: before)
        let slot = predictor.slot(before.pointee.last, node)
        e.sequence = firstSequence &+ UInt64(event)
        e.cpu = UInt8(truncatingIfNeeded: cpu)
        e.vcpu = site.vcpu
        e.kind = kind
        e.number = site.number
        e.from = site.from
        e.to = site.to
        (e.cycle, e.instruction) = readCounters(slot, before, misses)
        readLanes(slot, misses, &e)
        if misses & Miss.error != 0 {
            slot.pointee.error = UInt32(truncatingIfNeeded: self[.errors].pointee.varint())
        }
        e.errorCode = slot.pointee.error
        e.sharedPageKnown = site.pageKnown
        try readShared(slot, misses, site)
        e.rip = site.rip
        if asynchronous {
            if misses & Miss.rip != 0 { slot.pointee.rip &+= self[.rips].pointee.zigzag() }
            e.rip = slot.pointee.rip
        } else if misses & Miss.rip != 0 {
            throw malformed("a RIP residual at a site that has its RIP")
        }
        event &+= 1
        e.digestKnown = e.sequence & Format.digestMask == Format.digestMask || event == events
        e.digest = e.digestKnown ? self[.digests].pointee.word() : 0
        if misses != 0 || e.digestKnown { try checkColumns() }
        if Chunk.mayReturn(kind) {
            predictor.push(e.sequence, site: number, cpu: cpu)
        }
        before.pointee.shift(node)
    }

    @inline(__always)
    private mutating func readCounters(
        _ slot: UnsafeMutablePointer<Slot>, _ before: UnsafeMutablePointer<CPUHistory>,
        _ misses: UInt8
    ) -> (UInt64, UInt64) {
        var cycles = slot.pointee.cycle.value
        let residual = misses & Miss.cycle != 0 ? self[.cycles].pointee.zigzag() : 0
        var instructions = slot.pointee.instruction.value
        if misses & Miss.instruction != 0 {
            instructions &+= self[.instructions].pointee.zigzag()
            cycles = predictor.predictedCycles(slot, instructions) &+ residual
            predictor.learn(cycles: cycles, with: instructions, slot)
            slot.pointee.instruction.missed(instructions)
            slot.pointee.cycle.missed(cycles)
        } else if residual != 0 {
            cycles &+= residual
            slot.pointee.cycle.missed(cycles)
        }
        let cycle = before.pointee.cycle &+ cycles
        let instruction = before.pointee.instruction &+ instructions
        before.pointee.cycle = cycle
        before.pointee.instruction = instruction
        return (cycle, instruction)
    }

    @inline(__always)
    private mutating func readLanes(
        _ slot: UnsafeMutablePointer<Slot>, _ misses: UInt8, _ e: inout Event
    ) {
        var lanes = slot.pointee.lanes &+ slot.pointee.strides
        if misses & Miss.lanes != 0 { readLaneMisses(slot, &lanes) }
        slot.pointee.lanes = lanes
        let last = predictor.stackPointers + (cpu &* 4 &+ Int(e.from.rawValue))
        e.rsp = lanes[Lane.rsp] &+ last.pointee
        last.pointee = e.rsp
        e.arguments = (lanes[0], lanes[1], lanes[2], lanes[3], lanes[4], lanes[5])
        e.cr2 = lanes[Lane.cr2]
    }

    @inline(never)
    private mutating func readLaneMisses(
        _ slot: UnsafeMutablePointer<Slot>, _ lanes: inout SIMD8<UInt64>
    ) {
        let which = self[.laneMisses].pointee.byte()
        let strides = slot.words(\.strides)
        let candidates = slot.words(\.candidates)
        var rest = UInt64(which)
        while rest != 0 {
            let lane = rest.trailingZeroBitCount
            rest &= rest &- 1
            let column = readers + (ColumnID.argument0.rawValue &+ lane)
            let difference = column.pointee.zigzag()
            lanes[lane] &+= difference
            let step = difference &+ strides[lane]
            strides[lane] = step == candidates[lane] ? step : 0
            candidates[lane] = step
        }
    }

    // MARK: The shared page

    @inline(__always)
    private mutating func readShared(
        _ slot: UnsafeMutablePointer<Slot>, _ misses: UInt8, _ site: Site
    ) throws(TraceError) {
        guard site.pageKnown else {
            if misses & Miss.shared != 0 { throw malformed("changes of a page that is not known") }
            page = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let words = predictor.pageWords
        let known = predictor.pages + Int(site.vcpu & 255) &* words
        page = UnsafeRawBufferPointer(start: known, count: sharedSize)
        if misses & Miss.shared != 0 {
            slot.pointee.shared = try readChanges(known, words)
        } else {
            let shared = slot.pointee.shared
            for k in 0..<shared.count {
                known[Int(shared.words[k])] &+= shared.differences[k]
            }
        }
    }

    @inline(never)
    private mutating func readChanges(
        _ known: UnsafeMutablePointer<UInt64>, _ words: Int
    ) throws(TraceError) -> SharedPrediction {
        let column = self[.shared]
        let count = column.pointee.varint()
        guard count <= UInt64(words) else {
            throw malformed("more changes than the page has words")
        }
        var found = SharedPrediction()
        found.count = Int(count)
        var next = 0
        for k in 0..<Int(count) {
            let gap = column.pointee.varint()
            let difference = column.pointee.zigzag()
            guard !column.pointee.failed, gap < UInt64(words &- next) else {
                throw malformed("a change outside the shared page")
            }
            let word = next &+ Int(gap)
            known[word] &+= difference
            if k < SharedPrediction.capacity {
                found.words[k] = UInt32(truncatingIfNeeded: word)
                found.differences[k] = difference
            }
            next = word &+ 1
        }
        if column.pointee.failed { throw malformed("the column of changes is too short") }
        return Int(count) <= SharedPrediction.capacity ? found : SharedPrediction()
    }

    // MARK: Returns, console, inputs

    private mutating func readReturn(
        _ misses: UInt8, _ back: inout EventReturn
    ) throws(TraceError) {
        if misses & Miss.returnReserved != 0 { throw malformed("reserved bits are set") }
        let before = predictor.cpus + cpu
        let next = firstSequence &+ UInt64(event)
        back.cpu = UInt8(truncatingIfNeeded: cpu)
        if misses & Miss.reference != 0 {
            let distance = self[.references].pointee.varint()
            guard distance >= 1, distance <= next else {
                throw malformed("a return from an event that has not been")
            }
            back.event = next &- distance
        } else {
            guard let top = predictor.predictedEntry(cpu: cpu) else {
                throw malformed("a return, but no event is open")
            }
            back.event = top
        }
        let entry = predictor.take(back.event, cpu: cpu)
        let node = (entry?.site ?? 0) &<< 1 | 1
        predictor.learn(node, after: before)
        let slot = predictor.slot(before.pointee.last, node)
        (back.cycle, back.instruction) = readCounters(slot, before, misses)
        back.result = slot.pointee.predictedResult(before.pointee.result)
        if misses & Miss.result != 0 { back.result &+= self[.results].pointee.zigzag() }
        slot.pointee.learn(result: back.result, before: before.pointee.result)
        before.pointee.result = back.result
        if misses != 0 { try checkColumns() }
        predictor.returned(cpu, node, entry)
    }

    private mutating func readConsole(
        _ misses: UInt8, _ console: inout ConsoleOutput
    ) throws(TraceError) {
        if misses & Miss.otherReserved != 0 { throw malformed("reserved bits are set") }
        let column = self[.console]
        console.cpu = UInt8(truncatingIfNeeded: cpu)
        console.cycle = predictor.cpus[cpu].cycle &+ column.pointee.zigzag()
        console.bytes = try readBytes(column, limit: Chunk.consoleLimit)
    }

    private mutating func readInput(_ misses: UInt8, _ input: inout Input) throws(TraceError) {
        if misses & Miss.otherReserved != 0 { throw malformed("reserved bits are set") }
        let column = self[.inputs]
        let kind = column.pointee.byte()
        let number = column.pointee.varint()
        guard let known = Input.Kind(rawValue: kind), number <= UInt64(UInt32.max) else {
            throw malformed("an impossible input")
        }
        input.kind = known
        input.number = UInt32(number)
        input.cpu = UInt8(truncatingIfNeeded: cpu)
        input.cycle = predictor.cpus[cpu].cycle &+ column.pointee.zigzag()
        input.instruction = predictor.cpus[cpu].instruction &+ column.pointee.zigzag()
        input.bytes = try readBytes(column, limit: Chunk.inputLimit)
    }

    private mutating func readBytes(
        _ column: UnsafeMutablePointer<ColumnReader>, limit: Int
    ) throws(TraceError) -> [UInt8] {
        try checkColumns()
        let count = column.pointee.varint()
        guard count <= UInt64(limit) else { throw malformed("\(count) bytes in one record") }
        let bytes = column.pointee.bytes(Int(count))
        if column.pointee.failed { throw malformed("a column of bytes is too short") }
        return bytes
    }
}
