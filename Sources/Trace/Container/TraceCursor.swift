/// Reads a trace's records one after the other. What `next` has read lies in the property of its
/// kind until the next call; nothing is allocated for an event or a return.
///
/// A cursor belongs to one thread; a reader can have many.
public final class TraceCursor {
    private let reader: TraceReader
    private var decoder: UnsafeMutablePointer<ChunkDecoder>?
    private var decoderSharedSize = -1
    private let room: UnsafeMutablePointer<ChunkDecoder.Room>
    /// The chunk that comes after the one being read.
    private var nextChunk: Int
    private var inChunk = false
    private var failure: TraceError?

    /// The last page of each VCPU (by its low eight bits) and the page before the last event's.
    private var pages: UnsafeMutableRawPointer?
    private var owners = [UInt16](repeating: 0, count: Predictor.pageCount)
    private var before: UnsafeMutableRawPointer?

    init(_ reader: TraceReader, chunk: Int) {
        self.reader = reader
        nextChunk = chunk
        room = .allocate(capacity: 1)
        room.initialize(to: ChunkDecoder.Room())
    }

    deinit {
        dropDecoder()
        room.deinitialize(count: 1)
        room.deallocate()
    }

    private func dropDecoder() {
        decoder?.pointee.deallocate()
        decoder?.deallocate()
        pages?.deallocate()
        before?.deallocate()
        decoder = nil
        pages = nil
        before = nil
    }

    // MARK: What was read

    public var event: UnsafePointer<Event> {
        UnsafeRawPointer(room).assumingMemoryBound(to: Event.self)
    }
    public var eventReturn: EventReturn { room.pointee.eventReturn }
    public var console: ConsoleOutput { room.pointee.console }
    public var input: Input { room.pointee.input }

    /// The shared page at the event just read, empty if it is not known. Valid until the next
    /// record is read.
    public var sharedPage: UnsafeRawBufferPointer {
        decoder?.pointee.page ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// The runs of bytes of the shared page that differ from those at the last event with the same
    /// VCPU that this cursor read (from zeros at the first). Runs less than four bytes apart are
    /// joined.
    public func sharedChanges() -> [SharedChange] {
        guard let before, let now = sharedPage.baseAddress else { return [] }
        return SharedChange.between(before, now, count: sharedPage.count)
    }

    /// Sequence number of the next event.
    public var nextSequence: UInt64 {
        if inChunk, let decoder { return decoder.pointee.nextSequence }
        let chunks = reader.chunks
        return nextChunk < chunks.count ? chunks[nextChunk].firstSequence : reader.eventCount
    }

    // MARK: Reading

    /// Reads the next record and says what it is; nil after the last. After an error every further
    /// call throws it again.
    public func next() throws(TraceError) -> RecordKind? {
        if let failure { throw failure }
        do throws(TraceError) {
            while true {
                if inChunk, let decoder {
                    if let kind = try decoder.pointee.next(room) {
                        if kind == .event { keepPage() }
                        return kind
                    }
                    inChunk = false
                }
                if nextChunk >= reader.chunkCount { return nil }
                try begin(nextChunk)
                nextChunk += 1
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// Goes to the place right after the event before `sequence`. False if the trace does not
    /// reach that far; the cursor is then at its end.
    public func seek(toEvent sequence: UInt64) throws(TraceError) -> Bool {
        guard let chunk = reader.chunk(of: sequence) else {
            nextChunk = reader.chunkCount
            inChunk = false
            return sequence == reader.eventCount
        }
        failure = nil
        nextChunk = chunk
        inChunk = false
        while nextSequence < sequence {
            if try next() == nil { return false }
        }
        return true
    }

    private func begin(_ number: Int) throws(TraceError) {
        let info = reader.chunk(at: number)
        let limits = reader.blocks.limits
        let payload = try reader.blocks.readBlock(info.offset, BlockType.chunk, limits.chunkBytes)
        let base = info.offset + UInt64(Format.blockHeaderSize)
        let header = try ChunkHeader.read(payload, base: base, limits: limits)
        guard header.firstSequence == info.firstSequence, Int(header.events) == info.events else {
            throw .malformed(offset: base, what: "the index tells something else of this chunk")
        }
        let decoder = prepare(sharedSize: Int(header.sharedSize))
        var failed: TraceError?
        payload.withUnsafeBytes { bytes in
            let frame = UnsafeRawBufferPointer(rebasing: bytes[Format.chunkHeaderSize...])
            do throws(TraceError) {
                try decoder.pointee.begin(
                    header, frame: frame, offset: info.offset)
            } catch { failed = error }
        }
        if let failed { throw failed }
        inChunk = true
    }

    private func prepare(sharedSize: Int) -> UnsafeMutablePointer<ChunkDecoder> {
        if let decoder, decoderSharedSize == sharedSize { return decoder }
        dropDecoder()
        let made = UnsafeMutablePointer<ChunkDecoder>.allocate(capacity: 1)
        made.initialize(to: ChunkDecoder(sharedSize: sharedSize))
        decoder = made
        decoderSharedSize = sharedSize
        let size = max(1, sharedSize)
        let all = UnsafeMutableRawPointer.allocate(
            byteCount: size * Predictor.pageCount, alignment: 8)
        all.initializeMemory(as: UInt8.self, repeating: 0, count: size * Predictor.pageCount)
        pages = all
        before = .allocate(byteCount: size, alignment: 8)
        return made
    }

    /// Keeps the page before the event just read, for `sharedChanges`, and the page now.
    private func keepPage() {
        guard let pages, let before, let now = sharedPage.baseAddress else { return }
        let vcpu = room.pointee.event.vcpu
        let slot = Int(vcpu & 255)
        let last = pages + slot * sharedPage.count
        if owners[slot] == vcpu {
            before.copyMemory(from: last, byteCount: sharedPage.count)
        } else {
            before.initializeMemory(as: UInt8.self, repeating: 0, count: sharedPage.count)
            owners[slot] = vcpu
        }
        last.copyMemory(from: now, byteCount: sharedPage.count)
    }
}

extension SharedChange {
    /// The runs of differing bytes of two pages; runs less than four bytes apart are joined.
    public static func between(
        _ old: UnsafeRawPointer, _ new: UnsafeRawPointer, count: Int
    ) -> [SharedChange] {
        var changes: [SharedChange] = []
        var start = -1
        var last = -1
        func close() {
            let bytes = UnsafeRawBufferPointer(start: new + start, count: last - start + 1)
            changes.append(SharedChange(offset: UInt16(start), bytes: Array(bytes)))
        }
        for i in 0..<count
        where old.load(fromByteOffset: i, as: UInt8.self)
            != new.load(fromByteOffset: i, as: UInt8.self)
        {
            if start >= 0, i - last >= 4 {
                close()
                start = i
            } else if start < 0 {
                start = i
            }
            last = i
        }
        if start >= 0 { close() }
        return changes
    }
}

/// All records as values, for readers that can afford an array for each event with changes.
public struct RecordIterator {
    private let cursor: TraceCursor

    init(cursor: TraceCursor) { self.cursor = cursor }

    /// The next record; nil after the last.
    public mutating func next() throws(TraceError) -> Record? {
        switch try cursor.next() {
        case nil: nil
        case .event: .event(cursor.event.pointee, changes: cursor.sharedChanges())
        case .eventReturn: .eventReturn(cursor.eventReturn)
        case .console: .console(cursor.console)
        case .input: .input(cursor.input)
        }
    }
}
