/// Makes small ELF executables, byte by byte, for loaders to read.
struct ELFBuilder {
    struct Segment {
        var type: UInt32 = 1
        var physical: UInt64 = 0x10_0000
        var contents: [UInt8] = []
        /// Bytes in memory beyond the contents.
        var zeroes: UInt64 = 0
    }

    var is64Bit = true
    var entry: UInt64 = 0x10_0000
    var segments: [Segment] = []

    /// A kernel with one segment of code at its PVH entry.
    static func kernel(
        _ code: [UInt8], at physical: UInt64 = 0x10_0000, is64Bit: Bool = true,
        zeroes: UInt64 = 0
    ) -> ELFBuilder {
        var file = ELFBuilder()
        file.is64Bit = is64Bit
        file.entry = physical
        file.segments = [
            Segment(physical: physical, contents: code, zeroes: zeroes),
            Segment(
                type: 4, physical: 0,
                contents: note("GNU", 3, [1, 2, 3, 4, 5])
                    + note("Xen", 18, words(UInt32(truncatingIfNeeded: physical)))),
        ]
        return file
    }

    static func words(_ values: UInt32...) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }

    static func note(_ name: String, _ type: UInt32, _ descriptor: [UInt8]) -> [UInt8] {
        let text = Array(name.utf8) + [0]
        func padded(_ bytes: [UInt8]) -> [UInt8] {
            bytes + Array(repeating: 0, count: (4 - bytes.count % 4) % 4)
        }
        return words(UInt32(text.count), UInt32(descriptor.count), type) + padded(text)
            + padded(descriptor)
    }

    func bytes() -> [UInt8] {
        var out: [UInt8] = []
        func put(_ value: UInt64, _ size: Int) {
            for n in 0..<size { out.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * n))) }
        }
        let word = is64Bit ? 8 : 4
        let headerSize = is64Bit ? 64 : 52
        let entrySize = is64Bit ? 56 : 32
        out = [0x7F, 0x45, 0x4C, 0x46, is64Bit ? 2 : 1, 1, 1] + Array(repeating: 0, count: 9)
        put(2, 2)
        put(is64Bit ? 62 : 3, 2)
        put(1, 4)
        put(entry, word)
        put(UInt64(headerSize), word)
        put(0, word)
        put(0, 4)
        put(UInt64(headerSize), 2)
        put(UInt64(entrySize), 2)
        put(UInt64(segments.count), 2)
        put(0, 6)
        var place = UInt64(headerSize + entrySize * segments.count)
        for segment in segments {
            let size = UInt64(segment.contents.count)
            put(UInt64(segment.type), 4)
            if is64Bit { put(7, 4) }
            put(place, word)
            put(segment.physical, word)
            put(segment.physical, word)
            put(size, word)
            put(size + segment.zeroes, word)
            if !is64Bit { put(7, 4) }
            put(4, word)
            place += size
        }
        for segment in segments { out += segment.contents }
        return out
    }
}
