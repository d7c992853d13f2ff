/// Turns records into the columns of one chunk. Nothing is allocated for an event: the columns that
/// hold a bounded number of bytes a record are as large as a chunk can make them (the memory is
/// touched only as it fills), the others grow before a record is added.
struct ChunkEncoder {
    private var predictor: Predictor
    private let columns: UnsafeMutablePointer<Column>
    private let sharedSize: Int
    private let hasTail: Bool
    private let eventLimit: Int

    /// Sequence number of the chunk's first event.
    private(set) var firstSequence: UInt64 = 0
    private(set) var events = 0
    /// Returns added since the trace's start.
    private(set) var returns: UInt64 = 0
    private(set) var records = 0
    /// Machine time of the first record.
    private(set) var firstCycle: UInt64 = 0
    private var cpu: Int = 0
    private var lastDigest: UInt64 = 0
    private var lastDigestStored = true

    init(sharedSize: Int, eventLimit: Int) {
        precondition(sharedSize >= 0 && sharedSize <= Chunk.sharedLimit)
        precondition(eventLimit >= 1 && eventLimit <= Chunk.eventLimit)
        self.eventLimit = eventLimit
        self.sharedSize = sharedSize
        hasTail = sharedSize % 8 != 0
        predictor = Predictor(sharedSize: sharedSize)
        columns = .allocate(capacity: ColumnID.allCases.count)
        for id in ColumnID.allCases {
            (columns + id.rawValue).initialize(to: Column(capacity: Self.capacity(id)))
        }
        predictor.reset()
    }

    /// Bytes that records can put into a column of bounded records; a first size for the others.
    private static func capacity(_ id: ColumnID) -> Int {
        switch id {
        case .misses, .cpus: Chunk.recordLimit
        case .nodes: 3 * Chunk.recordLimit
        case .cycles, .instructions, .references, .results: 10 * Chunk.recordLimit
        case .sites: 20 * Chunk.eventLimit
        case .rips, .argument0, .argument1, .argument2, .argument3, .argument4, .argument5, .cr2,
            .rsp:
            10 * Chunk.eventLimit
        case .laneMisses: Chunk.eventLimit
        case .errors: 5 * Chunk.eventLimit
        case .digests: 8 * (Chunk.eventLimit / Int(Format.digestMask + 1) + 2)
        case .shared, .console, .inputs: 4096
        }
    }

    func deallocate() {
        predictor.deallocate()
        for id in ColumnID.allCases { columns[id.rawValue].deallocate() }
        columns.deallocate()
    }

    /// Begins the next chunk.
    mutating func reset() {
        firstSequence = nextSequence
        events = 0
        records = 0
        firstCycle = 0
        cpu = 0
        lastDigestStored = true
        for id in ColumnID.allCases { columns[id.rawValue].clear() }
        predictor.reset()
    }

    @inline(__always)
    private subscript(_ id: ColumnID) -> UnsafeMutablePointer<Column> { columns + id.rawValue }

    /// Bytes of all columns, as they would be compressed.
    var rawSize: Int {
        var size = 4 * ColumnID.count
        for i in 0..<ColumnID.count { size &+= columns[i].count }
        return size
    }

    /// Whether the chunk has to be closed before the next record.
    @inline(__always)
    var isFull: Bool {
        if events >= eventLimit || records >= Chunk.recordLimit { return true }
        return records & 63 == 0 && rawSize >= Chunk.byteLimit
    }

    /// Sequence number of the next event.
    @inline(__always)
    var nextSequence: UInt64 { firstSequence &+ UInt64(truncatingIfNeeded: events) }

    // MARK: Events

    /// Adds an event; `page` is its VCPU's shared page, `sharedSize` bytes, as it is now.
    mutating func add(_ event: UnsafePointer<Event>, page: UnsafeRawPointer?) {
        var misses = switchCPU(event.pointee.cpu, cycle: event.pointee.cycle)
        let site = Site(event, pageKnown: page != nil)
        let before = predictor.cpus + cpu
        let number = code(site, predictor.predictedNode(before), &misses)
        let node = UInt32(truncatingIfNeeded: number) &<< 1
        predictor.learn(node, after: before)
        let slot = predictor.slot(before.pointee.last, node)
        misses |= codeCounters(
            slot, before, event.pointee.cycle, event.pointee.instruction)
        misses |= codeLanes(slot, event)
        if event.pointee.errorCode != slot.pointee.error {
            misses |= Miss.error
            self[.errors].pointee.varint(UInt64(event.pointee.errorCode))
            slot.pointee.error = event.pointee.errorCode
        }
        if let page { misses |= codeShared(slot, site.vcpu, page) }
        if Chunk.isAsynchronous(site.kind) && event.pointee.rip != slot.pointee.rip {
            misses |= Miss.rip
            self[.rips].pointee.zigzag(event.pointee.rip &- slot.pointee.rip)
            slot.pointee.rip = event.pointee.rip
        }
        self[.misses].pointee.byte(misses)
        let sequence = event.pointee.sequence
        lastDigest = event.pointee.digest
        lastDigestStored = sequence & Format.digestMask == Format.digestMask
        if lastDigestStored { self[.digests].pointee.word(lastDigest) }
        if Chunk.mayReturn(site.kind) {
            predictor.push(sequence, site: number, cpu: cpu)
        }
        before.pointee.shift(node)
        events &+= 1
    }

    @inline(__always)
    private mutating func switchCPU(_ next: UInt8, cycle: UInt64) -> UInt8 {
        if records == 0 { firstCycle = cycle }
        records &+= 1
        if Int(next) == cpu { return 0 }
        cpu = Int(next)
        self[.cpus].pointee.byte(next)
        return Miss.cpu
    }

    /// Codes which site an event is at and gives its number.
    @inline(__always)
    private mutating func code(_ site: Site, _ predicted: UInt32, _ misses: inout UInt8) -> Int {
        let guess = Int(predicted &>> 1)
        if predicted & 1 == 0 && guess != 0 && predictor.sites[guess].matches(site) {
            return guess
        }
        misses |= Miss.node
        if let known = predictor.find(site) {
            self[.nodes].pointee.varint(NodeCode.site &+ UInt64(known))
            return known
        }
        self[.nodes].pointee.varint(NodeCode.newSite)
        let previous = predictor.sites[predictor.siteCount].rip
        let column = self[.sites]
        column.pointee.byte(site.kind.rawValue)
        column.pointee.byte(Site.contexts(site.from, site.to, site.pageKnown))
        column.pointee.varint(UInt64(site.vcpu))
        column.pointee.varint(UInt64(site.number))
        column.pointee.zigzag(site.rip &- previous)
        let number = predictor.define(site)
        predictor.index(number)
        return number
    }

    @inline(__always)
    private mutating func codeCounters(
        _ slot: UnsafeMutablePointer<Slot>, _ before: UnsafeMutablePointer<CPUHistory>,
        _ cycle: UInt64,
        _ instruction: UInt64
    ) -> UInt8 {
        var misses: UInt8 = 0
        let cycles = cycle &- before.pointee.cycle
        let instructions = instruction &- before.pointee.instruction
        var expected = slot.pointee.cycle.value
        if instructions != slot.pointee.instruction.value {
            misses |= Miss.instruction
            self[.instructions].pointee.zigzag(
                instructions &- slot.pointee.instruction.value)
            expected = predictor.predictedCycles(slot, instructions)
            predictor.learn(cycles: cycles, with: instructions, slot)
            slot.pointee.instruction.missed(instructions)
            slot.pointee.cycle.missed(cycles)
        } else if cycles != expected {
            slot.pointee.cycle.missed(cycles)
        }
        if cycles != expected {
            misses |= Miss.cycle
            self[.cycles].pointee.zigzag(cycles &- expected)
        }
        before.pointee.cycle = cycle
        before.pointee.instruction = instruction
        return misses
    }

    @inline(__always)
    private mutating func codeLanes(
        _ slot: UnsafeMutablePointer<Slot>, _ event: UnsafePointer<Event>
    ) -> UInt8 {
        let arguments = event.pointee.arguments
        let last = predictor.stackPointers + (cpu &* 4 &+ Int(event.pointee.from.rawValue))
        let actual = SIMD8<UInt64>(
            arguments.0, arguments.1, arguments.2, arguments.3, arguments.4, arguments.5,
            event.pointee.cr2, event.pointee.rsp &- last.pointee)
        last.pointee = event.pointee.rsp
        let predicted = slot.pointee.lanes &+ slot.pointee.strides
        slot.pointee.lanes = actual
        let difference = actual &- predicted
        let half = difference.lowHalf | difference.highHalf
        let quarter = half.lowHalf | half.highHalf
        if quarter[0] | quarter[1] == 0 { return 0 }
        codeLaneMisses(slot, difference)
        return Miss.lanes
    }

    @inline(never)
    private mutating func codeLaneMisses(
        _ slot: UnsafeMutablePointer<Slot>, _ difference: SIMD8<UInt64>
    ) {
        var which: UInt8 = 0
        let strides = slot.words(\.strides)
        let candidates = slot.words(\.candidates)
        var all = difference
        withUnsafeMutableBytes(of: &all) { bytes in
            for lane in 0..<8 {
                let missed = bytes.load(fromByteOffset: lane &* 8, as: UInt64.self)
                if missed == 0 { continue }
                which |= 1 &<< UInt8(truncatingIfNeeded: lane)
                (columns + (ColumnID.argument0.rawValue &+ lane)).pointee.zigzag(missed)
                // The same step as Striding's, on one lane.
                let step = missed &+ strides[lane]
                strides[lane] = step == candidates[lane] ? step : 0
                candidates[lane] = step
            }
        }
        self[.laneMisses].pointee.byte(which)
    }

    // MARK: The shared page

    /// Codes the words of the page that changed, where they are not those foretold.
    @inline(__always)
    private mutating func codeShared(
        _ slot: UnsafeMutablePointer<Slot>, _ vcpu: UInt16, _ page: UnsafeRawPointer
    ) -> UInt8 {
        let words = predictor.pageWords
        let known = predictor.pages + Int(vcpu & 255) &* words
        if slot.pointee.shared.count == 0 && !hasTail {
            var different: UInt64 = 0
            for i in 0..<words { different |= page.load(UInt64.self, at: i &* 8) ^ known[i] }
            if different == 0 { return 0 }
        }
        return codeChanges(slot, known, page)
    }

    @inline(never)
    private mutating func codeChanges(
        _ slot: UnsafeMutablePointer<Slot>, _ known: UnsafeMutablePointer<UInt64>,
        _ page: UnsafeRawPointer
    ) -> UInt8 {
        let words = predictor.pageWords
        var found = SharedPrediction()
        var count = 0
        var i = 0
        while i < words {
            let now = pageWord(page, i)
            if now != known[i] {
                if count < SharedPrediction.capacity {
                    found.words[count] = UInt32(truncatingIfNeeded: i)
                    found.differences[count] = now &- known[i]
                }
                count &+= 1
            }
            i &+= 1
        }
        found.count = count
        if count <= SharedPrediction.capacity && found == slot.pointee.shared {
            for k in 0..<count { known[Int(found.words[k])] &+= found.differences[k] }
            return 0
        }
        // More changes than a prediction holds are never foretold.
        slot.pointee.shared = count <= SharedPrediction.capacity ? found : SharedPrediction()
        storeShared(known, page, count)
        return Miss.shared
    }

    @inline(__always)
    private func pageWord(_ page: UnsafeRawPointer, _ i: Int) -> UInt64 {
        if hasTail && i == predictor.pageWords &- 1 {
            var word: UInt64 = 0
            for k in 0..<(sharedSize % 8) {
                let byte = page.load(fromByteOffset: i * 8 + k, as: UInt8.self)
                word |= UInt64(byte) << UInt64(8 * k)
            }
            return word
        }
        return page.load(UInt64.self, at: i &* 8)
    }

    @inline(never)
    private mutating func storeShared(
        _ known: UnsafeMutablePointer<UInt64>, _ page: UnsafeRawPointer, _ count: Int
    ) {
        let column = self[.shared]
        column.pointee.reserve(10 &+ 12 &* count)
        column.pointee.varint(UInt64(count))
        var next = 0
        for i in 0..<predictor.pageWords {
            let now = pageWord(page, i)
            if now == known[i] { continue }
            column.pointee.varint(UInt64(i &- next))
            column.pointee.zigzag(now &- known[i])
            known[i] = now
            next = i &+ 1
        }
    }

    // MARK: Returns

    /// Adds a return from an event of this or an earlier chunk.
    mutating func add(_ back: EventReturn) {
        returns &+= 1
        var misses = switchCPU(back.cpu, cycle: back.cycle)
        let before = predictor.cpus + cpu
        if predictor.predictedNode(before) & 1 == 0 {
            misses |= Miss.node
            self[.nodes].pointee.varint(NodeCode.eventReturn)
        }
        if predictor.predictedEntry(cpu: cpu) != back.event {
            misses |= Miss.reference
            self[.references].pointee.varint(nextSequence &- back.event)
        }
        let entry = predictor.take(back.event, cpu: cpu)
        let site = entry?.site ?? 0
        let node = site &<< 1 | 1
        predictor.learn(node, after: before)
        let slot = predictor.slot(before.pointee.last, node)
        misses |= codeCounters(slot, before, back.cycle, back.instruction)
        let expected = slot.pointee.predictedResult(before.pointee.result)
        if back.result != expected {
            misses |= Miss.result
            self[.results].pointee.zigzag(back.result &- expected)
        }
        slot.pointee.learn(result: back.result, before: before.pointee.result)
        before.pointee.result = back.result
        self[.misses].pointee.byte(misses)
        predictor.returned(cpu, node, entry)
    }

    // MARK: Console and inputs

    mutating func add(console bytes: UnsafeRawBufferPointer, cpu: UInt8, cycle: UInt64) {
        precondition(bytes.count <= Chunk.consoleLimit)
        let misses = switchCPU(cpu, cycle: cycle) | Miss.node
        self[.misses].pointee.byte(misses)
        self[.nodes].pointee.varint(NodeCode.console)
        let column = self[.console]
        column.pointee.reserve(20 + bytes.count)
        column.pointee.zigzag(cycle &- predictor.cpus[self.cpu].cycle)
        column.pointee.varint(UInt64(bytes.count))
        column.pointee.bytes(bytes)
    }

    mutating func add(_ input: Input) {
        precondition(input.bytes.count <= Chunk.inputLimit)
        let misses = switchCPU(input.cpu, cycle: input.cycle) | Miss.node
        self[.misses].pointee.byte(misses)
        self[.nodes].pointee.varint(NodeCode.input)
        let column = self[.inputs]
        column.pointee.reserve(40 + input.bytes.count)
        column.pointee.byte(input.kind.rawValue)
        column.pointee.varint(UInt64(input.number))
        column.pointee.zigzag(input.cycle &- predictor.cpus[cpu].cycle)
        column.pointee.zigzag(input.instruction &- predictor.cpus[cpu].instruction)
        column.pointee.varint(UInt64(input.bytes.count))
        input.bytes.withUnsafeBytes { column.pointee.bytes($0) }
    }

    // MARK: The finished chunk

    /// Ends the chunk and writes the table of column sizes and the columns at `room`, which has at
    /// least `maximumRawSize` bytes. Gives their number, and in `pieces` the size of the table and
    /// of each column.
    mutating func finish(into room: UnsafeMutableRawPointer, pieces: inout [Int]) -> Int {
        if !lastDigestStored { self[.digests].pointee.word(lastDigest) }
        lastDigestStored = true
        var position = 4 * ColumnID.count
        pieces.removeAll(keepingCapacity: true)
        pieces.append(position)
        for id in ColumnID.allCases {
            let column = columns[id.rawValue]
            pieces.append(column.count)
            room.store(UInt32(column.count), at: id.rawValue * 4)
            (room + position).copyMemory(from: column.base, byteCount: column.count)
            position += column.count
        }
        return position
    }

    /// A bound on what `finish` writes now.
    var maximumRawSize: Int { rawSize + 8 }
}

extension SharedPrediction {
    /// Unused places are zero on both sides.
    @inline(__always)
    static func == (a: SharedPrediction, b: SharedPrediction) -> Bool {
        a.count == b.count && a.words == b.words && a.differences == b.differences
    }
}

extension Predictor {
    /// Notes that a return was coded. An asynchronous event leaves no mark on its CPU's history:
    /// what it interrupted goes on.
    @inline(__always)
    func returned(_ cpu: Int, _ node: UInt32, _ entry: OpenEvent?) {
        if let entry, Chunk.isAsynchronous(sites[Int(entry.site)].kind) {
            cpus[cpu].last = entry.last
            cpus[cpu].second = entry.second
            cpus[cpu].third = entry.third
        } else {
            cpus[cpu].shift(node)
        }
    }
}
