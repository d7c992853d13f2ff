/// What opening a trace finds: by its index, or by walking from block to block.
struct TraceContents: Sendable {
    var metadata: TraceMetadata?
    var images: [(image: TraceImage, offset: UInt64)] = []
    var chunks: [ChunkInfo] = []
    var checkpoints: [(info: CheckpointInfo, offset: UInt64)] = []
    /// Of the disk blocks.
    var disks: [UInt64] = []
    var outcome: Outcome?
    var complete = false
    var damage: TraceDamage?
    /// Of all chunks' blocks.
    var eventBytes: UInt64 = 0

    static func open(_ blocks: BlockReader) throws(TraceError) -> TraceContents {
        let size = min(blocks.source.size, UInt64(Format.fileHeaderSize))
        try FileHeader.check(try blocks.source.read(0, Int(size), "the file header"))
        var indexFault: TraceError?
        do throws(TraceError) {
            if let entries = try findIndex(blocks) { return try byIndex(blocks, entries) }
        } catch {
            if error.isSystem { throw error }
            indexFault = error
        }
        var contents = try byWalking(blocks)
        if let indexFault, contents.complete {
            contents.complete = false
            contents.damage = TraceDamage(
                offset: indexFault.offset ?? blocks.source.size, error: indexFault)
        }
        guard contents.metadata != nil else {
            throw contents.damage?.error
                ?? .truncated(offset: UInt64(Format.fileHeaderSize), what: "the metadata")
        }
        return contents
    }

    // MARK: By the index

    /// The index that the file's last block points to; nil where the file has no such end.
    private static func findIndex(_ blocks: BlockReader) throws(TraceError) -> [IndexEntry]? {
        let size = blocks.source.size
        guard size >= UInt64(Format.fileHeaderSize + Format.endBlockSize) else { return nil }
        let offset = size - UInt64(Format.endBlockSize)
        let bytes = try blocks.source.read(offset, Format.blockHeaderSize, "the end block")
        guard let header = try? BlockHeader.read(bytes, offset: offset),
            header.type == BlockType.end, header.length == UInt64(Format.endPayloadSize)
        else { return nil }
        let index = try readEnd(blocks, offset)
        let base = index + UInt64(Format.blockHeaderSize)
        return try IndexEntry.read(
            try blocks.readBlock(index, BlockType.index, blocks.limits.blockBytes), base: base)
    }

    /// The index's offset in the end block at `offset`.
    private static func readEnd(
        _ blocks: BlockReader, _ offset: UInt64
    ) throws(TraceError) -> UInt64 {
        let base = offset + UInt64(Format.blockHeaderSize)
        let payload = try blocks.readBlock(
            offset, BlockType.end, UInt64(Format.endPayloadSize))
        var parser = ByteParser(payload, base: base)
        let index = try parser.take(UInt64.self, "end")
        let size = try parser.take(UInt64.self, "end")
        guard size == blocks.source.size else {
            throw .malformed(offset: base + 8, what: "the end tells another file size")
        }
        guard index < offset else {
            throw .malformed(offset: base, what: "the end points outside the file")
        }
        return index
    }

    private static func byIndex(
        _ blocks: BlockReader, _ entries: [IndexEntry]
    ) throws(TraceError) -> TraceContents {
        var contents = TraceContents()
        var least = UInt64(Format.fileHeaderSize)
        for entry in entries {
            guard entry.offset >= least, entry.offset < blocks.source.size else {
                throw .malformed(offset: entry.offset, what: "the index is not in order")
            }
            let header = try blocks.readHeader(entry.offset)
            guard header.type == entry.type else {
                throw .malformed(offset: entry.offset, what: "the index names another block here")
            }
            try contents.add(blocks, entry.offset, header, entry)
            least = entry.offset + BlockHeader.stride(header.length)
        }
        guard contents.metadata != nil, let outcome = contents.outcome else {
            throw .malformed(offset: least, what: "an index without metadata or outcome")
        }
        guard outcome.events == contents.nextSequence else {
            throw .malformed(offset: least, what: "the outcome tells another number of events")
        }
        contents.complete = true
        return contents
    }

    // MARK: By walking

    private static func byWalking(_ blocks: BlockReader) throws(TraceError) -> TraceContents {
        var contents = TraceContents()
        var offset = UInt64(Format.fileHeaderSize)
        var count: UInt64 = 0
        do throws(TraceError) {
            while offset < blocks.source.size {
                count += 1
                guard count <= blocks.limits.blocks else {
                    throw .limit(
                        offset: offset, what: "the number of blocks", value: count,
                        limit: blocks.limits.blocks)
                }
                let header = try blocks.readHeader(offset)
                try blocks.checkPayload(offset, header)
                let next = offset + BlockHeader.stride(header.length)
                if header.type == BlockType.end {
                    try contents.finish(blocks, offset, next)
                    return contents
                }
                try contents.add(blocks, offset, header, nil)
                offset = next
            }
            contents.damage = TraceDamage(offset: offset, error: nil)
        } catch {
            if error.isSystem { throw error }
            contents.damage = TraceDamage(offset: offset, error: error)
        }
        return contents
    }

    /// Notes that the walk came to the end block.
    private mutating func finish(
        _ blocks: BlockReader, _ offset: UInt64, _ next: UInt64
    ) throws(TraceError) {
        guard next == blocks.source.size else {
            throw .malformed(offset: next, what: "bytes after the end")
        }
        _ = try Self.readEnd(blocks, offset)
        guard let outcome, outcome.events == nextSequence else {
            throw .malformed(offset: offset, what: "an end without a matching outcome")
        }
        complete = true
    }

    // MARK: Blocks

    private var nextSequence: UInt64 {
        chunks.last.map { $0.firstSequence + UInt64($0.events) } ?? 0
    }

    /// Takes in a block whose header has been read. `entry` is its line of the index; without one
    /// its payload's checksum has been compared.
    private mutating func add(
        _ blocks: BlockReader, _ offset: UInt64, _ header: BlockHeader, _ entry: IndexEntry?
    ) throws(TraceError) {
        let base = offset + UInt64(Format.blockHeaderSize)
        let limits = blocks.limits
        if metadata == nil && header.type != BlockType.metadata {
            throw .malformed(offset: offset, what: "the metadata is not the first block")
        }
        if outcome != nil && header.type != BlockType.index && isKnown(header.type) {
            throw .malformed(offset: offset, what: "a block after the outcome")
        }
        switch header.type {
        case BlockType.metadata:
            let payload = try blocks.readBlock(offset, header.type, limits.blockBytes)
            guard metadata == nil else {
                throw .malformed(offset: offset, what: "metadata that come twice")
            }
            metadata = try TraceMetadata.read(payload, base: base)
        case BlockType.image:
            let payload = try blocks.readBlock(offset, header.type, limits.imageBytes)
            let image = try TraceImage.read(payload, base: base, limits: limits).image
            images.append((image, offset))
        case BlockType.chunk:
            try addChunk(blocks, offset, header, entry)
        case BlockType.checkpoint:
            try addCheckpoint(blocks, offset, header)
        case BlockType.disk:
            disks.append(offset)
        case BlockType.outcome:
            let payload = try blocks.readBlock(offset, header.type, limits.blockBytes)
            outcome = try Outcome.read(payload, base: base)
        default:
            break
        }
    }

    private func isKnown(_ type: UInt32) -> Bool {
        type == BlockType.metadata || type == BlockType.image || type == BlockType.chunk
            || type == BlockType.checkpoint || type == BlockType.disk
            || type == BlockType.outcome
    }

    private mutating func addChunk(
        _ blocks: BlockReader, _ offset: UInt64, _ header: BlockHeader, _ entry: IndexEntry?
    ) throws(TraceError) {
        var chunk = ChunkInfo(firstSequence: 0, events: 0, cycle: 0, offset: offset)
        if let entry {
            guard Int(entry.events) <= Chunk.eventLimit else {
                throw .malformed(offset: offset, what: "the index tells of too many events")
            }
            chunk.firstSequence = entry.sequence
            chunk.events = Int(entry.events)
            chunk.cycle = entry.cycle
        } else {
            let base = offset + UInt64(Format.blockHeaderSize)
            let size = min(header.length, UInt64(Format.chunkHeaderSize))
            let fixed = try ChunkHeader.read(
                try blocks.source.read(base, Int(size), "a chunk header"), base: base,
                limits: blocks.limits)
            chunk.firstSequence = fixed.firstSequence
            chunk.events = Int(fixed.events)
            chunk.cycle = fixed.cycle
        }
        guard chunk.firstSequence == nextSequence else {
            throw .malformed(offset: offset, what: "events are missing before this chunk")
        }
        guard !chunk.firstSequence.addingReportingOverflow(UInt64(chunk.events)).overflow else {
            throw .malformed(offset: offset, what: "sequence numbers that wrap")
        }
        chunks.append(chunk)
        eventBytes += BlockHeader.stride(header.length)
    }

    private mutating func addCheckpoint(
        _ blocks: BlockReader, _ offset: UInt64, _ header: BlockHeader
    ) throws(TraceError) {
        let base = offset + UInt64(Format.blockHeaderSize)
        guard header.length >= UInt64(Format.checkpointHeaderSize) else {
            throw .malformed(offset: base, what: "a checkpoint without its header")
        }
        let fixed = try blocks.source.read(base, Format.checkpointHeaderSize, "a checkpoint")
        let size =
            Format.checkpointHeaderSize + 8 * (try CheckpointInfo.cpuCount(fixed, base: base))
        guard header.length >= UInt64(size) else {
            throw .malformed(offset: base, what: "a checkpoint without its instruction counts")
        }
        let bytes = try blocks.source.read(base, size, "a checkpoint")
        let info = try CheckpointInfo.read(bytes, base: base).info
        guard info.sequence == nextSequence else {
            throw .malformed(offset: offset, what: "a checkpoint that is not between its events")
        }
        checkpoints.append((info, offset))
    }
}
