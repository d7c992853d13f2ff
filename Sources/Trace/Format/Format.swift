/// Every constant of the container's layout; TRACE_FORMAT.md is its prose, and a test prints the
/// layout so that a change cannot go unseen.
public enum Format {
    /// Raised when an older reader would misread the file. A reader refuses a higher one.
    public static let major: UInt16 = 1
    /// Raised when something is added that older readers skip safely.
    public static let minor: UInt16 = 1

    /// As PNG's: a high bit, CR LF, end-of-file and LF show transfers that mangle.
    static let magic: [UInt8] = [0x89, 0x50, 0x56, 0x54, 0x0d, 0x0a, 0x1a, 0x0a]

    // File header.
    static let fileHeaderSize = 32
    static let headerVersionOffset = 8
    static let headerReservedOffset = 12
    static let headerChecksumOffset = 24

    // Block header.
    static let blockHeaderSize = 32
    static let blockLengthOffset = 8
    static let blockPayloadChecksumOffset = 16
    static let blockChecksumOffset = 24
    /// Payloads are padded with zeros to a multiple of this.
    static let alignment = 8

    // Fixed parts of payloads.
    static let chunkHeaderSize = 48
    static let checkpointHeaderSize = 48
    static let imageHeaderSize = 48
    static let outcomeHeaderSize = 72
    static let indexHeaderSize = 16
    static let indexEntrySize = 32
    static let endPayloadSize = 24
    static let diskEntrySize = 48
    /// The whole last block, found from the file's end.
    static let endBlockSize = blockHeaderSize + endPayloadSize

    /// Disks, and chunks of one.
    static let diskLimit: UInt16 = 256
    static let diskChunkLimit: UInt64 = 1 << 40

    /// Every event whose sequence has these bits all set carries its digest.
    static let digestMask: UInt64 = 15

    /// zstd levels: constants, as the bytes of a file must depend on its content only.
    static let chunkLevel: Int32 = 3
    /// From this size on, a chunk's columns are packed apart; below, the overhead is dearer.
    static let piecesFrom = 32 << 10
    static let checkpointLevel: Int32 = 1
    static let imageLevel: Int32 = 9
    static let diskLevel: Int32 = 3
}

/// Types of blocks: four ASCII letters, the first in the lowest byte.
enum BlockType {
    static let metadata = code("META")
    static let image = code("IMAG")
    static let chunk = code("EVTS")
    static let checkpoint = code("CHKP")
    static let disk = code("DISK")
    static let outcome = code("OUTC")
    static let index = code("INDX")
    static let end = code("ENDT")

    static func code(_ name: StaticString) -> UInt32 {
        name.withUTF8Buffer { bytes in
            bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    /// For messages: the letters, or the number where they are not printable.
    static func name(_ type: UInt32) -> String {
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: type >> ($0 * 8)) }
        if bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) {
            return String(decoding: bytes, as: UTF8.self)
        }
        return "0x" + String(type, radix: 16)
    }
}

/// What a reader accepts before it allocates, whatever a file says.
public struct TraceLimits: Sendable {
    /// Bytes of a metadata, outcome or index block.
    public var blockBytes: UInt64 = 64 << 20
    /// Bytes of a chunk before and after decompression.
    public var chunkBytes: UInt64 = 64 << 20
    /// Bytes of a checkpoint before and after decompression.
    public var checkpointBytes: UInt64 = 4 << 30
    /// Bytes of an image before and after decompression.
    public var imageBytes: UInt64 = 1 << 30
    /// Blocks in a file.
    public var blocks: UInt64 = 16 << 20

    public init() {}
}
