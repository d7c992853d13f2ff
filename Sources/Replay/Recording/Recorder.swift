import Machine
import Paravirt
import Trace

/// What a recording is asked for, beside what it records.
public struct RecordingOptions {
    public var executor: Executor = .blocks
    public var limits = SessionLimits()
    /// Machine cycles between two checkpoints.
    public var checkpointInterval: UInt64 = RecordingOptions.defaultCheckpointInterval
    public var injections: [Injection] = []
    public var console: (any ConsoleSource)?
    /// Receives every byte of console output, as it comes.
    public var consoleOutput: ((UInt8) -> Void)?
    /// Called about a hundred times a second of work with the figures so far.
    public var progress: ((_ cycles: UInt64, _ instructions: UInt64, _ events: UInt64) -> Void)?

    /// A fifth of a second of a 1 GHz machine: a seek re-executes at most this much.
    public static let defaultCheckpointInterval: UInt64 = 200_000_000

    public init() {}
}

/// Runs a session and writes down what happens. Recording decides: inputs are taken from the
/// world here, and nowhere else.
///
/// The machine does not notice: the recorder only reads it, and a run without a writer ends in
/// the same state as one with.
public final class Recorder: PathSink, InputSource {
    public let machine: Machine
    public let history = RunHistory()

    private let options: RecordingOptions
    private let limits: RunLimits
    private let layout: ParavirtLayout?
    private let writer: TraceWriter?
    private var observer: ParavirtObserver?
    private let plainObserver: PlainObserver
    private var eventInjections: [Injection]
    private var timedInjections: [Injection]
    private var hasCheckpoint = false
    /// Sequence number of the next event at which limits and injections are looked at.
    private var nextCheck: UInt64 = 0
    private var limitReached: String?
    private var failure: ReplayError?

    /// - Parameter writer: where the trace goes; nil runs without recording.
    /// - Throws: `ReplayError` where the machine cannot be made.
    public init(
        _ configuration: SessionConfiguration, options: RecordingOptions, writer: TraceWriter?
    ) throws(ReplayError) {
        self.options = options
        limits = configuration.limits
        self.writer = writer
        layout = try configuration.paravirtLayout()
        machine = try configuration.makeMachine(executor: options.executor)
        for injection in options.injections where injection.cpu >= machine.cpuCount {
            throw .noSuchCPU(injection.cpu)
        }
        eventInjections = options.injections.filter {
            if case .event = $0.moment { true } else { false }
        }
        timedInjections = options.injections.filter {
            if case .event = $0.moment { false } else { true }
        }
        plainObserver = PlainObserver(options.consoleOutput)
        if writer != nil || !eventInjections.isEmpty || options.limits.events != .max {
            observer = ParavirtObserver(
                layout: layout, level: configuration.level, cpuCount: machine.cpuCount,
                sink: self)
        }
        planCheck(after: nil)
        machine.observer = observer ?? plainObserver
        machine.inputs = self
    }

    /// Runs to the end. The trace is complete afterwards, also where a limit was reached.
    /// - Throws: where the trace cannot be written; what was written before stays readable.
    public func run() throws(ReplayError) -> RunSummary {
        var nextCheckpoint = options.checkpointInterval
        while true {
            let stop = machine.run(nextLimits(checkpoint: nextCheckpoint))
            if let failure { throw failure }
            if try injectDue() { continue }
            if stop == .cycleLimit, machine.cycles < limits.cycles {
                try checkpoint()
                nextCheckpoint += options.checkpointInterval
                report()
                continue
            }
            return try finish(stop)
        }
    }

    // MARK: Stops on the way

    private func nextLimits(checkpoint: UInt64) -> RunLimits {
        var next = RunLimits(
            cycles: min(checkpoint, limits.cycles), instructions: limits.instructions)
        for injection in timedInjections {
            switch injection.moment {
            case .cycle(let cycle): next.cycles = min(next.cycles, cycle)
            case .instruction(let count): next.instructions = min(next.instructions, count)
            case .event: break
            }
        }
        return next
    }

    /// Performs the timed injections whose moment has come; true if there was one.
    private func injectDue() throws(ReplayError) -> Bool {
        let due = timedInjections.filter {
            switch $0.moment {
            case .cycle(let cycle): return machine.now(cpu: $0.cpu) >= cycle
            case .instruction(let count):
                return machine.cpu($0.cpu).pointee.instructions >= count
            case .event: return false
            }
        }
        guard !due.isEmpty else { return false }
        timedInjections.removeAll { due.contains($0) }
        for injection in due { inject(injection) }
        if let failure { throw failure }
        return true
    }

    /// Takes effect at the vCPU's present boundary; its cycle count there is what a replay goes by,
    /// through the same call, as the schedule counts its calls.
    private func inject(_ injection: Injection) {
        machine.schedule(
            injection.stimulus, cpu: injection.cpu,
            at: .cycle(machine.now(cpu: injection.cpu)))
        var input = Input()
        input.cpu = UInt8(injection.cpu)
        input.cycle = machine.now(cpu: injection.cpu)
        input.instruction = machine.cpu(injection.cpu).pointee.instructions
        switch injection.stimulus {
        case .interrupt(let vector):
            input.kind = .interrupt
            input.number = UInt32(vector)
        case .nmi: input.kind = .nmi
        case .machineCheck: input.kind = .machineCheck
        case .console(let bytes):
            input.kind = .console
            input.bytes = bytes
        }
        write { writer throws(TraceError) in try writer.append(input: input) }
    }

    private func checkpoint() throws(ReplayError) {
        guard let writer else { return }
        let snapshot = machine.save(hasCheckpoint ? .sinceMark : .all)
        machine.markPages()
        do {
            try writer.append(
                checkpoint: checkpointInfo(), state: CheckpointCodec.encode(snapshot))
        } catch {
            throw .trace(error)
        }
    }

    private func checkpointInfo() -> CheckpointInfo {
        var info = CheckpointInfo()
        info.kind = hasCheckpoint ? .incremental : .full
        hasCheckpoint = true
        info.sequence = observer?.eventCount ?? 0
        info.cycle = machine.cycles
        info.instructions = (0..<machine.cpuCount).map { machine.cpu($0).pointee.instructions }
        info.eventDigest = observer?.currentDigest ?? 0
        return info
    }

    private func finish(_ stop: StopReason) throws(ReplayError) -> RunSummary {
        let summary = RunSummary(
            end: RunEnd(stop, layout: layout, limit: limitReached, machine: machine),
            eventsByKind: history.countsByKind, instructions: machine.instructions,
            cycles: machine.cycles, digest: machine.digest(),
            eventDigest: observer?.currentDigest ?? 0,
            cpuInstructions: (0..<machine.cpuCount).map {
                machine.cpu($0).pointee.instructions
            })
        if let writer {
            do {
                try writer.finish(outcome: summary.record)
            } catch {
                throw .trace(error)
            }
        }
        return summary
    }

    private func report() {
        options.progress?(machine.cycles, machine.instructions, observer?.eventCount ?? 0)
    }

    /// A failure to write ends the run at this boundary; `run` throws it.
    private func write(_ body: (TraceWriter) throws(TraceError) -> Void) {
        guard let writer, failure == nil else { return }
        do {
            try body(writer)
        } catch {
            fail(error)
        }
    }

    private func fail(_ error: TraceError) {
        failure = .trace(error)
        machine.requestStop()
    }

    private func reach(_ limit: String) {
        if limitReached == nil { limitReached = "\(limit) was reached" }
        machine.requestStop()
    }

    // MARK: What the observer hears

    public func observed(
        _ event: UnsafePointer<Event>, sharedPage: UnsafeRawPointer?, machine: Machine
    ) {
        let sequence = event.pointee.sequence
        history.add(event)
        if let writer, failure == nil {
            do {
                try writer.append(event: event, sharedPage: sharedPage)
            } catch {
                fail(error)
            }
        }
        if sequence >= nextCheck { check(sequence) }
    }

    /// What need not be looked at for every event.
    private func check(_ sequence: UInt64) {
        if sequence &+ 1 >= options.limits.events { reach("the limit of events") }
        if let writer, writer.byteCount >= options.limits.bytes { reach("the limit of bytes") }
        if !eventInjections.isEmpty { injectAtEvent(sequence) }
        planCheck(after: sequence)
    }

    /// Sets the next event to look at: every thousandth, the last by the limit, the next injection.
    private func planCheck(after sequence: UInt64?) {
        let next = sequence.map { $0 &+ 1 } ?? 0
        nextCheck = min(next | 1023, max(next, options.limits.events &- 1))
        for injection in eventInjections {
            if case .event(let number) = injection.moment, number >= next {
                nextCheck = min(nextCheck, number)
            }
        }
    }

    private func injectAtEvent(_ sequence: UInt64) {
        let due = eventInjections.filter { $0.moment == .event(sequence) }
        guard !due.isEmpty else { return }
        eventInjections.removeAll { $0.moment == .event(sequence) }
        for injection in due { inject(injection) }
    }

    public func returned(_ back: EventReturn, machine: Machine) {
        guard let writer, failure == nil else { return }
        do {
            try writer.append(return: back)
        } catch {
            fail(error)
        }
    }

    public func printed(_ byte: UInt8, cpu: UInt8, cycle: UInt64, machine: Machine) {
        history.add(byte)
        options.consoleOutput?(byte)
        write { writer throws(TraceError) in
            try writer.append(console: byte, cpu: cpu, cycle: cycle)
        }
    }

    // MARK: The world

    private func isIdle(_ machine: Machine) -> Bool {
        (0..<machine.cpuCount).allSatisfy {
            machine.cpu($0).pointee.activity != Activity.active
        }
    }

    public func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
        guard let console = options.console else { return [] }
        let bytes = console.typed(at: cycle, machineIdle: isIdle(machine))
        guard !bytes.isEmpty else { return [] }
        var input = Input()
        input.kind = .console
        input.cycle = cycle
        input.instruction = machine.cpu(0).pointee.instructions
        input.bytes = bytes
        write { writer throws(TraceError) in try writer.append(input: input) }
        return bytes
    }
}

/// Watches a run that nobody records: only the console's text is passed on.
private final class PlainObserver: MachineObserver {
    private let output: ((UInt8) -> Void)?

    init(_ output: ((UInt8) -> Void)?) { self.output = output }

    func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {}

    func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) { output?(byte) }
}
