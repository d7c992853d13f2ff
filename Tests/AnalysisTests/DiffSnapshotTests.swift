import Analysis
import Foundation
import Report
import Testing
import Trace

/// The text, the document and the page of one small pair, as they are stored.
@Suite struct DiffSnapshotTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Snapshots")

    private func trace(_ word: String, _ body: (SyntheticTrace) -> Void) -> SyntheticTrace {
        let trace = SyntheticTrace()
        trace.metadata[TraceMetadata.Key.commandLine] = word
        for round in 0..<30 {
            trace.call(1, [1, 0x1000 + UInt64(round), 8], result: 8)
            trace.shadowFault(0x2000 + UInt64(round) << 12)
            if round == 15 { body(trace) }
        }
        trace.console("done <\(word)>\n")
        return trace
    }

    /// `PVREPLAY_RERECORD=1` writes the stored text instead: review the difference.
    private func compare(_ actual: String, _ name: String) throws {
        let place = Self.folder.appending(path: name)
        if ProcessInfo.processInfo.environment["PVREPLAY_RERECORD"] == "1" {
            try actual.write(to: place, atomically: true, encoding: .utf8)
            return
        }
        let stored = try String(contentsOf: place, encoding: .utf8)
        #expect(stored == actual, "\(name) differs. It is now:\n\(actual)")
    }

    @Test func aSmallPair() throws {
        let a = trace("work=5") { $0.call(0, [0, 0x9000, 64], result: 3) }
        let b = trace("work=6") {
            $0.tick()
            $0.guestFault(0x7000)
            $0.call(0, [0, 0x9000, 64], result: 4)
        }
        let difference = try TraceComparison(a.reader(), b.reader()).run()
        let labels = DiffLabels(nameA: "a.pvt", nameB: "b.pvt")
        try compare(DiffText.text(difference, labels) + "\n", "pair.txt")
        try compare(JSONText.pretty(DiffDocument(difference, labels)) + "\n", "pair.json")
        try compare(DiffPage.text(difference, labels), "pair.html")
    }
}
