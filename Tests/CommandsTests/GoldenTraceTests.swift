import Foundation
import Testing

/// Every trace in `Traces/` replays, now and for ever: dropping a file there adds a test.
@Suite struct GoldenTraceTests {
    static let folder = Tool.root.appending(path: "Traces")
    static let traces: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".pvt") }.sorted()

    @Test func thereAreTraces() {
        #expect(!Self.traces.isEmpty)
    }

    @Test(arguments: traces)
    func itReplays(_ name: String) throws {
        let path = Self.folder.appending(path: name).path
        for executor in ["blocks", "stepwise"] {
            let replay = try Tool.run(["replay", path, "--executor", executor])
            #expect(replay.status == 0, "\(replay.text)\(replay.error)")
        }
    }
}
