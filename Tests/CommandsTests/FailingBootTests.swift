import Foundation
import Testing

/// Boots that fail in ways that happen to people: each is recorded, diagnosed and reproduced.
@Suite struct FailingBootTests {
    struct Failure: CustomStringConvertible, Sendable {
        var word: String
        var status: Int32
        var outcome: String
        /// What the diagnosis must name.
        var names: [String]
        var description: String { word }
    }

    static let failures = [
        Failure(word: "wild-jump", status: 10, outcome: "guest-killed", names: ["wild_jump"]),
        Failure(
            word: "page-fault-loop", status: 10, outcome: "guest-killed", names: ["page_fault"]),
        Failure(
            word: "stack-overflow", status: 10, outcome: "guest-killed",
            names: ["double fault", "stack_overflow"]),
        Failure(
            word: "bad-pagetable", status: 10, outcome: "guest-killed", names: ["bad_pagetable"]),
        Failure(word: "null-trap", status: 10, outcome: "guest-killed", names: ["null_trap"]),
        Failure(word: "panic", status: 10, outcome: "guest-panic", names: ["panic"]),
        Failure(word: "init-dies", status: 10, outcome: "guest-panic", names: ["init"]),
        Failure(word: "deadlock", status: 11, outcome: "limit", names: ["deadlock"]),
    ]

    @Test(arguments: failures)
    func itIsRecordedDiagnosedAndReproduced(_ failure: Failure) throws {
        let scratch = try Scratch()
        let trace = scratch.path("fail.pvt")
        var arguments = ["record", "-o", trace, "--append", "fail=\(failure.word)"]
        if failure.status == 11 { arguments += ["--limit-instructions", "30M"] }
        let record = try Tool.run(arguments)
        #expect(record.status == failure.status, "\(record.text)\(record.error)")
        for name in failure.names {
            #expect(record.text.contains(name), "the diagnosis lacks '\(name)':\n\(record.text)")
        }
        #expect(record.text.contains(".c:") || record.text.contains(".S:"), "no source line")
        let info = try Tool.run(["info", trace, "--json"]).json()
        #expect(info["outcome"] as? String == failure.outcome)
        let replay = try Tool.run(["replay", trace])
        #expect(replay.status == 0, "\(replay.text)\(replay.error)")
    }
}
