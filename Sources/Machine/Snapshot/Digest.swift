import CXXHash

/// Digests of machine state (XXH3-64, xxHash specification 0.8).
extension Machine {
    /// The digest of everything that decides what happens next: XXH3-64 of the encoded state
    /// followed, for each used page in ascending order, by its number (4 bytes, little-endian) and
    /// its contents, and for each written chunk of a disk likewise (its place in 8 bytes). Limits,
    /// polling, executors and snapshots leave no trace in it.
    public func digest() -> UInt64 {
        let hash = StreamingHash()
        encodedState(withTurn: false).withUnsafeBytes { hash.add($0) }
        forEachPage(flagged: PageFlag.used) { number in
            withUnsafeBytes(of: number.littleEndian) { hash.add($0) }
            hash.add(page(number))
        }
        bus.forEachDiskChunk(dirtyOnly: false) { place, contents in
            withUnsafeBytes(of: place.word.littleEndian) { hash.add($0) }
            guard let contents else { return }
            hash.add(UnsafeRawBufferPointer(start: contents, count: DiskOverlay.chunkSize))
        }
        return hash.value
    }

    /// The digest of the encoded state alone: vCPUs, devices, schedule. Cheaper by the size of
    /// memory.
    public func stateDigest() -> UInt64 {
        let hash = StreamingHash()
        encodedState(withTurn: false).withUnsafeBytes { hash.add($0) }
        return hash.value
    }
}

/// XXH3-64 over data that comes in pieces.
final class StreamingHash {
    private let state: OpaquePointer

    init() {
        guard let state = XXH3_createState() else { preconditionFailure("no memory for a hash") }
        self.state = state
        XXH3_64bits_reset(state)
    }

    deinit { XXH3_freeState(state) }

    func add(_ bytes: UnsafeRawBufferPointer) {
        XXH3_64bits_update(state, bytes.baseAddress, bytes.count)
    }

    var value: UInt64 { XXH3_64bits_digest(state) }
}
