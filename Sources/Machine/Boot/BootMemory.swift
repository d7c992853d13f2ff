/// Where loaders put things, and what they tell the kernel of memory.
extension Machine {
    /// The first page-aligned place of `size` bytes in low memory, from `start` up to the extended
    /// BIOS data area, that nothing occupies.
    func placeLow(
        size: Int, from start: UInt64, avoiding occupied: [Range<UInt64>]
    ) throws(MachineError) -> Range<UInt64> {
        var base = start
        while base < 0x9_F000,
            occupied.contains(where: { $0.overlaps(base..<base + UInt64(size)) })
        {
            base += 4096
        }
        let place = base..<base + UInt64(size)
        guard place.upperBound <= min(0x9_F000, configuration.memory) else {
            throw .image(
                "the kernel leaves no room below 640 KiB for what it is to be told", offset: 0)
        }
        return place
    }

    /// Copies each PT_LOAD segment to its physical address and zeroes what the file does not hold
    /// of it; returns the ranges.
    func loadSegments(_ file: ELFFile) throws(MachineError) -> [Range<UInt64>] {
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

    /// What an ELF file holds of its segments, by physical address.
    func loadedParts(_ file: ELFFile) -> [FirmwareConfiguration.Loaded] {
        let loads = file.segments.filter { $0.type == ELFFile.load && $0.memorySize > 0 }
        return loads.map { segment in
            let start = Int(segment.offset)
            return FirmwareConfiguration.Loaded(
                address: segment.physicalAddress,
                bytes: file.bytes[start..<start + Int(segment.fileSize)])
        }
    }

    /// Zeroes a range of memory, leaving pages that were never written untouched.
    func clearUsed(_ range: Range<UInt64>) {
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
    func placeModule(
        size: Int, avoiding occupied: [Range<UInt64>], below limit: UInt64 = .max
    ) throws(MachineError) -> Range<UInt64> {
        let reserved: UInt64 = 0x2_8000 + 1
        let room = configuration.memory > reserved ? configuration.memory - reserved : 0
        let top = min(room, limit)
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
    var memoryMap: [(start: UInt64, size: UInt64, type: UInt32)] {
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
}
