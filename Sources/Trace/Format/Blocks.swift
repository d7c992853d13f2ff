/// The fixed parts of the blocks, each with its encoder and decoder side by side.

/// What stands before every block's payload.
struct BlockHeader: Equatable {
    var type: UInt32
    /// Bytes of the payload, padding not counted.
    var length: UInt64
    /// XXH3 of the payload.
    var payloadChecksum: UInt64

    /// Bytes from this block's start to the next one's.
    static func stride(_ length: UInt64) -> UInt64 {
        let alignment = UInt64(Format.alignment)
        return UInt64(Format.blockHeaderSize) + (length + alignment - 1) / alignment * alignment
    }

    func write(_ room: UnsafeMutableRawPointer) {
        room.store(type, at: 0)
        room.store(UInt32(0), at: 4)
        room.store(length, at: Format.blockLengthOffset)
        room.store(payloadChecksum, at: Format.blockPayloadChecksumOffset)
        room.store(checksum(room, Format.blockChecksumOffset), at: Format.blockChecksumOffset)
    }

    /// `bytes` are the `blockHeaderSize` bytes at `offset`.
    static func read(_ bytes: [UInt8], offset: UInt64) throws(TraceError) -> BlockHeader {
        var parser = ByteParser(bytes, base: offset)
        let type = try parser.take(UInt32.self, "block header")
        _ = try parser.take(UInt32.self, "block header")
        let length = try parser.take(UInt64.self, "block header")
        let payload = try parser.take(UInt64.self, "block header")
        let stored = try parser.take(UInt64.self, "block header")
        let computed = bytes.withUnsafeBytes {
            checksum($0.baseAddress!, Format.blockChecksumOffset)
        }
        guard stored == computed else { throw .checksum(offset: offset, what: "a block header") }
        return BlockHeader(type: type, length: length, payloadChecksum: payload)
    }
}

enum FileHeader {
    static func bytes() -> [UInt8] {
        var builder = ByteBuilder()
        builder.append(Format.magic)
        builder.append(Format.major)
        builder.append(Format.minor)
        builder.append(UInt32(0))
        builder.append(UInt64(0))
        let sum = builder.bytes.withUnsafeBytes {
            checksum($0.baseAddress!, Format.headerChecksumOffset)
        }
        builder.append(sum)
        return builder.bytes
    }

    static func check(_ bytes: [UInt8]) throws(TraceError) {
        guard bytes.starts(with: Format.magic) else {
            // A few bytes of a trace that was torn at once are still told from something else.
            if !bytes.isEmpty && Format.magic.starts(with: bytes) {
                throw .truncated(offset: 0, what: "the file header")
            }
            throw .notATrace
        }
        guard bytes.count == Format.fileHeaderSize else {
            throw .truncated(offset: 0, what: "the file header")
        }
        var parser = ByteParser(bytes, from: Format.headerChecksumOffset, base: 0)
        let stored = try parser.take(UInt64.self, "file header")
        let computed = bytes.withUnsafeBytes {
            checksum($0.baseAddress!, Format.headerChecksumOffset)
        }
        guard stored == computed else { throw .checksum(offset: 0, what: "the file header") }
        parser = ByteParser(bytes, from: Format.headerVersionOffset, base: 0)
        let major = try parser.take(UInt16.self, "file header")
        let minor = try parser.take(UInt16.self, "file header")
        guard major <= Format.major else { throw .unsupportedVersion(major: major, minor: minor) }
        guard major > 0 else { throw .malformed(offset: 8, what: "format version 0") }
    }
}

/// Before a chunk's frame.
struct ChunkHeader: Equatable {
    /// Sequence number of its first event (of the next one, if it has none).
    var firstSequence: UInt64
    var events: UInt32
    /// Events, returns, console output and inputs.
    var records: UInt32
    /// Machine time of its first record.
    var cycle: UInt64
    /// Bytes of the columns before compression.
    var rawSize: UInt32
    /// Bytes of the shared page.
    var sharedSize: UInt16
    var columns: UInt16

    func write(_ room: UnsafeMutableRawPointer) {
        room.store(firstSequence, at: 0)
        room.store(events, at: 8)
        room.store(records, at: 12)
        room.store(cycle, at: 16)
        room.store(rawSize, at: 24)
        room.store(sharedSize, at: 28)
        room.store(columns, at: 30)
        room.store(UInt64(0), at: 32)
        room.store(UInt64(0), at: 40)
    }

    /// `base` is the payload's place in the file.
    static func read(
        _ payload: [UInt8], base: UInt64, limits: TraceLimits
    ) throws(TraceError) -> ChunkHeader {
        var parser = ByteParser(payload, base: base)
        let header = ChunkHeader(
            firstSequence: try parser.take(UInt64.self, "chunk header"),
            events: try parser.take(UInt32.self, "chunk header"),
            records: try parser.take(UInt32.self, "chunk header"),
            cycle: try parser.take(UInt64.self, "chunk header"),
            rawSize: try parser.take(UInt32.self, "chunk header"),
            sharedSize: try parser.take(UInt16.self, "chunk header"),
            columns: try parser.take(UInt16.self, "chunk header"))
        _ = try parser.take(16, "chunk header")
        guard header.events <= header.records, header.events <= Chunk.eventLimit,
            header.records <= Chunk.recordLimit
        else { throw .malformed(offset: base, what: "a chunk with too many events or records") }
        guard header.firstSequence.addingReportingOverflow(UInt64(header.events)).overflow == false
        else { throw .malformed(offset: base, what: "sequence numbers that wrap") }
        guard header.sharedSize <= Chunk.sharedLimit else {
            throw .limit(
                offset: base, what: "the size of the shared page",
                value: UInt64(header.sharedSize), limit: UInt64(Chunk.sharedLimit))
        }
        guard UInt64(header.rawSize) <= limits.chunkBytes else {
            throw .limit(
                offset: base, what: "the size of a chunk", value: UInt64(header.rawSize),
                limit: limits.chunkBytes)
        }
        return header
    }
}

extension CheckpointInfo {
    /// The bytes before the checkpoint's frame. The last word of the fixed part is a checksum of
    /// all the rest, so that a reader can list checkpoints without reading their states.
    func header(rawSize: UInt64) -> [UInt8] {
        var builder = ByteBuilder()
        builder.append(sequence)
        builder.append(cycle)
        builder.append(eventDigest)
        builder.append(rawSize)
        builder.append(kind.rawValue)
        builder.append(UInt32(instructions.count))
        var tail = ByteBuilder()
        for count in instructions { tail.append(count) }
        let covered = builder.bytes + tail.bytes
        builder.append(covered.withUnsafeBytes { checksum($0.baseAddress!, $0.count) })
        builder.append(tail.bytes)
        return builder.bytes
    }

    /// CPUs in a fixed part of 48 bytes at `base`, bounded before anything of that size is read.
    static func cpuCount(_ bytes: [UInt8], base: UInt64) throws(TraceError) -> Int {
        var parser = ByteParser(bytes, from: 36, base: base)
        let count = try parser.take(UInt32.self, "checkpoint header")
        guard count <= 256 else {
            throw .malformed(offset: base + 36, what: "a checkpoint of \(count) CPUs")
        }
        return Int(count)
    }

    /// `bytes` are the fixed part and the instruction counts.
    static func read(
        _ bytes: [UInt8], base: UInt64
    ) throws(TraceError) -> (info: CheckpointInfo, rawSize: UInt64) {
        let cpus = try cpuCount(bytes, base: base)
        var parser = ByteParser(bytes, base: base)
        var info = CheckpointInfo()
        info.sequence = try parser.take(UInt64.self, "checkpoint header")
        info.cycle = try parser.take(UInt64.self, "checkpoint header")
        info.eventDigest = try parser.take(UInt64.self, "checkpoint header")
        let rawSize = try parser.take(UInt64.self, "checkpoint header")
        let kind = try parser.take(UInt32.self, "checkpoint header")
        _ = try parser.take(UInt32.self, "checkpoint header")
        let stored = try parser.take(UInt64.self, "checkpoint header")
        for _ in 0..<cpus {
            info.instructions.append(try parser.take(UInt64.self, "checkpoint header"))
        }
        let fixed = Format.checkpointHeaderSize
        let covered = Array(bytes[0..<(fixed - 8)] + bytes[fixed..<(fixed + 8 * cpus)])
        guard stored == covered.withUnsafeBytes({ checksum($0.baseAddress!, $0.count) }) else {
            throw .checksum(offset: base, what: "a checkpoint's header")
        }
        guard let known = Kind(rawValue: kind) else {
            throw .malformed(offset: base + 32, what: "checkpoint kind \(kind) is unknown")
        }
        info.kind = known
        return (info, rawSize)
    }
}

/// One line of the index.
struct IndexEntry: Equatable {
    /// Of the block's header in the file.
    var offset: UInt64
    var type: UInt32
    /// Events of a chunk; 0 else.
    var events: UInt32
    /// First event's sequence number of a chunk, next event's of a checkpoint; 0 else.
    var sequence: UInt64
    /// Machine time of a chunk's first record or of a checkpoint; 0 else.
    var cycle: UInt64

    static func payload(_ entries: [IndexEntry]) -> [UInt8] {
        var builder = ByteBuilder()
        builder.append(UInt64(entries.count))
        builder.append(UInt64(0))
        for entry in entries {
            builder.append(entry.offset)
            builder.append(entry.type)
            builder.append(entry.events)
            builder.append(entry.sequence)
            builder.append(entry.cycle)
        }
        return builder.bytes
    }

    static func read(_ payload: [UInt8], base: UInt64) throws(TraceError) -> [IndexEntry] {
        var parser = ByteParser(payload, base: base)
        let count = try parser.take(UInt64.self, "index")
        _ = try parser.take(UInt64.self, "index")
        guard count == UInt64(parser.remaining / Format.indexEntrySize),
            parser.remaining % Format.indexEntrySize == 0
        else { throw .malformed(offset: base, what: "an index of the wrong size") }
        var entries: [IndexEntry] = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            entries.append(
                IndexEntry(
                    offset: try parser.take(UInt64.self, "index"),
                    type: try parser.take(UInt32.self, "index"),
                    events: try parser.take(UInt32.self, "index"),
                    sequence: try parser.take(UInt64.self, "index"),
                    cycle: try parser.take(UInt64.self, "index")))
        }
        return entries
    }
}
