import Machine
import Testing
import Trace

@testable import Replay

/// Where the contents of disks come from, while recording and from a trace; disks in checkpoints.
@Suite struct DiskTests {
    /// A file in memory that others can write to and that can fail.
    private final class MemoryFile: DiskFile {
        var bytes: [UInt8]
        var unreadable: Range<UInt64> = 0..<0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        func read(_ offset: UInt64, into room: UnsafeMutableRawBufferPointer) -> Bool {
            if unreadable.overlaps(offset..<offset + UInt64(room.count)) { return false }
            for n in 0..<room.count {
                let place = Int(offset) + n
                room[n] = place < bytes.count ? bytes[place] : 0
            }
            return true
        }
    }

    private static func chunk(_ source: any DiskSource, _ disk: Int, _ number: UInt64) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0xEE, count: 4096)
        let isThere = bytes.withUnsafeMutableBytes {
            source.read(disk: disk, chunk: number, into: $0.baseAddress!)
        }
        return isThere ? bytes : nil
    }

    private static func pattern(_ count: Int, seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 / 4096 + 1) * ($0 ^ seed) >> 2) }
    }

    private static func makeWriter() throws -> TraceWriter {
        var metadata = TraceMetadata()
        metadata[TraceMetadata.Key.tool] = "test"
        return try TraceWriter(metadata: metadata)
    }

    private static func finish(_ writer: TraceWriter) throws -> TraceReader {
        try writer.finish(outcome: Outcome())
        return try TraceReader(bytes: writer.bytes)
    }

    @Test func aTraceGivesWhatWasRead() throws {
        var first = Self.pattern(40960, seed: 3)
        first.replaceSubrange(8192..<12288, with: [UInt8](repeating: 0, count: 4096))
        let files = [MemoryFile(first), MemoryFile(Array(first[4096..<8292]))]
        files[0].unreadable = 20480..<20481
        let writer = try Self.makeWriter()
        let recording = RecordingDisks(files, writer: writer)
        let places: [(Int, UInt64)] = [(0, 1), (0, 2), (1, 0), (1, 1), (0, 9), (0, 5), (0, 1)]
        let read = places.map { Self.chunk(recording, $0.0, $0.1) }
        #expect(read[0] == Array(first[4096..<8192]))
        #expect(read[2] == read[0])
        #expect(read[3]?.suffix(3996).allSatisfy { $0 == 0 } == true)
        #expect(read[5] == nil)
        files[0].unreadable = 0..<0
        #expect(Self.chunk(recording, 0, 5) == nil, "what failed once fails ever after")
        #expect(recording.failure == nil)
        let reader = try Self.finish(writer)
        #expect(try reader.diskDirectory().contentCount == 2)
        let replayed = try TraceDisks(reader)
        for (place, bytes) in zip(places, read) {
            #expect(Self.chunk(replayed, place.0, place.1) == bytes)
        }
        #expect(Self.chunk(replayed, 0, 0) == nil)
        #expect(Self.chunk(replayed, 7, 1) == nil)
        #expect(replayed.failure == nil)
    }

    @Test func aFileThatChangesEndsTheRecording() throws {
        let file = MemoryFile(Self.pattern(16384, seed: 1))
        let recording = RecordingDisks([file], writer: nil)
        #expect(Self.chunk(recording, 0, 1) != nil)
        file.bytes[4] ^= 1
        #expect(Self.chunk(recording, 0, 1) != nil, "elsewhere")
        #expect(recording.failure == nil)
        file.bytes[5000] ^= 1
        #expect(Self.chunk(recording, 0, 1) == nil)
        #expect(recording.failure == .diskChanged(0))
        let other = RecordingDisks([file], writer: nil)
        #expect(Self.chunk(other, 0, 1) != nil)
        file.unreadable = 0..<16384
        #expect(Self.chunk(other, 0, 1) == nil)
        #expect(other.failure == .diskChanged(0))
    }

    @Test func otherContentsThanTheirNameAreRefused() throws {
        let writer = try Self.makeWriter()
        let bytes = Self.pattern(4096, seed: 8)
        try bytes.withUnsafeBytes {
            try writer.append(
                diskChunk: TraceDiskChunk(
                    disk: 0, number: 0, sha256: [UInt8](repeating: 7, count: 32)), contents: $0)
        }
        let disks = try TraceDisks(try Self.finish(writer))
        #expect(Self.chunk(disks, 0, 0) == nil)
        guard case .malformed? = disks.failure else {
            Issue.record("\(String(describing: disks.failure))")
            return
        }
    }

    // MARK: Checkpoints

    @Test func checkpointsHoldDisks() throws {
        let snapshot = MachineSnapshot(
            state: [1, 2, 3], isComplete: false, pageNumbers: [7],
            pages: Self.pattern(4096, seed: 2),
            diskPlaces: [
                DiskPlace(word: 5), DiskPlace(word: 1 << 63 | 6), DiskPlace(word: 1 << 40),
            ],
            diskChunks: Self.pattern(8192, seed: 4))
        let bytes = CheckpointCodec.encode(snapshot)
        #expect(try CheckpointCodec.decode(bytes) == snapshot)
        var plain = snapshot
        plain.diskPlaces = []
        plain.diskChunks = []
        #expect(CheckpointCodec.encode(plain).first == 0, "as it was before there were disks")
        #expect(try CheckpointCodec.decode(CheckpointCodec.encode(plain)) == plain)
        for length in 0..<bytes.count - 8192 {
            #expect(throws: MachineError.self) {
                try CheckpointCodec.decode(Array(bytes[..<length]))
            }
        }
        var huge = bytes
        for n in 0..<8 { huge[16 + 3 + 4 + 4096 + n] = 0xFF }
        #expect(throws: MachineError.self) { try CheckpointCodec.decode(huge) }
        var unknown = bytes
        unknown[0] = 4
        #expect(throws: MachineError.self) { try CheckpointCodec.decode(unknown) }
    }

    // MARK: Metadata

    @Test func whatTheSessionHasIsInItsTrace() throws {
        let host = SessionImage(name: "k", bytes: [0x7F, 0x45, 0x4C, 0x46])
        var session = SessionConfiguration(
            host: host, guest: nil, costs: CostProfile(name: "unit"))
        session.platform = .pc
        session.disks = [
            SessionDisk(name: "a.img", size: 4097),
            SessionDisk(name: "b", size: 1 << 30, isReadOnly: true),
        ]
        session.hasVirtioConsole = true
        session.consoleInput = .virtio
        var read = session
        read.disks = []
        read.hasVirtioConsole = false
        read.consoleInput = .serial
        try read.readDevices(session.metadata)
        #expect(read == session)
        for (key, value) in [
            ("disk.0.size", nil), ("disk.0.size", "0"), ("disk.1.access", "none"),
            ("console", "other"), ("console.input", ""),
        ] as [(String, String?)] {
            var pairs = session.metadata
            pairs[key] = value
            var other = read
            other.disks = []
            #expect(throws: ReplayError.self) { try other.readDevices(pairs) }
        }
    }
}
