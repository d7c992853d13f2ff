import Trace

/// Compares two traces. Each is read a few times from start to end (once in lockstep up to the
/// first difference, once for counts and console, once for each guest VCPU and CPU), never held.
public struct TraceComparison {
    private let a: TraceReader
    private let b: TraceReader
    private let progress: ((_ done: UInt64, _ total: UInt64) -> Void)?
    public var limits = AlignmentLimits()

    /// - Parameter progress: is told of records read, of about so many in all.
    public init(
        _ a: TraceReader, _ b: TraceReader,
        progress: ((_ done: UInt64, _ total: UInt64) -> Void)? = nil
    ) {
        self.a = a
        self.b = b
        self.progress = progress
    }

    /// Adds up what was read.
    private final class Meter {
        var done: UInt64 = 0
        var total: UInt64 = 0
    }

    /// - Throws: `TraceError` where reading a file fails; a damaged place ends a trace and is in
    ///   the result.
    public func run() throws(TraceError) -> TraceDifference {
        let meter = Meter()
        meter.total = 4 * (a.eventCount + b.eventCount)
        let isReference = Traces.isReference(a) && Traces.isReference(b)
        var difference = TraceDifference(
            a: ComparedTrace(), b: ComparedTrace(), setup: try Traces.setup(a, b),
            lockstep: LockstepResult(identicalEvents: 0), streams: [],
            console: ConsoleReport(),
            sameHost: Traces.sha256(a, .host) == Traces.sha256(b, .host),
            sameGuest: Traces.sha256(a, .guest) == Traces.sha256(b, .guest),
            isReference: isReference, outcome: [])
        var lockstep = Lockstep(a, b, tickA: tick(meter), tickB: tick(meter))
        difference.lockstep = try lockstep.run()
        let found = try counts(&difference, meter)
        if let outcomeA = a.outcome, let outcomeB = b.outcome {
            difference.outcome = Self.outcomes(outcomeA, outcomeB)
        }
        if difference.lockstep.first == nil { return difference }
        let streams =
            found.vcpus.sorted().map { StreamID.guest(vcpu: $0) }
            + found.cpus.sorted().map { StreamID.machine(cpu: $0) }
        meter.total = UInt64(2 + streams.count) * 2 * (a.eventCount + b.eventCount)
        for stream in streams {
            difference.streams.append(try align(stream, isReference, meter))
        }
        return difference
    }

    private func tick(_ meter: Meter) -> ReadingTick {
        guard let progress else { return ReadingTick() }
        return ReadingTick { count in
            meter.done += count
            progress(min(meter.done, meter.total), meter.total)
        }
    }

    /// Counts, inputs, console text.
    private func counts(
        _ difference: inout TraceDifference, _ meter: Meter
    ) throws(TraceError) -> (vcpus: Set<Int>, cpus: Set<Int>) {
        let left = Statistics(isReference: Traces.isReference(a))
        let right = Statistics(isReference: Traces.isReference(b))
        let tickA = tick(meter)
        let tickB = tick(meter)
        var aligner = Aligner(
            ConsoleLines(a, tick: tickA, statistics: left),
            ConsoleLines(b, tick: tickB, statistics: right), sink: ConsoleCollector(),
            limits: limits)
        try aligner.run()
        difference.console = aligner.sink.report
        difference.a = Self.summary(a, left, tickA)
        difference.b = Self.summary(b, right, tickB)
        difference.setup += Traces.inputs(left, right)
        return (left.vcpus.union(right.vcpus), left.cpus.union(right.cpus))
    }

    private static func summary(
        _ reader: TraceReader, _ statistics: Statistics, _ tick: ReadingTick
    ) -> ComparedTrace {
        var trace = ComparedTrace()
        trace.events = statistics.events
        trace.returns = statistics.returns
        trace.outcome = reader.outcome
        trace.cycles = reader.outcome?.cycles ?? statistics.cycles
        trace.instructions = reader.outcome?.instructions ?? statistics.instructions
        trace.damage = reader.damage?.description
        if let fault = tick.fault { trace.damage = fault.description }
        trace.design = reader.metadata[TraceMetadata.Key.design] ?? ""
        trace.paths = statistics.byNumber
        return trace
    }

    private func align(
        _ stream: StreamID, _ isReference: Bool, _ meter: Meter
    ) throws(TraceError) -> StreamReport {
        var aligner = Aligner(
            StreamSource(a, stream, isReference: isReference, tick: tick(meter)),
            StreamSource(b, stream, isReference: isReference, tick: tick(meter)),
            sink: StreamCollector(stream, eventsA: a.eventCount, eventsB: b.eventCount),
            limits: limits)
        try aligner.run()
        return aligner.finishedReport()
    }

    private static func outcomes(
        _ a: Outcome, _ b: Outcome
    ) -> [(name: String, a: String, b: String)] {
        var found: [(name: String, a: String, b: String)] = []
        func check(_ name: String, _ x: String, _ y: String) {
            if x != y { found.append((name, x, y)) }
        }
        func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
        check("outcome", a.kind.name, b.kind.name)
        check("reason", a.reason, b.reason)
        check("exit code", hex(UInt64(a.exitCode)), hex(UInt64(b.exitCode)))
        check("on cpu", "\(a.cpu)", "\(b.cpu)")
        check("events", "\(a.events)", "\(b.events)")
        check("returns", "\(a.returns)", "\(b.returns)")
        check("instructions", "\(a.instructions)", "\(b.instructions)")
        check("cycles", "\(a.cycles)", "\(b.cycles)")
        check("machine digest", hex(a.machineDigest), hex(b.machineDigest))
        return found
    }
}

extension Aligner where Sink == StreamCollector {
    mutating func finishedReport() -> StreamReport { sink.finished() }
}

/// Counts the edits of the console text and keeps the first.
struct ConsoleCollector: AlignmentSink {
    typealias Item = ConsoleLine

    static let editsKept = 60
    private(set) var report = ConsoleReport()

    private mutating func keep(_ edit: ConsoleEdit) {
        if report.edits.count < Self.editsKept { report.edits.append(edit) }
    }

    mutating func same(_ a: ConsoleLine, _ b: ConsoleLine) { report.same &+= 1 }

    mutating func changed(_ a: ConsoleLine, _ b: ConsoleLine) {
        report.changed &+= 1
        keep(.changed(a, b))
    }

    mutating func missing(_ a: ConsoleLine) {
        report.missing &+= 1
        keep(.missing(a))
    }

    mutating func inserted(_ b: ConsoleLine) {
        report.inserted &+= 1
        keep(.inserted(b))
    }

    mutating func parted() {}
    mutating func uncompared() { report.uncompared &+= 1 }
}
