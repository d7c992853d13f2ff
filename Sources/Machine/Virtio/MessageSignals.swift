/// MSI-X of one function (PCI Local Bus specification 3.0, 6.8.2): a table of messages, each of
/// which can be masked, and what waits for its mask to go.
struct MessageSignals {
    static let count = 3
    private static let enableBit: UInt16 = 1 << 15
    private static let functionMask: UInt16 = 1 << 14

    private struct Entry {
        var address: UInt64 = 0
        var data: UInt32 = 0
        /// Bit 0 masks.
        var control: UInt32 = 1
    }

    /// Message control: enable and function mask.
    private(set) var control: UInt16 = 0
    private var entries = [Entry](repeating: Entry(), count: count)
    private(set) var pending: UInt32 = 0

    var isEnabled: Bool { control & Self.enableBit != 0 }

    /// Message control as it reads, with the table's size.
    var controlWord: UInt16 { control | UInt16(Self.count - 1) }

    mutating func setControl(_ value: UInt16) {
        control = value & (Self.enableBit | Self.functionMask)
    }

    /// A device signals a vector: the message to send, if it may go now.
    mutating func signal(_ vector: UInt16) -> (address: UInt64, data: UInt32)? {
        guard isEnabled, Int(vector) < Self.count else { return nil }
        let entry = entries[Int(vector)]
        if entry.control & 1 != 0 || control & Self.functionMask != 0 {
            pending |= 1 << UInt32(vector)
            return nil
        }
        return (entry.address, entry.data)
    }

    /// The messages that waited and may go now.
    mutating func takeReady() -> [(address: UInt64, data: UInt32)] {
        guard pending != 0, isEnabled else { return [] }
        var ready: [(address: UInt64, data: UInt32)] = []
        for vector in 0..<Self.count where pending >> UInt32(vector) & 1 != 0 {
            let bit: UInt32 = 1 << UInt32(vector)
            pending &= ~bit
            if let message = signal(UInt16(vector)) { ready.append(message) }
        }
        return ready
    }

    /// A word of the table at an offset of its page; the pending bits lie at 0x800.
    func word(_ offset: Int) -> UInt32 {
        if offset == 0x800 { return pending }
        guard offset >> 4 < Self.count else { return 0 }
        let entry = entries[offset >> 4]
        switch offset & 0xC {
        case 0: return UInt32(truncatingIfNeeded: entry.address)
        case 4: return UInt32(truncatingIfNeeded: entry.address >> 32)
        case 8: return entry.data
        default: return entry.control
        }
    }

    mutating func setWord(_ offset: Int, _ value: UInt32) {
        guard offset >> 4 < Self.count else { return }
        let n = offset >> 4
        switch offset & 0xC {
        case 0: entries[n].address = entries[n].address & ~0xFFFF_FFFF | UInt64(value & ~3)
        case 4: entries[n].address = entries[n].address & 0xFFFF_FFFF | UInt64(value) << 32
        case 8: entries[n].data = value
        default: entries[n].control = value & 1
        }
    }
}

extension MessageSignals: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&control)
        for n in entries.indices {
            try stream.field(&entries[n].address)
            try stream.field(&entries[n].data)
            try stream.field(&entries[n].control)
        }
        try stream.field(&pending)
        guard pending >> UInt32(Self.count) == 0 else {
            throw stream.damaged("an interrupt message that is not there")
        }
    }
}
