import Foundation
import Testing

/// The whole product once through: the reference boot recorded, looked at and replayed.
@Suite(.serialized) struct DefaultBootTests {
    nonisolated(unsafe) static let scratch: Scratch? = try? Scratch()
    /// Recorded once, used by all tests here.
    static let recorded: Tool.Result? = {
        guard let scratch else { return nil }
        return try? Tool.run([
            "record", "-o", scratch.path("boot.pvt"), "--console", scratch.path("boot.txt"),
        ])
    }()

    static func trace() throws -> String {
        let result = try #require(recorded)
        try #require(result.status == 0, "\(result.text)\(result.error)")
        return try #require(scratch).path("boot.pvt")
    }

    @Test func itEndsWithACleanShutdownAndEnoughOfEverything() throws {
        let info = try Tool.run(["info", try Self.trace(), "--json"])
        #expect(info.status == 0)
        let fields = try info.json()
        #expect(fields["outcome"] as? String == "shutdown")
        #expect(fields["complete"] as? Bool == true)
        #expect(fields["design"] as? String == "rfc")
        #expect(fields["cpu"] as? String == "intel")
        #expect(fields["format"] != nil && fields["digest"] != nil)
        let kinds = try #require(fields["eventsByKind"] as? [String: Int])
        #expect(kinds["hypercall", default: 0] >= 1000)
        #expect(kinds["exception", default: 0] >= 1000)
        #expect(kinds["interrupt", default: 0] >= 500)
        let events = try #require(fields["events"] as? Int)
        #expect(events == kinds.values.reduce(0, +))
        let bytes = try #require(fields["eventBytes"] as? Int)
        #expect(bytes <= 3 * events, "\(bytes) bytes for \(events) events")
    }

    @Test func theGuestMadeTenThousandSystemCalls() throws {
        let show = try Tool.run([
            "show", try Self.trace(), "--kind", "syscall", "--context", "guest-user", "--json",
        ])
        #expect(show.text.split(separator: "\n").count >= 10_000)
    }

    @Test func itReplaysExactly() throws {
        for executor in ["blocks", "stepwise"] {
            let replay = try Tool.run(["replay", try Self.trace(), "--executor", executor])
            #expect(replay.status == 0, "\(replay.text)\(replay.error)")
        }
    }

    @Test func recordingTwiceGivesTheSameBytes() throws {
        let first = try Self.trace()
        let scratch = try Scratch()
        for (name, arguments) in [
            ("again.pvt", []), ("stepwise.pvt", ["--executor", "stepwise"]),
        ] {
            let result = try Tool.run(["record", "-o", scratch.path(name), "-q"] + arguments)
            #expect(result.status == 0)
            #expect(
                FileManager.default.contentsEqual(atPath: first, andPath: scratch.path(name)),
                "\(name) differs from the first recording")
        }
    }

    @Test func debugAndReleaseRecordTheSameBytes() throws {
        guard FileManager.default.fileExists(atPath: Tool.debugPath), Tool.debugPath != Tool.path
        else {
            print("NOT TESTED: debug against release; set PVREPLAY to a release build")
            return
        }
        let first = try Self.trace()
        let scratch = try Scratch()
        let result = try Tool.run(
            ["record", "-o", scratch.path("debug.pvt"), "-q"], path: Tool.debugPath)
        #expect(result.status == 0, "\(result.error)")
        #expect(
            FileManager.default.contentsEqual(atPath: first, andPath: scratch.path("debug.pvt")))
    }

    @Test func recordingChangesNothing() throws {
        let info = try Tool.run(["info", try Self.trace(), "--json"]).json()
        let plain = try Tool.run(["record", "--no-trace", "--json"]).json()
        for field in ["digest", "instructions", "cycles"] {
            #expect("\(info[field] ?? "")" == "\(plain[field] ?? "none")", "\(field) differs")
        }
    }

    @Test func theCountsAreTheStoredOnes() throws {
        let stored = Tool.root.appending(path: "Benchmarks/Baselines/default-boot.json")
        let expected = try String(contentsOf: stored, encoding: .utf8)
        let info = try Tool.run(["info", try Self.trace(), "--counts"])
        #expect(
            info.text == expected,
            "the default boot's counts changed; if that is meant, run make rerecord")
    }
}
