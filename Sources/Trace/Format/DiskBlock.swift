/// What a chunk of a disk held before the run: the guest read it.
public struct TraceDiskChunk: Equatable, Sendable {
    public enum Kind: UInt16, Sendable {
        case zeros = 0
        /// Its contents are in this block.
        case contents = 1
        /// Its contents came before, under the same SHA-256.
        case repeated = 2
    }
    /// Bytes of a chunk.
    public static let size = 4096

    public var disk: UInt16
    public var number: UInt64
    /// SHA-256 of the contents, 32 bytes, worked out by the caller.
    public var sha256: [UInt8]
    public var kind: Kind

    public init(disk: UInt16, number: UInt64, sha256: [UInt8], kind: Kind = .contents) {
        self.disk = disk
        self.number = number
        self.sha256 = sha256
        self.kind = kind
    }
}

/// Chunks that wait to become a block.
struct DiskBatch {
    private static let contentsLimit = 256
    private static let entryLimit = 4096

    private var entries: [TraceDiskChunk] = []
    private(set) var contents: [UInt8] = []
    /// SHA-256 of all contents so far, in the file or here.
    private var known: Set<[UInt8]> = []

    var isEmpty: Bool { entries.isEmpty }
    var isFull: Bool {
        entries.count >= Self.entryLimit
            || contents.count >= Self.contentsLimit * TraceDiskChunk.size
    }

    mutating func add(_ chunk: TraceDiskChunk, _ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == TraceDiskChunk.size && chunk.sha256.count == 32)
        var chunk = chunk
        if bytes.allSatisfy({ $0 == 0 }) {
            chunk.kind = .zeros
        } else if known.insert(chunk.sha256).inserted {
            chunk.kind = .contents
            contents.append(contentsOf: bytes)
        } else {
            chunk.kind = .repeated
        }
        entries.append(chunk)
    }

    /// The bytes before the block's frame.
    func header() -> [UInt8] {
        var builder = ByteBuilder()
        builder.append(UInt32(entries.count))
        builder.append(UInt32(contents.count / TraceDiskChunk.size))
        builder.append(UInt64(0))
        for entry in entries {
            builder.append(entry.sha256)
            builder.append(entry.number)
            builder.append(entry.disk)
            builder.append(entry.kind.rawValue)
            builder.append(UInt32(0))
        }
        return builder.bytes
    }

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        contents.removeAll(keepingCapacity: true)
    }
}

extension TraceDiskChunk {
    /// The entries of a block and the place of its frame in the payload.
    static func read(
        _ payload: [UInt8], base: UInt64, limits: TraceLimits
    ) throws(TraceError) -> (entries: [TraceDiskChunk], contents: Int, frame: Int) {
        var parser = ByteParser(payload, base: base)
        let count = try parser.take(UInt32.self, "disk block")
        let contents = try parser.take(UInt32.self, "disk block")
        _ = try parser.take(UInt64.self, "disk block")
        guard Int(count) <= parser.remaining / Format.diskEntrySize else {
            throw .malformed(offset: base, what: "more chunks of disks than fit")
        }
        let size = UInt64(contents) * UInt64(TraceDiskChunk.size)
        guard size <= limits.chunkBytes else {
            throw .limit(
                offset: base + 4, what: "the size of a disk block", value: size,
                limit: limits.chunkBytes)
        }
        var entries: [TraceDiskChunk] = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            let sha256 = try parser.take(32, "disk block")
            let number = try parser.take(UInt64.self, "disk block")
            let disk = try parser.take(UInt16.self, "disk block")
            let place = parser.offset
            let kind = try parser.take(UInt16.self, "disk block")
            _ = try parser.take(UInt32.self, "disk block")
            guard let known = Kind(rawValue: kind) else {
                throw .malformed(offset: place, what: "kind \(kind) of a disk's chunk is unknown")
            }
            guard disk < Format.diskLimit, number < Format.diskChunkLimit else {
                throw .malformed(offset: place, what: "a disk's chunk at an impossible place")
            }
            entries.append(
                TraceDiskChunk(disk: disk, number: number, sha256: sha256, kind: known))
        }
        guard entries.filter({ $0.kind == .contents }).count == Int(contents) else {
            throw .malformed(offset: base + 4, what: "a disk block with other contents than told")
        }
        if contents == 0 && parser.remaining > 0 {
            throw .malformed(offset: parser.offset, what: "bytes after a disk block")
        }
        return (entries, Int(contents), payload.count - parser.remaining)
    }
}
