import Foundation
import Testing

/// What users type: help, wrong usage, filters, limits.
@Suite struct CommandLineTests {
    @Test(arguments: ["record", "replay", "info", "show", "diff", "kernels"])
    func helpHasExamples(_ command: String) throws {
        let help = try Tool.run([command, "--help"])
        #expect(help.status == 0)
        #expect(help.text.contains("pvreplay \(command)"))
    }

    @Test(arguments: [
        ["record", "--design", "nonsense"], ["record", "--cpu", "sparc"],
        ["record", "--cpus", "0"], ["record", "--inject", "nmi"],
        ["record", "--inject", "nmi@event:1,cpu:3"], ["record", "--memory", "lots"],
        ["record", "--no-trace", "-o", "x"], ["show"], ["nonsense"], ["replay", "--executor", "x"],
    ])
    func wrongUsageIsExit64(_ arguments: [String]) throws {
        let result = try Tool.run(arguments)
        #expect(result.status == 64)
        #expect(result.error.contains("Error") || result.error.contains("Usage"))
    }

    @Test func anELFFileThatCannotBootSaysWhy() throws {
        let result = try Tool.run(["record", "--no-trace", "--host", "/bin/sh"])
        #expect(result.status == 64)
        #expect(result.error.contains("PVH"))
        let text = try Tool.run(["record", "--no-trace", "--host", #filePath])
        #expect(text.status == 64)
        #expect(try Tool.run(["record", "--host", "/nowhere/host.elf"]).status == 74)
    }

    @Test(arguments: [
        ["--limit-events", "500"], ["--limit-instructions", "500000"],
        ["--limit-cycles", "5_000_000"], ["--limit-bytes", "100K"],
    ])
    func aLimitIsExit11AndReplays(_ limit: [String]) throws {
        let scratch = try Scratch()
        let trace = scratch.path("limited.pvt")
        let record = try Tool.run(["record", "-q", "-o", trace] + limit)
        #expect(record.status == 11, "\(record.error)")
        #expect(try Tool.run(["info", trace, "--json"]).json()["outcome"] as? String == "limit")
        let replay = try Tool.run(["replay", trace])
        #expect(replay.status == 0, "\(replay.text)\(replay.error)")
    }

    /// What never ends is not read into memory until there is none.
    @Test(arguments: ["--kernel", "--expect", "--symbols"])
    func endlessFilesAreExit74(_ option: String) throws {
        var arguments = ["record", "--no-trace", option, "/dev/zero"]
        if option != "--kernel" { arguments += ["--kernel", Tool.path] }
        let result = try Tool.run(arguments)
        #expect(result.status == 74, "\(result.error)")
        #expect(result.error.contains("/dev/zero"))
    }

    @Test func filtersCombine() throws {
        let scratch = try Scratch()
        let trace = scratch.path("boot.pvt")
        #expect(try Tool.run(["record", "-q", "-o", trace, "--append", "work=1"]).status == 0)
        func lines(_ filters: [String]) throws -> [[String: Any]] {
            let result = try Tool.run(["show", trace, "--json"] + filters)
            #expect(result.status == 0)
            return try result.text.split(separator: "\n").map {
                try #require(
                    try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }
        let all = try lines([])
        #expect(all.indices.allSatisfy { all[$0]["sequence"] as? Int == $0 })
        let range = try lines(["--from", "100", "--to", "149"])
        #expect(range.count == 50 && range[0]["sequence"] as? Int == 100)
        let calls = try lines(["--kind", "hypercall", "--context", "guest-kernel"])
        #expect(!calls.isEmpty)
        #expect(calls.allSatisfy { $0["kind"] as? String == "hypercall" })
        #expect(calls.allSatisfy { $0["from"] as? String == "guest-kernel" })
        #expect(try lines(["--kind", "hypercall", "--last", "3"]).count == 3)
        #expect(try lines(["--first", "7"]).count == 7)
        #expect(try lines(["--cpu", "1"]).isEmpty)
        let changes = all.contains { $0["shared"] != nil }
        #expect(changes, "the shared page changes in a boot")
    }

    @Test func twoCPUsRunTheSameBoot() throws {
        let scratch = try Scratch()
        let trace = scratch.path("two.pvt")
        let record = try Tool.run([
            "record", "-q", "-o", trace, "--append", "work=1", "--cpus", "2",
        ])
        #expect(record.status == 0, "\(record.error)")
        #expect(try Tool.run(["replay", trace]).status == 0)
    }

    @Test(arguments: ["intel", "amd"])
    func bothVendorsBoot(_ cpu: String) throws {
        let result = try Tool.run([
            "record", "--no-trace", "-q", "--append", "work=1", "--cpu", cpu,
        ])
        #expect(result.status == 0, "\(result.text)\(result.error)")
    }
}
