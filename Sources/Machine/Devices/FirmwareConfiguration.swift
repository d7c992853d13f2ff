/// QEMU's fw_cfg device at ports 0x510 to 0x51B (QEMU: docs/specs/fw_cfg.rst): what firmware asks a
/// virtual board. Items are read byte by byte, or into memory by the DMA interface; none can be
/// written. What they hold is settled when the machine is booted.
struct FirmwareConfiguration {
    static let selectPort: UInt16 = 0x510
    static let dataPort: UInt16 = 0x511
    static let dmaPorts: ClosedRange<UInt16> = 0x514...0x51B
    /// What the DMA address register reads: "QEMU CFG", most significant byte at the lowest port.
    private static let dmaSignature: UInt64 = 0x5145_4D55_2043_4647

    /// Bits of a DMA request's control word.
    private enum Control {
        static let error: UInt32 = 1 << 0
        static let read: UInt32 = 1 << 1
        static let skip: UInt32 = 1 << 2
        static let select: UInt32 = 1 << 3
        static let write: UInt32 = 1 << 4
    }

    /// False before the third edition: no DMA, no files, no kernel items.
    let isComplete: Bool
    private(set) var items: [UInt16: FirmwareItem] = [:]
    private var selector: UInt16 = 0
    private var offset: UInt32 = 0
    /// The upper half of a request's address, until the lower one starts it.
    private var addressHigh: UInt32 = 0

    init(_ configuration: MachineConfiguration) {
        isComplete = configuration.edition >= .third
        addBoardItems(configuration)
    }

    mutating func set(_ key: UInt16, _ item: FirmwareItem) { items[key] = item }

    // MARK: Registers

    mutating func select(_ key: UInt16) {
        // Bit 14 asks to write, which is more than ten years out of date.
        selector = key & 0xBFFF
        offset = 0
    }

    /// The next byte of the selected item; 0 past its end and for items that are not there.
    mutating func read() -> UInt8 {
        guard let item = items[selector], offset < item.size else { return 0 }
        defer { offset += 1 }
        return item.byte(at: offset)
    }

    func readAddress(_ port: UInt16) -> UInt8 {
        let place = UInt64(port - FirmwareConfiguration.dmaPorts.lowerBound)
        return UInt8(truncatingIfNeeded: FirmwareConfiguration.dmaSignature >> (56 - 8 * place))
    }

    /// A 32-bit write of the address register, which is big-endian: its lower half starts a
    /// request.
    mutating func writeAddress(_ port: UInt16, _ value: UInt32, _ memory: GuestMemory) {
        if port == FirmwareConfiguration.dmaPorts.lowerBound {
            addressHigh = value.byteSwapped
        } else {
            let address = UInt64(addressHigh) << 32 | UInt64(value.byteSwapped)
            addressHigh = 0
            request(address, memory)
        }
    }

    // MARK: DMA

    /// A request is 16 big-endian bytes: control, length, address. It is done at once, and its
    /// control word then tells of an error or is 0. Where it is no memory, nobody can be told.
    private mutating func request(_ place: UInt64, _ memory: GuestMemory) {
        guard memory.holds(place, 16) else { return }
        let control = memory.load(place, as: UInt32.self).byteSwapped
        let length = memory.load(place + 4, as: UInt32.self).byteSwapped
        let address = memory.load(place + 8, as: UInt64.self).byteSwapped
        if control & Control.select != 0 { select(UInt16(control >> 16)) }
        var isDone = true
        if control & Control.read != 0 {
            isDone = read(UInt64(length), to: address, memory)
        } else if control & Control.write != 0 {
            isDone = length == 0
        } else if control & Control.skip != 0 {
            offset += min(length, rest)
        }
        memory.store((isDone ? 0 : Control.error).byteSwapped, at: place)
    }

    /// How much of the selected item has not been read.
    private var rest: UInt32 {
        guard let item = items[selector], offset < item.size else { return 0 }
        return item.size - offset
    }

    /// Past the item's end zeros are read.
    private mutating func read(
        _ length: UInt64, to address: UInt64, _ memory: GuestMemory
    ) -> Bool {
        guard memory.holds(address, length) else { return false }
        memory.clear(address, length)
        let count = UInt32(min(length, UInt64(rest)))
        items[selector]?.forEachPiece(of: offset..<offset + count) { start, bytes in
            memory.copy(from: bytes, to: address + UInt64(start - offset))
        }
        offset += count
        return true
    }
}

extension FirmwareConfiguration: Snapshottable {
    /// The items are not state: they come from how the machine was made and booted.
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&selector)
        try stream.field(&offset)
        if isComplete { try stream.field(&addressHigh) }
    }
}
