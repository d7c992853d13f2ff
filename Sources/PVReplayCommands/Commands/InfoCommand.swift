import ArgumentParser
import Replay
import Report
import Trace

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Say what a trace holds: outcome, counts, images, machine.",
        discussion: """
            Examples:
              pvreplay info boot.pvt
              pvreplay info boot.pvt --json
              pvreplay info boot.pvt --verify      check every checksum too

            Exit codes: 0, or 30 where the trace is damaged or torn (what is there is shown).
            """)

    @Argument(help: ArgumentHelp("The trace.", valueName: "file"))
    var trace: String

    @Flag(help: "Print a JSON document.")
    var json = false

    @Flag(help: "Print only the deterministic counts, as JSON: what a baseline stores.")
    var counts = false

    @Flag(help: "Check and unpack everything in the file.")
    var verify = false

    func run() throws {
        try Failures.reported {
            let reader = try TraceReader(path: trace)
            let document = try TraceDocument(reader)
            if counts {
                Output.print(JSONText.pretty(document.counts))
            } else if json {
                Output.print(JSONText.pretty(document))
            } else {
                Output.print(document.text)
            }
            if verify { try reader.verify() }
            if let damage = reader.damage {
                Output.error("\(trace): the trace is torn; \(damage.description)")
                throw ExitStatus.badTrace
            }
        }
    }
}
