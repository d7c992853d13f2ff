import Trace

/// Paths of one sort: what began them, where from, and who dealt with it.
public struct PathKey: Hashable, Sendable {
    public enum Handler: UInt8, Sendable {
        /// Not told apart.
        case any = 0
        /// The guest's own handler: the guest ran between the event and its path's return.
        case guest = 1
        /// The host, out of the guest's sight.
        case host = 2
    }
    public var kind: EventKind
    public var from: Context
    public var handler: Handler
    /// `Event.number`; nil for all numbers together.
    public var number: UInt32?

    public init(kind: EventKind, from: Context, handler: Handler, number: UInt32? = nil) {
        self.kind = kind
        self.from = from
        self.handler = handler
        self.number = number
    }

    /// An order for reports.
    public static func precedes(_ x: PathKey, _ y: PathKey) -> Bool {
        func rank(_ key: PathKey) -> (UInt8, UInt8, UInt8, UInt64) {
            (
                key.from.rawValue, key.kind.rawValue, key.handler.rawValue,
                key.number.map { UInt64($0) + 1 } ?? 0
            )
        }
        return rank(x) < rank(y)
    }
}

/// What the paths of one sort came to. Cycles and instructions are those from the boundary after
/// the event to that after its return, nested paths included.
public struct PathCount: Equatable, Sendable {
    public var events: UInt64 = 0
    /// Of them, how many have a return.
    public var ended: UInt64 = 0
    public var cycles: UInt64 = 0
    public var instructions: UInt64 = 0
    public var leastCycles: UInt64 = .max
    public var mostCycles: UInt64 = 0

    public init() {}

    mutating func add(_ other: PathCount) {
        events &+= other.events
        ended &+= other.ended
        cycles &+= other.cycles
        instructions &+= other.instructions
        leastCycles = min(leastCycles, other.leastCycles)
        mostCycles = max(mostCycles, other.mostCycles)
    }
}

/// Counts of a whole trace, taken record by record.
final class Statistics {
    private(set) var events: UInt64 = 0
    private(set) var returns: UInt64 = 0
    private(set) var cycles: UInt64 = 0
    private(set) var instructions: UInt64 = 0
    private(set) var vcpus: Set<Int> = []
    private(set) var cpus: Set<Int> = []
    private(set) var inputCount: UInt64 = 0
    /// The first of them.
    private(set) var inputs: [Input] = []
    static let inputsKept = 256

    private var entries = OpenEntries()
    /// Sequence number + 1 of the last event out of a guest, by VCPU id + 1.
    private var lastOfGuest = ContiguousArray<UInt64>(repeating: 0, count: 256)
    /// Sequence number + 1 of the last event out of a guest after which it took a virtual
    /// interrupt, by VCPU id + 1.
    private var beforeInterrupt = ContiguousArray<UInt64>(repeating: 0, count: 256)
    private var watch = GuestWatch()
    private let isReference: Bool
    private var places: [UInt64: Int] = [:]
    private var counts: ContiguousArray<(key: PathKey, count: PathCount)> = []
    /// The last places asked for, by a few bits of their keys.
    private var recent = ContiguousArray<(key: UInt64, place: Int)>(
        repeating: (.max, 0), count: 256)

    /// Sorts of paths that are told apart by number; a trace with more has the rest under `nil`.
    static let sortLimit = 1024

    init(isReference: Bool) { self.isReference = isReference }

    /// - Parameter page: the shared page at the event, empty if it is not known.
    func event(_ event: UnsafePointer<Event>, page: UnsafeRawBufferPointer) {
        events &+= 1
        if event.pointee.cycle > cycles { cycles = event.pointee.cycle }
        instructions = max(instructions, event.pointee.instruction)
        cpus.insert(Int(event.pointee.cpu))
        let from = event.pointee.from
        if event.pointee.vcpu > 0 && (from == .guestKernel || from == .guestUser) {
            let slot = Int(event.pointee.vcpu & 255)
            if isReference, let taken = watch.taken(event.pointee.vcpu, page), taken != 0 {
                beforeInterrupt[slot] = lastOfGuest[slot]
            }
            lastOfGuest[slot] = event.pointee.sequence &+ 1
            vcpus.insert(Int(event.pointee.vcpu) - 1)
        }
        if let lost = entries.open(OpenEntry(event)) { count(lost, nil) }
    }

    func returned(_ back: EventReturn) {
        returns &+= 1
        guard let entry = entries.close(back.event) else { return }
        count(entry, back)
    }

    func input(_ input: Input) {
        inputCount += 1
        if inputs.count < Self.inputsKept { inputs.append(input) }
    }

    /// Counts what never returned.
    func finish() {
        for entry in entries.remaining() { count(entry, nil) }
        entries = OpenEntries()
    }

    private func count(_ entry: OpenEntry, _ back: EventReturn?) {
        let place = place(entry, handler(entry, hasReturned: back != nil))
        counts[place].count.events &+= 1
        guard let back, back.cycle >= entry.cycle, back.instruction >= entry.instruction
        else { return }
        let cycles = back.cycle &- entry.cycle
        counts[place].count.ended &+= 1
        counts[place].count.cycles &+= cycles
        counts[place].count.instructions &+= back.instruction &- entry.instruction
        counts[place].count.leastCycles = min(counts[place].count.leastCycles, cycles)
        counts[place].count.mostCycles = max(counts[place].count.mostCycles, cycles)
    }

    private func handler(_ entry: OpenEntry, hasReturned: Bool) -> PathKey.Handler {
        guard entry.from == .guestKernel || entry.from == .guestUser,
            entry.kind == .exception || entry.kind == .softwareInterrupt
        else { return .any }
        let slot = Int(entry.vcpu & 255)
        if beforeInterrupt[slot] == entry.sequence &+ 1 { return .host }
        let hasRun = lastOfGuest[slot] > entry.sequence &+ 1
        return hasRun ? .guest : hasReturned ? .host : .any
    }

    private func place(_ entry: OpenEntry, _ handler: PathKey.Handler) -> Int {
        let packed =
            UInt64(entry.number) << 16 | UInt64(entry.kind.rawValue) << 8
            | UInt64(entry.from.rawValue) << 4 | UInt64(handler.rawValue)
        let slot = Int(truncatingIfNeeded: mixed(0, packed)) & 255
        if recent[slot].key == packed { return recent[slot].place }
        let found: Int
        if let known = places[packed] {
            found = known
        } else {
            var key = PathKey(kind: entry.kind, from: entry.from, handler: handler)
            if counts.count < Self.sortLimit { key.number = entry.number }
            if let rest = key.number == nil ? counts.firstIndex(where: { $0.key == key }) : nil {
                found = rest
            } else {
                found = counts.count
                counts.append((key, PathCount()))
            }
            if places.count < 4 * Self.sortLimit { places[packed] = found }
        }
        recent[slot] = (packed, found)
        return found
    }

    /// By sort and number.
    var byNumber: [PathKey: PathCount] {
        var table: [PathKey: PathCount] = [:]
        for (key, count) in counts { table[key, default: PathCount()].add(count) }
        return table
    }
}
