/// The block device's requests (Virtio 1.2, 5.2) against a disk: what the guest wrote, and beneath
/// it the disk as it was.
struct VirtioBlock {
    static let configurationSize: UInt32 = 60
    /// The most bytes that one request may move; more is an I/O error.
    static let maximumRequest: UInt64 = 64 << 20
    private static let maximumRanges = 16
    /// Sectors that one range of a discard or of zeros may have.
    private static let maximumRange: UInt32 = 1 << 22

    private enum Feature {
        static let segmentMaximum: UInt64 = 1 << 2
        static let readOnly: UInt64 = 1 << 5
        static let blockSize: UInt64 = 1 << 6
        static let flush: UInt64 = 1 << 9
        static let discard: UInt64 = 1 << 13
        static let writeZeroes: UInt64 = 1 << 14
    }

    private enum Request {
        static let read: UInt32 = 0
        static let write: UInt32 = 1
        static let flush: UInt32 = 4
        static let identify: UInt32 = 8
        static let discard: UInt32 = 11
        static let writeZeroes: UInt32 = 13
    }

    private enum Status: UInt8 {
        case done = 0
        case failed = 1
        case unsupported = 2
    }

    static func features(_ disk: Disk) -> UInt64 {
        let both = Feature.segmentMaximum | Feature.blockSize | Feature.flush
        return both
            | (disk.isReadOnly ? Feature.readOnly : Feature.discard | Feature.writeZeroes)
    }

    /// A word of the device's configuration (5.2.4).
    static func configurationWord(_ offset: Int, _ disk: Disk) -> UInt32 {
        let isWritable = !disk.isReadOnly
        switch offset {
        case 0: return UInt32(truncatingIfNeeded: disk.sectors)
        case 4: return UInt32(truncatingIfNeeded: disk.sectors >> 32)
        case 12: return UInt32(VirtioQueue.maximumSize) - 2
        case 20: return 512
        case 36, 48: return isWritable ? maximumRange : 0
        case 40, 52: return isWritable ? UInt32(maximumRanges) : 0
        case 44: return isWritable ? UInt32(DiskOverlay.chunkSize / 512) : 0
        case 56: return isWritable ? 1 : 0
        default: return 0
        }
    }

    let disk: Disk
    let number: Int
    let overlay: DiskOverlay
    let source: (any DiskSource)?
    let memory: GuestMemory
    /// Whether a discard leaves what the guest has not written, from the third edition on.
    let discardIsHint: Bool

    /// Does what a chain asks for: how many bytes of it are written, and how many were moved.
    func perform(
        _ request: VirtioChain
    ) throws(VirtioFault) -> (written: UInt32, moved: UInt64) {
        var chain = request
        guard let header = chain.readable.take(16, memory), chain.writable.remaining > 0 else {
            throw .request
        }
        // The last byte is the status.
        let room = chain.writable.remaining - 1
        var moved: UInt64 = 0
        var status = Status.done
        switch Self.word32(header, 0) {
        case Request.read:
            moved = room
            status = read(Self.word64(header, 8), room, &chain.writable)
        case Request.write:
            moved = chain.readable.remaining
            status = write(Self.word64(header, 8), &chain.readable)
        case Request.flush: break
        case Request.identify: identify(room, &chain.writable)
        case Request.discard:
            status = clear(&chain.readable, flags: 0, isHint: discardIsHint)
        case Request.writeZeroes: status = clear(&chain.readable, flags: 1)
        default: status = .unsupported
        }
        chain.writable.advance(Int(chain.writable.remaining) - 1) { _, _, _ in }
        chain.writable.fill([status.rawValue], memory)
        // A failed read has written nothing that counts (2.7.8.2).
        let written = status == .done ? room + 1 : room == 0 ? 1 : 0
        return (UInt32(min(written, UInt64(UInt32.max))), status == .done ? moved : 0)
    }

    private static func word32(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
    }
    private static func word64(_ bytes: [UInt8], _ at: Int) -> UInt64 {
        UInt64(word32(bytes, at)) | UInt64(word32(bytes, at + 4)) << 32
    }

    private func isOnDisk(_ sector: UInt64, bytes: UInt64) -> Bool {
        bytes % 512 == 0 && sector <= disk.sectors && bytes / 512 <= disk.sectors - sector
    }

    /// The disk's name for its drivers: 20 bytes at most, ended by a NUL if shorter.
    private func identify(_ room: UInt64, _ target: inout GuestBuffers) {
        var name = Array("pvreplay-disk\(number)".utf8)
        while name.count < 20 { name.append(0) }
        target.fill(Array(name.prefix(Int(min(room, 20)))), memory)
    }

    // MARK: Data

    /// Calls `body` with each chunk of a range of the disk and the part of it, until that is false.
    private func forEachChunk(
        _ sector: UInt64, _ count: UInt64, _ body: (UInt64, _ offset: Int, _ count: Int) -> Bool
    ) -> Bool {
        var at = sector * 512
        let end = at + count
        while at < end {
            let offset = at % UInt64(DiskOverlay.chunkSize)
            let piece = min(UInt64(DiskOverlay.chunkSize) - offset, end - at)
            guard body(at / UInt64(DiskOverlay.chunkSize), Int(offset), Int(piece)) else {
                return false
            }
            at += piece
        }
        return true
    }

    /// The chunk as it is now, at `room`.
    private func load(_ chunk: UInt64, _ room: UnsafeMutableRawPointer) -> Bool {
        switch overlay[chunk] {
        case .contents(let bytes): room.copyMemory(from: bytes, byteCount: DiskOverlay.chunkSize)
        case .zeros:
            room.initializeMemory(as: UInt8.self, repeating: 0, count: DiskOverlay.chunkSize)
        case .untouched: return source?.read(disk: number, chunk: chunk, into: room) ?? false
        }
        return true
    }

    private func read(
        _ sector: UInt64, _ count: UInt64, _ target: inout GuestBuffers
    ) -> Status {
        guard isOnDisk(sector, bytes: count), count <= Self.maximumRequest else { return .failed }
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: DiskOverlay.chunkSize, alignment: 16)
        defer { scratch.deallocate() }
        let isWhole = forEachChunk(sector, count) { chunk, offset, size in
            guard load(chunk, scratch) else { return false }
            target.fill(scratch + offset, size, memory)
            return true
        }
        return isWhole ? .done : .failed
    }

    private func write(_ sector: UInt64, _ data: inout GuestBuffers) -> Status {
        let count = data.remaining
        guard !disk.isReadOnly, isOnDisk(sector, bytes: count), count <= Self.maximumRequest else {
            return .failed
        }
        let isWhole = forEachChunk(sector, count) { chunk, offset, size in
            guard let room = roomToWrite(chunk, whole: size == DiskOverlay.chunkSize) else {
                return false
            }
            _ = data.take(size, into: room + offset, memory)
            return true
        }
        return isWhole ? .done : .failed
    }

    /// Room for a chunk's new contents, with what was there before unless all of it is replaced.
    private func roomToWrite(_ chunk: UInt64, whole: Bool) -> UnsafeMutableRawPointer? {
        if case .contents = overlay[chunk] { return overlay.contentsToWrite(chunk) }
        if whole { return overlay.contentsToWrite(chunk) }
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: DiskOverlay.chunkSize, alignment: 16)
        defer { scratch.deallocate() }
        guard load(chunk, scratch) else { return nil }
        let room = overlay.contentsToWrite(chunk)
        room.copyMemory(from: scratch, byteCount: DiskOverlay.chunkSize)
        return room
    }

    // MARK: Discards and zeros

    /// Ranges to zero, 16 bytes each (5.2.6). `flags` are those that the request may have. What a
    /// discarded sector reads as is the device's affair (5.2.6.2): a hint gives up what the guest
    /// has written and leaves the rest alone, so that a file system made on a large disk takes no
    /// more room than it writes.
    private func clear(
        _ list: inout GuestBuffers, flags allowed: UInt32, isHint: Bool = false
    ) -> Status {
        guard !disk.isReadOnly else { return .failed }
        let size = list.remaining
        guard size > 0, size % 16 == 0, size / 16 <= UInt64(Self.maximumRanges),
            let bytes = list.take(Int(size), memory)
        else { return .unsupported }
        var ranges: [(sector: UInt64, count: UInt64)] = []
        for at in stride(from: 0, to: bytes.count, by: 16) {
            let sector = Self.word64(bytes, at)
            let count = Self.word32(bytes, at + 8)
            guard Self.word32(bytes, at + 12) & ~allowed == 0 else { return .unsupported }
            guard count <= Self.maximumRange, isOnDisk(sector, bytes: UInt64(count) * 512) else {
                return .failed
            }
            ranges.append((sector, UInt64(count) * 512))
        }
        for range in ranges {
            let isWhole = forEachChunk(range.sector, range.count) { chunk, offset, size in
                if isHint, case .untouched = overlay[chunk] { return true }
                if size == DiskOverlay.chunkSize {
                    overlay.setZeros(chunk)
                    return true
                }
                guard let room = roomToWrite(chunk, whole: false) else { return false }
                (room + offset).initializeMemory(as: UInt8.self, repeating: 0, count: size)
                return true
            }
            guard isWhole else { return .failed }
        }
        return .done
    }
}
