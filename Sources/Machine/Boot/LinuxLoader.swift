/// A Linux bzImage, its setup header read (Linux: Documentation/x86/boot.rst, protocol 2.00 on).
struct LinuxImage {
    /// Offsets in the file, which are those in boot_params too.
    enum Field {
        static let header = 0x1F1
        static let jump = 0x201
        static let magic = 0x202
        static let version = 0x206
        static let loadFlags = 0x211
        static let loaderType = 0x210
        static let ramdiskImage = 0x218
        static let ramdiskSize = 0x21C
        static let heapEnd = 0x224
        static let commandLine = 0x228
        static let ramdiskLimit = 0x22C
        static let extendedFlags = 0x236
        static let commandLineSize = 0x238
        static let preferredAddress = 0x258
        static let initSize = 0x260
        // boot_params only.
        static let extendedMemory = 0x02
        static let videoMode = 0x06
        static let videoLines = 0x0E
        static let tables = 0x70
        static let alternativeMemory = 0x1E0
        static let mapCount = 0x1E8
        static let map = 0x2D0
    }

    let bytes: [UInt8]
    let version: UInt16
    /// Where in the file the protected-mode kernel starts.
    let payload: Int
    let has64BitEntry: Bool
    /// Kernels before protocol 2.10 say too little for a loader to do their setup code's work: they
    /// start where the protocol began, in real mode.
    var startsInRealMode: Bool { version < 0x20A }
    let commandLineSize: Int
    let ramdiskLimit: UInt64
    /// Memory that the kernel needs from where it is loaded until it has a map of its own.
    let initSize: UInt64
    /// Where it runs at the lowest: loaded below, it moves there first.
    let preferredAddress: UInt64
    /// The end of the setup header: what is copied to boot_params.
    let headerEnd: Int

    static func isOne(_ bytes: [UInt8]) -> Bool {
        bytes.count >= 0x206 && bytes[Field.magic..<Field.magic + 4].elementsEqual("HdrS".utf8)
    }

    init(_ bytes: [UInt8]) throws(MachineError) {
        self.bytes = bytes
        let reader = ELFReader(bytes: bytes)
        version = try reader.word16(UInt64(Field.version))
        guard version >= 0x200 else {
            throw .image("boot protocol \(version >> 8).\(version & 255) is too old", offset: 0x206)
        }
        _ = try reader.word32(0x22C)
        guard bytes[Field.loadFlags] & 1 != 0 else {
            throw .image("it is a zImage, which loads below 1 MiB", offset: 0x211)
        }
        let sectors = bytes[Field.header] == 0 ? 4 : Int(bytes[Field.header])
        payload = (sectors + 1) * 512
        guard payload < bytes.count else {
            throw .image("the setup code goes past the end of the file", offset: 0x1F1)
        }
        headerEnd = min(Field.magic + Int(bytes[Field.jump]), 0x290)
        guard headerEnd >= 0x22C, headerEnd <= bytes.count else {
            throw .image("the setup header ends at an impossible place", offset: 0x201)
        }
        let extended = version >= 0x20C ? try reader.word16(UInt64(Field.extendedFlags)) : 0
        has64BitEntry = extended & 1 != 0
        commandLineSize =
            version >= 0x206 ? Int(try reader.word32(UInt64(Field.commandLineSize))) : 255
        ramdiskLimit =
            version >= 0x203 ? UInt64(try reader.word32(UInt64(Field.ramdiskLimit))) : 0x37FF_FFFF
        initSize = version >= 0x20A ? UInt64(try reader.word32(UInt64(Field.initSize))) : 0
        preferredAddress =
            version >= 0x20A ? try reader.word64(UInt64(Field.preferredAddress)) : 0
        if has64BitEntry && bytes.count - payload < 0x200 + 1 {
            throw .image("the kernel ends before its 64-bit entry", offset: UInt64(payload))
        }
    }
}

extension Machine {
    private static let linuxStart: UInt64 = 0x10_0000

    /// Loads the kernel at 1 MiB with boot_params, command line and initial RAM disk, and starts it
    /// at its 64-bit entry where it has one, else at the 32-bit one.
    func loadLinux(
        _ image: LinuxImage, modules: [BootModule], commandLine: String, tables: UInt64
    ) throws(MachineError) {
        guard modules.count <= 1 else {
            throw .image("Linux takes one initial RAM disk, not \(modules.count)", offset: 0)
        }
        let command = try text(commandLine)
        guard command.count <= image.commandLineSize else {
            throw .image(
                "the command line has \(command.count) bytes, the kernel takes "
                    + "\(image.commandLineSize)", offset: UInt64(LinuxImage.Field.commandLineSize))
        }
        let start = Machine.linuxStart
        let size = UInt64(image.bytes.count - image.payload)
        let lowest = max(start, min(image.preferredAddress, MachineConfiguration.maximumMemory))
        let end = max(start + size, lowest + image.initSize)
        guard end <= memoryTop else {
            throw .image(
                "the kernel needs memory up to \(hexadecimal(end)), and there are "
                    + "\(configuration.memory) bytes: give more --memory",
                offset: UInt64(image.payload))
        }
        writePhysical(start, Array(image.bytes[image.payload...]))
        var occupied = [start..<end]
        let placed = try place(modules, &occupied, below: image.ramdiskLimit &+ 1)
        let code = image.bytes[image.payload...]
        bus.firmware.setKernel(
            [FirmwareConfiguration.Loaded(address: start, bytes: code)],
            covering: [start..<start + size], entry: nil)
        publish(modules, placed)
        if image.startsInRealMode && hasFirmware {
            try startSetup(image, placed.first, command)
            return
        }
        let parameters = try placeLow(size: 0x1000, from: 0x1_0000, avoiding: occupied)
        let text = try placeLow(size: command.count + 1, from: 0x2_0000, avoiding: occupied)
        occupied += [parameters, text]
        writePhysical(text.lowerBound, command + [0])
        bus.firmware.setCommandLine(command + [0], at: text.lowerBound)
        bus.firmware.setSetup(Array(image.bytes[..<image.payload]), at: parameters.lowerBound)
        writePhysical(
            parameters.lowerBound,
            bootParameters(image, placed.first, text.lowerBound, tables))
        if image.has64BitEntry {
            try enterLong(at: start + 0x200, avoiding: occupied)
        } else {
            try enterProtected(at: start, avoiding: occupied)
        }
        cpus[0].pointee.rsi = parameters.lowerBound
    }

    /// Puts the setup code at 0x10000, the command line and the heap's end above it, and enters it
    /// (boot.rst, "Memory layout" and "Running the kernel").
    private func startSetup(
        _ image: LinuxImage, _ module: PlacedModule?, _ command: [UInt8]
    ) throws(MachineError) {
        typealias Field = LinuxImage.Field
        let setup: UInt64 = 0x1_0000
        var text: UInt64 = 0x2_0000
        guard image.payload <= 0x8000 else {
            throw .image("the setup code is larger than 32 KiB", offset: 0x1F1)
        }
        var code = ByteBuilder()
        code.bytes = Array(image.bytes[0..<image.payload])
        code.bytes[Field.loaderType] = 0xFF
        if image.version >= 0x201 {
            code.bytes[Field.loadFlags] |= 0x80
            code.bytes[Field.heapEnd] = 0x00
            code.bytes[Field.heapEnd + 1] = 0x8E
        }
        if image.version >= 0x202 {
            code.set32(UInt32(text), at: Field.commandLine)
        } else {
            // A magic number and the distance from the setup code, which a word must hold.
            text = 0x1_9000
            code.bytes.replaceSubrange(0x20..<0x24, with: [0x3F, 0xA3, 0x00, 0x90])
        }
        if let module {
            code.set32(UInt32(module.range.lowerBound), at: Field.ramdiskImage)
            code.set32(
                UInt32(module.range.upperBound - module.range.lowerBound), at: Field.ramdiskSize)
        }
        writePhysical(setup, code.bytes)
        writePhysical(text, command + [0])
        bus.firmware.setCommandLine(command + [0], at: text)
        bus.firmware.setSetup(Array(image.bytes[..<image.payload]), at: setup)
        enterReal(segment: UInt16(setup >> 4), stack: 0xFFF0)
    }

    /// The end of the memory that the map calls usable.
    private var memoryTop: UInt64 {
        memoryMap.filter { $0.type == 1 }.map { $0.start + $0.size }.max() ?? 0
    }

    /// The "zero page".
    private func bootParameters(
        _ image: LinuxImage, _ module: PlacedModule?, _ commandLine: UInt64, _ tables: UInt64
    ) -> [UInt8] {
        typealias Field = LinuxImage.Field
        var page = ByteBuilder()
        page.pad(to: 4096)
        page.bytes.replaceSubrange(
            Field.header..<image.headerEnd, with: image.bytes[Field.header..<image.headerEnd])
        page.bytes[Field.loaderType] = 0xFF  // no assigned loader
        page.bytes[Field.loadFlags] |= 0x80  // the heap may be used
        page.bytes[Field.heapEnd] = 0x00
        page.bytes[Field.heapEnd + 1] = 0xFE
        page.set32(UInt32(truncatingIfNeeded: commandLine), at: Field.commandLine)
        if let module {
            page.set32(UInt32(module.range.lowerBound), at: Field.ramdiskImage)
            page.set32(
                UInt32(module.range.upperBound - module.range.lowerBound), at: Field.ramdiskSize)
        }
        page.set64(tables, at: Field.tables)
        // screen_info: mode 3, 80 columns; 25 lines on a VGA, 16 scan lines each.
        if hasFirmware {
            page.bytes.replaceSubrange(Field.videoMode..<Field.videoMode + 2, with: [3, 80])
            page.bytes.replaceSubrange(
                Field.videoLines..<Field.videoLines + 4, with: [25, 1, 16, 0])
        }
        let above = memoryTop > 0x10_0000 ? (memoryTop - 0x10_0000) >> 10 : 0
        page.bytes[Field.extendedMemory] = UInt8(truncatingIfNeeded: min(above, 0xFFFF))
        page.bytes[Field.extendedMemory + 1] = UInt8(truncatingIfNeeded: min(above, 0xFFFF) >> 8)
        page.set32(UInt32(above), at: Field.alternativeMemory)
        let map = memoryMap
        page.bytes[Field.mapCount] = UInt8(map.count)
        for (n, entry) in map.enumerated() {
            page.set64(entry.start, at: Field.map + n * 20)
            page.set64(entry.size, at: Field.map + n * 20 + 8)
            page.set32(entry.type, at: Field.map + n * 20 + 16)
        }
        return page.bytes
    }
}
