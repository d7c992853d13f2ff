import Analysis
import Replay
import Trace

/// A comparison as one HTML page that needs nothing else: styles, charts (SVG) and tables are in
/// it.
public struct ComparePage {
    private let comparison: Comparison
    private let title: String
    private let reference: Bool
    private static let colours = [
        "#3366aa", "#cc7722", "#338855", "#aa3355", "#775599", "#557788", "#997700", "#aa66aa",
    ]

    /// - Parameter title: plain text; escaped here.
    public static func page(_ comparison: Comparison, title: String, reference: Bool) -> String {
        ComparePage(comparison: comparison, title: title, reference: reference).page()
    }

    private func page() -> String {
        var body = "<h1>\(Markup.escaped(title))</h1>\n"
        body += "<p>\(RunText.grouped(UInt64(comparison.items))) system calls, hypercalls, "
        body += "exceptions and virtual interrupts of the recorded guest, "
        body += "\(RunText.grouped(comparison.guestInstructions)) guest instructions.</p>\n"
        body += key()
        body += chart(
            "Busy cycles", comparison.conclusion(of: { $0.busy }),
            values: { session, profile in comparison.runs[session][profile].busy })
        for kind in PathKind.allCases { body += section(kind) }
        body += worlds()
        body += "<h2>How to read this</h2>\n"
        for line in CompareWords.legend { body += "<p>\(Markup.escaped(line))</p>\n" }
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <title>\(Markup.escaped(title))</title>
            <style>
            body { font: 15px/1.45 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; }
            table { border-collapse: collapse; margin: .5em 0 1em; }
            td, th { padding: .15em .7em; text-align: right; border-bottom: 1px solid #ddd; }
            td:first-child, th:first-child { text-align: left; }
            .best { font-weight: bold; }
            .change { color: #b00020; font-weight: bold; }
            pre { background: #f4f4f4; padding: .7em; overflow-x: auto; }
            svg { display: block; }
            svg text { font: 12px sans-serif; }
            </style>
            </head>
            <body>
            \(body)</body>
            </html>

            """
    }

    private func key() -> String {
        var text = "<p>"
        for (number, session) in comparison.sessions.enumerated() {
            let colour = Self.colours[number % Self.colours.count]
            text +=
                "<span style=\"color:\(colour)\">&#9632;</span> \(Markup.escaped(session.name)) "
        }
        return text + "</p>\n"
    }

    private func section(_ kind: PathKind) -> String {
        let runs = comparison.runs
        guard runs.contains(where: { $0.contains { $0.paths[kind.rawValue] != nil } }) else {
            return ""
        }
        let conclusion = comparison.conclusion(kind)
        var text = chart(
            CompareWords.title(kind) + ": median cycles", conclusion,
            values: { session, profile in runs[session][profile].paths[kind.rawValue]?.median })
        text += "<table><tr><th></th><th>profile</th><th>count</th><th>median</th><th>p99</th>"
        text += "<th>total</th><th>instructions</th><th>table loads</th><th>TLB misses</th></tr>\n"
        for (number, session) in comparison.sessions.enumerated() {
            for (profile, run) in runs[number].enumerated() {
                guard let figures = run.paths[kind.rawValue] else { continue }
                let best = conclusion.winners[profile].contains(number) ? " class=\"best\"" : ""
                let cells = [
                    Markup.escaped(session.name), Markup.escaped(comparison.profiles[profile]),
                    RunText.grouped(UInt64(figures.count)), RunText.grouped(figures.median),
                    RunText.grouped(figures.p99), RunText.grouped(figures.sum.cycles),
                    CompareWords.mean(figures.sum.instructions, figures.count),
                    CompareWords.mean(figures.sum.loads, figures.count),
                    CompareWords.mean(figures.sum.misses, figures.count),
                ]
                text += "<tr\(best)>" + cells.map { "<td>\($0)</td>" }.joined() + "</tr>\n"
            }
        }
        return text + "</table>\n"
    }

    /// Bars: a group for each profile, a bar for each session.
    private func chart(
        _ title: String, _ conclusion: Conclusion, values: (Int, Int) -> UInt64?
    ) -> String {
        var text = "<h2>\(Markup.escaped(title))</h2>\n"
        if let change = CompareWords.change(conclusion.change) {
            text += "<p class=\"change\">\(Markup.escaped(change)).</p>\n"
        }
        let sessions = comparison.sessions.count
        let most = max(
            1,
            comparison.profiles.indices.flatMap { profile in
                (0..<sessions).compactMap { values($0, profile) }
            }.max() ?? 1)
        let height = comparison.profiles.count * (sessions * 18 + 26)
        text += "<svg width=\"860\" height=\"\(height)\" role=\"img\" "
        text += "aria-label=\"\(Markup.escaped(title))\">\n"
        var y = 0
        for (profile, name) in comparison.profiles.enumerated() {
            text += "<text x=\"0\" y=\"\(y + 14)\">\(Markup.escaped(name))</text>\n"
            y += 20
            for session in 0..<sessions {
                guard let value = values(session, profile) else { continue }
                let width = Int(value.multipliedFullWidth(by: 560).low / most)
                let colour = Self.colours[session % Self.colours.count]
                let mark = conclusion.winners[profile].contains(session) ? " *" : ""
                text += "<rect x=\"10\" y=\"\(y)\" width=\"\(max(1, width))\" height=\"14\" "
                text += "fill=\"\(colour)\"/>"
                text += "<text x=\"\(width + 16)\" y=\"\(y + 12)\">"
                text += "\(RunText.grouped(value))\(mark) "
                text += "\(Markup.escaped(comparison.sessions[session].name))</text>\n"
                y += 18
            }
            y += 6
        }
        return text + "</svg>\n"
    }

    private func worlds() -> String {
        var text = "<h2>The guest's world</h2>\n<ul>\n"
        for (number, session) in comparison.sessions.enumerated() {
            for (profile, run) in comparison.runs[number].enumerated() {
                let name = "\(session.name), \(comparison.profiles[profile])"
                text +=
                    "<li>\(Markup.escaped(name)): \(Markup.escaped(CompareWords.worldLine(run)))"
                if let difference = run.difference {
                    let lines = WhatIfText.explanation(difference, reference: reference)
                    text += "<pre>\(Markup.escaped(lines.joined(separator: "\n")))</pre>"
                }
                if let failure = run.failure {
                    let place = CompareFailure.place(failure, session.configuration)
                    text += "<p class=\"change\">"
                    text +=
                        Markup.escaped("\(RunText.sentence(run.summary.end)), at \(place)") + "</p>"
                    let events = failure.events.map {
                        EventLine.text($0, changes: [], abi: CallABI(reference: reference))
                    }
                    text += "<pre>\(Markup.escaped(events.joined(separator: "\n")))</pre>"
                }
                text += "</li>\n"
            }
        }
        return text + "</ul>\n"
    }
}
