import Trace

/// One trace, as a comparison sees it.
public struct ComparedTrace: Sendable {
    public var events: UInt64 = 0
    public var returns: UInt64 = 0
    /// Machine time of the end, and instructions of all CPUs, as far as the trace tells.
    public var cycles: UInt64 = 0
    public var instructions: UInt64 = 0
    public var outcome: Outcome?
    /// Nil of a complete trace; else where it stops and why, in the reader's words.
    public var damage: String?
    public var design: String = ""
    public var paths: [PathKey: PathCount] = [:]
}

/// An edit of the console text.
public enum ConsoleEdit: Sendable {
    case changed(ConsoleLine, ConsoleLine)
    case missing(ConsoleLine)
    case inserted(ConsoleLine)
}

public struct ConsoleReport: Sendable {
    public var same: UInt64 = 0
    public var changed: UInt64 = 0
    public var missing: UInt64 = 0
    public var inserted: UInt64 = 0
    public var uncompared: UInt64 = 0
    /// The first edits.
    public var edits: [ConsoleEdit] = []

    public var isSame: Bool { changed == 0 && missing == 0 && inserted == 0 }
}

/// All that was found out about two traces. Plain values, bounded in size however long the traces.
public struct TraceDifference: Sendable {
    public var a: ComparedTrace
    public var b: ComparedTrace
    public var setup: [SetupDifference]
    public var lockstep: LockstepResult
    /// Empty where the traces are equal.
    public var streams: [StreamReport]
    public var console: ConsoleReport
    /// Whether both ran the same host and guest images.
    public var sameHost: Bool
    public var sameGuest: Bool
    /// Whether all numbers are those of the reference ABI, so that they have names.
    public var isReference: Bool
    /// Fields of the outcome that differ, of two traces that have one: name and both values.
    public var outcome: [(name: String, a: String, b: String)]

    /// Whether both traces hold the same run, as far as both go.
    public var isSame: Bool { lockstep.first == nil && outcome.isEmpty }

    /// Whether a guest could not have told the runs apart but by time.
    public var isSameToGuest: Bool {
        firstForGuest == nil && console.isSame && !streams.contains { $0.firstShared != nil }
            && !outcome.contains { Self.guestSees($0.name) }
    }

    /// Whether a trace was not read to a proper end.
    public var isTorn: Bool { a.damage != nil || b.damage != nil }

    static func guestSees(_ name: String) -> Bool {
        name == "outcome" || name == "reason" || name == "exit code"
    }

    /// The first hunk in what guests did and saw that is not a matter of time, and its stream.
    public var firstForGuest: (stream: StreamID, hunk: Hunk)? {
        first { report in
            report.firstUntimed.map { ($0, ($0.startA ?? $0.startB)?.event ?? 0) }
        }.map { ($0.stream, $0.found) }
    }

    /// The first pair of events that differ in time as a guest sees it: in the virtual interrupts
    /// before them, or in what the shared page tells of time.
    public var firstTimed: (stream: StreamID, a: StreamItem, b: StreamItem)? {
        first { report in report.firstTimed.map { ($0, $0.a.event.sequence) } }
            .map { ($0.stream, $0.found.a, $0.found.b) }
    }

    /// The first pair of events that belong together with a difference in the shared page that the
    /// guest's own work made.
    public var firstShared: (stream: StreamID, a: StreamItem, b: StreamItem)? {
        first { report in report.firstShared.map { ($0, $0.a.event.sequence) } }
            .map { ($0.stream, $0.found.a, $0.found.b) }
    }

    /// What comes first by its event of A, among the guests' streams.
    private func first<Found>(
        _ pick: (StreamReport) -> (Found, UInt64)?
    ) -> (stream: StreamID, found: Found)? {
        var best: (stream: StreamID, found: Found, place: UInt64)?
        for report in streams {
            guard case .guest = report.stream, let (found, place) = pick(report) else { continue }
            if best == nil || place < best!.place { best = (report.stream, found, place) }
        }
        return best.map { ($0.stream, $0.found) }
    }
}
