import Analysis
import Trace

/// A comparison of two traces as JSON: what `diff --json` prints. Fields are added, never renamed.
/// Lists are bounded; the counts beside them are of all.
public struct DiffDocument: Encodable {
    struct Side: Encodable {
        var name: String
        var design: String
        var events: UInt64
        var returns: UInt64
        var cycles: UInt64
        var instructions: UInt64
        var outcome: String?
        var reason: String?
        var damage: String?

        init(_ trace: ComparedTrace, _ name: String) {
            self.name = name
            design = trace.design
            events = trace.events
            returns = trace.returns
            cycles = trace.cycles
            instructions = trace.instructions
            outcome = trace.outcome?.kind.name
            reason = trace.outcome?.reason
            damage = trace.damage
        }
    }

    /// A name with both sides' values in words.
    struct Pair: Encodable {
        var name: String
        var a: String?
        var b: String?
        /// Of a field: guest, timing or machine.
        var seenBy: String?
    }

    struct First: Encodable {
        var identicalEvents: UInt64
        var a: EventJSON?
        var b: EventJSON?
        var fields: [Pair]
        var before: [EventJSON]
    }

    var same: Bool
    var sameToGuest: Bool
    var torn: Bool
    var a: Side
    var b: Side
    var setup: [Pair]
    var sameHost: Bool
    var sameGuest: Bool
    /// Events that are identical to the bit, from the start.
    var identicalEvents: UInt64
    /// In machine terms: the first difference in anything.
    var firstDifference: First?
    /// The first that is more than a count of cycles.
    var firstBesidesCycles: First?
    /// In guest-visible terms.
    var firstForGuest: DiffStreamDocument.Place?
    /// The first pair that differs in time as the guest sees it (virtual interrupts, ticks).
    var firstTimeForGuest: DiffStreamDocument.Step?
    /// The first pair of events that belong together whose shared pages differ by the guest's work.
    var firstSharedPageForGuest: DiffStreamDocument.Step?
    var streams: [DiffStreamDocument]
    var console: DiffConsoleDocument
    var outcome: [Pair]
    var paths: [DiffPathDocument]

    public init(_ difference: TraceDifference, _ labels: DiffLabels) {
        let naming = DiffNaming(labels: labels, reference: difference.isReference)
        same = difference.isSame
        sameToGuest = difference.isSameToGuest
        torn = difference.isTorn
        a = Side(difference.a, labels.nameA)
        b = Side(difference.b, labels.nameB)
        setup = difference.setup.map {
            Pair(name: DiffNames.setup($0.subject), a: $0.a, b: $0.b)
        }
        sameHost = difference.sameHost
        sameGuest = difference.sameGuest
        identicalEvents = difference.lockstep.identicalEvents
        firstDifference = difference.lockstep.first.map { Self.first($0, naming) }
        firstBesidesCycles = difference.lockstep.firstBesidesCycles.map { Self.first($0, naming) }
        firstForGuest = difference.firstForGuest.map {
            DiffStreamDocument.Place($0.hunk, $0.stream, naming)
        }
        firstTimeForGuest = difference.firstTimed.map {
            DiffStreamDocument.Step("pair", $0.a, $0.b, $0.stream, naming)
        }
        firstSharedPageForGuest = difference.firstShared.map {
            DiffStreamDocument.Step("pair", $0.a, $0.b, $0.stream, naming)
        }
        streams = difference.streams.map { DiffStreamDocument($0, naming) }
        console = DiffConsoleDocument(difference.console)
        outcome = difference.outcome.map { Pair(name: $0.name, a: $0.a, b: $0.b) }
        paths = DiffPathTable.rows(difference).flatMap { row in
            [DiffPathDocument(row, naming)] + row.numbers.map { DiffPathDocument($0, naming) }
        }
    }

    private static func first(_ first: FirstRecordDifference, _ naming: DiffNaming) -> First {
        func event(_ record: Record?) -> Event? {
            if case .event(let event, _) = record { event } else { nil }
        }
        func json(_ record: Record?) -> EventJSON? {
            switch record {
            case .event(let event, let changes):
                EventJSON(event, changes: changes, abi: CallABI(reference: naming.reference))
            case .eventReturn(let back): EventJSON(back)
            case .console(let output): EventJSON(output)
            case .input(let input): EventJSON(input)
            case nil: nil
            }
        }
        return First(
            identicalEvents: first.identicalEvents, a: json(first.a), b: json(first.b),
            fields: first.fields.map { naming.pair($0, event(first.a), event(first.b)) },
            before: first.before.map {
                EventJSON($0, changes: [], abi: CallABI(reference: naming.reference))
            })
    }
}

/// What a document needs to name things.
struct DiffNaming {
    var labels: DiffLabels
    var reference: Bool

    func pair(_ field: FieldDifference, _ a: Event?, _ b: Event?) -> DiffDocument.Pair {
        DiffDocument.Pair(
            name: DiffNames.field(field.field),
            a: DiffNames.value(field.field, field.a, of: a, reference: reference),
            b: DiffNames.value(field.field, field.b, of: b, reference: reference),
            seenBy: Self.name(field.sight))
    }

    static func name(_ sight: Sight) -> String {
        switch sight {
        case .guest: "guest"
        case .timing: "timing"
        case .machine: "machine"
        }
    }
}

/// One stream's part of the document.
struct DiffStreamDocument: Encodable {
    struct Item: Encodable {
        var form: String
        var what: String
        var at: String?
        var event: EventJSON
        var result: String?
        var interruptsBefore: String?

        init(_ item: StreamItem, _ symbols: SymbolTable) {
            switch item.form {
            case .event: form = "event"
            case .result:
                form = "result"
                result = hex(item.result)
            }
            if item.interrupts > 0 {
                interruptsBefore = DiffNames.interrupts(item.interruptVector, item.interrupts)
            }
            what = DiffNames.what(item)
            at = item.form == .event ? DiffNames.place(item.event, symbols) : nil
            event = EventJSON(item.event, changes: [], abi: CallABI(reference: item.isReference))
        }
    }

    struct Step: Encodable {
        var edit: String
        var a: Item?
        var b: Item?
        var fields: [DiffDocument.Pair]?

        init(missing a: StreamItem, _ naming: DiffNaming) {
            edit = "missing"
            self.a = Item(a, naming.labels.symbolsA)
        }

        init(inserted b: StreamItem, _ naming: DiffNaming) {
            edit = "inserted"
            self.b = Item(b, naming.labels.symbolsB)
        }

        init(
            _ edit: String, _ a: StreamItem, _ b: StreamItem, _ stream: StreamID,
            _ naming: DiffNaming
        ) {
            self.edit = edit
            self.a = Item(a, naming.labels.symbolsA)
            self.b = Item(b, naming.labels.symbolsB)
            fields = a.differences(from: b, in: stream).map {
                naming.pair($0, a.event, b.event)
            }
        }
    }

    struct Place: Encodable {
        var stream: String
        var afterA: UInt64?
        var afterB: UInt64?
        var changed: UInt64
        var missing: UInt64
        var inserted: UInt64
        var time: Bool
        var moved: Bool
        var edits: [Step]

        init(_ hunk: Hunk, _ stream: StreamID, _ naming: DiffNaming) {
            self.stream = DiffNames.stream(stream)
            afterA = hunk.after?.a.event
            afterB = hunk.after?.b.event
            changed = hunk.changed
            missing = hunk.missing
            inserted = hunk.inserted
            time = hunk.isTiming || hunk.followsInterrupt
            moved = hunk.counterpart != nil
            edits = hunk.edits.map { edit in
                switch edit {
                case .missing(let a): Step(missing: a, naming)
                case .inserted(let b): Step(inserted: b, naming)
                case .changed(let a, let b): Step("changed", a, b, stream, naming)
                }
            }
        }
    }

    struct Group: Encodable {
        var what: String
        var count: UInt64
        var firstA: UInt64?
        var firstB: UInt64?
    }

    struct FieldDocument: Encodable {
        var name: String
        var seenBy: String
        var count: UInt64
        var firstA: UInt64
        var firstB: UInt64
        var firstValueA: String
        var firstValueB: String
        var lastValueA: String
        var lastValueB: String
    }

    var stream: String
    var same: UInt64
    var changed: UInt64
    var missing: UInt64
    var inserted: UInt64
    var uncompared: UInt64
    var places: UInt64
    var timePlaces: UInt64
    var movedPlaces: UInt64
    /// Virtual interrupts taken, of a guest's stream.
    var interruptsA: UInt64
    var interruptsB: UInt64
    /// Events of A after which the streams part.
    var parted: [UInt64]
    var first: [Place]
    var groups: [Group]
    var fields: [FieldDocument]

    init(_ report: StreamReport, _ naming: DiffNaming) {
        stream = DiffNames.stream(report.stream)
        same = report.same
        changed = report.changed
        missing = report.missing
        inserted = report.inserted
        uncompared = report.uncompared
        places = report.hunkCount
        timePlaces = report.timingHunks
        movedPlaces = report.movedHunks
        interruptsA = report.interruptsA
        interruptsB = report.interruptsB
        parted = report.parted.map { $0?.a.event ?? 0 }
        first = report.hunks.map { Place($0, report.stream, naming) }
        groups = report.groups.map {
            Group(
                what: DiffFields.title($0), count: $0.count, firstA: $0.a?.event.sequence,
                firstB: $0.b?.event.sequence)
        }
        fields = report.fields.map { count in
            func text(_ value: UInt64) -> String {
                DiffNames.value(count.field, value, of: nil, reference: naming.reference)
            }
            return FieldDocument(
                name: DiffNames.field(count.field), seenBy: DiffNaming.name(count.sight),
                count: count.count, firstA: count.first.a.event, firstB: count.first.b.event,
                firstValueA: text(count.first.valueA), firstValueB: text(count.first.valueB),
                lastValueA: text(count.last.valueA), lastValueB: text(count.last.valueB))
        }
    }
}

struct DiffConsoleDocument: Encodable {
    struct Step: Encodable {
        var edit: String
        var lineA: UInt64?
        var lineB: UInt64?
        var a: String?
        var b: String?
    }

    var same: UInt64
    var changed: UInt64
    var missing: UInt64
    var inserted: UInt64
    var edits: [Step]

    init(_ report: ConsoleReport) {
        same = report.same
        changed = report.changed
        missing = report.missing
        inserted = report.inserted
        edits = report.edits.map { edit in
            switch edit {
            case .missing(let a):
                Step(edit: "missing", lineA: a.number, a: DiffNames.console(a))
            case .inserted(let b):
                Step(edit: "inserted", lineB: b.number, b: DiffNames.console(b))
            case .changed(let a, let b):
                Step(
                    edit: "changed", lineA: a.number, lineB: b.number, a: DiffNames.console(a),
                    b: DiffNames.console(b))
            }
        }
    }
}

/// Counts and cycles of one sort of path; without a number, of all its numbers together.
struct DiffPathDocument: Encodable {
    struct Count: Encodable {
        var events: UInt64
        var ended: UInt64
        var cycles: UInt64
        var instructions: UInt64
        var leastCycles: UInt64?
        var mostCycles: UInt64?

        init(_ count: PathCount) {
            events = count.events
            ended = count.ended
            cycles = count.cycles
            instructions = count.instructions
            if count.ended > 0 {
                leastCycles = count.leastCycles
                mostCycles = count.mostCycles
            }
        }
    }

    var path: String
    var kind: String
    var from: String
    var number: UInt32?
    var a: Count
    var b: Count

    init(_ row: DiffPathTable.Row, _ naming: DiffNaming) {
        path = DiffNames.path(row.key, reference: naming.reference)
        kind = EventNames.kind(row.key.kind)
        from = EventNames.context(row.key.from)
        number = row.key.number
        a = Count(row.a)
        b = Count(row.b)
    }
}
