/// How a trace is written.
public struct TraceWriterOptions: Sendable {
    /// Bytes of the shared page in use, 0...4096; 0 where there is none.
    public var sharedSize: Int = 0
    /// Events in a chunk, 1...16384. What a kill of the recorder can lose is at most one chunk.
    public var eventsPerChunk: Int = 16384

    public init() {}
}

/// Writes a trace from its first byte to its last; nothing written is changed later. A chunk
/// reaches the file in one piece as soon as it is complete, so a file that is left at any moment
/// can be read up to its last whole chunk.
///
/// After an error every further call throws it again: what was written before stays readable.
///
/// The same calls give the same bytes. The writer takes records, it does not interpret them.
public final class TraceWriter {
    private var sink: ByteSink
    private let encoder: UnsafeMutablePointer<ChunkEncoder>
    private let compressor = Compressor()
    private let options: TraceWriterOptions
    private var index: [IndexEntry] = []
    private var raw = [UInt8]()
    private var pieces: [Int] = []
    private var block = [UInt8]()
    private var disks = DiskBatch()
    private var consoleBytes: [UInt8] = []
    private var consoleCPU: UInt8 = 0
    private var consoleCycle: UInt64 = 0
    private var failure: TraceError?
    /// What an event looks at. Apart, so that it costs no exclusivity checks.
    private struct Hot {
        /// Whether `failure` is set or console bytes wait.
        var held = false
        /// Bytes written so far.
        var byteCount: UInt64 = 0
    }
    private let hot: UnsafeMutablePointer<Hot>

    /// Sequence number that the next event must have.
    public var nextSequence: UInt64 { encoder.pointee.nextSequence }
    /// Bytes of the chunks written so far: compressed events, returns, console output and inputs.
    public private(set) var eventBytes: UInt64 = 0

    /// Creates `path`, or empties it, and writes the header and the metadata.
    public convenience init(
        path: String, metadata: TraceMetadata, options: TraceWriterOptions = .init()
    ) throws(TraceError) {
        try self.init(ByteSink(path: path), metadata, options)
    }

    /// Writes to an open descriptor from where it stands; the caller closes it. It may be a pipe.
    public convenience init(
        descriptor: Int32, metadata: TraceMetadata, options: TraceWriterOptions = .init()
    ) throws(TraceError) {
        try self.init(ByteSink(descriptor: descriptor, owned: false), metadata, options)
    }

    /// Writes to memory: `bytes` is the trace so far.
    public convenience init(
        metadata: TraceMetadata, options: TraceWriterOptions = .init()
    ) throws(TraceError) {
        try self.init(ByteSink(), metadata, options)
    }

    private init(
        _ sink: ByteSink, _ metadata: TraceMetadata, _ options: TraceWriterOptions
    ) throws(TraceError) {
        self.sink = sink
        self.options = options
        encoder = .allocate(capacity: 1)
        encoder.initialize(
            to: ChunkEncoder(
                sharedSize: options.sharedSize, eventLimit: options.eventsPerChunk))
        hot = .allocate(capacity: 1)
        hot.initialize(to: Hot())
        consoleBytes.reserveCapacity(Chunk.consoleLimit)
        try put(FileHeader.bytes())
        try putBlock(BlockType.metadata, metadata.payload())
    }

    deinit {
        // A writer that was dropped unfinished leaves an incomplete trace, which is what it is.
        try? sink.close()
        encoder.pointee.deallocate()
        encoder.deallocate()
        hot.deallocate()
    }

    /// What was written, of a writer to memory.
    public var bytes: [UInt8] { sink.memory }
    /// Bytes written so far, all blocks together.
    public var byteCount: UInt64 { hot.pointee.byteCount }

    // MARK: Records

    /// Embeds an image; `contents` are its uncompressed bytes. Images come before any record.
    public func append(image: TraceImage, contents: [UInt8]) throws(TraceError) {
        precondition(nextSequence == 0 && image.size == contents.count)
        try check()
        addToIndex(BlockType.image)
        var failed: TraceError?
        contents.withUnsafeBytes { bytes in
            do throws(TraceError) {
                try putFrame(
                    BlockType.image, header: image.header(), bytes, level: Format.imageLevel)
            } catch { failed = error }
        }
        if let failed { throw failed }
    }

    /// Adds an event. `sharedPage` are the `sharedSize` bytes of its VCPU's shared page as they are
    /// now, nil where there is none; they are read during the call only.
    @inline(__always)
    public func append(
        event: UnsafePointer<Event>, sharedPage: UnsafeRawPointer?
    ) throws(TraceError) {
        try prepare()
        precondition(event.pointee.sequence == nextSequence, "events are numbered without gaps")
        encoder.pointee.add(event, page: options.sharedSize > 0 ? sharedPage : nil)
    }

    /// Adds the return from an event that was appended before.
    @inline(__always)
    public func append(return back: EventReturn) throws(TraceError) {
        try prepare()
        precondition(back.event < nextSequence, "a return follows its event")
        encoder.pointee.add(back)
    }

    /// Adds a byte that left the serial port. Bytes with nothing between them become one record
    /// with the first one's cycle.
    public func append(console byte: UInt8, cpu: UInt8, cycle: UInt64) throws(TraceError) {
        try check()
        if !consoleBytes.isEmpty
            && (cpu != consoleCPU || consoleBytes.count == Chunk.consoleLimit)
        {
            try prepare()
        }
        if consoleBytes.isEmpty {
            consoleCPU = cpu
            consoleCycle = cycle
        }
        consoleBytes.append(byte)
        hot.pointee.held = true
    }

    /// Adds an input; at most 64 KiB of bytes.
    public func append(input: Input) throws(TraceError) {
        try prepare()
        encoder.pointee.add(input)
    }

    /// Adds what a chunk of a disk held before the run, the first time that the guest reads it: it
    /// reaches the file before any record that comes after it. Contents that came before, and
    /// zeros, take no room.
    public func append(
        diskChunk chunk: TraceDiskChunk, contents: UnsafeRawBufferPointer
    ) throws(TraceError) {
        try check()
        disks.add(chunk, contents)
        if disks.isFull { try writeDisks() }
    }

    private func writeDisks() throws(TraceError) {
        guard !disks.isEmpty else { return }
        addToIndex(BlockType.disk)
        let header = disks.header()
        if disks.contents.isEmpty {
            try putBlock(BlockType.disk, header, indexed: false)
        } else {
            var failed: TraceError?
            disks.contents.withUnsafeBytes { bytes in
                do throws(TraceError) {
                    try putFrame(
                        BlockType.disk, header: header, bytes, level: Format.diskLevel)
                } catch { failed = error }
            }
            if let failed { throw failed }
        }
        disks.removeAll()
    }

    /// Adds a checkpoint of the machine as it is now. The chunk before it is closed, so the first
    /// record after a checkpoint is the first of a chunk.
    public func append(
        checkpoint info: CheckpointInfo, state: UnsafeRawBufferPointer
    ) throws(TraceError) {
        precondition(info.sequence == nextSequence && info.instructions.count <= 256)
        try flush()
        index.append(
            IndexEntry(
                offset: sink.count, type: BlockType.checkpoint, events: 0,
                sequence: info.sequence, cycle: info.cycle))
        try putFrame(
            BlockType.checkpoint, header: info.header(rawSize: UInt64(state.count)), state,
            level: Format.checkpointLevel)
    }

    public func append(checkpoint info: CheckpointInfo, state: [UInt8]) throws(TraceError) {
        var failed: TraceError?
        state.withUnsafeBytes { bytes in
            do throws(TraceError) {
                try append(checkpoint: info, state: bytes)
            } catch { failed = error }
        }
        if let failed { throw failed }
    }

    /// Writes the chunk that is being filled, if it holds anything.
    public func flush() throws(TraceError) {
        try check()
        flushConsole()
        try writeDisks()
        if encoder.pointee.records > 0 { try writeChunk() }
    }

    /// Writes what is left, the outcome (its numbers of events and returns are the writer's), the
    /// index and the end, and closes the file. Nothing can be appended afterwards.
    public func finish(outcome: Outcome) throws(TraceError) {
        try flush()
        var outcome = outcome
        outcome.events = nextSequence
        outcome.returns = encoder.pointee.returns
        try putBlock(BlockType.outcome, outcome.payload())
        let place = sink.count
        try putBlock(BlockType.index, IndexEntry.payload(index), indexed: false)
        var end = ByteBuilder()
        end.append(place)
        end.append(sink.count + UInt64(Format.endBlockSize))
        end.append(UInt64(0))
        try putBlock(BlockType.end, end.bytes, indexed: false)
        failure = .closed
        hot.pointee.held = true
        try sink.close()
    }

    // MARK: Chunks

    @inline(__always)
    private func prepare() throws(TraceError) {
        if hot.pointee.held { try slowPrepare() }
        if encoder.pointee.isFull { try writeChunk() }
    }

    @inline(never)
    private func slowPrepare() throws(TraceError) {
        try check()
        if encoder.pointee.isFull { try writeChunk() }
        flushConsole()
    }

    private func check() throws(TraceError) {
        if let failure { throw failure }
    }

    private func flushConsole() {
        guard !consoleBytes.isEmpty else { return }
        consoleBytes.withUnsafeBytes {
            encoder.pointee.add(console: $0, cpu: consoleCPU, cycle: consoleCycle)
        }
        consoleBytes.removeAll(keepingCapacity: true)
        hot.pointee.held = false
    }

    private func writeChunk() throws(TraceError) {
        try writeDisks()
        let bound = encoder.pointee.maximumRawSize
        if raw.count < bound { raw = [UInt8](repeating: 0, count: bound) }
        let size = raw.withUnsafeMutableBytes {
            encoder.pointee.finish(into: $0.baseAddress!, pieces: &pieces)
        }
        let header = ChunkHeader(
            firstSequence: encoder.pointee.firstSequence, events: UInt32(encoder.pointee.events),
            records: UInt32(encoder.pointee.records), cycle: encoder.pointee.firstCycle,
            rawSize: UInt32(size), sharedSize: UInt16(options.sharedSize),
            columns: UInt16(ColumnID.count))
        index.append(
            IndexEntry(
                offset: sink.count, type: BlockType.chunk, events: header.events,
                sequence: header.firstSequence, cycle: header.cycle))
        var fixed = [UInt8](repeating: 0, count: Format.chunkHeaderSize)
        fixed.withUnsafeMutableBytes { header.write($0.baseAddress!) }
        encoder.pointee.reset()
        let before = sink.count
        var failed: TraceError?
        raw.withUnsafeBytes { bytes in
            do throws(TraceError) {
                let contents = UnsafeRawBufferPointer(rebasing: bytes[..<size])
                try putFrame(
                    BlockType.chunk, header: fixed, contents,
                    pieces: size >= Format.piecesFrom ? pieces : nil, level: Format.chunkLevel)
            } catch { failed = error }
        }
        if let failed { throw failed }
        eventBytes += sink.count - before
    }

    // MARK: Blocks

    /// Writes a block whose payload is `header` and then `contents` as one zstd frame; with
    /// `pieces`, each of that many bytes has blocks of its own in the frame.
    private func putFrame(
        _ type: UInt32, header: [UInt8], _ contents: UnsafeRawBufferPointer,
        pieces: [Int]? = nil, level: Int32
    ) throws(TraceError) {
        let start = Format.blockHeaderSize + header.count
        let bound = Compressor.bound(contents.count, pieces: pieces?.count ?? 0)
        let room = start + bound + Format.alignment
        if block.count < room { block = [UInt8](repeating: 0, count: room) }
        let total = block.withUnsafeMutableBytes { bytes -> Int in
            bytes.baseAddress!.advanced(by: Format.blockHeaderSize).copyMemory(
                from: header, byteCount: header.count)
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
            var frame = 0
            if let pieces, let source = contents.baseAddress {
                frame = compressor.compress(source, pieces: pieces, level: level, into: rest)
            } else {
                frame = compressor.compress(contents, level: level, into: rest)
            }
            return Self.seal(bytes, type, length: header.count + frame)
        }
        try putPrepared(total)
        // A checkpoint's buffer is not kept for the run's length.
        if block.count > 16 << 20 { block = [] }
    }

    /// Writes a block with this payload as it is.
    private func putBlock(
        _ type: UInt32, _ payload: [UInt8], indexed: Bool = true
    ) throws(TraceError) {
        if indexed { addToIndex(type) }
        let room = Format.blockHeaderSize + payload.count + Format.alignment
        if block.count < room { block = [UInt8](repeating: 0, count: room) }
        let total = block.withUnsafeMutableBytes { bytes -> Int in
            bytes.baseAddress!.advanced(by: Format.blockHeaderSize).copyMemory(
                from: payload, byteCount: payload.count)
            return Self.seal(bytes, type, length: payload.count)
        }
        try putPrepared(total)
    }

    private func addToIndex(_ type: UInt32) {
        index.append(
            IndexEntry(offset: sink.count, type: type, events: 0, sequence: 0, cycle: 0))
    }

    /// Writes the header before a payload of `length` bytes and the padding after it; gives the
    /// block's size.
    private static func seal(
        _ bytes: UnsafeMutableRawBufferPointer, _ type: UInt32, length: Int
    ) -> Int {
        let base = bytes.baseAddress!
        let total = Int(BlockHeader.stride(UInt64(length)))
        let end = Format.blockHeaderSize + length
        for i in end..<total { bytes[i] = 0 }
        let header = BlockHeader(
            type: type, length: UInt64(length),
            payloadChecksum: checksum(base + Format.blockHeaderSize, length))
        header.write(base)
        return total
    }

    private func putPrepared(_ total: Int) throws(TraceError) {
        var failed: TraceError?
        block.withUnsafeBytes { bytes in
            do throws(TraceError) {
                try sink.write(UnsafeRawBufferPointer(rebasing: bytes[..<total]))
            } catch { failed = error }
        }
        if let failed { try fail(failed) }
        hot.pointee.byteCount = sink.count
    }

    private func put(_ bytes: [UInt8]) throws(TraceError) {
        var failed: TraceError?
        bytes.withUnsafeBytes { bytes in
            do throws(TraceError) { try sink.write(bytes) } catch { failed = error }
        }
        if let failed { try fail(failed) }
        hot.pointee.byteCount = sink.count
    }

    private func fail(_ error: TraceError) throws(TraceError) {
        failure = error
        hot.pointee.held = true
        sink.cutToLastWholeWrite()
        throw error
    }
}
