/// The part of the DSDT about the PCI bus: there where something stands on it.
extension Machine {
    /// A host bridge (PNP0A03) with bus 0, all ports but its own, the addresses above RAM, and a
    /// routing table (ACPI 6.4, 6.2.13) that names the ISA line of each device's pin A.
    var peripheralBus: [UInt8] {
        guard !bus.virtio.isEmpty else { return [] }
        let routes = bus.virtio.map { device in
            AML.package([
                AML.integer(UInt32(device.slot) << 16 | 0xFFFF), AML.integer(0), AML.integer(0),
                AML.integer(UInt32(device.line)),
            ])
        }
        let bridge = AML.device(
            "PCI0",
            [
                AML.define("_HID", AML.identity(vendor: "PNP", product: 0x0A03)),
                AML.define("_UID", AML.integer(0)),
                AML.define("_ADR", AML.integer(0)),
                AML.resources([
                    AML.buses(0...0), AML.ports(0xCF8, count: 8), AML.portWindow(0...0xCF7),
                    AML.portWindow(0xD00...0xFFFF), AML.memoryWindow(0xC000_0000...0xFEBF_FFFF),
                ]),
                AML.define("_PRT", AML.package(routes)),
            ])
        return AML.scope("\\_SB", [bridge])
    }
}
