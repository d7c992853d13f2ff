import Analysis
import Replay
import Trace

/// A comparison as a table of text.
public struct CompareText {
    private let comparison: Comparison
    private let reference: Bool
    private let nameWidth: Int

    public static func text(_ comparison: Comparison, reference: Bool) -> String {
        CompareText(comparison, reference).text()
    }

    private init(_ comparison: Comparison, _ reference: Bool) {
        self.comparison = comparison
        self.reference = reference
        nameWidth = max(12, comparison.sessions.map(\.name.count).max() ?? 0) + 2
    }

    private func text() -> String {
        var lines = [
            "\(RunText.grouped(UInt64(comparison.items))) system calls, hypercalls, exceptions and "
                + "virtual interrupts of the recorded guest, "
                + "\(RunText.grouped(comparison.guestInstructions)) guest instructions", "",
            heading(),
        ]
        for kind in PathKind.allCases { lines += rows(kind) }
        lines += totals()
        lines += differences()
        lines += failures()
        lines.append("")
        lines += CompareWords.legend
        return lines.joined(separator: "\n")
    }

    private func heading() -> String {
        var line = pad("", nameWidth, left: false) + pad("count", 10)
        for profile in comparison.profiles {
            line += "  " + pad("\(profile): median", 17) + pad("p99", 11) + pad("total", 15)
        }
        return line + pad("instr", 11) + pad("loads", 8) + pad("TLB", 8)
    }

    private func rows(_ kind: PathKind) -> [String] {
        let conclusion = comparison.conclusion(kind)
        var lines: [String] = []
        for (number, session) in comparison.sessions.enumerated() {
            let figures = comparison.runs[number].map { $0.paths[kind.rawValue] }
            guard let first = figures.first ?? nil else { continue }
            var line = pad("  " + session.name, nameWidth, left: false)
            line += pad(RunText.grouped(UInt64(first.count)), 10)
            for (profile, figure) in figures.enumerated() {
                guard let figure else {
                    line += "  " + pad("-", 17) + pad("-", 11) + pad("-", 15)
                    continue
                }
                let mark = conclusion.winners[profile].contains(number) ? "*" : " "
                line += "  " + pad(RunText.grouped(figure.median) + mark, 17)
                line += pad(RunText.grouped(figure.p99), 11)
                line += pad(RunText.grouped(figure.sum.cycles), 15)
            }
            line += pad(CompareWords.mean(first.sum.instructions, first.count), 11)
            line += pad(CompareWords.mean(first.sum.loads, first.count), 8)
            lines.append(line + pad(CompareWords.mean(first.sum.misses, first.count), 8))
        }
        if lines.isEmpty { return [] }
        let note = CompareWords.change(conclusion.change).map { "   <- \($0)" } ?? ""
        return [CompareWords.title(kind) + note] + lines
    }

    private func totals() -> [String] {
        var lines = ["", "totals"]
        func row(_ name: String, _ value: (ComparedRun) -> UInt64) {
            let conclusion = comparison.conclusion(of: value)
            let note = CompareWords.change(conclusion.change).map { "   <- \($0)" } ?? ""
            lines.append("  \(name)\(note)")
            for (number, session) in comparison.sessions.enumerated() {
                var line = pad("    " + session.name, nameWidth + 2, left: false)
                for (profile, run) in comparison.runs[number].enumerated() {
                    let mark = conclusion.winners[profile].contains(number) ? "*" : " "
                    line += pad(
                        "\(comparison.profiles[profile]) \(RunText.grouped(value(run)))\(mark)", 24)
                }
                lines.append(line)
            }
        }
        row("busy cycles", { $0.busy })
        for context in Context.allCases {
            row("cycles in \(CompareWords.title(context))") {
                $0.contexts[Int(context.rawValue)].cycles
                    &- $0.contexts[Int(context.rawValue)].idle
            }
        }
        row("TLB misses", { $0.misses })
        row("TLB misses in guest contexts") {
            $0.contexts[Int(Context.guestKernel.rawValue)].misses
                &+ $0.contexts[Int(Context.guestUser.rawValue)].misses
        }
        row("table loads", { $0.loads })
        row("instructions", { $0.summary.instructions })
        return lines
    }

    private func differences() -> [String] {
        var lines = ["", "the guest's world"]
        for (number, session) in comparison.sessions.enumerated() {
            for (profile, run) in comparison.runs[number].enumerated() {
                let name = "\(session.name), \(comparison.profiles[profile])"
                lines.append("  \(name): \(CompareWords.worldLine(run))")
                if let difference = run.difference {
                    lines += WhatIfText.explanation(difference, reference: reference)
                        .filter { !$0.isEmpty }.map { "      " + $0 }
                }
                if run.ticksOutOfStep > 0 {
                    lines.append(
                        "      timer ticks that could not be kept in step: \(run.ticksOutOfStep)")
                }
            }
        }
        return lines
    }

    private func failures() -> [String] {
        var lines: [String] = []
        for (number, session) in comparison.sessions.enumerated() {
            for (profile, run) in comparison.runs[number].enumerated() {
                guard let failure = run.failure else { continue }
                lines.append(
                    "  \(session.name), \(comparison.profiles[profile]): "
                        + "\(RunText.sentence(run.summary.end))")
                lines.append("      at \(CompareFailure.place(failure, session.configuration))")
                lines += failure.events.map {
                    "      " + EventLine.text($0, changes: [], abi: CallABI(reference: reference))
                }
            }
        }
        return lines.isEmpty ? [] : ["", "what failed, and where"] + lines
    }

    private func pad(_ text: String, _ width: Int, left: Bool = true) -> String {
        EventLine.pad(text, width, left: left)
    }
}

/// Where a session failed, in words.
enum CompareFailure {
    /// `host!do_exit+0x3 (host/traps.c:41), host kernel, rip 0x...`.
    static func place(
        _ failure: ComparedRun.Failure, _ configuration: SessionConfiguration
    ) -> String {
        var symbols = SymbolTable()
        symbols.add(
            image: configuration.host.bytes, name: "host", contexts: [.hostKernel, .hostUser])
        if let guest = configuration.guest {
            symbols.add(
                image: guest.bytes, name: "guest", contexts: [.guestKernel, .guestUser])
        }
        let place = symbols.lookup(failure.rip, in: failure.context)
        let name = place.map { $0.name + ($0.source.map { " (\($0))" } ?? "") } ?? "no symbol"
        return "\(name), \(CompareWords.title(failure.context)), rip \(hex(failure.rip))"
    }
}
