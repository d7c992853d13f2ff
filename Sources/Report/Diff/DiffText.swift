import Analysis
import Trace

/// A comparison of two traces as text for people: the answer first, then the set-up, the first
/// difference, each stream, the console, and counts and cycles by path.
public struct DiffText {
    private let difference: TraceDifference
    private let labels: DiffLabels
    /// Hunks shown of each stream.
    private let places: Int
    private var lines: [String] = []

    public static func text(
        _ difference: TraceDifference, _ labels: DiffLabels, places: Int = 5
    ) -> String {
        var text = DiffText(difference: difference, labels: labels, places: places)
        text.build()
        return text.lines.joined(separator: "\n")
    }

    private init(difference: TraceDifference, labels: DiffLabels, places: Int) {
        self.difference = difference
        self.labels = labels
        self.places = places
    }

    private mutating func build() {
        lines.append(Self.headline(difference, labels))
        damage()
        setup()
        firstDifference()
        if difference.lockstep.first != nil {
            firstForGuest()
            for report in difference.streams { stream(report) }
            console()
        }
        outcome()
        lines += DiffPathTable.lines(difference)
    }

    // MARK: The answer

    static func headline(_ difference: TraceDifference, _ labels: DiffLabels) -> String {
        let names = "A \(labels.nameA), B \(labels.nameB): "
        let events = RunText.grouped(difference.lockstep.identicalEvents)
        if difference.isSame {
            return difference.lockstep.stoppedAtCut
                ? names + "the same as far as both go, \(events) events"
                : names + "the same run, \(events) events"
        }
        guard difference.lockstep.first != nil else {
            return names + "\(events) equal events, but another end"
        }
        if difference.isSameToGuest {
            let timing = difference.firstTimed == nil ? "" : " but time"
            return names + "they differ, in nothing that the guest sees\(timing)"
        }
        return names + "they differ, and the guest sees it"
    }

    private mutating func damage() {
        for (name, trace) in [("A", difference.a), ("B", difference.b)] {
            if let damage = trace.damage {
                lines.append("\(name) is torn (\(damage)); compared as far as it goes")
            }
        }
    }

    private mutating func setup() {
        guard !difference.setup.isEmpty else { return }
        section("Set-up")
        for item in difference.setup {
            lines.append("  " + DiffNames.setup(item.subject))
            lines.append("    A  " + Self.shortened(item.a ?? "(none)"))
            lines.append("    B  " + Self.shortened(item.b ?? "(none)"))
        }
    }

    private static func shortened(_ text: String) -> String {
        text.count <= 160 ? text : text.prefix(157) + "..."
    }

    private mutating func section(_ title: String) {
        lines.append("")
        lines.append(title)
    }

    private func row(_ name: String, _ a: String, _ b: String) -> String {
        "    " + EventLine.pad(name, 22, left: false) + EventLine.pad(a, 28, left: false) + b
    }

    // MARK: The first difference

    private mutating func firstDifference() {
        guard let first = difference.lockstep.first else { return }
        section(
            "First difference, after \(RunText.grouped(first.identicalEvents)) events that are "
                + "identical to the bit")
        record(first)
        guard let other = difference.lockstep.firstBesidesCycles,
            first.fields.contains(where: { $0.field == .cycle }),
            first.fields.allSatisfy({ $0.field == .cycle })
        else { return }
        section(
            "First difference besides cycles, after \(RunText.grouped(other.identicalEvents)) "
                + "events that are else the same")
        record(other)
    }

    private mutating func record(_ first: FirstRecordDifference) {
        var a = first.a
        var b = first.b
        if case .console(let x)? = a, case .console(let y)? = b {
            (a, b) = Self.fromTheDifference(x, y)
        }
        lines.append("  A  " + line(a, labels.symbolsA))
        lines.append("  B  " + line(b, labels.symbolsB))
        fields(first.fields.filter { $0.field != .text }, Self.event(first.a), Self.event(first.b))
        guard !first.before.isEmpty else { return }
        lines.append("  before it, in both:")
        for event in first.before {
            let item = StreamItem(.event, event, isReference: difference.isReference)
            lines.append("     " + DiffNames.line(item, labels.symbolsA))
        }
    }

    /// Two console outputs from the line in which they first differ.
    private static func fromTheDifference(
        _ a: ConsoleOutput, _ b: ConsoleOutput
    ) -> (Record, Record) {
        let equal = zip(a.bytes, b.bytes).prefix { $0 == $1 }.count
        let start = a.bytes.prefix(equal).lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        var x = a
        var y = b
        x.bytes = Array(a.bytes.dropFirst(start))
        y.bytes = Array(b.bytes.dropFirst(start))
        return (.console(x), .console(y))
    }

    private static func event(_ record: Record?) -> Event? {
        if case .event(let event, _) = record { event } else { nil }
    }

    private func line(_ record: Record?, _ symbols: SymbolTable) -> String {
        switch record {
        case .event(let event, _):
            DiffNames.line(
                StreamItem(.event, event, isReference: difference.isReference), symbols)
        case .eventReturn(let back):
            EventLine.text(back).drop { $0 == " " }.description
        case .console(let output):
            "console \(EventLine.quoted(Array(output.bytes.prefix(80)))) at cycle \(output.cycle)"
        case .input(let input): EventLine.text(input).drop { $0 == " " }.description
        case nil: "the end"
        }
    }

    private mutating func fields(_ fields: [FieldDifference], _ a: Event?, _ b: Event?) {
        for field in fields {
            let reference = difference.isReference
            lines.append(
                row(
                    DiffNames.field(field.field),
                    DiffNames.value(field.field, field.a, of: a, reference: reference),
                    DiffNames.value(field.field, field.b, of: b, reference: reference)))
        }
    }

    private mutating func firstForGuest() {
        guard difference.streams.contains(where: { Self.isGuest($0.stream) }) else { return }
        if let first = difference.firstForGuest {
            section("First difference in what the guest does and sees (\(name(first.stream)))")
            hunk(first.hunk, first.stream, limit: StreamLimits.edits)
        } else {
            section("In what the guest does and sees, no event differs but by time, if at all")
        }
        if let shared = difference.firstShared {
            section("First difference in the shared page by the guest's work")
            pair(shared.a, shared.b, shared.stream) { $0.sight == .guest }
        }
        if let timed = difference.firstTimed {
            section("First difference in time as the guest sees it (\(name(timed.stream)))")
            pair(timed.a, timed.b, timed.stream) { $0.sight == .timing }
        }
    }

    private mutating func pair(
        _ a: StreamItem, _ b: StreamItem, _ stream: StreamID, _ pick: (FieldDifference) -> Bool
    ) {
        lines.append("  A  " + DiffNames.line(a, labels.symbolsA))
        lines.append("  B  " + DiffNames.line(b, labels.symbolsB))
        fields(a.differences(from: b, in: stream).filter(pick), a.event, b.event)
    }

    private enum StreamLimits {
        static let edits = 12
        static let groups = 12
    }

    private static func isGuest(_ stream: StreamID) -> Bool {
        if case .guest = stream { true } else { false }
    }

    private func name(_ stream: StreamID) -> String { DiffNames.stream(stream) }

    // MARK: Streams

    private mutating func stream(_ report: StreamReport) {
        section(title(report))
        for parted in report.parted.prefix(3) {
            let place =
                parted.map { "after event \($0.a.event) of A and \($0.b.event) of B" }
                ?? "at the start"
            lines.append("  the streams part \(place): nothing in common was found further on")
        }
        let isForeign = !Self.isGuest(report.stream) && !difference.sameHost
        if isForeign && !report.isSame {
            lines.append("  the hosts are not the same, so only sums are shown")
        } else {
            for hunk in report.hunks.prefix(places) { self.hunk(hunk, report.stream, limit: 6) }
            if report.hunkCount > UInt64(places) && places > 0 {
                lines.append(
                    "  ... and \(RunText.grouped(report.hunkCount - UInt64(places))) places more")
            }
        }
        groups(report)
        fieldCounts(report)
    }

    private func title(_ report: StreamReport) -> String {
        var text = DiffNames.stream(report.stream)
        text = text.prefix(1).uppercased() + text.dropFirst() + ": "
        text += "\(RunText.grouped(report.same)) the same"
        if report.interruptsA != report.interruptsB {
            text += ", \(RunText.grouped(report.interruptsA)) virtual interrupts in A and "
            text += "\(RunText.grouped(report.interruptsB)) in B"
        }
        if report.isSame && report.uncompared == 0 { return text }
        text += ", \(RunText.grouped(report.changed)) changed"
        text += ", \(RunText.grouped(report.missing)) missing in B"
        text += ", \(RunText.grouped(report.inserted)) inserted in B"
        text += ", in \(RunText.grouped(report.hunkCount)) places"
        var notes: [String] = []
        if report.timingHunks > 0 {
            notes.append("\(report.timingHunks) by time or after an interrupt")
        }
        if report.movedHunks > 0 { notes.append("\(report.movedHunks) moved") }
        if report.uncompared > 0 {
            notes.append("\(RunText.grouped(report.uncompared)) beyond a torn end")
        }
        return notes.isEmpty ? text : text + " (" + notes.joined(separator: ", ") + ")"
    }

    private mutating func hunk(_ hunk: Hunk, _ stream: StreamID, limit: Int) {
        let place =
            hunk.after.map { "after event \($0.a.event) of A, \($0.b.event) of B" }
            ?? "at the start"
        var title = "  \(place): "
        var sums: [String] = []
        if hunk.changed > 0 { sums.append("\(hunk.changed) changed") }
        if hunk.missing > 0 { sums.append("\(hunk.missing) missing") }
        if hunk.inserted > 0 { sums.append("\(hunk.inserted) inserted") }
        title += sums.joined(separator: ", ")
        if hunk.isTiming || hunk.followsInterrupt { title += " [time or after an interrupt]" }
        if hunk.counterpart != nil { title += " [moved]" }
        lines.append(title)
        for edit in hunk.edits.prefix(limit) { self.edit(edit, stream) }
        let rest = Int(clamping: hunk.changed + hunk.missing + hunk.inserted)
        let shown = min(limit, hunk.edits.count)
        if rest > shown { lines.append("      ... and \(rest - shown) more") }
    }

    private mutating func edit(_ edit: Edit, _ stream: StreamID) {
        switch edit {
        case .missing(let a): lines.append("    - " + DiffNames.line(a, labels.symbolsA))
        case .inserted(let b): lines.append("    + " + DiffNames.line(b, labels.symbolsB))
        case .changed(let a, let b):
            lines.append("    < " + DiffNames.line(a, labels.symbolsA))
            lines.append("    > " + DiffNames.line(b, labels.symbolsB))
            let all = DiffFields.telling(a, b, in: stream)
            let reference = difference.isReference
            for field in all {
                let x = DiffNames.value(field.field, field.a, of: a.event, reference: reference)
                let y = DiffNames.value(field.field, field.b, of: b.event, reference: reference)
                lines.append("        \(DiffNames.field(field.field)): \(x) -> \(y)")
            }
        }
    }

    private mutating func groups(_ report: StreamReport) {
        guard report.groups.count > 1 || report.hunkCount > UInt64(places) else { return }
        lines.append("  by sort:")
        for group in report.groups.prefix(StreamLimits.groups) {
            lines.append(
                "    " + EventLine.pad(RunText.grouped(group.count), 10) + "  "
                    + DiffFields.title(group))
        }
        if report.groups.count > StreamLimits.groups {
            lines.append("    ... and \(report.groups.count - StreamLimits.groups) sorts more")
        }
    }

    private mutating func fieldCounts(_ report: StreamReport) {
        guard !report.fields.isEmpty else { return }
        lines.append("  among the events that belong together, these fields differ:")
        for count in report.fields {
            let first = count.first
            let reference = difference.isReference
            let x = DiffNames.value(
                count.field, first.valueA, of: nil, reference: reference)
            let y = DiffNames.value(
                count.field, first.valueB, of: nil, reference: reference)
            var text =
                "    " + EventLine.pad(DiffNames.field(count.field), 22, left: false)
                + EventLine.pad(RunText.grouped(count.count), 10)
                + "  first at event \(first.a.event): \(x) -> \(y)"
            if count.field == .cycle || count.field == .instruction {
                text +=
                    "; at the last, "
                    + DiffNames.delta(count.last.valueA, count.last.valueB)
            }
            if count.sight == .timing { text += "  [time]" }
            lines.append(text)
        }
    }

    // MARK: Console, outcome

    private mutating func console() {
        let report = difference.console
        if report.isSame {
            section("Console: \(report.same) lines the same")
            return
        }
        section(
            "Console: \(report.same) lines the same, \(report.changed) changed, "
                + "\(report.missing) missing in B, \(report.inserted) inserted in B")
        for edit in report.edits.prefix(12) {
            switch edit {
            case .missing(let a): lines.append("  - " + DiffNames.console(a))
            case .inserted(let b): lines.append("  + " + DiffNames.console(b))
            case .changed(let a, let b):
                lines.append("  - " + DiffNames.console(a))
                lines.append("  + " + DiffNames.console(b))
            }
        }
        let all = Int(clamping: report.changed + report.missing + report.inserted)
        if all > 12 { lines.append("  ... and \(all - 12) more") }
    }

    private mutating func outcome() {
        guard !difference.outcome.isEmpty else { return }
        section("End")
        for field in difference.outcome { lines.append(row(field.name, field.a, field.b)) }
    }
}
