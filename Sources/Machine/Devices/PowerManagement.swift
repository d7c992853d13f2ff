/// ACPI's fixed power-management registers (ACPI 6.4, 4.8), at the ports of QEMU's `pc`: the event
/// block, the control register with sleep type and enable, and the timer at 3579545 Hz. ACPI mode
/// is always on. No event is ever signalled: there is no button, and the timer's carry is not one.
struct PowerManagement {
    static let ports: ClosedRange<UInt16> = 0x600...0x60B
    static let eventPort: UInt16 = 0x600
    static let controlPort: UInt16 = 0x604
    /// Where Bochs, and QEMU before 2.0, have the control register; here it takes writes too.
    static let formerControlPorts: ClosedRange<UInt16> = 0xB004...0xB005
    static let timerPort: UInt16 = 0x608
    /// SLP_TYP of S5, as \_S5 in the DSDT says.
    static let softOff: UInt16 = 0
    private static let timerFrequency: UInt64 = 3_579_545

    private var enable: UInt16 = 0
    /// SLP_TYP, bits 10-12; SCI_EN reads 1.
    private var control: UInt16 = 0

    static func timer(_ cycle: UInt64) -> UInt32 {
        let product = cycle.multipliedFullWidth(by: timerFrequency)
        return UInt32(
            truncatingIfNeeded: Machine.cyclesPerSecond.dividingFullWidth(product).quotient)
    }

    func read(_ port: UInt16, at cycle: UInt64) -> UInt8 {
        let value: UInt32
        switch port & ~3 {
        case PowerManagement.eventPort: value = UInt32(enable) << 16
        case PowerManagement.controlPort: value = UInt32(control | 1)
        default: value = PowerManagement.timer(cycle)
        }
        return UInt8(truncatingIfNeeded: value >> UInt32(8 * (port & 3)))
    }

    /// True where the write turns the machine off.
    mutating func write(_ port: UInt16, _ value: UInt8) -> Bool {
        switch port {
        case 0x602: enable = enable & 0xFF00 | UInt16(value)
        case 0x603: enable = enable & 0xFF | UInt16(value) << 8
        case 0x605:
            control = UInt16(value & 0x1C) << 8
            return value & 0x20 != 0 && control >> 10 == PowerManagement.softOff
        default: break
        }
        return false
    }
}

extension PowerManagement: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&enable)
        try stream.field(&control)
    }
}
