/// Where the contents of disks come from, as they were before the guest wrote anything. They are
/// part of what a machine is made of, like a kernel's image, but come piece by piece: only what the
/// guest reads is ever asked for.
public protocol DiskSource: AnyObject {
    /// Puts the `DiskOverlay.chunkSize` bytes of a chunk at `room`; bytes past the disk's end are
    /// zeros. False where they cannot be had, now and at every later call: the guest sees an I/O
    /// error.
    func read(disk: Int, chunk: UInt64, into room: UnsafeMutableRawPointer) -> Bool
}

/// What a guest has written to a disk: chunks that take the place of the source's. The host's file
/// is never written.
final class DiskOverlay {
    /// Bytes of a chunk.
    static let chunkSize = 4096
    private static let leafBits: UInt64 = 9
    private static let leafSize = 1 << Int(leafBits)

    /// What is known of a chunk. Contents that are nil are zeros, which take no room.
    private struct Slot {
        var contents: UnsafeMutableRawPointer?
        var isWritten = false
        /// Written since the last mark.
        var isDirty = false
    }

    /// What a chunk holds, where the guest has written it.
    enum Chunk {
        case untouched
        case zeros
        case contents(UnsafeRawPointer)
    }

    let chunkCount: UInt64
    private let leafCount: Int
    /// Slots by the upper bits of a chunk's number: nil where none of them is written.
    private let leaves: UnsafeMutablePointer<UnsafeMutablePointer<Slot>?>

    /// - Parameter sectors: 512 bytes each, at most `Disk.maximumSectors`.
    init(sectors: UInt64) {
        chunkCount = (sectors + 7) >> 3
        leafCount = Int((chunkCount + UInt64(Self.leafSize) - 1) >> Self.leafBits)
        leaves = .allocate(capacity: max(1, leafCount))
        leaves.initialize(repeating: nil, count: max(1, leafCount))
    }

    deinit {
        clear()
        leaves.deallocate()
    }

    func clear() {
        for n in 0..<leafCount {
            guard let leaf = leaves[n] else { continue }
            for i in 0..<Self.leafSize { leaf[i].contents?.deallocate() }
            leaf.deallocate()
            leaves[n] = nil
        }
    }

    subscript(_ number: UInt64) -> Chunk {
        guard number < chunkCount, let leaf = leaves[Int(number >> Self.leafBits)] else {
            return .untouched
        }
        let slot = leaf[Int(number) & (Self.leafSize - 1)]
        if let contents = slot.contents { return .contents(contents) }
        return slot.isWritten ? .zeros : .untouched
    }

    private func slot(_ number: UInt64) -> UnsafeMutablePointer<Slot> {
        precondition(number < chunkCount, "a chunk of this disk")
        let n = Int(number >> Self.leafBits)
        if leaves[n] == nil {
            let leaf = UnsafeMutablePointer<Slot>.allocate(capacity: Self.leafSize)
            leaf.initialize(repeating: Slot(), count: Self.leafSize)
            leaves[n] = leaf
        }
        return leaves[n].unsafelyUnwrapped + (Int(number) & (Self.leafSize - 1))
    }

    /// Room for a chunk's new contents, all of which the caller sets if it was not `.contents`.
    func contentsToWrite(_ number: UInt64) -> UnsafeMutableRawPointer {
        let slot = slot(number)
        slot.pointee.isWritten = true
        slot.pointee.isDirty = true
        if let contents = slot.pointee.contents { return contents }
        let contents = UnsafeMutableRawPointer.allocate(byteCount: Self.chunkSize, alignment: 16)
        slot.pointee.contents = contents
        return contents
    }

    func setZeros(_ number: UInt64) {
        let slot = slot(number)
        slot.pointee.contents?.deallocate()
        slot.pointee.contents = nil
        slot.pointee.isWritten = true
        slot.pointee.isDirty = true
    }

    /// Forgets which chunks were written until now, not what.
    func mark() {
        for n in 0..<leafCount {
            guard let leaf = leaves[n] else { continue }
            for i in 0..<Self.leafSize { leaf[i].isDirty = false }
        }
    }

    /// Calls `body` with each written chunk, ascending; nil for zeros.
    func forEach(dirtyOnly: Bool = false, _ body: (UInt64, UnsafeRawPointer?) -> Void) {
        for n in 0..<leafCount {
            guard let leaf = leaves[n] else { continue }
            for i in 0..<Self.leafSize where leaf[i].isWritten {
                if dirtyOnly && !leaf[i].isDirty { continue }
                body(UInt64(n) << Self.leafBits | UInt64(i), leaf[i].contents)
            }
        }
    }
}
