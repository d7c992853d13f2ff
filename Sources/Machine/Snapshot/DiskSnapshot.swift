/// Where a written chunk of a disk lies, in a snapshot.
public struct DiskPlace: Equatable, Sendable {
    /// Bit 63: the chunk is zeros, and has no contents. Bits 40...62: the disk. The rest: the
    /// chunk.
    public var word: UInt64

    public init(word: UInt64) { self.word = word }

    init(disk: Int, chunk: UInt64, isZeros: Bool) {
        word = chunk | UInt64(disk) << 40 | (isZeros ? 1 << 63 : 0)
    }

    public var isZeros: Bool { word >> 63 != 0 }
    var disk: UInt64 { word >> 40 & 0x7F_FFFF }
    var chunk: UInt64 { word & 0xFF_FFFF_FFFF }
    /// Disk and chunk, for the order.
    var order: UInt64 { word & .max >> 1 }
}

extension Bus {
    /// Calls `body` with each written chunk, by disk and number; nil for zeros.
    func forEachDiskChunk(dirtyOnly: Bool, _ body: (DiskPlace, UnsafeRawPointer?) -> Void) {
        for (disk, overlay) in overlays.enumerated() {
            overlay.forEach(dirtyOnly: dirtyOnly) { chunk, contents in
                body(DiskPlace(disk: disk, chunk: chunk, isZeros: contents == nil), contents)
            }
        }
    }
}

extension Machine {
    /// Makes sure that a snapshot's chunks are of this machine's disks.
    func checkDisks(_ snapshot: MachineSnapshot) throws(MachineError) {
        var size = 0
        var least: UInt64 = 0
        for (n, place) in snapshot.diskPlaces.enumerated() {
            guard place.order >= least, place.disk < UInt64(bus.overlays.count),
                place.chunk < bus.overlays[Int(place.disk)].chunkCount
            else { throw .snapshot("disk chunks are out of order or not there", offset: n) }
            least = place.order + 1
            size += place.isZeros ? 0 : DiskOverlay.chunkSize
        }
        guard snapshot.diskChunks.count == size else {
            throw .snapshot("its disk chunks are not 4096 bytes each", offset: 0)
        }
    }

    /// Puts a snapshot's chunks in place. `checkDisks` has been passed.
    func restoreDisks(_ snapshot: MachineSnapshot) {
        if snapshot.isComplete {
            for overlay in bus.overlays { overlay.clear() }
        }
        snapshot.diskChunks.withUnsafeBytes { source in
            var at = 0
            for place in snapshot.diskPlaces {
                let overlay = bus.overlays[Int(place.disk)]
                guard !place.isZeros, let start = source.baseAddress else {
                    overlay.setZeros(place.chunk)
                    continue
                }
                overlay.contentsToWrite(place.chunk).copyMemory(
                    from: start + at, byteCount: DiskOverlay.chunkSize)
                at += DiskOverlay.chunkSize
            }
        }
    }

    /// The contents of a chunk of a disk as the guest has written it; nil where it has not.
    public func writtenChunk(disk: Int, chunk: UInt64) -> [UInt8]? {
        switch bus.overlays[disk][chunk] {
        case .untouched: nil
        case .zeros: [UInt8](repeating: 0, count: DiskOverlay.chunkSize)
        case .contents(let bytes):
            Array(UnsafeRawBufferPointer(start: bytes, count: DiskOverlay.chunkSize))
        }
    }

    /// Calls `body` with the number of each chunk of a disk that the guest has written, ascending.
    public func forEachWrittenChunk(disk: Int, _ body: (UInt64) -> Void) {
        bus.overlays[disk].forEach { chunk, _ in body(chunk) }
    }
}
