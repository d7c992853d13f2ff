import Foundation
import Testing

@testable import Report

/// Files beside the tests.
enum Files {
    static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: path)))
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: folder.appending(path: path), encoding: .utf8)
    }

    /// Compares with a stored text. `PVREPLAY_RERECORD=1` writes it instead: review the difference.
    static func compare(
        _ actual: String, with path: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let stored = (try? text(path)) ?? ""
        if stored == actual { return }
        if ProcessInfo.processInfo.environment["PVREPLAY_RERECORD"] == "1" {
            try actual.write(to: folder.appending(path: path), atomically: true, encoding: .utf8)
            return
        }
        Issue.record(
            "\(path) differs. It is now:\n\(actual)", sourceLocation: sourceLocation)
    }
}
