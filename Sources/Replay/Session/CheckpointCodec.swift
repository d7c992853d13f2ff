import Machine

/// A machine snapshot as the bytes of a trace's checkpoint, and back:
///
/// ```text
/// u32 1 if complete | u32 number of pages | u64 bytes of state | state | u32 page numbers | pages
/// ```
///
/// Where the guest has written to disks the first word has bit 1 set, and after the pages come:
///
/// ```text
/// u64 number of chunks | u64 places (`DiskPlace`) | chunks, but for zeros
/// ```
enum CheckpointCodec {
    private static let headerSize = 16

    static func encode(_ snapshot: MachineSnapshot) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            headerSize + snapshot.state.count + snapshot.pageNumbers.count * 4
                + snapshot.pages.count)
        let hasDisks = !snapshot.diskPlaces.isEmpty
        append(&bytes, UInt32((snapshot.isComplete ? 1 : 0) | (hasDisks ? 2 : 0)))
        append(&bytes, UInt32(snapshot.pageNumbers.count))
        append(&bytes, UInt64(snapshot.state.count))
        bytes += snapshot.state
        for number in snapshot.pageNumbers { append(&bytes, number) }
        bytes += snapshot.pages
        guard hasDisks else { return bytes }
        append(&bytes, UInt64(snapshot.diskPlaces.count))
        for place in snapshot.diskPlaces { append(&bytes, place.word) }
        bytes += snapshot.diskChunks
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
        guard complete <= 3 else { throw .snapshot("its first word is above 3", offset: 0) }
        let hasDisks = complete & 2 != 0
        let rest = bytes.count - headerSize
        let fits = stateSize <= UInt64(rest) && rest - Int(stateSize) >= pageCount * 4100
        guard fits, hasDisks || rest - Int(stateSize) == pageCount * 4100 else {
            throw .snapshot("its sizes do not add up", offset: 4)
        }
        let numbers = headerSize + Int(stateSize)
        let pages = numbers + pageCount * 4
        let end = pages + pageCount * 4096
        var snapshot = MachineSnapshot(
            state: Array(bytes[headerSize..<numbers]), isComplete: complete & 1 != 0,
            pageNumbers: (0..<pageCount).map { load(bytes, numbers + $0 * 4, as: UInt32.self) },
            pages: Array(bytes[pages..<end]))
        if hasDisks { try decodeDisks(bytes, from: end, &snapshot) }
        return snapshot
    }

    private static func decodeDisks(
        _ bytes: [UInt8], from start: Int, _ snapshot: inout MachineSnapshot
    ) throws(MachineError) {
        guard bytes.count - start >= 8 else {
            throw .snapshot("it ends before its disks", offset: start)
        }
        let count = load(bytes, start, as: UInt64.self)
        guard count <= UInt64((bytes.count - start - 8) / 8) else {
            throw .snapshot("its number of disk chunks is more than fits", offset: start)
        }
        let chunks = start + 8 + 8 * Int(count)
        snapshot.diskPlaces = (0..<Int(count)).map {
            DiskPlace(word: load(bytes, start + 8 + $0 * 8, as: UInt64.self))
        }
        snapshot.diskChunks = Array(bytes[chunks...])
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
