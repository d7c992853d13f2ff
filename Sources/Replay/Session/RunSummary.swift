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
    public var record: Outcome {
        var outcome = Outcome()
        outcome.kind = end.outcome
        outcome.cpu = UInt8(truncatingIfNeeded: end.cpu)
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
