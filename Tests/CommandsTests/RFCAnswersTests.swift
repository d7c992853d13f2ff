import Foundation
import Report
import Testing

/// `Docs/rfc-answers.md` says what runs show: its figures are made anew and compared with what
/// stands there. `PVREPLAY_RERECORD=1` writes them: read the text around them again before you
/// commit.
@Suite struct RFCAnswersTests {
    /// All designs on the default boot.
    static let boot = Result {
        try AnswerFigures.compare(AnswerFigures.designs, record: [])
    }

    /// A median of one path.
    private func medians(_ path: String, _ designs: [String] = AnswerFigures.designs) throws
        -> String
    {
        let comparison = try Self.boot.get()
        return AnswerFigures.table(designs) { vendor, design, profile in
            let found = comparison.paths[vendor]?[design]?[profile]?[path]
            return found.map { RunText.grouped(UInt64($0.median)) } ?? "none"
        }
    }

    /// Figures of whole runs with their change against `rfc`.
    private func totals(
        _ figures: [String: [String: [String: Int]]], _ designs: [String] = AnswerFigures.designs
    ) -> String {
        AnswerFigures.table(designs) { vendor, design, profile in
            guard let value = figures[vendor]?[design]?[profile],
                let base = figures[vendor]?["rfc"]?[profile]
            else { return "none" }
            let text = RunText.grouped(UInt64(value))
            return design == "rfc"
                ? text : "\(text), \(AnswerFigures.change(value, from: base))"
        }
    }

    /// The host's system calls where no guest exists.
    private func hostSystemCalls() throws -> String {
        let designs = ["rfc,entry-hook=lstar", "rfc", "rfc,vcpu-pointer=tss", "rfc-task"]
        let comparison = try AnswerFigures.compare(
            designs, record: ["--no-guest", "--append", "host.work=2000"])
        return AnswerFigures.table(designs) { vendor, design, profile in
            let path = comparison.paths[vendor]?[design]?[profile]?["host-system-call"]
            return path.map { RunText.grouped(UInt64($0.median)) } ?? "none"
        }
    }

    /// How runs end, and what the guest's probes find.
    static let endings: [(arguments: [String], line: String?)] = [
        (["--design", "rfc"], nil),
        (["--design", "rfc-swap-gdt"], nil),
        (["--design", "rfc-swap-gdt-idt"], nil),
        (
            [
                "--design", "rfc-swap-gdt-idt", "--append", "'work=1 host.work=20'", "--inject",
                "nmi@event:99",
            ], nil
        ),
        (
            [
                "--design", "rfc", "--append", "'work=1 host.work=20'", "--inject",
                "nmi@event:99",
            ], nil
        ),
        (["--design", "rfc,entry-stack=task"], nil),
        (["--design", "rfc", "--append", "'probe=read-kernel work=1'"], "probe: "),
        (["--design", "rfc,roots=one", "--append", "'probe=read-kernel work=1'"], "probe: "),
        (["--design", "rfc,roots=one", "--append", "'probe=hypercall work=1'"], "probe: "),
        (
            [
                "--design", "rfc,roots=one,hypercall-mark=mode", "--append",
                "'probe=hypercall work=1'",
            ], "probe: "
        ),
        (["--design", "hardened"], nil),
        (["--design", "pvm"], nil),
    ]

    private func endings() throws -> String {
        var lines = ["| `pvreplay record` | exit | what came of it |", "| --- | --- | --- |"]
        for (arguments, wanted) in Self.endings {
            let words = arguments.map { $0.replacingOccurrences(of: "'", with: "") }
            var told: [String] = []
            for vendor in AnswerFigures.vendors {
                let scratch = try Scratch()
                let result = try Tool.run(
                    [
                        "record", "--no-trace", "--json", "--cpu", vendor, "--console",
                        scratch.path("console"),
                    ] + words)
                let fields = try result.json()
                var text =
                    "\(fields["outcome"] as? String ?? ""): \(fields["reason"] as? String ?? "")"
                if let wanted {
                    let console = String(decoding: try scratch.data("console"), as: UTF8.self)
                    let line = console.split(separator: "\n").first { $0.hasPrefix(wanted) }
                    text = String(line ?? "nothing")
                }
                told.append("\(result.status) | \(text)")
            }
            let shared = told[0] == told[1] ? told[0] : "\(told[0]) (AMD \(told[1]))"
            lines.append("| `\(arguments.joined(separator: " "))` | \(shared) |")
        }
        return lines.joined(separator: "\n")
    }

    private func block(_ name: String) throws -> String {
        switch name {
        case "host-system-call": return try hostSystemCalls()
        case "endings": return try endings()
        case "busy": return totals(try Self.boot.get().busy)
        case "tlb-misses": return totals(try Self.boot.get().misses)
        default: return try medians(name)
        }
    }

    @Test func itsFiguresAreThoseOfToday() throws {
        #expect(try Self.boot.get().apart == ["rfc,roots=one"], "as the document says")
        let text = try String(contentsOf: AnswerFigures.document, encoding: .utf8)
        let begin = "<!-- figures: "
        let end = "\n<!-- end of figures -->"
        var pieces = text.components(separatedBy: begin)
        #expect(pieces.count > 8, "the document has figures")
        for n in pieces.indices.dropFirst() {
            let name = String(pieces[n].prefix { $0 != " " })
            let rest = try #require(pieces[n].range(of: end), "the figures '\(name)' have an end")
            let head = try #require(pieces[n].range(of: " -->\n"))
            let stored = String(pieces[n][head.upperBound..<rest.lowerBound])
            let actual = try block(name)
            if stored == actual { continue }
            pieces[n].replaceSubrange(head.upperBound..<rest.lowerBound, with: actual)
            guard ProcessInfo.processInfo.environment["PVREPLAY_RERECORD"] != "1" else { continue }
            Issue.record("the figures '\(name)' of rfc-answers.md are stale; now:\n\(actual)")
        }
        if ProcessInfo.processInfo.environment["PVREPLAY_RERECORD"] == "1" {
            try pieces.joined(separator: begin).write(
                to: AnswerFigures.document, atomically: true, encoding: .utf8)
        }
    }
}
