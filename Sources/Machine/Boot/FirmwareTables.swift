/// What a PC's firmware leaves in memory: ACPI tables (ACPI 6.4, chapter 5), an MP table
/// (MultiProcessor Specification 1.4), and the words of the BIOS data area that kernels read.
/// The tables lie in the segment at 0xF0000, which every memory map calls reserved.
extension Machine {
    private enum Place {
        static let root: UInt64 = 0xF_0000
        static let multiprocessor: UInt64 = 0xF_0040
        static let tables: UInt64 = 0xF_1000
        static let end: UInt64 = 0x10_0000
    }
    private static let inputOutputAPICAddress: UInt32 = 0xFEC0_0000
    private static let localAPICAddress: UInt32 = 0xFEE0_0000

    /// Writes the tables; returns the address of the RSDP, or 0 where memory is too small for any.
    func writeFirmwareTables() -> UInt64 {
        guard configuration.memory >= Place.end else { return 0 }
        if hasFirmware { writeBIOS() }
        writeBIOSData()
        var next = Place.tables
        func put(_ bytes: [UInt8]) -> UInt64 {
            let at = next
            writePhysical(at, bytes)
            next = (at + UInt64(bytes.count) + 63) & ~63
            return at
        }
        let control = put(Self.controlStructure)
        let description = put(
            Self.table(
                "DSDT", revision: 2,
                Self.differentiated + peripheralBus
                    + (bus.hasEventTimers ? Self.laterDevices : [])))
        let fixed = put(
            Self.table(
                "FACP", revision: 4,
                Self.fixedDescription(
                    control, description, messages: !bus.virtio.isEmpty, screen: hasFirmware)))
        let interrupts = put(Self.table("APIC", revision: 3, interruptDescription))
        var short = ByteBuilder()
        var long = ByteBuilder()
        var listed = [fixed, interrupts]
        if bus.hasEventTimers {
            listed.append(put(Self.table("HPET", revision: 1, Self.eventTimerDescription)))
        }
        for table in listed {
            short.add32(UInt32(table))
            long.add64(table)
        }
        let shortRoot = put(Self.table("RSDT", revision: 1, short.bytes))
        let longRoot = put(Self.table("XSDT", revision: 1, long.bytes))
        writePhysical(Place.root, Self.rootPointer(shortRoot, longRoot))
        let multiprocessor = put(multiprocessorTable)
        writePhysical(Place.multiprocessor, Self.floatingPointer(multiprocessor))
        return Place.root
    }

    /// COM1's port, the extended BIOS data area's segment, one serial port and a coprocessor,
    /// conventional memory in KiB; an empty keyboard buffer; video mode 3 of 80 columns, its
    /// controller's port, its last row, scan lines of a character (Ralf Brown's memory list, 40:00
    /// to 40:85).
    private func writeBIOSData() {
        writePhysical(0x400, [0xF8, 0x03])
        writePhysical(0x40E, [0xC0, 0x9F])
        writePhysical(0x413, [0x7F, 0x02])
        guard hasFirmware else { return }
        writePhysical(0x410, [0x22, 0x02])
        writePhysical(0x41A, [0x1E, 0x00, 0x1E, 0x00])
        writePhysical(0x449, [0x03, 80, 0])
        writePhysical(0x463, [0xD4, 0x03])
        writePhysical(0x480, [0x1E, 0x00, 0x3E, 0x00, 24, 16, 0])
    }

    // MARK: ACPI

    private static func table(
        _ signature: StaticString, revision: UInt8, _ body: [UInt8]
    ) -> [UInt8] {
        var table = ByteBuilder()
        table.add(signature)
        table.add32(UInt32(36 + body.count))
        table.add8(revision)
        table.add8(0)
        table.add("PVREPLPVREPLAY")
        table.add32(1)
        table.add("PVRP")
        table.add32(1)
        table.bytes += body
        table.setChecksum(at: 9, over: 0..<table.bytes.count)
        return table.bytes
    }

    private static func rootPointer(_ short: UInt64, _ long: UInt64) -> [UInt8] {
        var root = ByteBuilder()
        root.add("RSD PTR ")
        root.add8(0)
        root.add("PVREPL")
        root.add8(2)
        root.add32(UInt32(short))
        root.add32(36)
        root.add64(long)
        root.pad(to: 36)
        root.setChecksum(at: 8, over: 0..<20)
        root.setChecksum(at: 32, over: 0..<36)
        return root.bytes
    }

    /// FACS: nothing sleeps, nothing else owns the global lock.
    private static var controlStructure: [UInt8] {
        var control = ByteBuilder()
        control.add("FACS")
        control.add32(64)
        control.pad(to: 32)
        control.add8(2)
        control.pad(to: 64)
        return control.bytes
    }

    /// A generic address in I/O space (5.2.3.2).
    private static func address(
        _ table: inout ByteBuilder, _ port: UInt16, bits: UInt8, access: UInt8
    ) {
        table.bytes += [port == 0 ? 0 : 1, bits, 0, access]
        table.add64(UInt64(port))
    }

    /// FADT, after its header (5.2.9).
    private static func fixedDescription(
        _ control: UInt64, _ description: UInt64, messages: Bool, screen: Bool
    ) -> [UInt8] {
        var t = ByteBuilder()
        t.add32(UInt32(control))
        t.add32(UInt32(description))
        t.bytes += [0, 1]  // a desktop
        t.add16(9)  // SCI
        t.pad(to: 20)  // no SMI command port: ACPI mode is always on
        t.add32(UInt32(PowerManagement.eventPort))
        t.add32(0)
        t.add32(UInt32(PowerManagement.controlPort))
        t.add32(0)
        t.add32(0)
        t.add32(UInt32(PowerManagement.timerPort))
        t.add32(0)
        t.add32(0)
        t.bytes += [4, 2, 0, 4, 0, 0, 0, 0]
        t.add16(0xFFF)  // no C2
        t.add16(0xFFF)  // no C3
        t.pad(to: 72)
        t.add8(0x32)  // the century's place in CMOS
        // Legacy devices, 8042, no VGA where there is none, no MSI where no device has it.
        t.add16((messages ? 0x03 : 0x0B) | (screen ? 0 : 0x04))
        t.add8(0)
        // WBINVD; C1; buttons are no fixed features; nor is RTC wake; 32-bit timer; reset register.
        t.add32(1 << 0 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 10)
        address(&t, 0xCF9, bits: 8, access: 1)
        t.add8(0x0E)
        t.pad(to: 96)
        t.add64(control)
        t.add64(description)
        address(&t, PowerManagement.eventPort, bits: 32, access: 2)
        address(&t, 0, bits: 0, access: 0)
        address(&t, PowerManagement.controlPort, bits: 16, access: 2)
        address(&t, 0, bits: 0, access: 0)
        address(&t, 0, bits: 0, access: 0)
        address(&t, PowerManagement.timerPort, bits: 32, access: 3)
        t.pad(to: 208)
        return t.bytes
    }

    /// The DSDT's code: S5, and the legacy devices that are there.
    private static var differentiated: [UInt8] {
        let off = AML.integer(UInt32(PowerManagement.softOff))
        let serial = AML.device(
            "COM1",
            [
                AML.define("_HID", AML.identity(vendor: "PNP", product: 0x0501)),
                AML.define("_UID", AML.integer(1)),
                AML.resources([AML.ports(0x3F8, count: 8), AML.interrupt(line: 4)]),
            ])
        let clock = AML.device(
            "RTC",
            [
                AML.define("_HID", AML.identity(vendor: "PNP", product: 0x0B00)),
                AML.resources([AML.ports(0x70, count: 2), AML.interrupt(line: 8)]),
            ])
        let keyboard = AML.device(
            "KBD",
            [
                AML.define("_HID", AML.identity(vendor: "PNP", product: 0x0303)),
                AML.resources([
                    AML.ports(0x60, count: 1), AML.ports(0x64, count: 1), AML.interrupt(line: 1),
                ]),
            ])
        return AML.scope("\\_SB", [serial, clock, keyboard])
            + AML.define("\\_S5", AML.package([off, off, AML.integer(0), AML.integer(0)]))
    }

    /// The HPET table, after its header (HPET specification 1.0a, 3.2.4): identity, address,
    /// number, the shortest period without losses in ticks, no page protection.
    private static var eventTimerDescription: [UInt8] {
        var t = ByteBuilder()
        t.add32(EventTimers.identity)
        t.bytes += [0, 64, 0, 0]
        t.add64(EventTimers.range.lowerBound)
        t.add8(0)
        t.add16(EventTimers.shortestPeriod)
        t.add8(0)
        return t.bytes
    }

    /// What came with the third edition: fw_cfg (QEMU: docs/specs/fw_cfg.rst, "ACPI Interface":
    /// present, decoded, working, not shown) and the event timers.
    private static var laterDevices: [UInt8] {
        let timers = AML.device(
            "HPET",
            [
                AML.define("_HID", AML.identity(vendor: "PNP", product: 0x0103)),
                AML.resources([AML.memory(UInt32(EventTimers.range.lowerBound), count: 0x400)]),
            ])
        let configuration = AML.device(
            "FWCF",
            [
                AML.define("_HID", AML.string("QEMU0002")),
                AML.define("_STA", AML.integer(0x0B)),
                AML.resources([AML.ports(FirmwareConfiguration.selectPort, count: 12)]),
            ])
        return AML.scope("\\_SB", [configuration, timers])
    }

    /// MADT, after its header (5.2.12): every vCPU, the I/O APIC, the timer on its pin 2, the SCI.
    private var interruptDescription: [UInt8] {
        var t = ByteBuilder()
        t.add32(Self.localAPICAddress)
        t.add32(1)  // there are 8259s too
        for index in 0..<cpuCount {
            t.bytes += [0, 8, UInt8(index), UInt8(index)]
            t.add32(1)
        }
        t.bytes += [1, 12, 0, 0]
        t.add32(Self.inputOutputAPICAddress)
        t.add32(0)
        t.bytes += [2, 10, 0, 0]
        t.add32(2)
        t.add16(0)
        t.bytes += [2, 10, 0, 9]
        t.add32(9)
        t.add16(0xD)  // active high, level
        if !bus.virtio.isEmpty {
            for line in [UInt8(10), 11] {
                t.bytes += [2, 10, 0, line]
                t.add32(UInt32(line))
                t.add16(0xD)
            }
        }
        t.bytes += [4, 6, 0xFF, 0, 0, 1]  // LINT1 of all is NMI
        return t.bytes
    }

    // MARK: MP table

    private static func floatingPointer(_ table: UInt64) -> [UInt8] {
        var pointer = ByteBuilder()
        pointer.add("_MP_")
        pointer.add32(UInt32(table))
        pointer.bytes += [1, 4, 0, 0, 0, 0, 0, 0]
        pointer.setChecksum(at: 10, over: 0..<16)
        return pointer.bytes
    }

    /// The MP configuration table (chapter 4).
    private var multiprocessorTable: [UInt8] {
        let identity = cpus[0].identify(leaf: 1, subleaf: 0)
        var t = ByteBuilder()
        t.add("PCMP")
        t.add16(0)
        t.bytes += [4, 0]
        t.add("PVREPLAYPC          ")
        t.add32(0)
        t.add16(0)
        let hasBus = !bus.virtio.isEmpty
        t.add16(UInt16(cpuCount + 2 + 15 + 2 + (hasBus ? 1 + bus.virtio.count : 0)))
        t.add32(Self.localAPICAddress)
        t.add32(0)
        for index in 0..<cpuCount {
            t.bytes += [0, UInt8(index), 0x14, index == 0 ? 3 : 1]
            t.add32(identity.eax)
            t.add32(identity.edx)
            t.add64(0)
        }
        // PCI buses have the numbers of their buses.
        if hasBus {
            t.bytes += [1, 0]
            t.add("PCI   ")
        }
        t.bytes += [1, hasBus ? 1 : 0]
        t.add("ISA   ")
        t.bytes += [2, 0, 0x20, 1]
        t.add32(Self.inputOutputAPICAddress)
        // Each ISA line but the cascade's on the pin of its number, the timer on pin 2.
        for line in UInt8(0)..<16 where line != 2 {
            t.bytes += [3, 0, 0, 0, hasBus ? 1 : 0, line, 0, line == 0 ? 2 : line]
        }
        // Pin A of each device, level and active high.
        for device in bus.virtio {
            t.bytes += [3, 0, 0x0D, 0, 0, UInt8(device.slot << 2), 0, device.line]
        }
        t.bytes += [4, 3, 0, 0, 0, 0, 0xFF, 0]  // ExtINT on LINT0
        t.bytes += [4, 1, 0, 0, 0, 0, 0xFF, 1]  // NMI on LINT1
        t.bytes[4] = UInt8(truncatingIfNeeded: t.bytes.count)
        t.bytes[5] = UInt8(truncatingIfNeeded: t.bytes.count >> 8)
        t.setChecksum(at: 7, over: 0..<t.bytes.count)
        return t.bytes
    }
}
