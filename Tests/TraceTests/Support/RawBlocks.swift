@testable import Trace

/// A trace taken apart into blocks and put together again with right checksums, to make traces that
/// are malformed but not damaged.
struct RawBlocks {
    struct Block {
        var type: UInt32
        var payload: [UInt8]
    }
    var blocks: [Block] = []

    init() {}

    init(_ bytes: [UInt8]) throws {
        let source = BlockReader(source: ByteSource(memory: bytes), limits: TraceLimits())
        var offset = UInt64(Format.fileHeaderSize)
        while offset < UInt64(bytes.count) {
            let header = try source.readHeader(offset)
            let payload = try source.readBlock(offset, header.type, .max)
            blocks.append(Block(type: header.type, payload: payload))
            offset += BlockHeader.stride(header.length)
        }
    }

    static func seal(_ block: Block) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Format.blockHeaderSize) + block.payload
        bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
        bytes.withUnsafeMutableBytes { room in
            let base = room.baseAddress!
            let header = BlockHeader(
                type: block.type, length: UInt64(block.payload.count),
                payloadChecksum: checksum(
                    base + Format.blockHeaderSize, block.payload.count))
            header.write(base)
        }
        return bytes
    }

    /// The blocks after a file header. The index and the end are as they are: they fit if the sizes
    /// of the blocks before them are unchanged.
    var bytes: [UInt8] { blocks.reduce(FileHeader.bytes()) { $0 + Self.seal($1) } }

    /// The columns of a chunk block, unpacked.
    static func columns(_ payload: [UInt8]) throws -> (header: ChunkHeader, raw: [UInt8]) {
        let header = try ChunkHeader.read(payload, base: 0, limits: TraceLimits())
        let raw = try payload.withUnsafeBytes {
            try Decompressor.unpack(
                UnsafeRawBufferPointer(rebasing: $0[Format.chunkHeaderSize...]),
                size: Int(header.rawSize), offset: 0)
        }
        return (header, raw)
    }

    /// The payload of a chunk block of these columns.
    static func chunk(_ header: ChunkHeader, _ raw: [UInt8]) -> [UInt8] {
        var header = header
        header.rawSize = UInt32(raw.count)
        var payload = [UInt8](
            repeating: 0, count: Format.chunkHeaderSize + Compressor.bound(raw.count))
        let size = payload.withUnsafeMutableBytes { room in
            header.write(room.baseAddress!)
            return raw.withUnsafeBytes {
                Compressor().compress(
                    $0, level: 1,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: room[Format.chunkHeaderSize...]))
            }
        }
        return Array(payload[..<(Format.chunkHeaderSize + size)])
    }
}
