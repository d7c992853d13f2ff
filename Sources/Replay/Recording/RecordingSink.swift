import Machine
import Paravirt
import Trace

/// The end of the recorder that the observer talks to, at every event: it writes down what it
/// hears, performs injections that wait for an event, and asks the machine to stop where a limit is
/// reached or nothing can be written any more.
///
/// It holds no reference to the recorder or the machine, so that the machine can hold the observer
/// and the observer this, and no event costs a reference count.
final class RecordingSink: PathSink, InputSource {
    let history = RunHistory()
    private let writer: TraceWriter?
    /// `writer` where it is to be written to, reached without counting references.
    private struct Hot {
        var writer: Unmanaged<TraceWriter>?
        /// Whether the console has told of a panic.
        var isAlert = false
    }
    private let hot: UnsafeMutablePointer<Hot>
    private let limits: SessionLimits
    private let console: (any ConsoleSource)?
    private let consoleOutput: ((UInt8) -> Void)?
    private let isInterrupted: () -> Bool
    private var injections: [Injection]
    /// Of a kernel that has no note by which it could tell.
    private(set) var panic: PanicWatch?
    /// Sequence number of the next event at which limits and injections are looked at.
    private var nextCheck: UInt64 = 0
    /// Instructions of all vCPUs where they were last seen to grow, and the event there.
    private var progress = (instructions: UInt64(0), sequence: UInt64(0))
    /// The limit that asked for a stop, as a sentence.
    private(set) var limitReached: String?
    private var pollsInterrupted = 0
    /// Whether it did so at a poll rather than after an event.
    private(set) var stoppedAtPoll = false
    private(set) var failure: TraceError?

    init(_ options: RecordingOptions, writer: TraceWriter?, watchesPanic: Bool) {
        panic = watchesPanic ? PanicWatch() : nil
        self.writer = writer
        hot = .allocate(capacity: 1)
        hot.initialize(to: Hot(writer: writer.map { Unmanaged.passUnretained($0) }))
        limits = options.limits
        console = options.console
        consoleOutput = options.consoleOutput
        isInterrupted = options.isInterrupted
        injections = options.injections.filter {
            if case .event = $0.moment { true } else { false }
        }
        planCheck(after: nil)
    }

    deinit { hot.deallocate() }

    // MARK: What the observer hears

    func observed(
        _ event: UnsafePointer<Event>, sharedPage: UnsafeRawPointer?, machine: Machine
    ) {
        history.add(event)
        if hot.pointee.isAlert, event.pointee.from != .hostKernel {
            panic?.userRan(cpu: event.pointee.cpu)
            hot.pointee.isAlert = panic?.isAlert ?? false
        }
        if let writer = hot.pointee.writer {
            writer._withUnsafeGuaranteedRef { writer in
                do throws(TraceError) {
                    try writer.append(event: event, sharedPage: sharedPage)
                } catch {
                    fail(error, machine)
                }
            }
        }
        if event.pointee.sequence >= nextCheck { check(event.pointee.sequence, machine) }
    }

    func returned(_ back: EventReturn, machine: Machine) {
        history.add(back)
        guard let writer = hot.pointee.writer else { return }
        writer._withUnsafeGuaranteedRef { writer in
            do throws(TraceError) {
                try writer.append(return: back)
            } catch {
                fail(error, machine)
            }
        }
    }

    func printed(_ byte: UInt8, cpu: UInt8, cycle: UInt64, machine: Machine) {
        history.add(byte)
        consoleOutput?(byte)
        console?.printed(byte)
        if panic != nil {
            panic?.printed(byte, cpu: cpu)
            hot.pointee.isAlert = panic?.isAlert ?? false
        }
        guard let writer, failure == nil else { return }
        do {
            try writer.append(console: byte, cpu: cpu, cycle: cycle)
        } catch {
            fail(error, machine)
        }
    }

    // MARK: Limits and injections

    /// What need not be looked at for every event.
    private func check(_ sequence: UInt64, _ machine: Machine) {
        if sequence &+ 1 >= limits.events { reach("the limit of events was reached", machine) }
        if let writer, writer.byteCount >= limits.bytes {
            reach("the limit of bytes was reached", machine)
        }
        if isInterrupted() { reach("the recording was interrupted", machine) }
        watchProgress(sequence, machine)
        let due = injections.filter { $0.moment == .event(sequence) }
        injections.removeAll { $0.moment == .event(sequence) }
        for injection in due { inject(injection, machine) }
        planCheck(after: sequence)
    }

    /// Stops a machine that only takes exceptions. To be called every thousandth event or so.
    func watchProgress(_ sequence: UInt64, _ machine: Machine) {
        let instructions = machine.instructions
        if instructions != progress.instructions {
            progress = (instructions, sequence)
        } else if sequence - progress.sequence >= limits.fruitless {
            reach(
                "\(limits.fruitless) exceptions or interrupts came and no instruction was "
                    + "executed: the handler cannot run", machine)
        }
    }

    /// Sets the next event to look at: every thousandth, the last by the limit, the next injection.
    private func planCheck(after sequence: UInt64?) {
        let next = sequence.map { $0 &+ 1 } ?? 0
        nextCheck = min(next | 1023, max(next, limits.events &- 1))
        for injection in injections {
            if case .event(let number) = injection.moment, number >= next {
                nextCheck = min(nextCheck, number)
            }
        }
    }

    private func reach(_ limit: String, _ machine: Machine) {
        if limitReached == nil { limitReached = limit }
        machine.requestStop()
    }

    /// Takes effect at the vCPU's present boundary; its cycle count there is what a replay goes by,
    /// through the same call, as the schedule counts its calls.
    func inject(_ injection: Injection, _ machine: Machine) {
        let now = machine.now(cpu: injection.cpu)
        machine.schedule(injection.stimulus, cpu: injection.cpu, at: .cycle(now))
        var input = Input(injection.stimulus)
        input.cpu = UInt8(injection.cpu)
        input.cycle = now
        input.instruction = machine.cpu(injection.cpu).pointee.instructions
        write(input, machine)
    }

    private func write(_ input: Input, _ machine: Machine) {
        guard let writer, failure == nil else { return }
        do {
            try writer.append(input: input)
        } catch {
            fail(error, machine)
        }
    }

    private func fail(_ error: TraceError, _ machine: Machine) {
        failure = error
        hot.pointee.writer = nil
        machine.requestStop()
    }

    // MARK: The world

    func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
        if hot.pointee.isAlert, panic?.isOver(machine) == true {
            return stop("the kernel panicked", machine)
        }
        hot.pointee.isAlert = panic?.isAlert ?? false
        if isInterrupted() {
            // The next event is a place that every replay can tell. If there is none, this is.
            nextCheck = 0
            pollsInterrupted += 1
            if pollsInterrupted > 20 { return stop("the recording was interrupted", machine) }
        }
        guard let console else { return [] }
        if let reason = console.reasonToStop { return stop(reason, machine) }
        let isIdle = (0..<machine.cpuCount).allSatisfy {
            machine.cpu($0).pointee.activity != Activity.active
        }
        let bytes = console.typed(at: cycle, machineIdle: isIdle)
        guard !bytes.isEmpty else { return [] }
        var input = Input(.console(bytes))
        input.cycle = cycle
        input.instruction = machine.cpu(0).pointee.instructions
        write(input, machine)
        return bytes
    }

    private func stop(_ reason: String, _ machine: Machine) -> [UInt8] {
        stoppedAtPoll = true
        reach(reason, machine)
        return []
    }

    func awaitsInput(machine: Machine) -> Bool {
        !isInterrupted() && console?.isOpen == true
    }
}
