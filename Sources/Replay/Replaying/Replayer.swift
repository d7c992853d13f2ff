import Machine
import Paravirt
import Trace

/// What a replay found.
public struct ReplayResult: Equatable, Sendable {
    /// Nil where everything agreed.
    public var divergence: Divergence?
    public var summary: RunSummary
    /// False where the trace is torn: the replay went as far as the trace does.
    public var isWhole: Bool
}

/// Runs a trace's session again and compares: every event, every return, every byte of console
/// output, and the state at the end. Replay obeys: whatever came from outside while recording
/// comes from the trace.
public final class Replayer {
    public let machine: Machine

    private let reader: TraceReader
    private let layout: ParavirtLayout?
    private let sessionLimits: RunLimits
    private let sink: ReplaySink
    private let observer: ParavirtObserver
    let disks: TraceDisks?

    /// - Parameters:
    ///   - configuration: that of the trace, or with other images in it to see where they part.
    ///   - reader: the recording.
    public init(
        _ configuration: SessionConfiguration, executor: Executor, reader: TraceReader,
        consoleOutput: ((UInt8) -> Void)? = nil
    ) throws(ReplayError) {
        self.reader = reader
        let layout = try configuration.paravirtLayout()
        self.layout = layout
        sessionLimits = configuration.limits
        disks = try TraceDisks.make(configuration, reader)
        machine = try configuration.makeMachine(executor: executor, disks: disks)
        // Between the poll at which a recording stops and its end there is not another.
        let interval = machine.pollInterval
        let lastPoll = reader.outcome.flatMap {
            RunEnd.isAtPoll($0, layout: layout) ? $0.cycles / interval * interval : nil
        }
        sink = ReplaySink(reader, lastPoll: lastPoll ?? .max, consoleOutput: consoleOutput)
        observer = ParavirtObserver(
            layout: layout, level: configuration.level, cpuCount: machine.cpuCount,
            calls32: configuration.calls32, sink: sink)
        machine.observer = observer
        machine.inputs = sink
    }

    /// The last events and the end of the console text.
    public var history: RunHistory { sink.history }

    /// Runs to the recording's end, to the first difference, or to where a torn trace stops.
    /// - Parameter cut: where to pause next, asked at the start and at every pause. It may look at
    ///   the machine, which must not notice.
    public func run(
        cut: ((Machine) -> RunLimits)? = nil
    ) throws(ReplayError) -> ReplayResult {
        sink.advance(machine)
        var stop = StopReason.requested
        if !sink.isFinished { stop = run(to: limits(), cut) }
        if let failure = sink.failure { throw failure }
        if let failure = disks?.failure { throw .trace(failure) }
        var end = RunEnd(stop, layout: layout, limit: nil, machine: machine)
        if let outcome = reader.outcome, RunEnd.isToldPanic(outcome, layout: layout) {
            // What the console told is compared byte by byte; its sense is the recorder's affair.
            switch stop {
            case .requested, .reset, .poweredOff, .idle:
                end = RunEnd(
                    panic: outcome.reason, LimitKind(rawValue: outcome.exitCode) ?? .panicked)
            default: break
            }
        }
        let summary = RunSummary(
            end, machine, sink.history, eventDigest: observer.currentDigest)
        sink.compareEnd(summary, machine)
        return ReplayResult(
            divergence: sink.found, summary: sink.found == nil ? recordedEnd(summary) : summary,
            isWhole: reader.complete)
    }

    private func run(to end: RunLimits, _ cut: ((Machine) -> RunLimits)?) -> StopReason {
        guard let cut else { return machine.run(end) }
        while true {
            let pause = cut(machine)
            let stop = machine.run(
                RunLimits(
                    cycles: min(pause.cycles, end.cycles),
                    instructions: min(pause.instructions, end.instructions)))
            let isPause =
                stop == .cycleLimit && pause.cycles < end.cycles
                || stop == .instructionLimit && pause.instructions < end.instructions
            if !isPause { return stop }
        }
    }

    /// The session's own limits; a run that ended by itself may go on a little longer than the
    /// recording did, so that a run which does not end is seen as a difference.
    private func limits() -> RunLimits {
        guard let outcome = reader.outcome, outcome.kind != .limit else { return sessionLimits }
        return RunLimits(
            cycles: min(sessionLimits.cycles, outcome.cycles &+ 1_000_000),
            instructions: min(sessionLimits.instructions, outcome.instructions &+ 1_000_000))
    }

    /// The end in the recording's words, where it agreed: a limit's reason is the recorder's.
    private func recordedEnd(_ summary: RunSummary) -> RunSummary {
        guard let outcome = reader.outcome else { return summary }
        var summary = summary
        summary.end.outcome = outcome.kind
        summary.end.reason = outcome.reason
        return summary
    }
}
