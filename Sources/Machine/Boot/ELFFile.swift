/// An executable ELF image for x86: its program headers and notes, checked (System V ABI, chapters
/// 4 and 5). Offsets and sizes come from the file and are never trusted; every error names the
/// file offset of what is wrong.
public struct ELFFile: Sendable {
    /// A program header of either class, widened to 64 bits.
    public struct Segment: Equatable, Sendable {
        public var type: UInt32
        public var flags: UInt32
        /// Of the contents in the file.
        public var offset: UInt64
        public var virtualAddress: UInt64
        public var physicalAddress: UInt64
        public var fileSize: UInt64
        public var memorySize: UInt64
        /// Where the header itself is in the file.
        public var headerOffset: UInt64
    }

    /// An entry of a PT_NOTE segment; ranges are file offsets.
    public struct Note: Equatable, Sendable {
        /// Without its final NUL.
        public var name: [UInt8]
        public var type: UInt32
        public var descriptor: Range<Int>
    }

    public static let load: UInt32 = 1
    public static let note: UInt32 = 4
    /// Program headers that a file may have here; real ones have about ten.
    static let segmentLimit = 1024
    static let noteLimit = 4096

    public let bytes: [UInt8]
    public let is64Bit: Bool
    public let entry: UInt64
    public let segments: [Segment]

    public init(_ bytes: [UInt8]) throws(MachineError) {
        self.bytes = bytes
        let reader = ELFReader(bytes: bytes)
        guard bytes.count >= 20, bytes[0...3] == [0x7F, 0x45, 0x4C, 0x46] else {
            throw .image("this is not an ELF file", offset: 0)
        }
        guard bytes[4] == 1 || bytes[4] == 2 else {
            throw .image("ELF class \(bytes[4]) is neither 32-bit nor 64-bit", offset: 4)
        }
        guard bytes[5] == 1 else {
            throw .image("the ELF file is not little-endian", offset: 5)
        }
        is64Bit = bytes[4] == 2
        let type = try reader.word16(16)
        guard type == 2 || type == 3 else {
            throw .image("ELF type \(type) is not an executable", offset: 16)
        }
        let machine = try reader.word16(18)
        guard machine == (is64Bit ? 62 : 3) else {
            throw .image("ELF machine \(machine) is not x86", offset: 18)
        }
        entry = is64Bit ? try reader.word64(24) : UInt64(try reader.word32(24))
        segments = try ELFFile.readSegments(reader, is64Bit: is64Bit)
    }

    private static func readSegments(
        _ reader: ELFReader, is64Bit: Bool
    ) throws(MachineError) -> [Segment] {
        let table = is64Bit ? try reader.word64(32) : UInt64(try reader.word32(28))
        let entrySize = try reader.word16(is64Bit ? 54 : 42)
        let count = Int(try reader.word16(is64Bit ? 56 : 44))
        let least = is64Bit ? 56 : 32
        guard count <= segmentLimit else {
            throw .image("\(count) program headers are too many", offset: is64Bit ? 56 : 44)
        }
        guard count == 0 || Int(entrySize) >= least else {
            throw .image(
                "program headers of \(entrySize) bytes are too small", offset: is64Bit ? 54 : 42)
        }
        var segments: [Segment] = []
        for n in 0..<count {
            let (start, overflow) = table.addingReportingOverflow(UInt64(n) * UInt64(entrySize))
            guard !overflow else { throw .image("program headers lie outside", offset: table) }
            let segment = try readSegment(reader, start, is64Bit: is64Bit)
            let (end, wraps) = segment.offset.addingReportingOverflow(segment.fileSize)
            guard !wraps, end <= UInt64(reader.bytes.count) else {
                throw .image("segment \(n) goes past the end of the file", offset: start)
            }
            segments.append(segment)
        }
        return segments
    }

    private static func readSegment(
        _ reader: ELFReader, _ start: UInt64, is64Bit: Bool
    ) throws(MachineError) -> Segment {
        guard is64Bit else {
            return Segment(
                type: try reader.word32(start), flags: try reader.word32(start &+ 24),
                offset: UInt64(try reader.word32(start &+ 4)),
                virtualAddress: UInt64(try reader.word32(start &+ 8)),
                physicalAddress: UInt64(try reader.word32(start &+ 12)),
                fileSize: UInt64(try reader.word32(start &+ 16)),
                memorySize: UInt64(try reader.word32(start &+ 20)), headerOffset: start)
        }
        return Segment(
            type: try reader.word32(start), flags: try reader.word32(start &+ 4),
            offset: try reader.word64(start &+ 8), virtualAddress: try reader.word64(start &+ 16),
            physicalAddress: try reader.word64(start &+ 24),
            fileSize: try reader.word64(start &+ 32), memorySize: try reader.word64(start &+ 40),
            headerOffset: start)
    }

    /// All notes of all PT_NOTE segments, in file order. Names and descriptors are padded to 4
    /// bytes, as Linux, Xen and the GNU tools do in both classes.
    public func notes() throws(MachineError) -> [Note] {
        let reader = ELFReader(bytes: bytes)
        var notes: [Note] = []
        for segment in segments where segment.type == ELFFile.note {
            var at = segment.offset
            let end = segment.offset + segment.fileSize
            while end - at >= 12 {
                let nameSize = UInt64(try reader.word32(at))
                let size = UInt64(try reader.word32(at + 4))
                let type = try reader.word32(at + 8)
                let nameStart = at + 12
                let start = nameStart + (nameSize + 3) & ~3
                guard start <= end, size <= end - start else {
                    throw .image("a note goes past the end of its segment", offset: at)
                }
                guard notes.count < ELFFile.noteLimit else {
                    throw .image("there are too many notes", offset: at)
                }
                var name = Array(bytes[Int(nameStart)..<Int(nameStart + nameSize)])
                if name.last == 0 { name.removeLast() }
                notes.append(
                    Note(name: name, type: type, descriptor: Int(start)..<Int(start + size)))
                at = min(end, start + (size + 3) & ~3)
            }
        }
        return notes
    }
}

/// Little-endian words of a file, each read checked against its end.
struct ELFReader {
    let bytes: [UInt8]

    private func word(_ offset: UInt64, size: UInt64) throws(MachineError) -> UInt64 {
        let (end, overflow) = offset.addingReportingOverflow(size)
        guard !overflow, end <= UInt64(bytes.count) else {
            throw .image("the ELF file ends early", offset: UInt64(bytes.count))
        }
        var value: UInt64 = 0
        for n in 0..<Int(size) { value |= UInt64(bytes[Int(offset) + n]) << UInt64(8 * n) }
        return value
    }

    func word16(_ offset: UInt64) throws(MachineError) -> UInt16 {
        UInt16(truncatingIfNeeded: try word(offset, size: 2))
    }
    func word32(_ offset: UInt64) throws(MachineError) -> UInt32 {
        UInt32(truncatingIfNeeded: try word(offset, size: 4))
    }
    func word64(_ offset: UInt64) throws(MachineError) -> UInt64 { try word(offset, size: 8) }
}
