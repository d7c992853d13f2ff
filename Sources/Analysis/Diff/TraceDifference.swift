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
        first { $0.firstUntimed }
    }

    /// The first hunk in what guests did and saw, be it of time.
    public var firstTimed: (stream: StreamID, hunk: Hunk)? {
        first { $0.hunks.first }
    }

    private func first(_ pick: (StreamReport) -> Hunk?) -> (stream: StreamID, hunk: Hunk)? {
        var found: (stream: StreamID, hunk: Hunk)?
        for report in streams {
            guard case .guest = report.stream, let hunk = pick(report) else { continue }
            let place = (hunk.startA ?? hunk.startB)?.event ?? 0
            let best = found.map { ($0.hunk.startA ?? $0.hunk.startB)?.event ?? 0 }
            if best == nil || place < best! { found = (report.stream, hunk) }
        }
        return found
    }
}
