import X86

/// A file handed to a kernel beside it: an initial RAM disk or a multiboot module.
public struct BootModule: Equatable, Sendable {
    /// What multiboot kernels find as the first word of the module's command line.
    public var name: String
    public var bytes: [UInt8]
    public var commandLine: String

    public init(name: String = "", bytes: [UInt8], commandLine: String = "") {
        self.name = name
        self.bytes = bytes
        self.commandLine = commandLine
    }
}

/// A module in memory.
struct PlacedModule {
    var range: Range<UInt64>
    /// Without its NUL; empty for none.
    var commandLine: [UInt8]
}

/// How a kernel image says that it wants to be booted.
public enum BootProtocol: Equatable, Sendable {
    case linux
    case multiboot
    case pvh
    case plainELF
}

/// Booting any kernel on a `pc`: what the image is, is found in the image.
extension Machine {
    /// Loads a kernel and puts vCPU 0 at its entry, with the firmware's tables in place. The
    /// machine must be fresh from reset.
    /// - Parameter name: what multiboot kernels find as the first word of their command line.
    /// - Throws: `MachineError.image` with the file offset of what is wrong.
    @discardableResult
    public func boot(
        kernel: [UInt8], name: String, modules: [BootModule], commandLine: String
    ) throws(MachineError) -> BootProtocol {
        let tables = writeFirmwareTables()
        bus.apics[0].leaveAsFirmware()
        bus.leaveControllersAsFirmware()
        if hasFirmware {
            for n in 0..<cpuCount { bus.memoryTypes[n].leaveAsFirmware() }
        }
        let used = try load(
            kernel: kernel, name: name, modules: modules, commandLine: commandLine, tables: tables)
        guard hasFirmware else { return used }
        // What a kernel finds when it goes back to real mode without a table of its own.
        cpus[0].pointee.idtr = TableRegister()
        cpus[0].pointee.idtr.limit = 0x3FF
        return used
    }

    /// Whether this is a `pc` with more than tables of a BIOS, and a screen for it.
    var hasFirmware: Bool { bus.hasFirmware }

    private func load(
        kernel: [UInt8], name: String, modules: [BootModule], commandLine: String, tables: UInt64
    ) throws(MachineError) -> BootProtocol {
        if LinuxImage.isOne(kernel) {
            try loadLinux(
                LinuxImage(kernel), modules: modules, commandLine: commandLine, tables: tables)
            return .linux
        }
        if let header = try MultibootHeader.find(in: kernel) {
            try loadMultiboot(
                kernel, header, modules: modules,
                commandLine: commandLine.isEmpty ? name : "\(name) \(commandLine)")
            return .multiboot
        }
        guard kernel.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
            throw .image(
                "the kernel is neither a bzImage, nor multiboot, nor an ELF file", offset: 0)
        }
        let file = try ELFFile(kernel)
        if let entry = try optionalPVHEntry(file) {
            try loadPVH(
                file, entry: entry, modules: modules, commandLine: commandLine, tables: tables)
            return .pvh
        }
        try loadPlainELF(file, modules: modules, commandLine: commandLine, tables: tables)
        return .plainELF
    }

    /// An ELF file without any boot protocol starts in the mode of its class: 32-bit protected mode
    /// as a PVH kernel, or long mode (`enterLong`). EBX and EDI hold the address of PVH start info.
    private func loadPlainELF(
        _ file: ELFFile, modules: [BootModule], commandLine: String, tables: UInt64
    ) throws(MachineError) {
        var occupied = try loadSegments(file)
        let entry = physicalEntry(file)
        guard occupied.contains(where: { $0.contains(entry) }) else {
            throw .image("the entry address lies in no loaded segment", offset: 24)
        }
        bus.firmware.setKernel(loadedParts(file), covering: occupied, entry: entry)
        let placed = try place(modules, &occupied)
        publish(modules, placed)
        bus.firmware.setCommandLine(try text(commandLine) + [0], at: nil)
        let info = try writeStartInfo(placed, commandLine, tables: tables, avoiding: occupied)
        guard file.is64Bit else {
            cpus[0].enterPVH(at: entry, startInfo: info)
            cpus[0].pointee.rdi = info
            return
        }
        // Start info is at most 128 KiB from its first possible place: what follows lies above.
        let stack = try placeLow(size: 0x1000, from: 0x7_0000, avoiding: occupied)
        occupied.append(stack)
        try enterLong(at: entry, avoiding: occupied)
        cpus[0].pointee.rbx = info
        cpus[0].pointee.rdi = info
        cpus[0].pointee.rsp = stack.upperBound
    }

    /// The entry address, taken from virtual to physical where only that lies in a segment.
    func physicalEntry(_ file: ELFFile) -> UInt64 {
        let loads = file.segments.filter { $0.type == ELFFile.load }
        let isPhysical = loads.contains {
            file.entry >= $0.physicalAddress && file.entry - $0.physicalAddress < $0.memorySize
        }
        let holder = loads.first {
            file.entry >= $0.virtualAddress && file.entry - $0.virtualAddress < $0.memorySize
        }
        guard !isPhysical, let holder else { return file.entry }
        return file.entry - holder.virtualAddress &+ holder.physicalAddress
    }

    /// Long mode at `rip` with the first 4 GiB mapped to themselves by 2 MiB pages, writable and
    /// for supervisors; a GDT with flat CS 0x10 and data 0x18; interrupts off; else as at reset.
    func enterLong(at rip: UInt64, avoiding occupied: [Range<UInt64>]) throws(MachineError) {
        let place = try placeLow(size: 0x7000, from: 0x8_0000, avoiding: occupied)
        let root = place.lowerBound
        var tables = ByteBuilder()
        tables.add64(root + 0x1000 | 3)
        tables.pad(to: 0x1000)
        for n in UInt64(0)..<4 { tables.add64(root + 0x2000 + n * 0x1000 | 3) }
        tables.pad(to: 0x2000)
        for n in UInt64(0)..<2048 { tables.add64(n << 21 | 0x83) }
        for descriptor in FlatSegments.descriptors(isLong: true) { tables.add64(descriptor) }
        writePhysical(root, tables.bytes)
        let cpu = cpus[0]
        cpu.resetProcessor()
        cpu.pointee.cr0 = CR0.pe | CR0.et | CR0.pg
        cpu.pointee.cr3 = root
        cpu.pointee.cr4 = CR4.pae
        cpu.pointee.efer = EFER.lme | EFER.lma
        cpu.pointee.longMode = 1
        cpu.pointee.codeSize = CodeSize.bits64.rawValue
        cpu.pointee.rip = rip
        cpu.setFlatSegments(isLong: true, table: root + 0x6000)
        cpu.flushTLB()
    }

    /// The state of Linux's 32-bit boot protocol: protected mode without paging, a GDT with flat CS
    /// 0x10 and data 0x18, interrupts off; all else as at reset.
    func enterProtected(
        at rip: UInt64, avoiding occupied: [Range<UInt64>]
    ) throws(MachineError) {
        let place = try placeLow(size: 0x1000, from: 0x8_0000, avoiding: occupied)
        var table = ByteBuilder()
        for descriptor in FlatSegments.descriptors(isLong: false) { table.add64(descriptor) }
        writePhysical(place.lowerBound, table.bytes)
        let cpu = cpus[0]
        cpu.resetProcessor()
        cpu.pointee.cr0 = CR0.pe | CR0.et
        cpu.pointee.codeSize = CodeSize.bits32.rawValue
        cpu.pointee.rip = rip
        cpu.setFlatSegments(isLong: false, table: place.lowerBound)
    }
}

/// The four descriptors of a loader's GDT: two null ones, code 0x10, data 0x18.
enum FlatSegments {
    static func descriptors(isLong: Bool) -> [UInt64] {
        [0, 0, isLong ? 0x00AF_9B00_0000_FFFF : 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF]
    }
}

extension CPU {
    fileprivate func setFlatSegments(isLong: Bool, table: UInt64) {
        var code = SegmentRegister()
        code.limit = 0xFFFF_FFFF
        code.selector = 0x10
        code.attributes =
            0xB | SegmentRegister.codeOrData | SegmentRegister.present | SegmentRegister.granular
            | (isLong ? SegmentRegister.long : SegmentRegister.big)
        var data = SegmentRegister()
        data.limit = 0xFFFF_FFFF
        data.selector = 0x18
        data.attributes =
            0x3 | SegmentRegister.codeOrData | SegmentRegister.present | SegmentRegister.granular
            | SegmentRegister.big
        pointee.cs = code
        pointee.ds = data
        pointee.es = data
        pointee.ss = data
        pointee.fs = data
        pointee.gs = data
        var task = SegmentRegister()
        task.limit = 0x67
        task.attributes = 0xB | SegmentRegister.present
        pointee.tr = task
        pointee.gdtr = TableRegister()
        pointee.gdtr.base = table
        pointee.gdtr.limit = 31
        pointee.idtr = TableRegister()
    }
}
