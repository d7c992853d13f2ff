/// Where and why a trace stops before its proper end.
public struct TraceDamage: Equatable, Sendable {
    /// Of the first byte that is not part of a whole block.
    public var offset: UInt64
    /// Nil where the file simply ends after a whole block, without an outcome.
    public var error: TraceError?

    /// For people.
    public var description: String {
        if let error { return "read up to byte \(offset): \(error)" }
        return "the recording was not finished: it stops at byte \(offset), after a whole block"
    }
}

/// A chunk of a trace, as the index tells of it.
public struct ChunkInfo: Equatable, Sendable {
    /// Sequence number of its first event.
    public var firstSequence: UInt64
    public var events: Int
    /// Machine time of its first record.
    public var cycle: UInt64
    /// Of its block in the file.
    public var offset: UInt64
}

/// Reads a trace. A complete one is found by its index; of one without (torn, or with a damaged
/// end) all whole blocks up to the first that is not are used, and `damage` says where that is.
///
/// Opening reads the small blocks only. A chunk or checkpoint is checked when it is read; `verify`
/// checks everything. Immutable: any number of threads may read.
public final class TraceReader: Sendable {
    let blocks: BlockReader
    private let contents: TraceContents
    private var limits: TraceLimits { blocks.limits }

    public convenience init(
        path: String, limits: TraceLimits = .init()
    ) throws(TraceError) {
        try self.init(ByteSource(path: path), limits)
    }

    public convenience init(bytes: [UInt8], limits: TraceLimits = .init()) throws(TraceError) {
        try self.init(ByteSource(memory: bytes), limits)
    }

    private init(_ source: ByteSource, _ limits: TraceLimits) throws(TraceError) {
        blocks = BlockReader(source: source, limits: limits)
        contents = try TraceContents.open(blocks)
    }

    public var metadata: TraceMetadata { contents.metadata ?? TraceMetadata() }
    public var images: [TraceImage] { contents.images.map(\.image) }
    public var chunks: [ChunkInfo] { contents.chunks }
    public var checkpoints: [CheckpointInfo] { contents.checkpoints.map(\.info) }
    /// Nil of an incomplete trace that stops before it.
    public var outcome: Outcome? { contents.outcome }
    /// Whether the recording was finished and the file's end is whole.
    public var complete: Bool { contents.complete }
    /// Where an incomplete trace stops; nil of a complete one.
    public var damage: TraceDamage? { contents.damage }
    /// Of the disk blocks.
    var diskOffsets: [UInt64] { contents.disks }
    /// Bytes of all chunks' blocks in the file.
    public var eventBytes: UInt64 { contents.eventBytes }
    /// Bytes of the file.
    public var byteCount: UInt64 { blocks.source.size }
    /// Events in all whole chunks.
    public var eventCount: UInt64 {
        guard let last = contents.chunks.last else { return 0 }
        return last.firstSequence + UInt64(last.events)
    }

    /// Unpacks an image. The caller compares its SHA-256.
    public func loadImage(_ number: Int) throws(TraceError) -> [UInt8] {
        let offset = contents.images[number].offset
        let payload = try blocks.readBlock(offset, BlockType.image, limits.imageBytes)
        let base = offset + UInt64(Format.blockHeaderSize)
        let (image, frame) = try TraceImage.read(payload, base: base, limits: limits)
        return try unpack(payload, frame, image.size, base)
    }

    /// Unpacks a checkpoint's state.
    public func loadCheckpoint(_ number: Int) throws(TraceError) -> [UInt8] {
        let offset = contents.checkpoints[number].offset
        let payload = try blocks.readBlock(offset, BlockType.checkpoint, limits.checkpointBytes)
        let base = offset + UInt64(Format.blockHeaderSize)
        guard payload.count >= Format.checkpointHeaderSize else {
            throw .malformed(offset: base, what: "a checkpoint without its header")
        }
        let cpus = try CheckpointInfo.cpuCount(payload, base: base)
        let start = Format.checkpointHeaderSize + 8 * cpus
        guard payload.count >= start else {
            throw .malformed(offset: base, what: "a checkpoint without its instruction counts")
        }
        let (_, size) = try CheckpointInfo.read(payload, base: base)
        guard size <= limits.checkpointBytes else {
            throw .limit(
                offset: base, what: "the size of a checkpoint", value: size,
                limit: limits.checkpointBytes)
        }
        return try unpack(payload, start, Int(size), base)
    }

    /// The last checkpoint at or before an event that is complete in itself, and those after it
    /// up to the event: restore them in order. Empty if there is none.
    public func checkpoints(before sequence: UInt64) -> Range<Int> {
        let after = contents.checkpoints.firstIndex { $0.info.sequence > sequence }
        let end = after ?? contents.checkpoints.count
        let start = contents.checkpoints[..<end].lastIndex { $0.info.kind == .full }
        return (start ?? end)..<end
    }

    /// The number of the chunk that holds an event, nil if none does.
    public func chunk(of sequence: UInt64) -> Int? {
        var low = 0
        var high = contents.chunks.count
        while low < high {
            let middle = (low + high) / 2
            let chunk = contents.chunks[middle]
            if sequence >= chunk.firstSequence + UInt64(chunk.events) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < contents.chunks.count, contents.chunks[low].firstSequence <= sequence else {
            return nil
        }
        return low
    }

    /// The number of the first chunk after a checkpoint: its first record is the first that
    /// happened after it.
    public func chunk(afterCheckpoint number: Int) -> Int {
        let offset = contents.checkpoints[number].offset
        return contents.chunks.firstIndex { $0.offset > offset } ?? contents.chunks.count
    }

    /// Without a copy of the list.
    var chunkCount: Int { contents.chunks.count }
    func chunk(at number: Int) -> ChunkInfo { contents.chunks[number] }

    /// A cursor before the first record of a chunk; 0 is the trace's start.
    public func cursor(chunk: Int = 0) -> TraceCursor { TraceCursor(self, chunk: chunk) }

    /// All records in order, from a chunk on.
    public func records(chunk: Int = 0) -> RecordIterator {
        RecordIterator(cursor: cursor(chunk: chunk))
    }

    /// Checks every block of the file, known or not, and unpacks every chunk, image and checkpoint.
    /// Throws at the first fault; of an incomplete trace only what is whole is checked.
    public func verify() throws(TraceError) {
        var offset = UInt64(Format.fileHeaderSize)
        let end = contents.damage?.offset ?? blocks.source.size
        while offset < end {
            let header = try blocks.readHeader(offset)
            try blocks.checkPayload(offset, header)
            offset += BlockHeader.stride(header.length)
        }
        for number in contents.images.indices { _ = try loadImage(number) }
        for number in contents.checkpoints.indices { _ = try loadCheckpoint(number) }
        _ = try diskDirectory()
        for number in contents.disks.indices { _ = try loadDiskBlock(number) }
        let cursor = cursor()
        while try cursor.next() != nil {}
    }

    func unpack(
        _ payload: [UInt8], _ start: Int, _ size: Int, _ base: UInt64
    ) throws(TraceError) -> [UInt8] {
        var failure: TraceError?
        let unpacked = payload.withUnsafeBytes { bytes -> [UInt8] in
            do throws(TraceError) {
                return try Decompressor.unpack(
                    UnsafeRawBufferPointer(rebasing: bytes[start...]), size: size,
                    offset: base + UInt64(start))
            } catch {
                failure = error
                return []
            }
        }
        if let failure { throw failure }
        return unpacked
    }
}
