import Analysis
import Trace

/// A comparison of two traces as one page that needs nothing else: a timeline with A above and B
/// below for each stream, the differences marked, and what the text says under it. No script runs
/// and nothing is fetched; marks have titles for whoever points at them, and link to their places.
public struct DiffPage {
    private let difference: TraceDifference
    private let labels: DiffLabels
    private var html = ""

    public static func text(_ difference: TraceDifference, _ labels: DiffLabels) -> String {
        var page = DiffPage(difference: difference, labels: labels)
        page.build()
        return page.html
    }

    private init(difference: TraceDifference, labels: DiffLabels) {
        self.difference = difference
        self.labels = labels
    }

    static let style = """
        body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;
        color:#1d2330;background:#fff}h1{font-size:1.35em}h2{font-size:1.1em;margin-top:2em}
        table{border-collapse:collapse;margin:.5em 0}td,th{padding:.15em .7em;text-align:left;
        vertical-align:top;border-bottom:1px solid #e3e6ec}td.n,th.n{text-align:right;
        font-variant-numeric:tabular-nums}code,pre{font:12.5px/1.4 ui-monospace,monospace}
        pre{background:#f5f6f9;padding:.8em;overflow-x:auto}
        svg{width:100%;height:auto;display:block}
        .m{color:#a3161f}.i{color:#12672f}.c{color:#8a5300}.t{color:#5a6372}
        .key span{display:inline-block;width:.9em;height:.9em;margin:0 .3em 0 1em;
        vertical-align:-.1em}details{margin:.4em 0}summary{cursor:pointer}
        """

    private mutating func build() {
        let title = "\(labels.nameA) and \(labels.nameB)"
        html += "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        html += "<title>pvreplay diff: \(Markup.escaped(title))</title>\n"
        html += "<style>\(Self.style)</style></head><body>\n"
        html += "<h1>\(Markup.escaped(DiffText.headline(difference, labels)))</h1>\n"
        for (name, trace) in [("A", difference.a), ("B", difference.b)] {
            if let damage = trace.damage {
                html +=
                    "<p class=\"m\">\(name) is torn (\(Markup.escaped(damage))); compared as far "
                html += "as it goes.</p>\n"
            }
        }
        summary()
        setup()
        if !difference.streams.isEmpty { legend() }
        for (number, report) in difference.streams.enumerated() { stream(report, number) }
        console()
        paths()
        html += "</body></html>\n"
    }

    // MARK: Tables

    private mutating func table(
        _ head: [String], _ rows: [[String]], numbers: Bool = false
    ) {
        html += "<table><tr>"
        let style = numbers ? " class=\"n\"" : ""
        for (place, cell) in head.enumerated() {
            html += "<th\(place == 0 ? "" : style)>\(Markup.escaped(cell))</th>"
        }
        html += "</tr>\n"
        for row in rows {
            html += "<tr>"
            for (place, cell) in row.enumerated() {
                html += "<td\(place == 0 ? "" : style)>\(Markup.escaped(cell))</td>"
            }
            html += "</tr>\n"
        }
        html += "</table>\n"
    }

    private mutating func summary() {
        let a = difference.a
        let b = difference.b
        var rows = [
            ["trace", labels.nameA, labels.nameB],
            ["design", a.design, b.design],
            ["events", RunText.grouped(a.events), RunText.grouped(b.events)],
            ["instructions", RunText.grouped(a.instructions), RunText.grouped(b.instructions)],
            ["cycles", RunText.grouped(a.cycles), RunText.grouped(b.cycles)],
            ["end", Self.end(a), Self.end(b)],
        ]
        for field in difference.outcome where field.name == "machine digest" {
            rows.append([field.name, field.a, field.b])
        }
        table(["", "A", "B"], rows)
        guard let first = difference.lockstep.first else { return }
        html += "<h2>First difference, after \(RunText.grouped(first.identicalEvents)) events "
        html += "that are identical to the bit</h2>\n"
        let text = DiffText.text(difference, labels, places: 0)
        let parts = text.split(separator: "\n\n", omittingEmptySubsequences: true)
        for part in parts where part.hasPrefix("First difference") {
            let lines = part.split(separator: "\n")
            if !part.hasPrefix("First difference, after") {
                html += "<h2>\(Markup.escaped(String(lines[0])))</h2>\n"
            }
            html += "<pre>"
            for line in lines.dropFirst() { html += Self.marked(String(line)) + "\n" }
            html += "</pre>\n"
        }
    }

    private static func end(_ trace: ComparedTrace) -> String {
        trace.outcome.map { "\($0.kind.name): \($0.reason)" } ?? "none"
    }

    private mutating func setup() {
        guard !difference.setup.isEmpty else { return }
        html += "<h2>Set-up</h2>\n"
        table(
            ["", "A", "B"],
            difference.setup.map {
                [DiffNames.setup($0.subject), $0.a ?? "(none)", $0.b ?? "(none)"]
            })
    }

    private mutating func console() {
        let report = difference.console
        html += "<h2>Console: \(report.same) lines the same, \(report.changed) changed, "
        html += "\(report.missing) missing in B, \(report.inserted) inserted in B</h2>\n"
        guard !report.edits.isEmpty else { return }
        html += "<pre>"
        func line(_ sign: String, _ line: ConsoleLine) -> String {
            Self.marked("\(sign) \(line.number): \(DiffNames.console(line))") + "\n"
        }
        for edit in report.edits {
            switch edit {
            case .missing(let a): html += line("-", a)
            case .inserted(let b): html += line("+", b)
            case .changed(let a, let b): html += line("-", a) + line("+", b)
            }
        }
        html += "</pre>\n"
    }

    private mutating func paths() {
        html += "<h2>Counts and cycles by path</h2>\n"
        let rows = DiffPathTable.rows(difference).map { row in
            [
                DiffNames.path(row.key, reference: difference.isReference),
                RunText.grouped(row.a.events), RunText.grouped(row.b.events),
                DiffNames.delta(row.a.events, row.b.events), RunText.grouped(row.a.cycles),
                RunText.grouped(row.b.cycles), DiffNames.delta(row.a.cycles, row.b.cycles),
            ]
        }
        table(
            ["path", "A", "B", "B-A", "cycles A", "cycles B", "B-A"], rows, numbers: true)
    }

    // MARK: Streams

    private mutating func legend() {
        html += "<h2>Timeline</h2>\n<p class=\"key\">From left to right: each trace's events from "
        html += "first to last, A above, B below, joined where events belong together."
        for (colour, name) in [
            (DiffTimeline.same, "the same"), (DiffTimeline.changed, "changed"),
            (DiffTimeline.missing, "missing in B"), (DiffTimeline.inserted, "inserted in B"),
        ] { html += "<span style=\"background:\(colour)\"></span>\(name)" }
        html += "</p>\n"
    }

    private mutating func stream(_ report: StreamReport, _ number: Int) {
        html += "<h2>\(Markup.escaped(DiffNames.stream(report.stream).capitalisedFirst)): "
        html += "\(RunText.grouped(report.same)) the same, "
        html += "\(RunText.grouped(report.changed)) changed, "
        html += "\(RunText.grouped(report.missing)) missing in B, "
        html += "\(RunText.grouped(report.inserted)) inserted in B</h2>\n"
        html += DiffTimeline.svg(report, difference, stream: number)
        if report.hunkCount > UInt64(report.hunks.count) {
            html += "<p>The first \(report.hunks.count) of "
            html += "\(RunText.grouped(report.hunkCount)) places:</p>\n"
        }
        for (place, hunk) in report.hunks.enumerated() { self.hunk(hunk, report, number, place) }
        guard !report.groups.isEmpty else { return }
        html += "<details><summary>By sort</summary>\n"
        table(
            ["sort", "count"],
            report.groups.map { [DiffFields.title($0), RunText.grouped($0.count)] },
            numbers: true)
        html += "</details>\n"
    }

    private mutating func hunk(
        _ hunk: Hunk, _ report: StreamReport, _ number: Int, _ place: Int
    ) {
        let after =
            hunk.after.map { "after event \($0.a.event) of A, \($0.b.event) of B" }
            ?? "at the start"
        html += "<details id=\"s\(number)p\(place)\"\(place < 5 ? " open" : "")><summary>\(after): "
        html += "\(hunk.changed) changed, \(hunk.missing) missing, \(hunk.inserted) inserted"
        if hunk.isTiming || hunk.followsInterrupt {
            html += " <span class=\"t\">time or after an interrupt</span>"
        }
        if let other = hunk.counterpart {
            html +=
                other < UInt64(report.hunks.count)
                ? " <a href=\"#s\(number)p\(other)\">moved</a>" : " moved"
        }
        html += "</summary><pre>"
        for edit in hunk.edits { html += self.edit(edit, report.stream) }
        html += "</pre></details>\n"
    }

    private func edit(_ edit: Edit, _ stream: StreamID) -> String {
        switch edit {
        case .missing(let a):
            return Self.marked("- " + DiffNames.line(a, labels.symbolsA)) + "\n"
        case .inserted(let b):
            return Self.marked("+ " + DiffNames.line(b, labels.symbolsB)) + "\n"
        case .changed(let a, let b):
            var text = Self.marked("< " + DiffNames.line(a, labels.symbolsA)) + "\n"
            text += Self.marked("> " + DiffNames.line(b, labels.symbolsB)) + "\n"
            let reference = difference.isReference
            for field in DiffFields.telling(a, b, in: stream) {
                let x = DiffNames.value(field.field, field.a, of: a.event, reference: reference)
                let y = DiffNames.value(field.field, field.b, of: b.event, reference: reference)
                text += Markup.escaped("    \(DiffNames.field(field.field)): \(x) -> \(y)") + "\n"
            }
            return text
        }
    }

    // MARK: Text

    /// A line coloured by the sign that it begins with.
    private static func marked(_ line: String) -> String {
        let sorts: [Character: String] = ["-": "m", "+": "i", "<": "c", ">": "c"]
        let sign = line.first { $0 != " " }
        guard let sign, let sort = sorts[sign] else { return Markup.escaped(line) }
        return "<span class=\"\(sort)\">\(Markup.escaped(line))</span>"
    }
}

extension String {
    fileprivate var capitalisedFirst: String { prefix(1).uppercased() + dropFirst() }
}
