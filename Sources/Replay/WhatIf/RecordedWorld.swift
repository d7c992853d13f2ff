import Machine
import Paravirt
import Trace

/// A recorded run as its guests saw it: made by running the trace again, as recorded. It is what a
/// run under another design, profile or image is given and compared with.
public final class RecordedWorld {
    public let configuration: SessionConfiguration
    public let summary: RunSummary
    /// False where the trace is torn or a limit ended it: the guests' worlds go on beyond it.
    public let isWhole: Bool
    /// Instructions retired in guest contexts.
    public let guestInstructions: UInt64
    let stream: GuestStream
    let ticks: [[Arrival]]
    let inputs: [[Arrival]]

    public var itemCount: Int { stream.itemCount }

    /// - Parameter listener: hears the recorded run's own trips.
    /// - Throws: `ReplayError.notReproduced` where the run does not come out as recorded.
    public init(
        _ reader: TraceReader, executor: Executor, listener: (any TripListener)? = nil
    ) throws(ReplayError) {
        let configuration = try SessionConfiguration(reader)
        let layout = try configuration.paravirtLayout()
        let machine = try configuration.makeMachine(
            executor: executor, disks: try TraceDisks.make(configuration, reader))
        let clock: NotingClock
        do {
            clock = try NotingClock(reader, machine)
        } catch {
            throw .trace(error)
        }
        let outcome = reader.outcome
        let endsWithRecords =
            outcome.map { $0.kind == .limit && $0.exitCode == LimitKind.request.rawValue } ?? true
        let stream = GuestStream()
        let observer = GuestObserver(
            layout, level: configuration.level, cpuCount: machine.cpuCount, stream: stream,
            clock: clock, listener: listener,
            eventLimit: endsWithRecords ? reader.eventCount : .max, stopsAtDifference: false,
            consoleOutput: nil)
        clock.observer = observer
        machine.observer = observer
        machine.inputs = clock
        machine.governor = clock
        var limits = configuration.limits
        if let outcome, outcome.kind != .limit {
            limits.cycles = min(limits.cycles, outcome.cycles &+ 1_000_000)
        }
        var stop = StopReason.requested
        if !endsWithRecords || reader.eventCount > 0 { stop = machine.run(limits) }
        let end = RunEnd(stop, layout: layout, limit: nil, machine: machine)
        summary = RunSummary(end, machine, observer.history, eventDigest: observer.eventDigest)
        if let outcome {
            guard observer.eventDigest == outcome.eventDigest,
                summary.instructions == outcome.instructions, summary.cycles == outcome.cycles
            else { throw .notReproduced }
        }
        self.configuration = configuration
        self.stream = stream
        guestInstructions = observer.guestInstructions
        ticks = clock.ticks
        inputs = clock.inputs
        isWhole = outcome.map { $0.kind != .limit } ?? false
        machine.inputs = nil
        machine.governor = nil
        machine.observer = nil
    }
}
