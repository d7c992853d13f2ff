import Machine

/// A machine snapshot as the bytes of a trace's checkpoint, and back:
///
/// ```text
/// u32 1 if complete | u32 number of pages | u64 bytes of state | state | u32 page numbers | pages
/// ```
enum CheckpointCodec {
    private static let headerSize = 16

    static func encode(_ snapshot: MachineSnapshot) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            headerSize + snapshot.state.count + snapshot.pageNumbers.count * 4
                + snapshot.pages.count)
        append(&bytes, UInt32(snapshot.isComplete ? 1 : 0))
        append(&bytes, UInt32(snapshot.pageNumbers.count))
        append(&bytes, UInt64(snapshot.state.count))
        bytes += snapshot.state
        for number in snapshot.pageNumbers { append(&bytes, number) }
        bytes += snapshot.pages
        return bytes
    }

    /// - Throws: `MachineError.snapshot` where the bytes are not a checkpoint.
    static func decode(_ bytes: [UInt8]) throws(MachineError) -> MachineSnapshot {
        guard bytes.count >= headerSize else {
            throw .snapshot("it is shorter than its header", offset: bytes.count)
        }
        let complete = load(bytes, 0, as: UInt32.self)
        let pageCount = Int(load(bytes, 4, as: UInt32.self))
        let stateSize = load(bytes, 8, as: UInt64.self)
        guard complete <= 1 else { throw .snapshot("its first word is neither 0 nor 1", offset: 0) }
        let rest = bytes.count - headerSize
        guard stateSize <= UInt64(rest), rest - Int(stateSize) == pageCount * 4100 else {
            throw .snapshot("its sizes do not add up", offset: 4)
        }
        let numbers = headerSize + Int(stateSize)
        let pages = numbers + pageCount * 4
        return MachineSnapshot(
            state: Array(bytes[headerSize..<numbers]), isComplete: complete == 1,
            pageNumbers: (0..<pageCount).map { load(bytes, numbers + $0 * 4, as: UInt32.self) },
            pages: Array(bytes[pages...]))
    }

    private static func append<T: FixedWidthInteger>(_ bytes: inout [UInt8], _ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func load<T: FixedWidthInteger>(
        _ bytes: [UInt8], _ offset: Int, as type: T.Type
    ) -> T {
        bytes.withUnsafeBytes {
            T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
    }
}
