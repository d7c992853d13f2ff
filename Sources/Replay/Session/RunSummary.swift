import Trace

/// What a run amounted to: the same figures for a recording, its replay, and `info`.
public struct RunSummary: Equatable, Sendable {
    public var end: RunEnd
    /// Events by `EventKind.rawValue`.
    public var eventsByKind: [UInt64]
    /// Of all vCPUs together.
    public var instructions: UInt64
    /// The furthest vCPU's.
    public var cycles: UInt64
    /// Digest of the whole machine at the end.
    public var digest: UInt64
    /// The running digest of the events.
    public var eventDigest: UInt64
    /// Instructions retired by each vCPU.
    public var cpuInstructions: [UInt64]

    public var events: UInt64 { eventsByKind.reduce(0, +) }
}

extension RunSummary {
    /// As a trace's outcome; the writer adds its own counts.
    var record: Outcome {
        var outcome = Outcome()
        outcome.kind = end.outcome
        outcome.exitCode = end.stop?.rawValue ?? end.exitCode ?? 0
        outcome.cycles = cycles
        outcome.instructions = instructions
        outcome.events = events
        outcome.eventDigest = eventDigest
        outcome.machineDigest = digest
        outcome.cpuInstructions = cpuInstructions
        outcome.reason = end.reason
        return outcome
    }
}

/// Counts of events by kind, kept without hashing.
struct EventCounts {
    private(set) var byKind = [UInt64](repeating: 0, count: EventKind.allCases.count)

    var total: UInt64 { byKind.reduce(0, +) }

    @inline(__always)
    mutating func count(_ kind: EventKind) { byKind[Int(kind.rawValue)] &+= 1 }
}

/// The last events and the end of the console text, for diagnoses. Bounded.
public struct RecentHistory: Sendable {
    public static let eventCapacity = 64
    public static let consoleCapacity = 4096

    private var events: [Event] = []
    private var next = 0
    private var consoleBytes: [UInt8] = []

    /// Oldest first.
    public var lastEvents: [Event] {
        events.count < Self.eventCapacity
            ? events : Array(events[next...] + events[..<next])
    }
    public var lastConsole: [UInt8] { consoleBytes }

    mutating func add(_ event: UnsafePointer<Event>) {
        if events.count < Self.eventCapacity {
            events.append(event.pointee)
        } else {
            events[next] = event.pointee
            next = (next + 1) % Self.eventCapacity
        }
    }

    mutating func add(_ byte: UInt8) {
        consoleBytes.append(byte)
        if consoleBytes.count == 2 * Self.consoleCapacity {
            consoleBytes.removeFirst(Self.consoleCapacity)
        }
    }
}
