/// Where the chunks of disks are in a trace.
public struct TraceDiskDirectory: Sendable {
    /// What is known of a chunk.
    public enum Place: Equatable, Sendable {
        case zeros
        /// Chunk `index` of the contents of disk block `block`, counted from 0.
        case contents(block: Int, index: Int)
    }

    private var places: [UInt64: Place] = [:]
    /// By block, for each of its contents: the SHA-256.
    public private(set) var digests: [[[UInt8]]] = []
    /// By disk: numbers of the chunks that the guest read, as it did.
    private var numbers: [Int: [UInt64]] = [:]
    /// Bytes of the blocks in the file.
    public fileprivate(set) var fileBytes: UInt64 = 0

    /// Of no disks.
    public init() {}

    private static func key(_ disk: Int, _ number: UInt64) -> UInt64 {
        UInt64(disk) << 40 | number
    }

    public subscript(disk: Int, number: UInt64) -> Place? { places[Self.key(disk, number)] }

    /// Numbers of the chunks of a disk that the guest read, ascending.
    public func numbers(disk: Int) -> [UInt64] { (numbers[disk] ?? []).sorted() }

    /// One more than the highest number of a disk that was read.
    public private(set) var diskCount = 0

    /// The SHA-256 of a chunk; nil for zeros and for one that is not there.
    public func digest(disk: Int, _ number: UInt64) -> [UInt8]? {
        guard case .contents(let block, let index) = self[disk, number] else { return nil }
        return digests[block][index]
    }

    /// Distinct chunks that are not zeros.
    public var contentCount: Int { digests.reduce(0) { $0 + $1.count } }

    /// Takes in the entries of the next block, at `offset`.
    fileprivate mutating func add(
        _ entries: [TraceDiskChunk], _ known: inout [[UInt8]: Place], offset: UInt64
    ) throws(TraceError) {
        let block = digests.count
        digests.append([])
        for entry in entries {
            let place: Place
            switch entry.kind {
            case .zeros: place = .zeros
            case .contents:
                place = .contents(block: block, index: digests[block].count)
                digests[block].append(entry.sha256)
                known[entry.sha256] = place
            case .repeated:
                guard let earlier = known[entry.sha256] else {
                    throw .malformed(
                        offset: offset, what: "a disk's chunk whose contents did not come before")
                }
                place = earlier
            }
            let key = Self.key(Int(entry.disk), entry.number)
            guard places.updateValue(place, forKey: key) == nil else {
                throw .malformed(offset: offset, what: "a disk's chunk that comes twice")
            }
            numbers[Int(entry.disk), default: []].append(entry.number)
            diskCount = max(diskCount, Int(entry.disk) + 1)
        }
    }
}

extension TraceReader {
    /// Reads which chunks of disks the trace holds, and where.
    public func diskDirectory() throws(TraceError) -> TraceDiskDirectory {
        var directory = TraceDiskDirectory()
        var known: [[UInt8]: TraceDiskDirectory.Place] = [:]
        for offset in diskOffsets {
            let (payload, base) = try readDiskBlock(offset)
            let parts = try TraceDiskChunk.read(payload, base: base, limits: blocks.limits)
            try directory.add(parts.entries, &known, offset: base)
            directory.fileBytes += BlockHeader.stride(UInt64(payload.count))
        }
        return directory
    }

    /// Unpacks the contents of a disk block, chunk after chunk. The caller compares their SHA-256.
    public func loadDiskBlock(_ number: Int) throws(TraceError) -> [UInt8] {
        let (payload, base) = try readDiskBlock(diskOffsets[number])
        let parts = try TraceDiskChunk.read(payload, base: base, limits: blocks.limits)
        guard parts.contents > 0 else { return [] }
        return try unpack(payload, parts.frame, parts.contents * TraceDiskChunk.size, base)
    }

    /// Where a disk block is in the file, for errors.
    public func diskBlockOffset(_ number: Int) -> UInt64 { diskOffsets[number] }

    private func readDiskBlock(
        _ offset: UInt64
    ) throws(TraceError) -> (payload: [UInt8], base: UInt64) {
        let payload = try blocks.readBlock(offset, BlockType.disk, blocks.limits.blockBytes)
        return (payload, offset + UInt64(Format.blockHeaderSize))
    }
}
