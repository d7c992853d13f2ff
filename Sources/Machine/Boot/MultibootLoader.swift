/// A multiboot header (Multiboot Specification 0.6.96, 3.1).
struct MultibootHeader {
    static let magic: UInt32 = 0x1BAD_B002
    /// The header lies within the first 8192 bytes, at a multiple of 4.
    static let searched = 8192
    /// Requirements that a loader must refuse where it does not know them: all but page alignment,
    /// memory information and a video mode.
    static let unknownRequirements: UInt32 = 0xFFF8
    static let wantsVideo: UInt32 = 1 << 2
    static let hasAddresses: UInt32 = 1 << 16

    var offset: Int
    var flags: UInt32

    /// The header of an image, or nil where it has none.
    static func find(in bytes: [UInt8]) throws(MachineError) -> MultibootHeader? {
        let reader = ELFReader(bytes: bytes)
        var at = 0
        while at + 12 <= min(bytes.count, searched) {
            if try reader.word32(UInt64(at)) == magic {
                let flags = try reader.word32(UInt64(at + 4))
                if try reader.word32(UInt64(at + 8)) &+ flags &+ magic == 0 {
                    return MultibootHeader(offset: at, flags: flags)
                }
            }
            at += 4
        }
        return nil
    }
}

extension Machine {
    private enum Multiboot {
        static let loaderMagic: UInt64 = 0x2BAD_B002
        static let infoStart: UInt64 = 0x9000
        static let infoSize = 116
        /// Memory sizes, boot device, command line, modules, memory map, loader's name.
        static let flags: UInt32 = 1 | 2 | 4 | 8 | 0x40 | 0x200
        static let bootDevice: UInt32 = 0x8000_FFFF
        /// There are an ELF kernel's section headers.
        static let sections: UInt32 = 1 << 5
        /// There is a frame buffer's description.
        static let framebuffer: UInt32 = 1 << 12
    }

    /// Loads a multiboot kernel, an ELF file of either class or one that gives its addresses, and
    /// enters it in 32-bit protected mode (3.2): EAX the magic number, EBX the information.
    func loadMultiboot(
        _ bytes: [UInt8], _ header: MultibootHeader, modules: [BootModule], commandLine: String
    ) throws(MachineError) {
        guard header.flags & MultibootHeader.unknownRequirements == 0 else {
            throw .image(
                "the multiboot header requires what is not offered: flags "
                    + hexadecimal(UInt64(header.flags)), offset: UInt64(header.offset + 4))
        }
        var occupied: [Range<UInt64>]
        var parts: [FirmwareConfiguration.Loaded]
        var sections: MultibootSections?
        let entry: UInt64
        if header.flags & MultibootHeader.hasAddresses != 0 {
            let part: FirmwareConfiguration.Loaded
            let range: Range<UInt64>
            (part, range, entry) = try loadByAddresses(bytes, header)
            (parts, occupied) = ([part], [range])
        } else {
            let file = try ELFFile(bytes)
            occupied = try loadSegments(file)
            parts = loadedParts(file)
            entry = physicalEntry(file)
            sections = try placeSections(file, &parts, &occupied)
        }
        guard occupied.contains(where: { $0.contains(entry) }) else {
            throw .image("the entry address lies in no loaded segment", offset: 24)
        }
        let placed = try placeAbove(modules, &occupied)
        for (module, place) in zip(modules, placed) {
            parts.append(
                FirmwareConfiguration.Loaded(
                    address: place.range.lowerBound, bytes: module.bytes[...]))
        }
        bus.firmware.setKernel(parts, covering: occupied, entry: entry)
        let info = try writeMultibootInfo(
            placed, try text(commandLine), sections, avoiding: occupied,
            hasVideo: header.flags & MultibootHeader.wantsVideo != 0)
        cpus[0].enterPVH(at: entry, startInfo: info)
        cpus[0].pointee.rax = Multiboot.loaderMagic
    }

    /// The address fields of the header: where its own place in the file goes, and what follows.
    private func loadByAddresses(
        _ bytes: [UInt8], _ header: MultibootHeader
    ) throws(MachineError) -> (FirmwareConfiguration.Loaded, Range<UInt64>, entry: UInt64) {
        let reader = ELFReader(bytes: bytes)
        var words: [UInt64] = []
        for n in 0..<5 {
            words.append(UInt64(try reader.word32(UInt64(header.offset + 12 + 4 * n))))
        }
        let (headerAddress, load, loadEnd, bssEnd, entry) = (
            words[0], words[1], words[2], words[3], words[4]
        )
        let at = UInt64(header.offset)
        guard load <= headerAddress, headerAddress - load <= at else {
            throw .image("the load address does not lie in the file", offset: at + 16)
        }
        let start = at - (headerAddress - load)
        let rest = UInt64(bytes.count) - start
        guard loadEnd == 0 || loadEnd >= load && loadEnd - load <= rest else {
            throw .image("the load end address does not lie in the file", offset: at + 20)
        }
        let size = loadEnd == 0 ? rest : loadEnd - load
        guard bssEnd == 0 || bssEnd >= load + size else {
            throw .image("the bss ends before the loaded part", offset: at + 24)
        }
        let end = max(bssEnd, load + size)
        guard end <= configuration.memory else {
            throw .image(
                "the kernel up to \(hexadecimal(end)) does not fit in \(configuration.memory) "
                    + "bytes of memory", offset: at + 24)
        }
        clearUsed(load..<end)
        let part = bytes[Int(start)..<Int(start + size)]
        writePhysical(load, Array(part))
        return (FirmwareConfiguration.Loaded(address: load, bytes: part), load..<end, entry)
    }

    /// Modules follow the kernel, each on a page of its own.
    private func placeAbove(
        _ modules: [BootModule], _ occupied: inout [Range<UInt64>]
    ) throws(MachineError) -> [PlacedModule] {
        var placed: [PlacedModule] = []
        var next = max(occupied.map(\.upperBound).max() ?? 0, 0x10_0000)
        let top = memoryMap.filter { $0.type == 1 }.map { $0.start + $0.size }.max() ?? 0
        for module in modules {
            next = (next + 4095) & ~4095
            let end = next + UInt64(module.bytes.count)
            guard end <= top else {
                throw .image(
                    "a module of \(module.bytes.count) bytes and the kernel do not both fit in "
                        + "memory", offset: 0)
            }
            writePhysical(next, module.bytes)
            occupied.append(next..<end)
            // As the kernel's own: its name first.
            let words = [module.name, module.commandLine].filter { !$0.isEmpty }
            placed.append(
                PlacedModule(
                    range: next..<end, commandLine: try text(words.joined(separator: " "))))
            next = end
        }
        return placed
    }

    /// The mode that a kernel which wants one is given, whatever it prefers: 80x25 of text at
    /// 0xB8000, 160 bytes a row, 16 bits a character, type 2 (3.3, "framebuffer_type").
    private static var textFramebuffer: [UInt8] {
        var mode = ByteBuilder()
        mode.add64(0xB_8000)
        mode.add32(160)
        mode.add32(80)
        mode.add32(25)
        mode.bytes += [16, 2]
        return mode.bytes
    }

    /// The information structure (3.3), its memory map, modules and texts; its address.
    private func writeMultibootInfo(
        _ modules: [PlacedModule], _ commandLine: [UInt8], _ sections: MultibootSections?,
        avoiding occupied: [Range<UInt64>], hasVideo: Bool
    ) throws(MachineError) -> UInt64 {
        let map = memoryMap
        let loader = Array("pvreplay".utf8)
        let moduleOffset = Multiboot.infoSize
        let mapOffset = moduleOffset + 16 * modules.count
        let textOffset = mapOffset + 24 * map.count
        let texts = [commandLine, loader] + modules.map(\.commandLine)
        let size = textOffset + texts.reduce(0) { $0 + $1.count + 1 }
        let place = try placeLow(size: size, from: Multiboot.infoStart, avoiding: occupied)
        let base = UInt32(place.lowerBound)
        var starts: [UInt32] = []
        var next = base + UInt32(textOffset)
        for text in texts {
            starts.append(next)
            next += UInt32(text.count + 1)
        }
        let top = map.filter { $0.type == 1 && $0.start == 0x10_0000 }.map(\.size).first ?? 0
        var info = ByteBuilder()
        let further =
            (hasVideo ? Multiboot.framebuffer : 0) | (sections == nil ? 0 : Multiboot.sections)
        info.add32(Multiboot.flags | further)
        info.add32(639)
        info.add32(UInt32(top >> 10))
        info.add32(Multiboot.bootDevice)
        info.add32(starts[0])
        info.add32(UInt32(modules.count))
        info.add32(base + UInt32(moduleOffset))
        if let sections {
            info.add32(sections.count)
            info.add32(sections.entrySize)
            info.add32(sections.table)
            info.add32(sections.names)
        }
        info.pad(to: 44)
        info.add32(UInt32(24 * map.count))
        info.add32(base + UInt32(mapOffset))
        info.pad(to: 64)
        info.add32(starts[1])
        info.pad(to: 88)
        if hasVideo { info.bytes += Machine.textFramebuffer }
        info.pad(to: Multiboot.infoSize)
        for (n, module) in modules.enumerated() {
            info.add32(UInt32(module.range.lowerBound))
            info.add32(UInt32(module.range.upperBound))
            info.add32(starts[2 + n])
            info.add32(0)
        }
        for entry in map {
            info.add32(20)
            info.add64(entry.start)
            info.add64(entry.size)
            info.add32(entry.type)
        }
        for text in texts { info.bytes += text + [0] }
        writePhysical(place.lowerBound, info.bytes)
        bus.firmware.setModule(
            Array(info.bytes[..<Multiboot.infoSize]), at: place.lowerBound)
        return place.lowerBound
    }
}
