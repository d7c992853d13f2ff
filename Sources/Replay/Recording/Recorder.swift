import Machine
import Paravirt
import Trace

/// Runs a session and writes down what happens. Recording decides: inputs are taken from the
/// world here, and nowhere else.
///
/// The machine does not notice: the recorder only reads it, and a run without a writer ends in
/// the same state as one with.
public final class Recorder {
    public let machine: Machine

    private let options: RecordingOptions
    private let limits: RunLimits
    /// What the host's note says, or nil for a host without one.
    public let layout: ParavirtLayout?
    private let writer: TraceWriter?
    private let sink: RecordingSink
    private let observer: ParavirtObserver?
    private let disks: RecordingDisks
    /// Injections at a cycle or an instruction whose moment has not come.
    private var injections: [Injection]
    private var hasCheckpoint = false
    /// Instructions of all vCPUs at the last checkpoint.
    private var checkpointInstructions: UInt64 = 0
    /// Cycles an instruction between checkpoints beyond which the time counts as idle.
    private static let idleRatio: UInt64 = 64

    /// - Parameter writer: where the trace goes; nil runs without recording.
    /// - Throws: `ReplayError` where the machine cannot be made.
    public init(
        _ configuration: SessionConfiguration, options: RecordingOptions, writer: TraceWriter?
    ) throws(ReplayError) {
        self.options = options
        limits = configuration.limits
        self.writer = writer
        layout = try configuration.paravirtLayout()
        disks = RecordingDisks(options.disks, writer: writer)
        machine = try configuration.makeMachine(executor: options.executor, disks: disks)
        for injection in options.injections where injection.cpu >= machine.cpuCount {
            throw .noSuchCPU(injection.cpu)
        }
        injections = options.injections.filter {
            if case .event = $0.moment { false } else { true }
        }
        sink = RecordingSink(
            options, writer: writer,
            watchesPanic: configuration.platform == .pc && layout == nil)
        let hasEventInjections = injections.count < options.injections.count
        if writer != nil || hasEventInjections || options.limits.events != .max {
            let observer = ParavirtObserver(
                layout: layout, level: configuration.level, cpuCount: machine.cpuCount,
                calls32: configuration.calls32, sink: sink)
            self.observer = observer
            machine.observer = observer
        } else {
            observer = nil
            machine.observer = ConsoleObserver(sink: sink)
        }
        machine.inputs = sink
    }

    /// The last events and the end of the console text.
    public var history: RunHistory { sink.history }

    /// The VCPU descriptor of the guest that ran last, kernel virtual; 0 where none has.
    public var lastVCPU: UInt64 { observer?.lastVCPU ?? 0 }

    /// Runs to the end. The trace is complete afterwards, also where a limit was reached.
    /// - Throws: where the trace cannot be written; what was written before stays readable.
    public func run() throws(ReplayError) -> RunSummary {
        var nextCheckpoint = options.checkpointInterval
        while true {
            let stop = machine.run(nextLimits(checkpoint: nextCheckpoint))
            if let failure = sink.failure { throw .trace(failure) }
            if let failure = disks.failure { throw failure }
            if try injectDue() { continue }
            if stop == .cycleLimit, machine.cycles < limits.cycles {
                try checkpoint()
                nextCheckpoint += options.checkpointInterval
                options.progress?(
                    machine.cycles, machine.instructions, observer?.eventCount ?? 0)
                continue
            }
            return try finish(stop)
        }
    }

    private func nextLimits(checkpoint: UInt64) -> RunLimits {
        var next = RunLimits(
            cycles: min(checkpoint, limits.cycles), instructions: limits.instructions)
        for injection in injections {
            switch injection.moment {
            case .cycle(let cycle): next.cycles = min(next.cycles, cycle)
            case .instruction(let count): next.instructions = min(next.instructions, count)
            case .event: break
            }
        }
        return next
    }

    /// Performs the injections whose moment has come; true if there was one.
    private func injectDue() throws(ReplayError) -> Bool {
        let due = injections.filter {
            switch $0.moment {
            case .cycle(let cycle): return machine.now(cpu: $0.cpu) >= cycle
            case .instruction(let count):
                return machine.cpu($0.cpu).pointee.instructions >= count
            case .event: return false
            }
        }
        guard !due.isEmpty else { return false }
        injections.removeAll { due.contains($0) }
        for injection in due { sink.inject(injection, machine) }
        if let failure = sink.failure { throw .trace(failure) }
        return true
    }

    /// Takes a checkpoint, unless the vCPUs have idled most of the time since the last: what a seek
    /// would execute again is instructions, and idle time is passed at one go.
    private func checkpoint() throws(ReplayError) {
        guard let writer else { return }
        let done = machine.instructions &- checkpointInstructions
        guard done >= options.checkpointInterval / Self.idleRatio else { return }
        checkpointInstructions = machine.instructions
        let snapshot = machine.save(hasCheckpoint ? .sinceMark : .all)
        machine.markPages()
        var info = CheckpointInfo()
        info.kind = hasCheckpoint ? .incremental : .full
        hasCheckpoint = true
        info.sequence = observer?.eventCount ?? 0
        info.cycle = machine.cycles
        info.instructions = machine.cpuInstructions
        info.eventDigest = observer?.currentDigest ?? 0
        do {
            try writer.append(checkpoint: info, state: CheckpointCodec.encode(snapshot))
        } catch {
            throw .trace(error)
        }
    }

    /// A kernel that has no note to tell of a panic told it on its console, if it did.
    private func end(_ stop: StopReason) -> RunEnd {
        var end = RunEnd(stop, layout: layout, limit: sink.limitReached, machine: machine)
        if stop == .requested, sink.stoppedAtPoll { end.stop = .poll }
        guard let watch = sink.panic, let panic = watch.reason else { return end }
        switch stop {
        case .requested where sink.stoppedAtPoll && watch.hasEnded:
            return RunEnd(panic: panic, .poll)
        case .reset, .poweredOff, .idle: return RunEnd(panic: panic, .panicked)
        default: return end
        }
    }

    private func finish(_ stop: StopReason) throws(ReplayError) -> RunSummary {
        let end = end(stop)
        let summary = RunSummary(
            end, machine, sink.history, eventDigest: observer?.currentDigest ?? 0)
        if let writer {
            do {
                try writer.finish(outcome: summary.record)
            } catch {
                throw .trace(error)
            }
        }
        return summary
    }
}

/// Watches a run that nobody records: the console's text is passed on, events are counted.
private final class ConsoleObserver: MachineObserver {
    private let sink: RecordingSink
    private var events: UInt64 = 0

    init(sink: RecordingSink) { self.sink = sink }

    func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {
        events &+= 1
        if events & 1023 == 0 { sink.watchProgress(events, machine) }
    }

    func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) {
        sink.printed(
            byte, cpu: cpu.pointee.index, cycle: cpu.pointee.cycles, machine: machine)
    }
}

extension Machine {
    /// Instructions retired by each vCPU.
    var cpuInstructions: [UInt64] { (0..<cpuCount).map { cpu($0).pointee.instructions } }
}
