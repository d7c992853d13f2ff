import Trace

/// What is kept of an event until its path's return.
struct OpenEntry {
    var sequence: UInt64 = 0
    var cycle: UInt64 = 0
    var instruction: UInt64 = 0
    var number: UInt32 = 0
    var vcpu: UInt16 = 0
    var cpu: UInt8 = 0
    var kind: EventKind = .syscall
    var from: Context = .hostKernel
    var to: Context = .hostKernel
    var isOpen = false

    init() {}

    init(_ event: UnsafePointer<Event>) {
        sequence = event.pointee.sequence
        cycle = event.pointee.cycle
        instruction = event.pointee.instruction
        number = event.pointee.number
        vcpu = event.pointee.vcpu
        cpu = event.pointee.cpu
        kind = event.pointee.kind
        from = event.pointee.from
        to = event.pointee.to
        isOpen = true
    }

    /// The event again, as far as it was kept.
    var event: Event {
        var event = Event()
        event.sequence = sequence
        event.cycle = cycle
        event.instruction = instruction
        event.number = number
        event.vcpu = vcpu
        event.cpu = cpu
        event.kind = kind
        event.from = from
        event.to = to
        return event
    }
}

/// The events whose return has not come. The recent ones lie in a ring by their sequence number;
/// one that is still open when its place is needed (a launcher's call, a sleeper) moves to a table,
/// which gives up its oldest when it is full: those are taken never to return.
struct OpenEntries {
    private static let ringSize = 1 << 14
    private static let tableLimit = 1 << 14
    private var ring = ContiguousArray<OpenEntry>(repeating: OpenEntry(), count: ringSize)
    private var table: [UInt64: OpenEntry] = [:]
    /// Sequence numbers in the order in which they came into the table; some have left it.
    private var order: ContiguousArray<UInt64> = []
    private var oldest = 0

    /// Opens an entry. Gives one that was given up for it, if any.
    @inline(__always)
    mutating func open(_ entry: OpenEntry) -> OpenEntry? {
        let place = Int(truncatingIfNeeded: entry.sequence) & (Self.ringSize - 1)
        var lost: OpenEntry?
        if ring[place].isOpen { lost = keep(ring[place]) }
        ring[place] = entry
        return lost
    }

    @inline(never)
    private mutating func keep(_ entry: OpenEntry) -> OpenEntry? {
        table[entry.sequence] = entry
        order.append(entry.sequence)
        if oldest > Self.tableLimit {
            order.removeFirst(oldest)
            oldest = 0
        }
        while table.count > Self.tableLimit, oldest < order.count {
            let lost = table.removeValue(forKey: order[oldest])
            oldest += 1
            if let lost { return lost }
        }
        return nil
    }

    /// Takes out the entry that a return ends; nil if it is not open.
    @inline(__always)
    mutating func close(_ sequence: UInt64) -> OpenEntry? {
        let place = Int(truncatingIfNeeded: sequence) & (Self.ringSize - 1)
        if ring[place].isOpen && ring[place].sequence == sequence {
            ring[place].isOpen = false
            return ring[place]
        }
        return table.removeValue(forKey: sequence)
    }

    /// All that are still open, by sequence number.
    func remaining() -> [OpenEntry] {
        (ring.filter(\.isOpen) + table.values).sorted { $0.sequence < $1.sequence }
    }
}
