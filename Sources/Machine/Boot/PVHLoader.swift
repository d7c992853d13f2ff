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
        static let infoEnd: UInt64 = 0x9_F000
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
        let info = try writeStartInfo(module: module, commandLine, avoiding: occupied)
        cpus[0].enterPVH(at: entry, startInfo: info)
        bus.apics[0].leaveAsFirmware()
    }

    private func pvhEntry(_ file: ELFFile) throws(MachineError) -> UInt64 {
        let notes = try file.notes()
        guard
            let note = notes.first(where: { $0.name == PVH.noteName && $0.type == PVH.noteType })
        else {
            throw .image(
                "the kernel has no PVH entry: it needs an ELF note named Xen of type 18 "
                    + "(XEN_ELFNOTE_PHYS32_ENTRY) with its 32-bit entry address; Linux has it "
                    + "with CONFIG_PVH", offset: 0)
        }
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

    /// Copies each PT_LOAD segment to its physical address and zeroes what the file does not hold
    /// of it; returns the ranges.
    private func loadSegments(_ file: ELFFile) throws(MachineError) -> [Range<UInt64>] {
        var occupied: [Range<UInt64>] = []
        for segment in file.segments
        where segment.type == ELFFile.load && segment.memorySize > 0 {
            guard segment.fileSize <= segment.memorySize else {
                throw .image(
                    "a segment is larger in the file than in memory",
                    offset: segment.headerOffset)
            }
            let (end, overflow) = segment.physicalAddress.addingReportingOverflow(
                segment.memorySize)
            guard !overflow, end <= configuration.memory else {
                throw .image(
                    "a segment at physical \(hexadecimal(segment.physicalAddress)) of "
                        + "\(segment.memorySize) bytes does not fit in "
                        + "\(configuration.memory) bytes of memory", offset: segment.headerOffset)
            }
            let range = segment.physicalAddress..<end
            guard !occupied.contains(where: { $0.overlaps(range) }) else {
                throw .image("two segments overlap in memory", offset: segment.headerOffset)
            }
            let start = Int(segment.offset)
            writePhysical(
                range.lowerBound, Array(file.bytes[start..<start + Int(segment.fileSize)]))
            // Only pages already touched can hold anything but zeroes.
            clearUsed(range.lowerBound + segment.fileSize..<end)
            occupied.append(range)
        }
        return occupied
    }

    /// Zeroes a range of memory, leaving pages that were never written untouched.
    private func clearUsed(_ range: Range<UInt64>) {
        var at = range.lowerBound
        while at < range.upperBound {
            let next = min(range.upperBound, (at | 0xFFF) + 1)
            if shared.pointee.pageFlags[Int(at >> 12)] & PageFlag.used != 0 {
                writePhysical(at, Array(repeating: 0, count: Int(next - at)))
            }
            at = next
        }
    }

    /// The initrd goes as high as it can below what QEMU keeps for firmware tables, page-aligned.
    private func placeModule(
        size: Int, avoiding occupied: [Range<UInt64>]
    ) throws(MachineError) -> Range<UInt64> {
        let reserved: UInt64 = 0x2_8000 + 1
        let top = configuration.memory > reserved ? configuration.memory - reserved : 0
        guard UInt64(size) < top else {
            throw .image(
                "the initial module of \(size) bytes does not fit in memory", offset: 0)
        }
        let start = (top - UInt64(size)) & ~0xFFF
        let range = start..<start + UInt64(size)
        guard !occupied.contains(where: { $0.overlaps(range) }) else {
            throw .image(
                "the initial module of \(size) bytes and the kernel do not both fit in memory",
                offset: 0)
        }
        return range
    }

    /// The memory map that QEMU's firmware reports for a PC with this much memory.
    private var memoryMap: [(start: UInt64, size: UInt64, type: UInt32)] {
        let usable: UInt32 = 1
        let reserved: UInt32 = 2
        let top = configuration.memory
        let tables: UInt64 = 0x2_0000
        guard top >= 0x10_0000 + 2 * tables else { return [(0, min(top, 0x9_FC00), usable)] }
        return [
            (0, 0x9_FC00, usable), (0x9_FC00, 0x400, reserved), (0xF_0000, 0x1_0000, reserved),
            (0x10_0000, top - 0x10_0000 - tables, usable), (top - tables, tables, reserved),
            (0xFFFC_0000, 0x4_0000, reserved),
        ]
    }

    /// Builds hvm_start_info and what it points to in the first free place of low memory; returns
    /// its address.
    private func writeStartInfo(
        module: Range<UInt64>?, _ commandLine: String, avoiding occupied: [Range<UInt64>]
    ) throws(MachineError) -> UInt64 {
        let command = Array(commandLine.utf8)
        guard command.count <= PVH.maximumCommandLine, !command.contains(0) else {
            throw .image("the command line is too long or holds a NUL", offset: 0)
        }
        let map = memoryMap
        let moduleCount = module == nil ? 0 : 1
        let mapOffset = PVH.infoSize + moduleCount * PVH.moduleSize
        let commandOffset = mapOffset + map.count * PVH.memoryMapEntrySize
        let size = UInt64(commandOffset + command.count + 1)
        var base = PVH.infoStart
        while occupied.contains(where: { $0.overlaps(base..<base + size) }) { base += 4096 }
        guard base + size <= min(PVH.infoEnd, configuration.memory) else {
            throw .image("the kernel leaves no room for start info below 640 KiB", offset: 0)
        }
        var info = ByteBuilder()
        info.add32(PVH.magic)
        info.add32(1)  // version
        info.add32(0)  // flags
        info.add32(UInt32(moduleCount))
        info.add64(module == nil ? 0 : base + UInt64(PVH.infoSize))
        info.add64(base + UInt64(commandOffset))
        info.add64(0)  // no ACPI tables
        info.add64(base + UInt64(mapOffset))
        info.add32(UInt32(map.count))
        info.add32(0)
        if let module {
            info.add64(module.lowerBound)
            info.add64(module.upperBound - module.lowerBound)
            info.add64(0)  // the module has no command line
            info.add64(0)
        }
        for entry in map {
            info.add64(entry.start)
            info.add64(entry.size)
            info.add32(entry.type)
            info.add32(0)
        }
        info.bytes.append(contentsOf: command + [0])
        writePhysical(base, info.bytes)
        return base
    }
}

/// Little-endian words one after the other.
private struct ByteBuilder {
    var bytes: [UInt8] = []
    mutating func add32(_ value: UInt32) {
        for n in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * n))) }
    }
    mutating func add64(_ value: UInt64) {
        add32(UInt32(truncatingIfNeeded: value))
        add32(UInt32(truncatingIfNeeded: value >> 32))
    }
}

/// `0x` and lower-case digits.
func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

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
