/// QEMU's fw_cfg device at ports 0x510 and 0x511 (QEMU: docs/specs/fw_cfg.rst): what firmware asks
/// a virtual board. It has the traditional interface only, no DMA and no files.
struct FirmwareConfiguration {
    private let memory: UInt64
    private let cpus: Int
    private var selector: UInt16 = 0
    private var offset: UInt32 = 0

    init(memory: UInt64, cpus: Int) {
        self.memory = memory
        self.cpus = cpus
    }

    mutating func select(_ key: UInt16) {
        selector = key
        offset = 0
    }

    /// The next byte of the selected item; 0 past its end and for items that are not there.
    mutating func read() -> UInt8 {
        let value: UInt64
        let size: UInt32
        switch selector & 0xBFFF {
        case 0x00: (value, size) = (0x554D_4551, 4)  // "QEMU"
        case 0x01: (value, size) = (1, 4)
        case 0x03: (value, size) = (memory, 8)
        case 0x05, 0x0F: (value, size) = (UInt64(cpus), 2)
        default: (value, size) = (0, 0)
        }
        guard offset < size else { return 0 }
        defer { offset += 1 }
        return UInt8(truncatingIfNeeded: value >> UInt64(8 * offset))
    }
}

extension FirmwareConfiguration: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&selector)
        try stream.field(&offset)
    }
}
