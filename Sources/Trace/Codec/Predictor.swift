import Glibc

/// What encoder and decoder of a chunk both know, and how they foretell the next record from it.
///
/// Events repeat: the same system call from the same place after the same event, after the same
/// number of instructions, with arguments that stay or stride. So a record is coded as one byte
/// that says which predictions failed, and residuals only for those. The rules (TRACE_FORMAT.md,
/// "Prediction") are part of the format: both sides take every step through the functions here, in
/// the same order, so that their states stay equal. All state is forgotten at a chunk's start.
///
/// - A *site* is an event's (kind, number, contexts, VCPU, RIP). The RIP of an asynchronous event
///   (interrupt, NMI, machine check) is not part of it.
/// - A *node* is what a record is: `2 * site` for an event, `2 * site + 1` for the return from one.
///   Sites count from 1, so node 0 is nothing and node 1 the return from an event of an earlier
///   chunk.
/// - The last three nodes of a CPU foretell its next one.
/// - A *slot* is kept for (last node, this node) and foretells the numbers.
struct Predictor {
    let sites: UnsafeMutablePointer<Site>
    private(set) var siteCount = 0
    private let siteTable: UnsafeMutablePointer<UInt64>
    let cpus: UnsafeMutablePointer<CPUHistory>
    /// RSP of the last event of each CPU from each context, four for each CPU.
    let stackPointers: UnsafeMutablePointer<UInt64>
    private let open: UnsafeMutablePointer<OpenEvent>
    private let slots: UnsafeMutablePointer<Slot>
    /// Which pair of nodes, in which generation, each slot is of.
    private let slotTags: UnsafeMutablePointer<UInt64>
    private let byThree: UnsafeMutablePointer<UInt64>
    private let byOne: UnsafeMutablePointer<UInt64>
    /// Which difference of cycles came with a difference of instructions at a slot, last: a tag and
    /// the cycles.
    private let pairs: UnsafeMutablePointer<Pair>
    /// How far below the top of its CPU's stack the event was that a return ended, by the CPU's
    /// last three nodes.
    private let depths: UnsafeMutablePointer<UInt64>
    let pages: UnsafeMutablePointer<UInt64>
    let pageWords: Int
    /// Of this chunk, never 0: entries of another generation are void, so that a new chunk need
    /// not clear the tables.
    private var generation: UInt64 = 0

    static let cpuCount = 256
    static let pageCount = 256
    static let openDepth = 32
    static let siteLimit = Chunk.eventLimit
    private static let siteTableBits: UInt64 = 15
    private static let slotBits: UInt64 = 11
    private static let nodeBits: UInt64 = 12
    private static let pairBits: UInt64 = 12

    private struct Pair {
        /// Generation, slot and the low bits of the instructions, so that few agree by chance; 0
        /// for none.
        var tag: UInt64
        var cycles: UInt64
    }

    init(sharedSize: Int) {
        pageWords = (sharedSize + 7) / 8
        // What is not zeroed here is written before it is read: a site when it is defined, a slot
        // when it begins, an open event when it is pushed. So a short chunk touches little memory.
        sites = .allocate(capacity: Self.siteLimit + 1)
        siteTable = Self.zeroed(1 << Self.siteTableBits)
        cpus = .allocate(capacity: Self.cpuCount)
        stackPointers = Self.zeroed(Self.cpuCount * 4)
        open = .allocate(capacity: Self.cpuCount * Self.openDepth)
        slots = .allocate(capacity: 1 << Self.slotBits)
        slotTags = Self.zeroed(1 << Self.slotBits)
        byThree = Self.zeroed(1 << Self.nodeBits)
        byOne = Self.zeroed(1 << Self.nodeBits)
        depths = Self.zeroed(1 << Self.nodeBits)
        pairs = .allocate(capacity: 1 << Self.pairBits)
        pairs.initialize(repeating: Pair(tag: 0, cycles: 0), count: 1 << Self.pairBits)
        pages = Self.zeroed(max(1, Self.pageCount * pageWords))
        cpus.initialize(repeating: CPUHistory(), count: Self.cpuCount)
    }

    private static func zeroed(_ count: Int) -> UnsafeMutablePointer<UInt64> {
        guard let words = calloc(count, 8) else { fatalError("out of memory") }
        return words.bindMemory(to: UInt64.self, capacity: count)
    }

    func deallocate() {
        sites.deallocate()
        free(siteTable)
        cpus.deallocate()
        free(stackPointers)
        open.deallocate()
        slots.deallocate()
        free(slotTags)
        free(byThree)
        free(byOne)
        pairs.deallocate()
        free(depths)
        free(pages)
    }

    /// Begins a chunk.
    mutating func reset() {
        generation &+= 1
        siteCount = 0
        sites[0] = Site()
        cpus.update(repeating: CPUHistory(), count: Self.cpuCount)
        stackPointers.update(repeating: 0, count: Self.cpuCount * 4)
        pages.update(repeating: 0, count: Self.pageCount * pageWords)
    }

    // MARK: Sites

    /// The number of a site already defined, or nil. The encoder's alone.
    @inline(__always)
    func find(_ site: Site) -> Int? {
        var i = Int(site.hash &>> (64 &- Self.siteTableBits))
        while siteTable[i] &>> 32 == generation {
            let number = Int(siteTable[i] & 0xffff_ffff)
            if sites[number].matches(site) { return number }
            i = (i &+ 1) & (1 &<< Int(Self.siteTableBits) &- 1)
        }
        return nil
    }

    /// Defines the next site. At most one an event, so `siteLimit` is never passed.
    @inline(__always)
    mutating func define(_ site: Site) -> Int {
        siteCount &+= 1
        sites[siteCount] = site
        sites[siteCount].slot = -1
        return siteCount
    }

    /// Makes the last defined site findable. The encoder's alone.
    mutating func index(_ number: Int) {
        var i = Int(sites[number].hash &>> (64 &- Self.siteTableBits))
        while siteTable[i] &>> 32 == generation {
            i = (i &+ 1) & (1 &<< Int(Self.siteTableBits) &- 1)
        }
        siteTable[i] = generation &<< 32 | UInt64(number)
    }

    // MARK: Nodes

    @inline(__always)
    private static func hash(_ a: UInt32, _ b: UInt32, _ c: UInt32) -> UInt64 {
        let mixed = (UInt64(a) &* 0x9e37_79b9 &+ UInt64(b)) &* 0x85eb_ca6b &+ UInt64(c)
        return mixed &* 0x9e37_79b9_7f4a_7c15
    }

    /// The node that followed when this CPU last had the same history; 0 for none.
    @inline(__always)
    func predictedNode(_ history: UnsafePointer<CPUHistory>) -> UInt32 {
        let cpu = history.pointee
        let long = byThree[
            Int(Self.hash(cpu.last, cpu.second, cpu.third) &>> (64 &- Self.nodeBits))]
        if long &>> 32 == generation { return UInt32(truncatingIfNeeded: long) }
        let short = byOne[Int(Self.hash(cpu.last, 0, 0) &>> (64 &- Self.nodeBits))]
        return short &>> 32 == generation ? UInt32(truncatingIfNeeded: short) : 0
    }

    /// Notes which node followed.
    @inline(__always)
    func learn(_ node: UInt32, after history: UnsafePointer<CPUHistory>) {
        let cpu = history.pointee
        let entry = generation &<< 32 | UInt64(node)
        byThree[Int(Self.hash(cpu.last, cpu.second, cpu.third) &>> (64 &- Self.nodeBits))] = entry
        byOne[Int(Self.hash(cpu.last, 0, 0) &>> (64 &- Self.nodeBits))] = entry
    }

    // MARK: Slots

    /// The slot for a node after a node. One that was never used, or whose place another pair had
    /// taken, begins as a copy of the node's most recent.
    @inline(__always)
    func slot(_ last: UInt32, _ node: UInt32) -> UnsafeMutablePointer<Slot> {
        let number = Int(Self.hash(last, node, 1) &>> (64 &- Self.slotBits))
        let slot = slots + number
        // Nodes are below 2^16 (siteLimit).
        let tag = generation &<< 32 | UInt64(last) &<< 16 | UInt64(node)
        if slotTags[number] != tag {
            slotTags[number] = tag
            begin(slot, node)
        }
        if node & 1 == 0 {
            sites[Int(node &>> 1)].slot = Int32(truncatingIfNeeded: number)
        } else {
            sites[Int(node &>> 1)].returnSlot = Int32(truncatingIfNeeded: number)
        }
        return slot
    }

    @inline(never)
    private func begin(_ slot: UnsafeMutablePointer<Slot>, _ node: UInt32) {
        let site = sites[Int(node &>> 1)]
        let recent = Int(node & 1 == 0 ? site.slot : site.returnSlot)
        // The recent one's place may since have been given to another pair: still no harm, it is
        // a guess, and both sides make the same.
        if recent >= 0 {
            if slots + recent != slot { slot.pointee = slots[recent] }
        } else {
            slot.pointee = Slot()
        }
    }

    // MARK: Counters

    /// The cycles foretold for a difference of instructions that was not the slot's steady one:
    /// those that came with it last, or the slot's steady ones and one more for each instruction
    /// more. Notes the actual ones through `learn(cycles:)`.
    @inline(__always)
    func predictedCycles(_ slot: UnsafeMutablePointer<Slot>, _ instructions: UInt64) -> UInt64 {
        let pair = pairs[pairPlace(slot, instructions)]
        if pair.tag == pairTag(slot, instructions) { return pair.cycles }
        return slot.pointee.cycle.value &+ instructions &- slot.pointee.instruction.value
    }

    /// Notes which cycles came with a difference of instructions.
    @inline(__always)
    func learn(
        cycles: UInt64, with instructions: UInt64, _ slot: UnsafeMutablePointer<Slot>
    ) {
        pairs[pairPlace(slot, instructions)] = Pair(
            tag: pairTag(slot, instructions), cycles: cycles)
    }

    @inline(__always)
    private func pairPlace(_ slot: UnsafeMutablePointer<Slot>, _ instructions: UInt64) -> Int {
        let mixed = UInt64(slot - slots) &* 0x85eb_ca6b &+ instructions
        return Int((mixed &* 0x9e37_79b9_7f4a_7c15) &>> (64 &- Self.pairBits))
    }

    @inline(__always)
    private func pairTag(_ slot: UnsafeMutablePointer<Slot>, _ instructions: UInt64) -> UInt64 {
        generation &<< 32 | UInt64(slot - slots) &<< 20 | instructions & 0xf_ffff
    }

    // MARK: Events whose return has not come

    /// Puts an event that a return may end on its CPU's stack.
    @inline(__always)
    func push(_ sequence: UInt64, site: Int, cpu: Int) {
        let stack = open + cpu &* Self.openDepth
        let before = cpus + cpu
        var depth = Int(before.pointee.depth)
        if depth == Self.openDepth {
            stack.update(from: stack + 1, count: Self.openDepth - 1)
            depth &-= 1
        }
        stack[depth] = OpenEvent(
            sequence: sequence, site: UInt32(truncatingIfNeeded: site),
            last: before.pointee.last, second: before.pointee.second,
            third: before.pointee.third)
        before.pointee.depth = UInt32(truncatingIfNeeded: depth &+ 1)
    }

    /// The event that the next return of this CPU most likely ends, nil for none: the one as far
    /// below the top as the last time that the CPU had the same history.
    @inline(__always)
    func predictedEntry(cpu: Int) -> UInt64? {
        let history = cpus + cpu
        let place = Self.hash(
            history.pointee.last, history.pointee.second, history.pointee.third)
        let known = depths[Int(place &>> (64 &- Self.nodeBits))]
        let below = known &>> 32 == generation ? Int(known & 0xffff_ffff) : 0
        let index = Int(history.pointee.depth) &- 1 &- below
        return index >= 0 ? open[cpu &* Self.openDepth &+ index].sequence : nil
    }

    /// Takes out the event with this sequence number; nil if it is not on the stack.
    @inline(__always)
    func take(_ sequence: UInt64, cpu: Int) -> OpenEvent? {
        let stack = open + cpu &* Self.openDepth
        let history = cpus + cpu
        let depth = Int(history.pointee.depth)
        var i = depth &- 1
        while i >= 0 {
            if stack[i].sequence == sequence {
                let event = stack[i]
                let below = depth &- 1 &- i
                if below > 0 { (stack + i).update(from: stack + i + 1, count: below) }
                history.pointee.depth = UInt32(truncatingIfNeeded: depth &- 1)
                let place = Self.hash(
                    history.pointee.last, history.pointee.second, history.pointee.third)
                depths[Int(place &>> (64 &- Self.nodeBits))] =
                    generation &<< 32 | UInt64(below)
                return event
            }
            i &-= 1
        }
        return nil
    }
}

/// What identifies a kind of event, and what follows from that.
struct Site {
    var rip: UInt64 = 0
    /// Number, VCPU, kind and contexts in one word, highest first.
    var packed: UInt64 = 0
    /// Most recent slot of an event here and of a return from here, -1 for none.
    var slot: Int32 = -1
    var returnSlot: Int32 = -1
    var kind: EventKind = .syscall
    var from: Context = .hostKernel
    var to: Context = .hostKernel
    var pageKnown = false

    init() {}

    @inline(__always)
    init(_ event: UnsafePointer<Event>, pageKnown: Bool) {
        kind = event.pointee.kind
        from = event.pointee.from
        to = event.pointee.to
        self.pageKnown = pageKnown
        rip = Chunk.isAsynchronous(kind) ? 0 : event.pointee.rip
        let contexts = Self.contexts(from, to, pageKnown)
        packed =
            UInt64(event.pointee.number) &<< 32 | UInt64(event.pointee.vcpu) &<< 16
            | UInt64(kind.rawValue) &<< 8 | UInt64(contexts)
    }

    var number: UInt32 { UInt32(truncatingIfNeeded: packed &>> 32) }
    var vcpu: UInt16 { UInt16(truncatingIfNeeded: packed &>> 16) }

    /// Bits 0-1 the context left, 2-3 the one entered, 4 whether the shared page is known.
    @inline(__always)
    static func contexts(_ from: Context, _ to: Context, _ pageKnown: Bool) -> UInt8 {
        from.rawValue | to.rawValue &<< 2 | (pageKnown ? 1 &<< 4 : 0)
    }

    @inline(__always)
    func matches(_ other: Site) -> Bool { rip == other.rip && packed == other.packed }

    @inline(__always)
    var hash: UInt64 {
        (rip ^ packed &* 0x9e37_79b9_7f4a_7c15 ^ rip &>> 29) &* 0xc2b2_ae3d_27d4_eb4f
    }
}

/// One CPU in a chunk.
struct CPUHistory {
    /// Counters at its last event or return.
    var cycle: UInt64 = 0
    var instruction: UInt64 = 0
    /// Its last nodes, the most recent first.
    var last: UInt32 = 0
    var second: UInt32 = 0
    var third: UInt32 = 0
    /// Open events.
    var depth: UInt32 = 0
    /// Of its last return.
    var result: UInt64 = 0

    /// Makes a node the latest.
    @inline(__always)
    mutating func shift(_ node: UInt32) {
        third = second
        second = last
        last = node
    }
}

/// An event on its CPU's stack, with the history before it.
struct OpenEvent {
    var sequence: UInt64 = 0
    var site: UInt32 = 0
    var last: UInt32 = 0
    var second: UInt32 = 0
    var third: UInt32 = 0
}

/// The numbers last seen at a node after a node.
struct Slot {
    /// Differences since the CPU's last record. Of two in turn that differ from what is foretold,
    /// the second must equal the first to be foretold from then on: one interruption does not
    /// spoil a steady figure.
    var cycle = Steady()
    var instruction = Steady()
    /// Of an asynchronous event.
    var rip: UInt64 = 0
    var error: UInt32 = 0
    /// Of a return.
    var result = Striding()
    /// Whether the result is foretold to be that of the CPU's return before.
    var resultRepeats = false
    /// Arguments 0...5, CR2, and RSP as its difference from the CPU's last from the same context:
    /// as `Striding`, side by side.
    var lanes = SIMD8<UInt64>()
    var strides = SIMD8<UInt64>()
    var candidates = SIMD8<UInt64>()
    var shared = SharedPrediction()
}

extension UnsafeMutablePointer<Slot> {
    /// One of a slot's vectors as eight words in memory: a lane by number is otherwise a copy of
    /// the whole vector.
    @inline(__always)
    func words(_ vector: KeyPath<Slot, SIMD8<UInt64>>) -> UnsafeMutablePointer<UInt64> {
        let offset = MemoryLayout<Slot>.offset(of: vector).unsafelyUnwrapped
        return (UnsafeMutableRawPointer(self) + offset).assumingMemoryBound(to: UInt64.self)
    }
}

extension Slot {
    /// The result foretold for a return, given the one before on the same CPU.
    @inline(__always)
    func predictedResult(_ before: UInt64) -> UInt64 {
        resultRepeats ? before : result.predicted
    }

    /// Notes the actual result.
    @inline(__always)
    mutating func learn(result actual: UInt64, before: UInt64) {
        if actual != predictedResult(before) {
            resultRepeats = actual == before
            result.missed(actual)
        } else if actual == result.predicted {
            result.last = actual
        } else {
            result.missed(actual)
        }
    }
}

/// A figure foretold to stay as it is.
struct Steady {
    var value: UInt64 = 0
    var candidate: UInt64 = 0
    var used = false

    @inline(__always)
    mutating func missed(_ actual: UInt64) {
        if !used || actual == candidate {
            value = actual
            used = true
        }
        candidate = actual
    }
}

/// A figure foretold to go on by the same stride once a stride was seen twice.
struct Striding {
    var last: UInt64 = 0
    var stride: UInt64 = 0
    var candidate: UInt64 = 0

    @inline(__always)
    var predicted: UInt64 { last &+ stride }

    @inline(__always)
    mutating func missed(_ actual: UInt64) {
        let difference = actual &- last
        stride = difference == candidate ? difference : 0
        candidate = difference
        last = actual
    }
}

/// The changed words of the shared page, foretold to be the same words changing by the same
/// differences.
struct SharedPrediction {
    static let capacity = 4
    var count = 0
    var words = SIMD4<UInt32>()
    var differences = SIMD4<UInt64>()
}
