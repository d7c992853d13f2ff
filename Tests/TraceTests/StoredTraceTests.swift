import Foundation
import Testing

@testable import Trace

/// Every file in `Traces/` is a test. `NAME.pvt` with `NAME.txt` beside it must read as that text
/// says, for ever: it is a trace of a released format, or a damaged one with its diagnosis. Without
/// a text it must only come back with a typed error or records (a file that once crashed or hung a
/// reader).
///
/// `PVREPLAY_RERECORD=1 swift test --filter StoredTraceTests` writes the texts that are missing or
/// differ, and a missing `format-1.0.pvt`; review the difference before committing it.
@Suite(.serialized) struct StoredTraceTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    static let rerecord = ProcessInfo.processInfo.environment["PVREPLAY_RERECORD"] == "1"

    static let names: [String] = {
        let files = try? FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: "Traces").path)
        return (files ?? []).filter { $0.hasSuffix(".pvt") }.sorted()
    }()

    /// What the present format's stored trace holds.
    static let sample = Recording(seed: 2007, count: 220, cpus: 2, eventsPerChunk: 64)

    static func compare(_ actual: String, with url: URL) throws {
        let stored = try? String(contentsOf: url, encoding: .utf8)
        if stored == actual { return }
        if rerecord {
            try actual.write(to: url, atomically: true, encoding: .utf8)
            return
        }
        let old = (stored ?? "").split(separator: "\n", omittingEmptySubsequences: false)
        let new = actual.split(separator: "\n", omittingEmptySubsequences: false)
        let line = zip(old, new).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        let place = line ?? min(old.count, new.count)
        Issue.record(
            """
            \(url.lastPathComponent) differs at line \(place + 1)
            stored: \(place < old.count ? old[place] : "(end)")
            now:    \(place < new.count ? new[place] : "(end)")
            """)
    }

    @Test(arguments: names) func storedTraceReadsAsItDid(name: String) throws {
        let url = Self.folder.appending(path: "Traces/\(name)")
        let bytes = try #require(FileManager.default.contents(atPath: url.path).map(Array.init))
        let text = url.deletingPathExtension().appendingPathExtension("txt")
        let dumped = dump(bytes)
        #expect(!dumped.isEmpty)
        if FileManager.default.fileExists(atPath: text.path) || Self.rerecord {
            try Self.compare(dumped, with: text)
        }
    }

    @Test func thereAreStoredTraces() {
        #expect(Self.names.contains("format-1.0.pvt"))
    }

    /// The header, the small blocks and the columns of a sample, octet by octet: a change of layout
    /// changes this text, and must come with a new format version. Compressed bytes are left out,
    /// as they are zstd's.
    @Test func theLayoutIsAsStored() throws {
        let bytes = try Self.sample.bytes()
        if Self.rerecord {
            let url = Self.folder.appending(path: "Traces/format-1.0.pvt")
            if !FileManager.default.fileExists(atPath: url.path) {
                try Data(bytes).write(to: url)
            }
        }
        try Self.compare(
            try layout(bytes), with: Self.folder.appending(path: "Snapshots/layout.txt"))
    }

    private func layout(_ bytes: [UInt8]) throws -> String {
        var lines = ["file header \(hex(Array(bytes[..<Format.fileHeaderSize])))"]
        for block in try RawBlocks(bytes).blocks {
            lines.append("block \(BlockType.name(block.type))")
            switch block.type {
            case BlockType.chunk:
                let (header, raw) = try RawBlocks.columns(block.payload)
                lines.append(
                    "  header \(hex(Array(block.payload[..<Format.chunkHeaderSize])))")
                var start = 4 * Int(header.columns)
                for id in ColumnID.allCases {
                    let size = raw.withUnsafeBytes {
                        Int($0.baseAddress!.load(UInt32.self, at: 4 * id.rawValue))
                    }
                    lines.append("  \(id) \(hex(Array(raw[start..<(start + size)])))")
                    start += size
                }
            case BlockType.checkpoint, BlockType.image:
                lines.append("  header \(hex(Array(block.payload[..<48])))")
            case BlockType.index, BlockType.end:
                // Their offsets depend on the sizes of compressed blocks.
                lines.append("  \(block.payload.count) bytes")
            default:
                lines.append("  \(hex(block.payload))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
