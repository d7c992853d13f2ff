/// An I/O APIC of 24 pins (Intel 82093AA data sheet, order 290566; version 0x20 with the EOI
/// register of later chipsets): registers and redirection entries. Messages leave through `Bus`.
struct InputOutputAPIC {
    static let page: ClosedRange<UInt64> = 0xFEC0_0000...0xFEC0_0FFF
    static let pinCount = 24
    static let version: UInt32 = UInt32(pinCount - 1) << 16 | 0x20

    /// Bits of a redirection entry (figure in 3.2.4 of the data sheet).
    enum Entry {
        static let logical: UInt64 = 1 << 11
        static let activeLow: UInt64 = 1 << 13
        static let remoteIRR: UInt64 = 1 << 14
        static let level: UInt64 = 1 << 15
        static let masked: UInt64 = 1 << 16
        static let writable: UInt64 = 0xFF00_0000_0001_AFFF
    }

    private(set) var select: UInt8 = 0
    private var id: UInt32 = 0
    /// By pin.
    var entries = [UInt64](repeating: Entry.masked, count: pinCount)
    /// Which pins are asserted, polarity already applied by the board.
    var levels: UInt32 = 0

    /// A read at an offset in its page.
    func read(_ offset: Int) -> UInt64 {
        switch offset {
        case 0x00: return UInt64(select)
        case 0x10: return UInt64(selected)
        default: return 0
        }
    }

    private var selected: UInt32 {
        switch Int(select) {
        case 0x00, 0x02: return id
        case 0x01: return InputOutputAPIC.version
        case 0x10..<0x10 + 2 * InputOutputAPIC.pinCount:
            let entry = entries[Int(select - 0x10) >> 1]
            return UInt32(truncatingIfNeeded: select & 1 == 0 ? entry : entry >> 32)
        default: return 0
        }
    }

    /// A write of the index (0) or the data (0x10) register; the pin whose entry changed.
    mutating func write(_ offset: Int, _ value: UInt32) -> Int? {
        if offset == 0 {
            select = UInt8(truncatingIfNeeded: value)
            return nil
        }
        guard offset == 0x10 else { return nil }
        if select == 0 {
            id = value & 0x0F00_0000
            return nil
        }
        guard select >= 0x10, Int(select) < 0x10 + 2 * InputOutputAPIC.pinCount else {
            return nil
        }
        let pin = Int(select - 0x10) >> 1
        let shift: UInt64 = select & 1 == 0 ? 0 : 32
        let mask = Entry.writable & 0xFFFF_FFFF << shift
        entries[pin] = entries[pin] & ~mask | UInt64(value) << shift & mask
        // An edge-triggered entry has no remote IRR.
        if entries[pin] & Entry.level == 0 { entries[pin] &= ~Entry.remoteIRR }
        return pin
    }

    /// The end of an interrupt with this vector: the level-triggered pins that wait for it.
    mutating func end(_ vector: UInt8) -> [Int] {
        var ended: [Int] = []
        for pin in 0..<InputOutputAPIC.pinCount {
            let entry = entries[pin]
            guard entry & Entry.remoteIRR != 0, UInt8(truncatingIfNeeded: entry) == vector else {
                continue
            }
            entries[pin] &= ~Entry.remoteIRR
            ended.append(pin)
        }
        return ended
    }
}

extension InputOutputAPIC: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&select)
        try stream.field(&id)
        for pin in entries.indices { try stream.field(&entries[pin]) }
        try stream.field(&levels)
        guard levels >> UInt32(InputOutputAPIC.pinCount) == 0 else {
            throw stream.damaged("an I/O APIC has no such pin")
        }
    }
}
