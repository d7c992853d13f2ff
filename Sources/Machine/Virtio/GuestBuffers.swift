/// The guest's RAM as a device reaches it.
struct GuestMemory {
    private let base: UnsafeMutableRawPointer
    private let size: UInt64
    private let cpu: CPU

    init(_ cpu: CPU) {
        self.cpu = cpu
        base = cpu.pointee.shared.pointee.memory
        size = cpu.pointee.shared.pointee.memorySize
    }

    /// Whether all of `count` bytes are RAM.
    func holds(_ address: UInt64, _ count: UInt64) -> Bool {
        address <= size && count <= size - address
    }

    /// A little-endian word. The caller has made sure of the place.
    func load<T: FixedWidthInteger>(_ address: UInt64, as type: T.Type) -> T {
        T(littleEndian: (base + Int(address)).loadUnaligned(as: T.self))
    }

    func store<T: FixedWidthInteger>(_ value: T, at address: UInt64) {
        markWritten(address, T.bitWidth / 8)
        (base + Int(address)).storeBytes(of: value.littleEndian, as: T.self)
    }

    func copy(from address: UInt64, to room: UnsafeMutableRawPointer, count: Int) {
        room.copyMemory(from: base + Int(address), byteCount: count)
    }

    func copy(from bytes: UnsafeRawPointer, to address: UInt64, count: Int) {
        markWritten(address, count)
        (base + Int(address)).copyMemory(from: bytes, byteCount: count)
    }

    func copy(from bytes: UnsafeRawBufferPointer, to address: UInt64) {
        guard let start = bytes.baseAddress else { return }
        copy(from: start, to: address, count: bytes.count)
    }

    /// Zeroes a range of RAM. Pages that nobody has used are zeros already, and stay unused: a
    /// guest that has all its memory zeroed, again and again, costs little.
    func clear(_ address: UInt64, _ count: UInt64) {
        let flags = cpu.pointee.shared.pointee.pageFlags
        forEachPage(address, Int(count)) { at, size in
            if flags[Int(at >> 12)] & PageFlag.used == 0 { return }
            cpu.markWritten(at, size: size)
            (base + Int(at)).initializeMemory(as: UInt8.self, repeating: 0, count: size)
        }
    }

    /// As for a processor's own store: page maps and decoded code stay true.
    private func markWritten(_ address: UInt64, _ count: Int) {
        forEachPage(address, count) { at, size in cpu.markWritten(at, size: size) }
    }

    /// Calls `body` with the part of the range in each of its pages.
    private func forEachPage(_ address: UInt64, _ count: Int, _ body: (UInt64, Int) -> Void) {
        var at = address
        let end = address + UInt64(count)
        while at < end {
            let next = min(end, (at | 0xFFF) + 1)
            body(at, Int(next - at))
            at = next
        }
    }
}

/// Bytes in RAM.
struct GuestRange {
    var address: UInt64
    var count: UInt64
}

/// Ranges one after the other, taken from or filled as if they were one: devices must not mind how
/// a driver cuts its buffers (Virtio 1.2, 2.7.4).
struct GuestBuffers {
    private(set) var ranges: [GuestRange] = []
    /// Bytes not yet taken or filled.
    private(set) var remaining: UInt64 = 0
    private var index = 0
    private var offset: UInt64 = 0

    mutating func append(_ range: GuestRange) {
        ranges.append(range)
        remaining += range.count
    }

    /// Calls `body` with the address and the size of each piece of the next `count` bytes, or of as
    /// many as there are; gives how many.
    @discardableResult
    mutating func advance(_ count: Int, _ body: (UInt64, _ done: Int, Int) -> Void) -> Int {
        var done = 0
        while done < count && index < ranges.count {
            let range = ranges[index]
            let piece = Int(min(UInt64(count - done), range.count - offset))
            if piece > 0 { body(range.address + offset, done, piece) }
            offset += UInt64(piece)
            done += piece
            if offset == range.count {
                index += 1
                offset = 0
            }
        }
        remaining -= UInt64(done)
        return done
    }

    /// Takes up to `count` bytes.
    mutating func take(
        _ count: Int, into room: UnsafeMutableRawPointer, _ memory: GuestMemory
    ) -> Int {
        advance(count) { memory.copy(from: $0, to: room + $1, count: $2) }
    }

    /// Fills up to `count` bytes.
    @discardableResult
    mutating func fill(_ bytes: UnsafeRawPointer, _ count: Int, _ memory: GuestMemory) -> Int {
        advance(count) { memory.copy(from: bytes + $1, to: $0, count: $2) }
    }

    /// The next bytes as an array, if there are so many.
    mutating func take(_ count: Int, _ memory: GuestMemory) -> [UInt8]? {
        guard remaining >= UInt64(count) else { return nil }
        return [UInt8](unsafeUninitializedCapacity: count) { room, size in
            guard let room = room.baseAddress else { return }
            size = take(count, into: room, memory)
        }
    }

    mutating func fill(_ bytes: [UInt8], _ memory: GuestMemory) {
        bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            fill(start, bytes.count, memory)
        }
    }
}
