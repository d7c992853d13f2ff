/// Just enough of ELF64 to look into an image; written for these tests and independent of the
/// loader that boots them.
struct ImageReader {
    struct Segment {
        var type: UInt32
        var fileOffset: Int
        var fileSize: Int
        var physical: UInt64
        var memorySize: UInt64
    }
    struct Section {
        var name: String
        var fileOffset: Int
        var size: Int
        var link: Int
    }
    struct Note {
        var name: String
        var type: UInt32
        var descriptor: [UInt8]
    }
    struct Symbol {
        var name: String
        var value: UInt64
        var size: UInt64
    }

    static let loadSegment: UInt32 = 1
    static let noteSegment: UInt32 = 4

    let bytes: [UInt8]

    func number(_ offset: Int, _ size: Int) -> UInt64 {
        (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
    }

    func text(_ offset: Int) -> String {
        String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }

    var segments: [Segment] {
        (0..<Int(number(56, 2))).map { index in
            let at = Int(number(32, 8)) + index * 56
            return Segment(
                type: UInt32(number(at, 4)), fileOffset: Int(number(at + 8, 8)),
                fileSize: Int(number(at + 32, 8)), physical: number(at + 24, 8),
                memorySize: number(at + 40, 8))
        }
    }

    var sections: [Section] {
        let table = Int(number(40, 8))
        let names = Int(number(table + Int(number(62, 2)) * 64 + 24, 8))
        return (0..<Int(number(60, 2))).map { index in
            let at = table + index * 64
            return Section(
                name: text(names + Int(number(at, 4))), fileOffset: Int(number(at + 24, 8)),
                size: Int(number(at + 32, 8)), link: Int(number(at + 40, 4)))
        }
    }

    var notes: [Note] {
        segments.filter { $0.type == Self.noteSegment }.flatMap { segment in
            var found: [Note] = []
            var at = segment.fileOffset
            while at < segment.fileOffset + segment.fileSize {
                let nameSize = Int(number(at, 4))
                let size = Int(number(at + 4, 4))
                let start = at + 12 + (nameSize + 3) / 4 * 4
                found.append(
                    Note(
                        name: text(at + 12), type: UInt32(number(at + 8, 4)),
                        descriptor: Array(bytes[start..<start + size])))
                at = start + (size + 3) / 4 * 4
            }
            return found
        }
    }

    var symbols: [String: Symbol] {
        let all = sections
        guard let table = all.first(where: { $0.name == ".symtab" }) else { return [:] }
        let names = all[table.link].fileOffset
        var found: [String: Symbol] = [:]
        for at in stride(from: table.fileOffset, to: table.fileOffset + table.size, by: 24) {
            let name = text(names + Int(number(at, 4)))
            found[name] = Symbol(
                name: name, value: number(at + 8, 8), size: number(at + 16, 8))
        }
        return found
    }
}
