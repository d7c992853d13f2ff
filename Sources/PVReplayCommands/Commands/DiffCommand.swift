import Analysis
import ArgumentParser
import Report
import Trace

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Align the events of two traces and say where and how they differ.",
        discussion: """
            Says how the set-ups differ, up to where the runs are identical, the first difference in
            machine terms and the first that the guest sees, then every place where events are
            inserted, missing or changed, and counts and cycles by path. A guest's system calls,
            hypercalls, exceptions and virtual interrupts are aligned apart from what the host does
            out of its sight, so traces of other designs, hosts and guests can be compared too.

            Examples:
              pvreplay diff before.pvt after.pvt
              pvreplay diff a.pvt b.pvt --html diff.html       a timeline of both, marked
              pvreplay diff a.pvt b.pvt --json | jq .streams
              pvreplay diff rfc.pvt pvm.pvt --guest            do they differ for the guest?

            Exit codes: 0 the same, 21 they differ, 30 a trace is damaged or torn (what is there was
            compared and is the same), 74 a file cannot be read or written.
            """)

    @Argument(help: ArgumentHelp("The first trace, A.", valueName: "a"))
    var first: String

    @Argument(help: ArgumentHelp("The second trace, B.", valueName: "b"))
    var second: String

    @Flag(help: "Only what guests compute decides the exit code: cycles and time do not.")
    var guest = false

    @Option(help: "Places shown of each stream.")
    var places = 5

    @Flag(help: "Print a JSON document.")
    var json = false

    @Option(help: ArgumentHelp("Write a page with a timeline of both traces.", valueName: "file"))
    var html: String?

    @Flag(name: .shortAndLong, help: "Print nothing; the exit code tells.")
    var quiet = false

    func validate() throws {
        guard (0...200).contains(places) else {
            throw ValidationError("--places must be 0 to 200")
        }
    }

    func run() throws {
        try Failures.reported { try compare() }
    }

    private func compare() throws {
        let a = try TraceReader(path: first)
        let b = try TraceReader(path: second)
        let progress = Progress(quiet: quiet)
        let comparison = TraceComparison(a, b) { done, total in
            progress.show("\(total == 0 ? 100 : done * 100 / total) % of \(total) records")
        }
        let difference = try comparison.run()
        progress.clear()
        try present(difference, a, b)
        if guest ? !difference.isSameToGuest : !difference.isSame { throw ExitStatus.differ }
        if difference.isTorn {
            for (path, trace) in [(first, difference.a), (second, difference.b)] {
                if let damage = trace.damage {
                    Output.error("\(path): the trace is torn; \(damage)")
                }
            }
            throw ExitStatus.badTrace
        }
    }

    private func present(
        _ difference: TraceDifference, _ a: TraceReader, _ b: TraceReader
    ) throws {
        if quiet && html == nil { return }
        let labels = DiffLabels(
            a, Files.lastComponent(first), b, Files.lastComponent(second))
        if let html {
            try Files.write(html, Array(DiffPage.text(difference, labels).utf8))
        }
        if quiet { return }
        if json {
            Output.print(JSONText.pretty(DiffDocument(difference, labels)))
        } else {
            Output.print(DiffText.text(difference, labels, places: places))
        }
    }
}
