import Machine
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
    /// The figures of a machine that has stopped.
    init(_ end: RunEnd, _ machine: Machine, _ history: RunHistory, eventDigest: UInt64) {
        self.end = end
        eventsByKind = history.countsByKind
        instructions = machine.instructions
        cycles = machine.cycles
        digest = machine.digest()
        self.eventDigest = eventDigest
        cpuInstructions = machine.cpuInstructions
    }

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

/// What a recorder and a replayer keep of a run: counts by kind, the last events and the end of the
/// console text, for diagnoses. Bounded, and in plain memory: it is touched at every event.
public final class RunHistory {
    public static let eventCapacity = 64
    public static let consoleCapacity = 4096

    private let kinds = EventKind.allCases.count
    private let counts: UnsafeMutablePointer<UInt64>
    private let events: UnsafeMutablePointer<Event>
    private let console: UnsafeMutablePointer<UInt8>
    private var eventCount = 0
    private var consoleCount = 0

    init() {
        counts = .allocate(capacity: kinds)
        counts.initialize(repeating: 0, count: kinds)
        events = .allocate(capacity: Self.eventCapacity)
        events.initialize(repeating: Event(), count: Self.eventCapacity)
        console = .allocate(capacity: Self.consoleCapacity)
        console.initialize(repeating: 0, count: Self.consoleCapacity)
    }

    deinit {
        counts.deallocate()
        events.deallocate()
        console.deallocate()
    }

    @inline(__always)
    func add(_ event: UnsafePointer<Event>) {
        counts[Int(event.pointee.kind.rawValue)] &+= 1
        events[eventCount & (Self.eventCapacity - 1)] = event.pointee
        eventCount &+= 1
    }

    func add(_ byte: UInt8) {
        console[consoleCount & (Self.consoleCapacity - 1)] = byte
        consoleCount &+= 1
    }

    /// Events so far.
    public var total: UInt64 { UInt64(eventCount) }
    /// Events by `EventKind.rawValue`.
    public var countsByKind: [UInt64] { (0..<kinds).map { counts[$0] } }

    /// Oldest first, at most `eventCapacity`.
    public var lastEvents: [Event] {
        (max(0, eventCount - Self.eventCapacity)..<eventCount)
            .map { events[$0 & (Self.eventCapacity - 1)] }
    }

    /// At most `consoleCapacity` bytes.
    public var lastConsole: [UInt8] {
        (max(0, consoleCount - Self.consoleCapacity)..<consoleCount)
            .map { console[$0 & (Self.consoleCapacity - 1)] }
    }
}
