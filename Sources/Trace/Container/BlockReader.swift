/// Reads and checks blocks at offsets.
struct BlockReader: Sendable {
    let source: ByteSource
    let limits: TraceLimits

    /// Reads the header of the block at `offset` and checks that the block lies in the file.
    func readHeader(_ offset: UInt64) throws(TraceError) -> BlockHeader {
        let bytes = try source.read(offset, Format.blockHeaderSize, "a block header")
        let header = try BlockHeader.read(bytes, offset: offset)
        let name = BlockType.name(header.type)
        let rest = source.size - offset - UInt64(Format.blockHeaderSize)
        guard header.length <= rest, BlockHeader.stride(header.length) <= source.size - offset
        else { throw .truncated(offset: offset, what: "block \(name)") }
        return header
    }

    /// Compares the payload with its checksum and the padding with zero, in bounded memory.
    func checkPayload(_ offset: UInt64, _ header: BlockHeader) throws(TraceError) {
        let start = offset + UInt64(Format.blockHeaderSize)
        let name = BlockType.name(header.type)
        guard try source.checksum(start, header.length) == header.payloadChecksum else {
            throw .checksum(offset: offset, what: "block \(name)")
        }
        let end = start + header.length
        let padding = offset + BlockHeader.stride(header.length) - end
        guard try source.read(end, Int(padding), "padding").allSatisfy({ $0 == 0 }) else {
            throw .malformed(offset: end, what: "padding that is not zero")
        }
    }

    /// Reads a whole block's payload.
    func readBlock(
        _ offset: UInt64, _ type: UInt32, _ limit: UInt64
    ) throws(TraceError) -> [UInt8] {
        let header = try readHeader(offset)
        let name = BlockType.name(type)
        guard header.type == type else {
            throw .malformed(
                offset: offset, what: "block \(BlockType.name(header.type)) instead of \(name)")
        }
        guard header.length <= limit else {
            throw .limit(
                offset: offset, what: "the length of block \(name)", value: header.length,
                limit: limit)
        }
        let start = offset + UInt64(Format.blockHeaderSize)
        let padded = Int(BlockHeader.stride(header.length)) - Format.blockHeaderSize
        var payload = try source.read(start, padded, "block \(name)")
        let length = Int(header.length)
        guard payload[length...].allSatisfy({ $0 == 0 }) else {
            throw .malformed(
                offset: start + header.length, what: "padding that is not zero")
        }
        payload.removeLast(padded - length)
        let sum = payload.withUnsafeBytes { bytes in
            // An empty array may have no address; XXH3 of nothing needs none.
            withUnsafePointer(to: 0) { nothing in
                checksum(bytes.baseAddress ?? UnsafeRawPointer(nothing), length)
            }
        }
        guard sum == header.payloadChecksum else {
            throw .checksum(offset: offset, what: "block \(name)")
        }
        return payload
    }
}
