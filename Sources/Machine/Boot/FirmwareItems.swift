/// What fw_cfg tells on a `pc`: the board's items, files, and what the loader has loaded (QEMU:
/// docs/specs/fw_cfg.rst; keys as in Linux's include/uapi/linux/qemu_fw_cfg.h and, for those of the
/// loader, in SeaBIOS's src/fw/paravirt.h). An item of zeros reads as one that is not there: no
/// UUID, no NUMA nodes, no boot menu.
extension FirmwareConfiguration {
    private enum Key {
        static let signature: UInt16 = 0x00
        static let interface: UInt16 = 0x01
        static let memory: UInt16 = 0x03
        static let processors: UInt16 = 0x05
        static let kernelAddress: UInt16 = 0x07
        static let kernelSize: UInt16 = 0x08
        static let moduleAddress: UInt16 = 0x0A
        static let moduleSize: UInt16 = 0x0B
        static let mostProcessors: UInt16 = 0x0F
        static let kernelEntry: UInt16 = 0x10
        static let kernelData: UInt16 = 0x11
        static let moduleData: UInt16 = 0x12
        static let commandAddress: UInt16 = 0x13
        static let commandSize: UInt16 = 0x14
        static let commandData: UInt16 = 0x15
        static let setupAddress: UInt16 = 0x16
        static let setupSize: UInt16 = 0x17
        static let setupData: UInt16 = 0x18
        static let directory: UInt16 = 0x19
        static let firstFile: UInt16 = 0x20
        static let timerOverride: UInt16 = 0x8002
        static let eventTimers: UInt16 = 0x8004
    }

    /// Bits of the interface's item.
    private enum Interface {
        static let traditional: UInt32 = 1
        static let dma: UInt32 = 2
    }

    mutating func addBoardItems(_ configuration: MachineConfiguration) {
        set(Key.signature, FirmwareItem(Array("QEMU".utf8)))
        set(
            Key.interface,
            FirmwareItem(Interface.traditional | (isComplete ? Interface.dma : 0)))
        set(Key.memory, FirmwareItem(configuration.memory))
        for key in [Key.processors, Key.mostProcessors] {
            set(key, FirmwareItem(UInt16(configuration.cpus)))
        }
        guard isComplete else { return }
        // Line 0 is pin 2, as the MADT says.
        set(Key.timerOverride, FirmwareItem(UInt32(1)))
        set(Key.eventTimers, FirmwareItem(Self.eventTimers))
        addFiles([
            ("bootorder", []), ("etc/e820", Self.ram(configuration)),
            ("etc/system-states", Self.sleepStates),
        ])
    }

    /// One block of event timers of the eight that firmware may be told of: identity, address, the
    /// shortest period, page protection.
    private static var eventTimers: [UInt8] {
        var blocks = ByteBuilder()
        blocks.add8(1)
        blocks.add32(EventTimers.identity)
        blocks.add64(EventTimers.range.lowerBound)
        blocks.add16(EventTimers.shortestPeriod)
        blocks.pad(to: 1 + 8 * 15)
        return blocks.bytes
    }

    /// The RAM as the board has it; what firmware takes of it is not marked.
    private static func ram(_ configuration: MachineConfiguration) -> [UInt8] {
        var map = ByteBuilder()
        map.add64(0)
        map.add64(configuration.memory)
        map.add32(1)
        return map.bytes
    }

    /// By sleep state S0 to S5: the sleep type, and bit 7 where there is the state.
    private static var sleepStates: [UInt8] {
        [0x80, 0, 0, 1, 2, 0x80 | UInt8(PowerManagement.softOff)]
    }

    /// The directory: its length, then for each file, by name, its size, key and name, big-endian.
    private mutating func addFiles(_ files: [(name: StaticString, bytes: [UInt8])]) {
        var directory = ByteBuilder()
        directory.add32(UInt32(files.count).byteSwapped)
        for (n, file) in files.enumerated() {
            let key = Key.firstFile + UInt16(n)
            set(key, FirmwareItem(file.bytes))
            let end = directory.bytes.count + 64
            directory.add32(UInt32(file.bytes.count).byteSwapped)
            directory.add16(key.byteSwapped)
            directory.add16(0)
            directory.add(file.name)
            directory.pad(to: end)
        }
        set(Key.directory, FirmwareItem(directory.bytes))
    }

    // MARK: What is loaded

    /// The bytes at an address: an image, or a part of one.
    struct Loaded {
        var address: UInt64
        var bytes: ArraySlice<UInt8>
    }

    /// The kernel in memory, from the first of `ranges` to the end of the last; zeros but for
    /// `parts`.
    mutating func setKernel(
        _ parts: [Loaded], covering ranges: [Range<UInt64>], entry: UInt64?
    ) {
        guard isComplete, let start = ranges.map(\.lowerBound).min(),
            let end = ranges.map(\.upperBound).max()
        else { return }
        let size = UInt32(end - start)
        set(Key.kernelAddress, FirmwareItem(UInt32(start)))
        set(Key.kernelSize, FirmwareItem(size))
        set(
            Key.kernelData,
            FirmwareItem(
                size: size,
                pieces: parts.map { part in
                    FirmwareItem.Piece(start: UInt32(part.address - start), bytes: part.bytes)
                }))
        guard let entry else { return }
        set(Key.kernelEntry, FirmwareItem(UInt32(truncatingIfNeeded: entry)))
    }

    /// An initial RAM disk or module; for a multiboot kernel the information structure.
    mutating func setModule(_ bytes: [UInt8], at address: UInt64) {
        guard isComplete else { return }
        set(Key.moduleAddress, FirmwareItem(UInt32(address)))
        set(Key.moduleSize, FirmwareItem(UInt32(bytes.count)))
        set(Key.moduleData, FirmwareItem(bytes))
    }

    /// With its NUL.
    mutating func setCommandLine(_ text: [UInt8], at address: UInt64?) {
        guard isComplete else { return }
        if let address { set(Key.commandAddress, FirmwareItem(UInt32(address))) }
        set(Key.commandSize, FirmwareItem(UInt32(text.count)))
        set(Key.commandData, FirmwareItem(text))
    }

    /// Linux's setup code, as it is in the file.
    mutating func setSetup(_ bytes: [UInt8], at address: UInt64) {
        guard isComplete else { return }
        set(Key.setupAddress, FirmwareItem(UInt32(address)))
        set(Key.setupSize, FirmwareItem(UInt32(bytes.count)))
        set(Key.setupData, FirmwareItem(bytes))
    }
}
