/// An ELF kernel's section headers, as multiboot hands them on (Multiboot Specification 0.6.96,
/// 3.3, "syms"): the table in memory, and beside it the sections that no segment has loaded, such
/// as symbols, with their addresses written into the table.
struct MultibootSections {
    /// The information structure's four words.
    var count: UInt32
    var entrySize: UInt32
    var table: UInt32
    var names: UInt32
}

/// Section headers of either class: where they are in the file.
private struct SectionTable {
    static let noBits: UInt32 = 8

    let file: ELFFile
    let start: UInt64
    let entrySize: UInt64
    let count: UInt64
    let names: UInt32

    /// Nil where there is no table, or not all of it is in the file.
    init?(_ file: ELFFile) throws(MachineError) {
        self.file = file
        let reader = ELFReader(bytes: file.bytes)
        let isLong = file.is64Bit
        start = isLong ? try reader.word64(40) : UInt64(try reader.word32(32))
        entrySize = UInt64(try reader.word16(isLong ? 58 : 46))
        count = UInt64(try reader.word16(isLong ? 60 : 48))
        names = UInt32(try reader.word16(isLong ? 62 : 50))
        let room = UInt64(file.bytes.count)
        guard count > 0, entrySize >= (isLong ? 64 : 40), start <= room,
            count * entrySize <= room - start
        else { return nil }
    }

    /// What is in the file of a section that is at no address, and its alignment; nil for others.
    func unloaded(_ n: UInt64) throws(MachineError) -> (range: Range<Int>, alignment: UInt64)? {
        let reader = ELFReader(bytes: file.bytes)
        let at = start + n * entrySize
        let isLong = file.is64Bit
        let address = isLong ? try reader.word64(at + 16) : UInt64(try reader.word32(at + 12))
        let offset = isLong ? try reader.word64(at + 24) : UInt64(try reader.word32(at + 16))
        let size = isLong ? try reader.word64(at + 32) : UInt64(try reader.word32(at + 20))
        let alignment = isLong ? try reader.word64(at + 48) : UInt64(try reader.word32(at + 32))
        let isLoaded = address != 0 || size == 0
        guard !isLoaded, try reader.word32(at + 4) != SectionTable.noBits,
            offset <= UInt64(file.bytes.count), size <= UInt64(file.bytes.count) - offset
        else { return nil }
        let isPower = alignment.nonzeroBitCount == 1 && alignment <= 4096
        return (Int(offset)..<Int(offset + size), isPower ? alignment : 1)
    }

    /// Where a section's address is in the copied table.
    func addressPlace(_ n: UInt64) -> Int { Int(n * entrySize) + (file.is64Bit ? 16 : 12) }
}

extension Machine {
    /// Puts sections and table above all that is occupied; nil where there is no table, or no room
    /// for what it names.
    func placeSections(
        _ file: ELFFile, _ parts: inout [FirmwareConfiguration.Loaded],
        _ occupied: inout [Range<UInt64>]
    ) throws(MachineError) -> MultibootSections? {
        guard configuration.edition >= .third, let sections = try SectionTable(file) else {
            return nil
        }
        let top = memoryMap.filter { $0.type == 1 }.map { $0.start + $0.size }.max() ?? 0
        let highest = max(occupied.map(\.upperBound).max() ?? 0, 0x10_0000)
        let base = (highest + 4095) & ~4095
        let tableStart = Int(sections.start)
        var table = ByteBuilder()
        table.bytes = Array(
            file.bytes[tableStart..<tableStart + Int(sections.count * sections.entrySize)])
        var contents = ByteBuilder()
        var total = 0
        for n in 0..<sections.count {
            guard let (range, alignment) = try sections.unloaded(n) else { continue }
            let place = (contents.bytes.count + Int(alignment) - 1) & ~(Int(alignment) - 1)
            // A damaged table can name the same bytes over and over.
            total += range.count
            guard total <= 2 * file.bytes.count, base + UInt64(place + range.count) <= top else {
                return nil
            }
            contents.pad(to: place)
            contents.bytes += file.bytes[range]
            table.set32(
                UInt32(truncatingIfNeeded: base + UInt64(place)), at: sections.addressPlace(n))
        }
        contents.pad(to: (contents.bytes.count + 15) & ~15)
        let tableAddress = base + UInt64(contents.bytes.count)
        contents.bytes += table.bytes
        guard base + UInt64(contents.bytes.count) <= top else { return nil }
        writePhysical(base, contents.bytes)
        occupied.append(base..<base + UInt64(contents.bytes.count))
        parts.append(FirmwareConfiguration.Loaded(address: base, bytes: contents.bytes[...]))
        return MultibootSections(
            count: UInt32(sections.count), entrySize: UInt32(sections.entrySize),
            table: UInt32(tableAddress), names: sections.names)
    }
}
