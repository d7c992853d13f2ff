import Foundation
import SeededRandom
import Testing

@testable import Trace

/// Chunks of disks in a trace: each distinct content once, found again, and nothing believed.
@Suite struct DiskBlockTests {
    /// What the stored trace of format 1.1 holds: a disk's chunk before each of a few events.
    static func sample(chunks: Int = 20, eventsPerChunk: Int = 4) throws -> [UInt8] {
        var options = TraceWriterOptions()
        options.eventsPerChunk = eventsPerChunk
        var metadata = TraceMetadata()
        metadata[TraceMetadata.Key.tool] = "test"
        let writer = try TraceWriter(metadata: metadata, options: options)
        for n in 0..<chunks {
            try append(writer, disk: n % 2, number: UInt64(n * 3), contents: contents(n))
            var event = Event()
            event.sequence = UInt64(n)
            event.cycle = UInt64(n) * 100
            event.digest = UInt64(n)
            try writer.append(event: &event, sharedPage: nil)
        }
        var outcome = Outcome()
        outcome.reason = "sample"
        try writer.finish(outcome: outcome)
        return writer.bytes
    }

    /// Every fourth is zeros, every sixth as an earlier one.
    static func contents(_ n: Int) -> [UInt8] {
        if n % 4 == 3 { return [UInt8](repeating: 0, count: 4096) }
        let seed = n % 6 == 5 ? n - 5 : n
        return (0..<4096).map { UInt8(truncatingIfNeeded: $0 * (seed + 1) >> 3 ^ seed) }
    }

    /// Stands for a SHA-256, which this module leaves to its callers.
    static func name(_ bytes: [UInt8]) -> [UInt8] {
        let sum = bytes.withUnsafeBytes { checksum($0.baseAddress!, $0.count) }
        return (0..<32).map { UInt8(truncatingIfNeeded: sum >> UInt64($0 % 8 * 8)) }
    }

    private static func append(
        _ writer: TraceWriter, disk: Int, number: UInt64, contents: [UInt8]
    ) throws {
        let chunk = TraceDiskChunk(
            disk: UInt16(disk), number: number, sha256: name(contents))
        var failure: TraceError?
        contents.withUnsafeBytes { bytes in
            do throws(TraceError) {
                try writer.append(diskChunk: chunk, contents: bytes)
            } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private static func find(
        _ reader: TraceReader, _ directory: TraceDiskDirectory, disk: Int, number: UInt64
    ) throws -> [UInt8]? {
        switch directory[disk, number] {
        case nil: return nil
        case .zeros: return [UInt8](repeating: 0, count: 4096)
        case .contents(let block, let index):
            let bytes = try reader.loadDiskBlock(block)
            let found = Array(bytes[index * 4096..<(index + 1) * 4096])
            #expect(directory.digests[block][index] == name(found))
            return found
        }
    }

    @Test func chunksAreFoundAgain() throws {
        let reader = try TraceReader(bytes: try Self.sample())
        #expect(reader.complete)
        try reader.verify()
        let directory = try reader.diskDirectory()
        for n in 0..<20 {
            let found = try Self.find(reader, directory, disk: n % 2, number: UInt64(n * 3))
            #expect(found == Self.contents(n))
        }
        #expect(directory[0, 3] == nil)
        #expect(directory.numbers(disk: 1) == stride(from: 3, to: 60, by: 6).map { UInt64($0) })
        let distinct = Set((0..<20).map { Self.contents($0) }).count - 1
        #expect(directory.contentCount == distinct)
    }

    /// A chunk of events never comes before what the guest read to get there.
    @Test func aTornTraceHasWhatItsEventsNeed() throws {
        let bytes = try Self.sample()
        for length in stride(from: 100, to: bytes.count, by: 97) {
            guard let reader = try? TraceReader(bytes: Array(bytes[..<length])) else { continue }
            let directory = try reader.diskDirectory()
            for n in 0..<Int(reader.eventCount) {
                let found = try Self.find(reader, directory, disk: n % 2, number: UInt64(n * 3))
                #expect(found == Self.contents(n), "event \(n) of \(length) bytes")
            }
        }
    }

    @Test func forgedBlocksAreRefused() throws {
        let original = try RawBlocks(try Self.sample(eventsPerChunk: 100))
        let place = try #require(original.blocks.firstIndex { $0.type == BlockType.disk })
        func refused(_ change: (inout [UInt8]) -> Void) -> Bool {
            var blocks = original
            change(&blocks.blocks[place].payload)
            do {
                try TraceReader(bytes: blocks.bytes).verify()
                return false
            } catch { return !error.isSystem }
        }
        #expect(!refused { $0[8] = 7 }, "a reserved field")
        #expect(refused { $0[0] = 0xFF }, "more entries")
        #expect(refused { $0[3] = 0xFF }, "a huge count of entries")
        #expect(refused { $0[4] = 1 }, "fewer contents")
        #expect(refused { $0[7] = 0xFF }, "a huge count of contents")
        #expect(refused { $0[16 + 42] = 9 }, "an unknown kind")
        #expect(refused { $0[16 + 42] = 2 }, "contents that never came")
        #expect(refused { $0[16 + 41] = 1 }, "disk 256")
        #expect(refused { $0[16 + 39] = 1 }, "a chunk beyond any disk")
        #expect(refused { $0[16 + 96 + 32] = 0 }, "a chunk that comes twice")
        #expect(refused { $0.removeLast(3) }, "a frame that is cut")
        #expect(refused { $0.removeLast($0.count - 20) }, "entries that are cut")
        var numbers = SplitMix64(11)
        for _ in 0..<1500 {
            var blocks = original
            let count = blocks.blocks[place].payload.count
            for _ in 0...numbers.below(3) {
                let limit = numbers.chance(70) ? 1100 : count
                blocks.blocks[place].payload[numbers.below(limit)] = UInt8(numbers.below(256))
            }
            guard let reader = try? TraceReader(bytes: blocks.bytes) else { continue }
            guard let directory = try? reader.diskDirectory() else { continue }
            for n in directory.digests.indices { _ = try? reader.loadDiskBlock(n) }
        }
    }

    @Test func theStoredTraceIsOfThisFormat() throws {
        let url = StoredTraceTests.folder.appending(path: "Traces/format-1.1.pvt")
        if StoredTraceTests.rerecord, !FileManager.default.fileExists(atPath: url.path) {
            try Data(try Self.sample()).write(to: url)
        }
        #expect(FileManager.default.fileExists(atPath: url.path))
    }
}
