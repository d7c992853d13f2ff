/// PCI configuration mechanism 1 (PCI Local Bus specification 2.3, 3.2.2.3.2) over a bus that holds
/// one device: the host bridge 0:0.0, which has nothing to configure.
struct PCIConfiguration {
    static let addressPort: UInt16 = 0xCF8
    static let dataPorts: ClosedRange<UInt16> = 0xCFC...0xCFF
    var address: UInt32 = 0

    /// An aligned word of the selected function's configuration space. The bridge has the identity
    /// of an Intel 440FX, which kernels know.
    var word: UInt32 {
        guard address >> 31 == 1, address & 0x00FF_FF00 == 0 else { return 0xFFFF_FFFF }
        switch address & 0xFC {
        case 0x00: return 0x1237_8086
        case 0x08: return 0x0600_0002
        case 0x2C: return 0x1100_1AF4
        default: return 0
        }
    }
}

extension PCIConfiguration: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&address)
    }
}
