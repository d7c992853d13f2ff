import Trace

/// Where in a trace something is.
public struct Position: Equatable, Sendable {
    /// Sequence number of the event, or of the event that a return ends.
    public var event: UInt64
    public var cycle: UInt64

    init(_ item: StreamItem) {
        event = item.event.sequence
        cycle = item.event.cycle
    }
}

/// One step from A to B.
public enum Edit: Sendable {
    case changed(StreamItem, StreamItem)
    case missing(StreamItem)
    case inserted(StreamItem)
}

/// A stretch of a stream without two items that are the same.
public struct Hunk: Sendable {
    /// The last items that were the same before it; nil at the start.
    public var after: (a: Position, b: Position)?
    /// The first items in it, or, where one side has none, the last before it.
    public var startA: Position?
    public var startB: Position?
    public var changed: UInt64 = 0
    public var missing: UInt64 = 0
    public var inserted: UInt64 = 0
    /// Its first edits.
    public var edits: [Edit] = []
    /// Whether it begins after a virtual interrupt that one of the guests took there: a switch of
    /// its processes, perhaps. A hint only, as something else may begin there too.
    public var followsInterrupt = false
    /// Whether nothing in it differs but what tells the time.
    public var isTiming = false
    /// The hunk (by number in the stream, from 0) that has its missing or inserted items the other
    /// way round: they moved.
    public var counterpart: UInt64?
    /// Items that were the same between the hunk before and this one.
    public var sameBefore: UInt64 = 0
}

/// Edits of one sort, together.
public struct EditGroup: Sendable {
    public enum Sort: UInt8, Sendable {
        case changed, missing, inserted
    }
    public var sort: Sort
    /// The first of them; of changed ones both sides.
    public var a: StreamItem?
    public var b: StreamItem?
    /// Of changed ones: the fields that differ, as in all of the group.
    public var fields: [Field]
    public var count: UInt64
}

/// How often a field differs between items that were aligned.
public struct FieldCount: Sendable {
    public var field: Field
    public var sight: Sight
    public var count: UInt64
    /// The first and the last pair that differ, with their values.
    public var first: (a: Position, b: Position, valueA: UInt64, valueB: UInt64)
    public var last: (a: Position, b: Position, valueA: UInt64, valueB: UInt64)
}

/// A stream's course for a picture: how many items of each sort lie in each part of the trace.
public struct Timeline: Sendable {
    public static let parts = 480

    public struct Part: Equatable, Sendable {
        public var same: UInt64 = 0
        public var changed: UInt64 = 0
        /// Missing in B, or inserted in B: of this side alone.
        public var alone: UInt64 = 0
    }
    public var a: [Part]
    public var b: [Part]
    /// Pairs of events that belong together, ascending: at most one for each part of A.
    public var links: [(a: UInt64, b: UInt64)] = []
}

/// What came of aligning one stream of both traces.
public struct StreamReport: Sendable {
    public var stream: StreamID
    public var same: UInt64 = 0
    public var changed: UInt64 = 0
    public var missing: UInt64 = 0
    public var inserted: UInt64 = 0
    /// Items beyond the end of a torn trace.
    public var uncompared: UInt64 = 0
    /// Hunks in all; `hunks` are the first.
    public var hunkCount: UInt64 = 0
    /// Hunks that are a matter of time, or follow an interrupt.
    public var timingHunks: UInt64 = 0
    public var movedHunks: UInt64 = 0
    public var hunks: [Hunk] = []
    /// The first hunk that is not a matter of time, even if it is not among `hunks`.
    public var firstUntimed: Hunk?
    /// The first pair with a difference in the shared page that the guest's own work made.
    public var firstShared: (a: StreamItem, b: StreamItem)?
    /// The first pair, of the same or changed items, that differs in time as the guest sees it.
    public var firstTimed: (a: StreamItem, b: StreamItem)?
    /// Virtual interrupts that the guest took.
    public var interruptsA: UInt64 = 0
    public var interruptsB: UInt64 = 0
    /// By number of edits, most first.
    public var groups: [EditGroup] = []
    /// Edits that are in no group, as there were too many sorts.
    public var ungrouped: UInt64 = 0
    public var fields: [FieldCount] = []
    /// Where the streams parted: the last items that were aligned before it (nil at the start).
    public var parted: [(a: Position, b: Position)?] = []
    public var timeline = Timeline(a: [], b: [])

    public init(_ stream: StreamID) { self.stream = stream }

    /// Whether every item has its equal.
    public var isSame: Bool { changed == 0 && missing == 0 && inserted == 0 }

    /// Whether the guest can have seen a difference, be it one of time.
    public var isSameToGuest: Bool {
        guard case .guest = stream else { return true }
        return isSame && !fields.contains { $0.sight != .machine }
    }
}
