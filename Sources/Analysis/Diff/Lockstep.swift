import Trace

/// Where two traces first differ, record by record.
public struct FirstRecordDifference: Sendable {
    /// Events that were equal before it.
    public var identicalEvents: UInt64
    /// The records there; nil at a trace's end.
    public var a: Record?
    public var b: Record?
    /// What differs, where both are records of one kind.
    public var fields: [FieldDifference]
    /// The last events that were equal before it, oldest first.
    public var before: [Event]
}

/// What going through two traces side by side found.
public struct LockstepResult: Sendable {
    /// The first difference in anything that traces hold of a run.
    public var first: FirstRecordDifference?
    /// The first that is more than a count of cycles; nil as well where there was none before the
    /// end.
    public var firstBesidesCycles: FirstRecordDifference?
    /// Events compared up to the first difference, or to the end.
    public var identicalEvents: UInt64
    /// Whether one trace was torn and the other went on.
    public var stoppedAtCut = false
}

/// Goes through two traces record by record for as long as they are equal.
struct Lockstep {
    private var a: LockstepReader
    private var b: LockstepReader
    private var events: UInt64 = 0
    private var before: [Event] = []
    private var result = LockstepResult(identicalEvents: 0)
    static let beforeKept = 4

    init(_ a: TraceReader, _ b: TraceReader, tickA: ReadingTick, tickB: ReadingTick) {
        self.a = LockstepReader(a, tickA)
        self.b = LockstepReader(b, tickB)
    }

    mutating func run() throws(TraceError) -> LockstepResult {
        while true {
            let kindA = try a.next()
            let kindB = try b.next()
            if kindA == nil && kindB == nil { break }
            if (kindA == nil && a.isCut) || (kindB == nil && b.isCut) {
                result.stoppedAtCut = true
                break
            }
            guard kindA == kindB else {
                note([], besidesCycles: true)
                break
            }
            if kindA == .event && equalEvents() {
                keep()
                continue
            }
            let fields = differences(kindA)
            if !fields.isEmpty {
                let others = fields.contains { $0.field != .cycle }
                note(fields, besidesCycles: others)
                if others { break }
            }
            if kindA == .event { keep() }
        }
        if result.first == nil { result.identicalEvents = events }
        return result
    }

    private mutating func keep() {
        events &+= 1
        if before.count == Self.beforeKept { before.removeFirst() }
        before.append(a.event.pointee)
    }

    private mutating func note(_ fields: [FieldDifference], besidesCycles: Bool) {
        let difference = FirstRecordDifference(
            identicalEvents: events, a: a.record, b: b.record, fields: fields, before: before)
        if result.first == nil {
            result.first = difference
            result.identicalEvents = events
        }
        if besidesCycles { result.firstBesidesCycles = difference }
    }

    private func equalEvents() -> Bool {
        var x = a.event.pointee
        var y = b.event.pointee
        if !x.digestKnown || !y.digestKnown {
            x.digest = 0
            y.digest = 0
            x.digestKnown = false
            y.digestKnown = false
        }
        return x == y && equalPages()
    }

    private func equalPages() -> Bool { a.page.elementsEqual(b.page) }

    private func differences(_ kind: RecordKind?) -> [FieldDifference] {
        switch kind {
        case .event:
            var x = StreamItem(.event, a.event.pointee, isReference: a.isReference)
            var y = StreamItem(.event, b.event.pointee, isReference: b.isReference)
            x.page = SharedPageCopy(a.page)
            y.page = SharedPageCopy(b.page)
            return FieldComparison.fields(x, y, in: .machine(cpu: 0))
        case .eventReturn: return Self.returns(a.back, b.back)
        case .console:
            let x = a.console
            let y = b.console
            return Self.compared(
                [
                    (.text, UInt64(x.bytes.count), UInt64(y.bytes.count)),
                    (.cpu, UInt64(x.cpu), UInt64(y.cpu)), (.cycle, x.cycle, y.cycle),
                ], textDiffers: x.bytes != y.bytes)
        case .input:
            let x = a.input
            let y = b.input
            return Self.compared(
                [
                    (.text, UInt64(x.bytes.count), UInt64(y.bytes.count)),
                    (.kind, UInt64(x.kind.rawValue), UInt64(y.kind.rawValue)),
                    (.number, UInt64(x.number), UInt64(y.number)),
                    (.cpu, UInt64(x.cpu), UInt64(y.cpu)), (.cycle, x.cycle, y.cycle),
                    (.instruction, x.instruction, y.instruction),
                ], textDiffers: x.bytes != y.bytes)
        case nil: return []
        }
    }

    private static func returns(_ x: EventReturn, _ y: EventReturn) -> [FieldDifference] {
        compared([
            (.endedEvent, x.event, y.event), (.cpu, UInt64(x.cpu), UInt64(y.cpu)),
            (.result, x.result, y.result), (.instruction, x.instruction, y.instruction),
            (.cycle, x.cycle, y.cycle),
        ])
    }

    /// The pairs that differ. Texts are told by their lengths; `textDiffers` says whether they do.
    private static func compared(
        _ pairs: [(Field, UInt64, UInt64)], textDiffers: Bool = false
    ) -> [FieldDifference] {
        pairs.compactMap { field, x, y in
            let differs = field == .text ? textDiffers : x != y
            return differs
                ? FieldDifference(field: field, a: x, b: y, sight: .machine) : nil
        }
    }
}

/// Reads a trace's records with neighbouring console output joined: where a recorder ended a run of
/// text (at a checkpoint, say) is nothing of the run's.
struct LockstepReader {
    private let cursor: TraceCursor
    private let tick: ReadingTick
    private let complete: Bool
    let isReference: Bool
    private var kind: RecordKind?
    /// What the cursor has read beyond the console output that was joined.
    private var held: RecordKind?
    private var isHeld = false
    private(set) var console = ConsoleOutput()

    init(_ reader: TraceReader, _ tick: ReadingTick) {
        cursor = reader.cursor()
        complete = reader.complete
        self.tick = tick
        isReference = Traces.isReference(reader)
    }

    var isCut: Bool { !complete || tick.fault != nil }
    var event: UnsafePointer<Event> { cursor.event }
    var page: UnsafeRawBufferPointer { cursor.sharedPage }
    var back: EventReturn { cursor.eventReturn }
    var input: Input { cursor.input }

    /// The record just read.
    var record: Record? {
        switch kind {
        case .event: .event(cursor.event.pointee, changes: cursor.sharedChanges())
        case .eventReturn: .eventReturn(cursor.eventReturn)
        case .console: .console(console)
        case .input: .input(cursor.input)
        case nil: nil
        }
    }

    @inline(__always)
    mutating func next() throws(TraceError) -> RecordKind? {
        if isHeld {
            isHeld = false
            kind = held
        } else {
            kind = try tick.next(cursor)
        }
        if kind == .console { try join() }
        return kind
    }

    private mutating func join() throws(TraceError) {
        console = cursor.console
        while console.bytes.count < 1 << 16 {
            held = try tick.next(cursor)
            isHeld = true
            guard held == .console, cursor.console.cpu == console.cpu else { return }
            console.bytes += cursor.console.bytes
            isHeld = false
        }
    }
}
