import Machine
import Paravirt
import Trace

/// The end of the replayer that the observer talks to, at every event: it compares what it hears
/// with the trace, and gives the machine the recorded inputs.
///
/// Records are taken from the trace in the order in which they were written, one ahead of the
/// machine. An input is written where the machine asked for it, so it is the next record when the
/// machine asks again. Like the recorder's, this end holds no reference to the machine.
final class ReplaySink: PathSink, InputSource {
    let history = RunHistory()
    private(set) var found: Divergence?
    private(set) var failure: ReplayError?

    private let reader: TraceReader
    private let cursor: TraceCursor
    /// What every event looks at, in plain memory: `found` and `failure` are large to look at.
    private struct Hot {
        /// Whether `found` or `failure` is set.
        var isOver = false
        /// What the cursor has read and nothing has taken yet.
        var pending: RecordKind?
        /// Bytes of a pending console record that the machine has put out already.
        var consoleTaken = 0
    }
    private let hot: UnsafeMutablePointer<Hot>
    private let consoleOutput: ((UInt8) -> Void)?
    /// Whether the machine is to stop right after the last record: the trace is torn there, or a
    /// limit of events or bytes stopped the recorder there.
    private let stopsWithRecords: Bool
    /// The poll at which the recording was stopped, or `UInt64.max`.
    private let lastPoll: UInt64

    /// - Parameter lastPoll: see `RunEnd.isAtPoll`.
    init(_ reader: TraceReader, lastPoll: UInt64, consoleOutput: ((UInt8) -> Void)?) {
        self.lastPoll = lastPoll
        self.reader = reader
        cursor = reader.cursor()
        hot = .allocate(capacity: 1)
        hot.initialize(to: Hot())
        self.consoleOutput = consoleOutput
        stopsWithRecords =
            reader.outcome.map {
                $0.kind == .limit && $0.exitCode == LimitKind.request.rawValue
            } ?? true
    }

    deinit { hot.deallocate() }

    /// Whether there is nothing to run for.
    var isFinished: Bool {
        hot.pointee.isOver || (hot.pointee.pending == nil && stopsWithRecords)
    }

    // MARK: The recording

    /// Reads the next record; injections are scheduled at once, as they come before the next event.
    func advance(_ machine: Machine) {
        hot.pointee.consoleTaken = 0
        do {
            hot.pointee.pending = try cursor.next()
            while hot.pointee.pending == .input, cursor.input.kind != .console {
                let input = cursor.input
                guard Int(input.cpu) < machine.cpuCount else {
                    throw ReplayError.noSuchCPU(Int(input.cpu))
                }
                machine.schedule(
                    input.stimulus, cpu: Int(input.cpu), at: .cycle(input.cycle))
                hot.pointee.pending = try cursor.next()
            }
        } catch let error as TraceError {
            fail(.trace(error), machine)
        } catch {
            fail(error as? ReplayError ?? .noSuchCPU(0), machine)
        }
        if hot.pointee.pending == nil, stopsWithRecords { machine.requestStop() }
    }

    private func fail(_ error: ReplayError, _ machine: Machine) {
        hot.pointee.pending = nil
        hot.pointee.isOver = true
        if failure == nil { failure = error }
        machine.requestStop()
    }

    private func diverge(
        _ kind: Divergence.Kind, _ fields: [Divergence.Field], _ machine: Machine
    ) {
        guard !hot.pointee.isOver else { return }
        hot.pointee.isOver = true
        found = Divergence(
            kind: kind, agreeingEvents: history.total, cycle: machine.cycles,
            fields: fields, before: history.lastEvents, instruction: nil)
        machine.requestStop()
    }

    // MARK: What the observer hears

    func observed(
        _ event: UnsafePointer<Event>, sharedPage: UnsafeRawPointer?, machine: Machine
    ) {
        if isFinished { return }
        guard hot.pointee.pending == .event else {
            unexpected(event.pointee, machine)
            return
        }
        let expected = cursor.event
        if !EventComparison.agree(expected, event) {
            diverge(
                .event(expected: expected.pointee, actual: event.pointee),
                EventComparison.fields(expected.pointee, event.pointee)
                    + sharedFields(sharedPage), machine)
            return
        }
        let page = cursor.sharedPage
        if let base = page.baseAddress, expected.pointee.sharedPageKnown, let sharedPage,
            !Bytes.equal(base, sharedPage, page.count)
        {
            diverge(
                .event(expected: expected.pointee, actual: event.pointee),
                sharedFields(sharedPage), machine)
            return
        }
        history.add(event)
        advance(machine)
    }

    private func sharedFields(_ actual: UnsafeRawPointer?) -> [Divergence.Field] {
        let page = cursor.sharedPage
        guard let actual, page.baseAddress != nil, cursor.event.pointee.sharedPageKnown else {
            return []
        }
        return EventComparison.sharedFields(
            page, UnsafeRawBufferPointer(start: actual, count: page.count))
    }

    /// The machine did something where the recording has another kind of record, or none.
    private func unexpected(_ event: Event, _ machine: Machine) {
        switch hot.pointee.pending {
        case .eventReturn:
            diverge(.pathReturn(expected: cursor.eventReturn, actual: nil), [], machine)
        case .console:
            diverge(
                .console(
                    expected: Array(cursor.console.bytes[hot.pointee.consoleTaken...]), actual: []),
                [],
                machine)
        case .input: diverge(.input(expected: cursor.input), [], machine)
        case .event, nil: diverge(.extraEvent(actual: event), [], machine)
        }
    }

    func returned(_ back: EventReturn, machine: Machine) {
        if isFinished { return }
        guard hot.pointee.pending == .eventReturn, cursor.eventReturn == back else {
            let expected = hot.pointee.pending == .eventReturn ? cursor.eventReturn : nil
            diverge(
                .pathReturn(expected: expected, actual: back),
                expected.map { EventComparison.fields($0, back) } ?? [], machine)
            return
        }
        history.add(back)
        advance(machine)
    }

    func printed(_ byte: UInt8, cpu: UInt8, cycle: UInt64, machine: Machine) {
        if isFinished { return }
        history.add(byte)
        consoleOutput?(byte)
        guard hot.pointee.pending == .console else {
            diverge(.console(expected: [], actual: [byte]), [], machine)
            return
        }
        let expected = cursor.console
        let atStart = hot.pointee.consoleTaken == 0
        guard expected.bytes[hot.pointee.consoleTaken] == byte, expected.cpu == cpu,
            !atStart || expected.cycle == cycle
        else {
            diverge(
                .console(
                    expected: Array(expected.bytes[hot.pointee.consoleTaken...]), actual: [byte]),
                [],
                machine)
            return
        }
        hot.pointee.consoleTaken += 1
        if hot.pointee.consoleTaken == expected.bytes.count { advance(machine) }
    }

    func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
        if cycle >= lastPoll, hot.pointee.pending == nil { machine.requestStop() }
        guard !hot.pointee.isOver, hot.pointee.pending == .input, cursor.input.cycle <= cycle else {
            return []
        }
        let input = cursor.input
        guard input.cycle == cycle else {
            diverge(.input(expected: input), [], machine)
            return []
        }
        advance(machine)
        return input.bytes
    }

    /// Input is recorded, or the recording waited for some that did not come.
    func awaitsInput(machine: Machine) -> Bool {
        if hot.pointee.isOver { return false }
        guard let pending = hot.pointee.pending else {
            return reader.outcome.map { machine.cycles < $0.cycles } ?? false
        }
        return pending == .input
    }

    // MARK: The end

    /// Compares the end of a run that agreed so far.
    func compareEnd(_ summary: RunSummary, _ machine: Machine) {
        if found != nil { return }
        if hot.pointee.pending == .event {
            diverge(.missingEvent(expected: cursor.event.pointee), [], machine)
            return
        }
        guard let outcome = reader.outcome else { return }
        var fields: [Divergence.Field] = []
        func check(_ name: String, _ expected: String, _ actual: String) {
            if expected != actual {
                fields.append(.init(name: name, expected: expected, actual: actual))
            }
        }
        if outcome.kind != .limit {
            check("outcome", outcome.kind.name, summary.end.outcome.name)
            check("reason", outcome.reason, summary.end.reason)
        }
        check("instructions", "\(outcome.instructions)", "\(summary.instructions)")
        check("cycles", "\(outcome.cycles)", "\(summary.cycles)")
        check("events", "\(outcome.events)", "\(summary.events)")
        check(
            "event digest", EventComparison.hex(outcome.eventDigest),
            EventComparison.hex(summary.eventDigest))
        check(
            "machine digest", EventComparison.hex(outcome.machineDigest),
            EventComparison.hex(summary.digest))
        if !fields.isEmpty { diverge(.outcome, fields, machine) }
    }
}
