import X86

/// Loading a kernel by Xen's PVH boot protocol (Xen: docs/misc/pvh.pandoc and
/// xen/include/public/arch-x86/hvm/start_info.h): segments at their physical addresses, a
/// start-info structure in memory, and entry in 32-bit protected mode.
extension Machine {
    private enum PVH {
        static let noteName = Array("Xen".utf8)
        /// XEN_ELFNOTE_PHYS32_ENTRY.
        static let noteType: UInt32 = 18
        static let magic: UInt32 = 0x336E_C578
        static let infoSize = 56
        static let moduleSize = 32
        static let memoryMapEntrySize = 24
        /// Where start info may lie: above the interrupt vectors, below the extended BIOS data.
        static let infoStart: UInt64 = 0x6000
        static let maximumCommandLine = 65535
    }

    /// Loads a kernel, its first module and its command line, and puts vCPU 0 at the kernel's PVH
    /// entry. The machine must be fresh from reset.
    public func load(
        kernel: [UInt8], initrd: [UInt8]?, commandLine: String
    ) throws(MachineError) {
        let file = try ELFFile(kernel)
        let entry = try pvhEntry(file)
        var occupied = try loadSegments(file)
        guard occupied.contains(where: { $0.contains(entry) }) else {
            throw .image("the PVH entry address lies in no loaded segment", offset: 0)
        }
        var module: Range<UInt64>?
        if let initrd {
            let place = try placeModule(size: initrd.count, avoiding: occupied)
            writePhysical(place.lowerBound, initrd)
            occupied.append(place)
            module = place
        }
        let modules = module.map { [PlacedModule(range: $0, commandLine: [])] } ?? []
        let info = try writeStartInfo(modules, commandLine, avoiding: occupied)
        cpus[0].enterPVH(at: entry, startInfo: info)
        bus.apics[0].leaveAsFirmware()
    }

    /// The same for `Machine.boot`: any number of modules, their command lines, ACPI tables.
    func loadPVH(
        _ file: ELFFile, entry: UInt64, modules: [BootModule], commandLine: String, tables: UInt64
    ) throws(MachineError) {
        var occupied = try loadSegments(file)
        guard occupied.contains(where: { $0.contains(entry) }) else {
            throw .image("the PVH entry address lies in no loaded segment", offset: 0)
        }
        bus.firmware.setKernel(loadedParts(file), covering: occupied, entry: entry)
        let placed = try place(modules, &occupied)
        publish(modules, placed)
        bus.firmware.setCommandLine(try text(commandLine) + [0], at: nil)
        let info = try writeStartInfo(placed, commandLine, tables: tables, avoiding: occupied)
        cpus[0].enterPVH(at: entry, startInfo: info)
    }

    /// The first module is what fw_cfg calls the initial RAM disk.
    func publish(_ modules: [BootModule], _ placed: [PlacedModule]) {
        guard let module = modules.first, let place = placed.first else { return }
        bus.firmware.setModule(module.bytes, at: place.range.lowerBound)
    }

    /// Puts modules where PVH and Linux want them: the first at the top, each next below.
    func place(
        _ modules: [BootModule], _ occupied: inout [Range<UInt64>], below limit: UInt64 = .max
    ) throws(MachineError) -> [PlacedModule] {
        var placed: [PlacedModule] = []
        for module in modules {
            let below = min(limit, placed.last?.range.lowerBound ?? .max)
            let range = try placeModule(
                size: module.bytes.count, avoiding: occupied, below: below)
            writePhysical(range.lowerBound, module.bytes)
            occupied.append(range)
            placed.append(
                PlacedModule(range: range, commandLine: try text(module.commandLine)))
        }
        return placed
    }

    /// A command line as bytes, without its NUL.
    func text(_ commandLine: String) throws(MachineError) -> [UInt8] {
        let command = Array(commandLine.utf8)
        guard command.count <= PVH.maximumCommandLine, !command.contains(0) else {
            throw .image("the command line is too long or holds a NUL", offset: 0)
        }
        return command
    }

    private func pvhEntry(_ file: ELFFile) throws(MachineError) -> UInt64 {
        guard let entry = try optionalPVHEntry(file) else {
            throw .image(
                "the kernel has no PVH entry: it needs an ELF note named Xen of type 18 "
                    + "(XEN_ELFNOTE_PHYS32_ENTRY) with its 32-bit entry address; Linux has it "
                    + "with CONFIG_PVH", offset: 0)
        }
        return entry
    }

    /// The PVH entry that an ELF file names, or nil where it has no such note.
    func optionalPVHEntry(_ file: ELFFile) throws(MachineError) -> UInt64? {
        let notes = try file.notes()
        guard
            let note = notes.first(where: { $0.name == PVH.noteName && $0.type == PVH.noteType })
        else { return nil }
        let bytes = file.bytes[note.descriptor]
        guard bytes.count == 4 || bytes.count == 8 else {
            throw .image(
                "the PVH entry note holds \(bytes.count) bytes, not 4 or 8",
                offset: UInt64(note.descriptor.lowerBound))
        }
        let entry = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard entry <= UInt64(UInt32.max) else {
            throw .image(
                "the PVH entry address is above 4 GiB",
                offset: UInt64(note.descriptor.lowerBound))
        }
        return entry
    }

    /// Builds hvm_start_info and what it points to in the first free place of low memory; returns
    /// its address.
    func writeStartInfo(
        _ modules: [PlacedModule], _ commandLine: String, tables: UInt64 = 0,
        avoiding occupied: [Range<UInt64>]
    ) throws(MachineError) -> UInt64 {
        let command = try text(commandLine)
        let map = memoryMap
        let mapOffset = PVH.infoSize + modules.count * PVH.moduleSize
        let commandOffset = mapOffset + map.count * PVH.memoryMapEntrySize
        let texts = modules.map(\.commandLine).filter { !$0.isEmpty }
        let size = commandOffset + command.count + 1 + texts.reduce(0) { $0 + $1.count + 1 }
        let base = try placeLow(size: size, from: PVH.infoStart, avoiding: occupied).lowerBound
        var info = ByteBuilder()
        info.add32(PVH.magic)
        info.add32(1)  // version
        info.add32(0)  // flags
        info.add32(UInt32(modules.count))
        info.add64(modules.isEmpty ? 0 : base + UInt64(PVH.infoSize))
        info.add64(base + UInt64(commandOffset))
        info.add64(tables)
        info.add64(base + UInt64(mapOffset))
        info.add32(UInt32(map.count))
        info.add32(0)
        var next = base + UInt64(commandOffset + command.count + 1)
        for module in modules {
            info.add64(module.range.lowerBound)
            info.add64(module.range.upperBound - module.range.lowerBound)
            info.add64(module.commandLine.isEmpty ? 0 : next)
            info.add64(0)
            if !module.commandLine.isEmpty { next += UInt64(module.commandLine.count + 1) }
        }
        for entry in map {
            info.add64(entry.start)
            info.add64(entry.size)
            info.add32(entry.type)
            info.add32(0)
        }
        info.bytes.append(contentsOf: command + [0])
        for text in texts { info.bytes.append(contentsOf: text + [0]) }
        writePhysical(base, info.bytes)
        return base
    }
}

extension CPU {
    /// The state at a PVH entry: protected mode without paging, flat segments, EBX at start info,
    /// a TSS that holds nothing (pvh.pandoc, "CPU state"). What the protocol leaves open is 0.
    func enterPVH(at entry: UInt64, startInfo: UInt64) {
        resetProcessor()
        pointee.cr0 = CR0.pe | CR0.et
        pointee.codeSize = CodeSize.bits32.rawValue
        pointee.rip = entry
        pointee.rbx = startInfo
        var code = SegmentRegister()
        code.limit = 0xFFFF_FFFF
        code.selector = 0x08
        code.attributes =
            0xB | SegmentRegister.codeOrData | SegmentRegister.present | SegmentRegister.big
            | SegmentRegister.granular
        var data = code
        data.selector = 0x10
        data.attributes = code.attributes & ~SegmentRegister.typeMask | 0x3
        var task = SegmentRegister()
        task.limit = 0x67
        task.attributes = 0xB | SegmentRegister.present
        pointee.cs = code
        pointee.ds = data
        pointee.es = data
        pointee.ss = data
        pointee.fs = data
        pointee.gs = data
        pointee.tr = task
        pointee.gdtr = TableRegister()
        pointee.idtr = TableRegister()
    }
}
