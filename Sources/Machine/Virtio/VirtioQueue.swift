/// What a driver may do wrong with a queue: the device then needs a reset (Virtio 1.2, 2.1.2).
enum VirtioFault: Error {
    /// A ring or a descriptor's buffer is not all in RAM.
    case outsideMemory
    /// The index of available buffers has moved by more than the queue holds.
    case availableIndex
    /// A descriptor number beyond its table.
    case descriptorNumber
    /// A chain that does not end, or is longer than any queue.
    case chainLength
    /// A table of indirect descriptors that is not allowed where it is, or not a table.
    case indirect
    /// A buffer to read after one to write.
    case order
    /// More bytes than a chain may have.
    case size
    /// A request without room for what every request has.
    case request
}

/// One buffer that a driver made available.
struct VirtioChain {
    var head: UInt16
    var readable = GuestBuffers()
    var writable = GuestBuffers()
}

/// A split virtqueue (Virtio 1.2, 2.7) and the device's place in it.
struct VirtioQueue {
    /// The queue size that the device offers, and the longest chain that it takes of a queue's own
    /// descriptors.
    static let maximumSize: UInt16 = 256
    /// The longest chain with a table of indirect descriptors, counted with the descriptor that
    /// names the table. Drivers must keep to the queue's size (2.7.5.3.1); QEMU takes as many as
    /// here (VIRTQUEUE_MAX_SIZE).
    static let maximumIndirect = 1024 + 1
    static let noVector: UInt16 = 0xFFFF

    private enum Descriptor {
        static let size: UInt64 = 16
        static let next: UInt16 = 1
        static let write: UInt16 = 2
        static let indirect: UInt16 = 4
    }

    var size = VirtioQueue.maximumSize
    var isEnabled = false
    /// Whether it was set up by the legacy interface.
    var isLegacy = false
    var descriptors: UInt64 = 0
    /// The available ring, the driver's.
    var available: UInt64 = 0
    /// The used ring, the device's.
    var used: UInt64 = 0
    /// The MSI-X vector of its interrupts.
    var vector = VirtioQueue.noVector
    /// Free-running counts of chains taken and given back.
    private(set) var taken: UInt16 = 0
    private(set) var given: UInt16 = 0
    /// Whether its turn is on the schedule.
    var isScheduled = false

    private var count: UInt64 { UInt64(size) }

    /// Whether the rings lie in RAM, with the words for event indices.
    private func isPlaced(_ memory: GuestMemory) -> Bool {
        memory.holds(descriptors, count * Descriptor.size)
            && memory.holds(available, 6 + count * 2) && memory.holds(used, 6 + count * 8)
    }

    /// Whether the driver has made something available; nil for a queue that is not in RAM.
    func hasAvailable(_ memory: GuestMemory) throws(VirtioFault) -> Bool {
        guard isPlaced(memory) else { throw .outsideMemory }
        let waiting = memory.load(available + 2, as: UInt16.self) &- taken
        guard waiting <= size else { throw .availableIndex }
        return waiting != 0
    }

    /// Takes the next available chain; nil where there is none.
    /// - Parameters:
    ///   - indirect: whether the driver may use tables of indirect descriptors.
    ///   - longest: the longest chain with such a table.
    mutating func next(
        _ memory: GuestMemory, indirect: Bool, longest: Int
    ) throws(VirtioFault) -> VirtioChain? {
        guard try hasAvailable(memory) else { return nil }
        let place = UInt64(taken & (size &- 1))
        let head = memory.load(available + 4 + place * 2, as: UInt16.self)
        guard head < size else { throw .descriptorNumber }
        var chain = VirtioChain(head: head)
        var walk = Walk(
            table: descriptors, count: UInt32(size), allowsIndirect: indirect, longest: longest)
        try walk.follow(from: head, &chain, memory)
        taken &+= 1
        return chain
    }

    /// A driver sees how far the device has come, so that it notifies of what follows (2.7.10).
    func wantNotification(_ memory: GuestMemory) {
        memory.store(taken, at: used + 4 + count * 8)
    }

    /// Gives a chain back with `written` bytes of it written; true where the driver wants an
    /// interrupt (2.7.7, 2.7.8).
    mutating func give(
        _ chain: VirtioChain, written: UInt32, eventIndex: Bool, _ memory: GuestMemory
    ) -> Bool {
        let element = used + 4 + UInt64(given & (size &- 1)) * 8
        memory.store(UInt32(chain.head), at: element)
        memory.store(written, at: element + 4)
        let before = given
        given &+= 1
        memory.store(given, at: used + 2)
        if eventIndex {
            return memory.load(available + 4 + count * 2, as: UInt16.self) == before
        }
        return memory.load(available, as: UInt16.self) & 1 == 0
    }

    mutating func reset() { self = VirtioQueue() }

    /// A chain on its way through descriptor tables.
    private struct Walk {
        var table: UInt64
        var count: UInt32
        var allowsIndirect: Bool
        /// The longest chain with a table of indirect descriptors.
        var longest: Int
        var isIndirect = false
        var steps = 0

        init(table: UInt64, count: UInt32, allowsIndirect: Bool, longest: Int) {
            self.table = table
            self.count = count
            self.allowsIndirect = allowsIndirect
            self.longest = longest
        }

        mutating func follow(
            from head: UInt16, _ chain: inout VirtioChain, _ memory: GuestMemory
        ) throws(VirtioFault) {
            var number = UInt32(head)
            while true {
                guard number < count else { throw .descriptorNumber }
                steps += 1
                guard steps <= (isIndirect ? longest : Int(VirtioQueue.maximumSize)) else {
                    throw .chainLength
                }
                let place = table + UInt64(number) * Descriptor.size
                let address = memory.load(place, as: UInt64.self)
                let length = memory.load(place + 8, as: UInt32.self)
                let flags = memory.load(place + 12, as: UInt16.self)
                number = UInt32(memory.load(place + 14, as: UInt16.self))
                if flags & Descriptor.indirect != 0 {
                    try enter(address, length, flags, memory)
                    number = 0
                    continue
                }
                try add(address, length, writes: flags & Descriptor.write != 0, &chain, memory)
                if flags & Descriptor.next == 0 { return }
            }
        }

        /// Goes on in a table of indirect descriptors (2.7.5.3), which ends the chain.
        private mutating func enter(
            _ address: UInt64, _ length: UInt32, _ flags: UInt16, _ memory: GuestMemory
        ) throws(VirtioFault) {
            guard allowsIndirect, !isIndirect, flags & Descriptor.next == 0, length > 0,
                UInt64(length) % Descriptor.size == 0
            else { throw .indirect }
            guard memory.holds(address, UInt64(length)) else { throw .outsideMemory }
            isIndirect = true
            table = address
            count = length / UInt32(Descriptor.size)
        }

        private func add(
            _ address: UInt64, _ length: UInt32, writes: Bool, _ chain: inout VirtioChain,
            _ memory: GuestMemory
        ) throws(VirtioFault) {
            guard memory.holds(address, UInt64(length)) else { throw .outsideMemory }
            let total = chain.readable.remaining + chain.writable.remaining + UInt64(length)
            guard total <= 1 << 32 else { throw .size }
            let range = GuestRange(address: address, count: UInt64(length))
            if writes {
                chain.writable.append(range)
            } else {
                guard chain.writable.ranges.isEmpty else { throw .order }
                chain.readable.append(range)
            }
        }
    }
}

extension VirtioQueue: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&size)
        try stream.field(&isEnabled)
        try stream.field(&isLegacy)
        try stream.field(&descriptors)
        try stream.field(&available)
        try stream.field(&used)
        try stream.field(&vector)
        try stream.field(&taken)
        try stream.field(&given)
        try stream.field(&isScheduled)
        guard VirtioQueue.isSize(size) else {
            throw stream.damaged("a virtqueue's size is impossible")
        }
    }

    static func isSize(_ size: UInt16) -> Bool {
        size > 0 && size <= maximumSize && size & (size &- 1) == 0
    }
}
