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
///
/// Records are taken from the trace in the order in which they were written, one ahead of the
/// machine. An input is written where the machine asked for it, so it is the next record when the
/// machine asks again.
public final class Replayer: PathSink, InputSource {
    public let machine: Machine
    public let history = RunHistory()

    private let reader: TraceReader
    private let cursor: TraceCursor
    private let layout: ParavirtLayout?
    private let sessionLimits: RunLimits
    /// Whether the machine is to stop right after the last record: the trace is torn there, or a
    /// limit of events or bytes stopped the recorder there.
    private let stopsWithRecords: Bool
    private var observer: ParavirtObserver?
    private let consoleOutput: ((UInt8) -> Void)?
    /// What the cursor has read and nothing has taken yet.
    private var pending: RecordKind?
    /// Bytes of a pending console record that the machine has put out already.
    private var consoleTaken = 0
    private var found: Divergence?
    private var failure: ReplayError?

    /// - Parameters:
    ///   - configuration: that of the trace, or with other images in it to see where they part.
    ///   - reader: the recording.
    public init(
        _ configuration: SessionConfiguration, executor: Executor, reader: TraceReader,
        consoleOutput: ((UInt8) -> Void)? = nil
    ) throws(ReplayError) {
        self.reader = reader
        self.consoleOutput = consoleOutput
        cursor = reader.cursor()
        layout = try configuration.paravirtLayout()
        sessionLimits = configuration.limits
        stopsWithRecords =
            reader.outcome.map {
                $0.kind == .limit && $0.exitCode == LimitKind.request.rawValue
            } ?? true
        machine = try configuration.makeMachine(executor: executor)
        observer = ParavirtObserver(
            layout: layout, level: configuration.level, cpuCount: machine.cpuCount, sink: self)
        machine.observer = observer
        machine.inputs = self
    }

    /// Runs to the recording's end, to the first difference, or to where a torn trace stops.
    public func run() throws(ReplayError) -> ReplayResult {
        advance()
        var stop = StopReason.requested
        if failure == nil, found == nil, pending != nil || !stopsWithRecords {
            stop = machine.run(limits())
        }
        if let failure { throw failure }
        let summary = RunSummary(
            end: RunEnd(stop, layout: layout, limit: nil, machine: machine),
            eventsByKind: history.countsByKind, instructions: machine.instructions,
            cycles: machine.cycles, digest: machine.digest(),
            eventDigest: observer?.currentDigest ?? 0,
            cpuInstructions: (0..<machine.cpuCount).map {
                machine.cpu($0).pointee.instructions
            })
        if found == nil { compareEnd(summary) }
        return ReplayResult(
            divergence: found, summary: found == nil ? recordedEnd(summary) : summary,
            isWhole: reader.complete)
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

    private func compareEnd(_ summary: RunSummary) {
        if pending == .event {
            diverge(.missingEvent(expected: cursor.event.pointee), [])
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
        if !fields.isEmpty { diverge(.outcome, fields) }
    }

    // MARK: The recording

    /// Reads the next record; injections are scheduled at once, as they come before the next event.
    private func advance() {
        consoleTaken = 0
        do {
            pending = try cursor.next()
            while pending == .input, cursor.input.kind != .console {
                let input = cursor.input
                guard Int(input.cpu) < machine.cpuCount else {
                    throw ReplayError.noSuchCPU(Int(input.cpu))
                }
                machine.schedule(
                    input.stimulus, cpu: Int(input.cpu), at: .cycle(input.cycle))
                pending = try cursor.next()
            }
        } catch let error as TraceError {
            fail(.trace(error))
        } catch {
            fail(error as? ReplayError ?? .noSuchCPU(0))
        }
        if pending == nil, stopsWithRecords { machine.requestStop() }
    }

    private func fail(_ error: ReplayError) {
        pending = nil
        if failure == nil { failure = error }
        machine.requestStop()
    }

    private func diverge(_ kind: Divergence.Kind, _ fields: [Divergence.Field]) {
        guard found == nil, failure == nil else { return }
        found = Divergence(
            kind: kind, agreeingEvents: history.total, cycle: machine.cycles,
            fields: fields, before: history.lastEvents, instruction: nil)
        machine.requestStop()
    }

    private var isOver: Bool { found != nil || failure != nil }

    // MARK: What the observer hears

    public func observed(
        _ event: UnsafePointer<Event>, sharedPage: UnsafeRawPointer?, machine: Machine
    ) {
        if isOver || (pending == nil && stopsWithRecords) { return }
        guard pending == .event else {
            unexpected(event.pointee)
            return
        }
        let expected = cursor.event
        if !EventComparison.agree(expected, event) {
            diverge(
                .event(expected: expected.pointee, actual: event.pointee),
                EventComparison.fields(expected.pointee, event.pointee)
                    + sharedFields(sharedPage))
            return
        }
        let page = cursor.sharedPage
        if let base = page.baseAddress, expected.pointee.sharedPageKnown, let sharedPage,
            !Bytes.equal(base, sharedPage, page.count)
        {
            diverge(
                .event(expected: expected.pointee, actual: event.pointee),
                sharedFields(sharedPage))
            return
        }
        history.add(event)
        advance()
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
    private func unexpected(_ event: Event) {
        switch pending {
        case .eventReturn:
            diverge(.pathReturn(expected: cursor.eventReturn, actual: nil), [])
        case .console:
            diverge(
                .console(expected: Array(cursor.console.bytes[consoleTaken...]), actual: []), [])
        case .input: diverge(.input(expected: cursor.input), [])
        case .event, nil: diverge(.extraEvent(actual: event), [])
        }
    }

    public func returned(_ back: EventReturn, machine: Machine) {
        if isOver || (pending == nil && stopsWithRecords) { return }
        guard pending == .eventReturn, cursor.eventReturn == back else {
            let expected = pending == .eventReturn ? cursor.eventReturn : nil
            diverge(
                .pathReturn(expected: expected, actual: back),
                expected.map { EventComparison.fields($0, back) } ?? [])
            return
        }
        advance()
    }

    public func printed(_ byte: UInt8, cpu: UInt8, cycle: UInt64, machine: Machine) {
        if isOver || (pending == nil && stopsWithRecords) { return }
        history.add(byte)
        consoleOutput?(byte)
        guard pending == .console else {
            diverge(.console(expected: [], actual: [byte]), [])
            return
        }
        let expected = cursor.console
        let atStart = consoleTaken == 0
        guard expected.bytes[consoleTaken] == byte, expected.cpu == cpu,
            !atStart || expected.cycle == cycle
        else {
            diverge(
                .console(expected: Array(expected.bytes[consoleTaken...]), actual: [byte]), [])
            return
        }
        consoleTaken += 1
        if consoleTaken == expected.bytes.count { advance() }
    }

    public func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
        guard !isOver, pending == .input, cursor.input.cycle <= cycle else { return [] }
        let input = cursor.input
        guard input.cycle == cycle else {
            diverge(.input(expected: input), [])
            return []
        }
        advance()
        return input.bytes
    }
}
