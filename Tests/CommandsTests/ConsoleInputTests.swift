import Foundation
import Testing

/// Bytes typed at the guest's prompt while recording, and what a replay makes of them.
@Suite struct ConsoleInputTests {
    static let typed = "help\necho to be or not to be\nfault\nexit\n"

    /// Typed from a file, and through a pipe whose bytes come when they come.
    @Test(arguments: ["file", "pipe"])
    func whatIsTypedIsRecordedAndReplayed(_ source: String) throws {
        let scratch = try Scratch()
        let trace = scratch.path("shell.pvt")
        var record = ["record", "-o", trace, "--append", "shell", "--console", scratch.path("out")]
        var input: String?
        if source == "file" {
            try Self.typed.write(toFile: scratch.path("in"), atomically: true, encoding: .utf8)
            record += ["--input", scratch.path("in")]
        } else {
            record += ["--input", "-"]
            input = Self.typed
        }
        let result = try Tool.run(record, input: input)
        #expect(result.status == 0, "\(result.text)\(result.error)")
        let console = String(decoding: try scratch.data("out"), as: UTF8.self)
        #expect(console.contains("echo to be or not to be"), "typed bytes are echoed")
        #expect(console.contains("\nto be or not to be"), "the command was carried out")

        let replay = try Tool.run(["replay", trace, "--console"])
        #expect(replay.status == 0, "\(replay.text)\(replay.error)")
        #expect(replay.text.hasPrefix(console), "the replay prints what the recording printed")
        let inputs = try Tool.run(["show", trace, "--returns", "--json"]).text
            .split(separator: "\n").filter { $0.contains("\"record\":\"input\"") }
        #expect(!inputs.isEmpty)
    }

    @Test(arguments: [
        "nmi@event:300", "irq:0x40@event:500", "nmi@cycle:9000000", "nmi@instruction:700000",
    ])
    func anInjectionIsRecordedAndReplayed(_ injection: String) throws {
        let scratch = try Scratch()
        let trace = scratch.path("injected.pvt")
        let record = try Tool.run([
            "record", "-q", "-o", trace, "--append", "work=1", "--inject", injection,
        ])
        // Whether a host survives it is the host's affair.
        #expect([0, 10].contains(record.status), "\(record.error)")
        let info = try Tool.run(["info", trace, "--json"]).json()
        #expect(info["inputs"] as? Int == 1)
        if injection.hasPrefix("nmi") {
            #expect((info["eventsByKind"] as? [String: Int])?["nmi"] == 1)
        }
        for executor in ["blocks", "stepwise"] {
            let replay = try Tool.run(["replay", trace, "--executor", executor])
            #expect(replay.status == 0, "\(replay.text)\(replay.error)")
        }
    }
}
