import ArgumentParser
import Replay
import Report
import Trace

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Run a trace again and check every event and digest.",
        discussion: """
            The trace holds all that is needed: images, command line, inputs. A trace of a failing
            boot replays with exit 0 when the failure comes back exactly.

            Examples:
              pvreplay replay boot.pvt
              pvreplay replay boot.pvt --junit result.xml
              pvreplay replay boot.pvt --guest fixed.elf     where does another guest part from it?

            Exit codes: 0 it reproduces, 20 it diverged, 30 the trace is damaged or torn (what is
            there was checked).
            """)

    @Argument(help: ArgumentHelp("The trace.", valueName: "file"))
    var trace: String

    @Option(help: ArgumentHelp("Replay with this host instead.", valueName: "file"))
    var host: String?

    @Option(help: ArgumentHelp("Replay with this guest instead.", valueName: "file"))
    var guest: String?

    @Option(help: "Executor: blocks, or stepwise (the slow oracle).")
    var executor: ExecutorName = .blocks

    @Flag(help: "Print the console text too.")
    var console = false

    @Option(help: ArgumentHelp("Write a JUnit document for CI.", valueName: "file"))
    var junit: String?

    @Flag(help: "Print a JSON document.")
    var json = false

    func run() throws {
        try Failures.reported { try replay() }
    }

    private func replay() throws {
        let reader = try TraceReader(path: trace)
        var configuration = try SessionConfiguration(reader)
        if let host {
            configuration.host = SessionImage(
                name: Files.lastComponent(host), bytes: try Files.read(host))
        }
        if let guest {
            configuration.guest = SessionImage(
                name: Files.lastComponent(guest), bytes: try Files.read(guest))
        }
        let text = try ConsoleText(file: nil, toOutput: console && !json)
        let replayer = try Replayer(
            configuration, executor: executor.executor, reader: reader,
            consoleOutput: { text.put($0) })
        var result = try replayer.run()
        try text.finish()
        if let divergence = result.divergence {
            result.divergence?.instruction = try FirstDifference.find(
                divergence, reader: reader, replayed: configuration)
        }
        try present(result, reader, reference: !configuration.design.isEmpty)
    }

    private func present(
        _ result: ReplayResult, _ reader: TraceReader, reference: Bool
    ) throws {
        if let junit {
            let document = JUnitReport.document(
                trace: Files.lastComponent(trace), result, reference: reference)
            try Files.write(junit, Array(document.utf8))
        }
        if json {
            Output.print(JSONText.pretty(ReplayDocument(result, reference: reference)))
        } else if let divergence = result.divergence {
            Output.print(DivergenceText.text(divergence, reference: reference))
        } else {
            Output.print(
                "reproduced exactly: \(RunText.grouped(result.summary.events)) events, "
                    + "\(RunText.grouped(result.summary.instructions)) instructions, "
                    + "digest \(hex(result.summary.digest))")
            if reader.outcome != nil { Output.print(RunText.sentence(result.summary.end)) }
        }
        if result.divergence != nil { throw ExitStatus.diverged }
        if let damage = reader.damage {
            Output.error("\(trace): the trace is torn; \(damage.description)")
            throw ExitStatus.badTrace
        }
    }
}
