/// Reads a trace's records one after the other. What `next` has read lies in the property of its
/// kind until the next call; nothing is allocated for an event or a return.
///
/// A cursor belongs to one thread; a reader can have many.
public final class TraceCursor {
    private let reader: TraceReader
    /// What the reading of a record touches, apart from the class so that it costs no exclusivity
    /// checks.
    private struct State {
        /// Nil until the first chunk is begun.
        var decoder: UnsafeMutablePointer<ChunkDecoder>?
        var inChunk = false
        /// The last page of each VCPU (by its low eight bits), and whose it is.
        var pages: UnsafeMutableRawPointer?
        var owners: UnsafeMutablePointer<UInt16>?
        /// The page of the last event's VCPU before it.
        var before: UnsafeMutableRawPointer?
    }
    private let state: UnsafeMutablePointer<State>
    private var decoderSharedSize = -1
    private let room: UnsafeMutablePointer<ChunkDecoder.Room>
    /// The chunk that comes after the one being read.
    private var nextChunk: Int
    private var failure: TraceError?

    init(_ reader: TraceReader, chunk: Int) {
        self.reader = reader
        nextChunk = chunk
        state = .allocate(capacity: 1)
        state.initialize(to: State())
        room = .allocate(capacity: 1)
        room.initialize(to: ChunkDecoder.Room())
    }

    deinit {
        dropDecoder()
        room.deinitialize(count: 1)
        room.deallocate()
        state.deallocate()
    }

    private func dropDecoder() {
        state.pointee.decoder?.pointee.deallocate()
        state.pointee.decoder?.deallocate()
        state.pointee.pages?.deallocate()
        state.pointee.owners?.deallocate()
        state.pointee.before?.deallocate()
        state.pointee = State()
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
        state.pointee.decoder?.pointee.page ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// The runs of bytes of the shared page that differ from those at the last event with the same
    /// VCPU that this cursor read (from zeros at the first). Runs less than four bytes apart are
    /// joined.
    public func sharedChanges() -> [SharedChange] {
        guard let before = state.pointee.before, let now = sharedPage.baseAddress else { return [] }
        return SharedChange.between(before, now, count: sharedPage.count)
    }

    /// Sequence number of the next event.
    public var nextSequence: UInt64 {
        if state.pointee.inChunk, let decoder = state.pointee.decoder {
            return decoder.pointee.nextSequence
        }
        let chunks = reader.chunks
        return nextChunk < chunks.count ? chunks[nextChunk].firstSequence : reader.eventCount
    }

    // MARK: Reading

    /// Reads the next record and says what it is; nil after the last. After an error every further
    /// call throws it again.
    public func next() throws(TraceError) -> RecordKind? {
        while true {
            if state.pointee.inChunk, let decoder = state.pointee.decoder {
                do throws(TraceError) {
                    if let kind = try decoder.pointee.next(room) {
                        if kind == .event { keepPage() }
                        return kind
                    }
                } catch { try fail(error) }
                state.pointee.inChunk = false
            }
            if try !beginNext() { return nil }
        }
    }

    private func fail(_ error: TraceError) throws(TraceError) {
        failure = error
        state.pointee.inChunk = false
        throw error
    }

    /// Stands before the next chunk's first record; false if there is none.
    private func beginNext() throws(TraceError) -> Bool {
        if let failure { throw failure }
        if nextChunk >= reader.chunkCount { return false }
        do throws(TraceError) { try begin(nextChunk) } catch { try fail(error) }
        nextChunk += 1
        return true
    }

    /// Goes to the place right after the event before `sequence`. False if the trace does not
    /// reach that far; the cursor is then at its end.
    public func seek(toEvent sequence: UInt64) throws(TraceError) -> Bool {
        guard let chunk = reader.chunk(of: sequence) else {
            nextChunk = reader.chunkCount
            state.pointee.inChunk = false
            return sequence == reader.eventCount
        }
        failure = nil
        nextChunk = chunk
        state.pointee.inChunk = false
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
        state.pointee.inChunk = true
    }

    private func prepare(sharedSize: Int) -> UnsafeMutablePointer<ChunkDecoder> {
        if let decoder = state.pointee.decoder, decoderSharedSize == sharedSize { return decoder }
        dropDecoder()
        let made = UnsafeMutablePointer<ChunkDecoder>.allocate(capacity: 1)
        made.initialize(to: ChunkDecoder(sharedSize: sharedSize))
        decoderSharedSize = sharedSize
        let size = max(1, sharedSize)
        let all = UnsafeMutableRawPointer.allocate(
            byteCount: size * Predictor.pageCount, alignment: 8)
        all.initializeMemory(as: UInt8.self, repeating: 0, count: size * Predictor.pageCount)
        let owners = UnsafeMutablePointer<UInt16>.allocate(capacity: Predictor.pageCount)
        owners.initialize(repeating: 0, count: Predictor.pageCount)
        state.pointee.decoder = made
        state.pointee.pages = all
        state.pointee.owners = owners
        state.pointee.before = .allocate(byteCount: size, alignment: 8)
        return made
    }

    /// Keeps the page before the event just read, for `sharedChanges`, and the page now.
    @inline(__always)
    private func keepPage() {
        let now = state.pointee.decoder?.pointee.page
        guard let now, let start = now.baseAddress, let pages = state.pointee.pages,
            let before = state.pointee.before, let owners = state.pointee.owners
        else { return }
        let vcpu = room.pointee.event.vcpu
        let slot = Int(vcpu & 255)
        let last = pages + slot &* now.count
        if owners[slot] == vcpu {
            before.copyMemory(from: last, byteCount: now.count)
        } else {
            before.initializeMemory(as: UInt8.self, repeating: 0, count: now.count)
            owners[slot] = vcpu
        }
        last.copyMemory(from: start, byteCount: now.count)
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
