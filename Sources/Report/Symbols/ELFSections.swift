/// The section headers of a little-endian ELF file of either class (System V ABI, chapter 4). A
/// loader needs none of them, a debugger does.
struct ELFSections {
    struct Section {
        var name: String
        var type: UInt32
        var flags: UInt64
        var address: UInt64
        var size: UInt64
        /// Of the contents in the file; empty for a section without any, or outside the file.
        var contents: Range<Int>
        var link: Int
        var entrySize: UInt64
    }

    /// Real images have tens; a file may say any number.
    static let limit = 4096
    static let symbolTable: UInt32 = 2
    static let noBits: UInt32 = 8
    static let allocated: UInt64 = 1 << 1
    static let executable: UInt64 = 1 << 2
    static let compressed: UInt64 = 1 << 11

    let bytes: [UInt8]
    let is64Bit: Bool
    private(set) var sections: [Section] = []

    init(_ bytes: [UInt8]) throws(SymbolError) {
        self.bytes = bytes
        var cursor = ByteCursor(bytes, 0..<bytes.count)
        guard try cursor.unsigned(4) == 0x464c_457f else {
            throw SymbolError(offset: 0, what: "no ELF file")
        }
        let fileClass = try cursor.byte()
        guard fileClass == 1 || fileClass == 2, try cursor.byte() == 1 else {
            throw SymbolError(offset: 4, what: "an ELF file of another class or byte order")
        }
        is64Bit = fileClass == 2
        let word = is64Bit ? 8 : 4
        guard bytes.count >= (is64Bit ? 64 : 52) else {
            throw SymbolError(offset: UInt64(bytes.count), what: "an ELF header that ends early")
        }
        cursor = ByteCursor(bytes, (is64Bit ? 40 : 32)..<bytes.count)
        let table = try cursor.unsigned(word)
        cursor = ByteCursor(bytes, (is64Bit ? 58 : 46)..<bytes.count)
        let entrySize = try cursor.unsigned(2)
        let count = try cursor.unsigned(2)
        let names = Int(try cursor.unsigned(2))
        guard table != 0, count > 0 else { return }
        guard count <= UInt64(Self.limit), entrySize >= (is64Bit ? 64 : 40) else {
            throw SymbolError(offset: 48, what: "an impossible section table")
        }
        var nameOffsets: [UInt64] = []
        for number in 0..<count {
            let (start, overflow) = table.addingReportingOverflow(number * entrySize)
            guard !overflow, start <= UInt64(bytes.count) else {
                throw SymbolError(offset: table, what: "a section table outside the file")
            }
            try add(Int(start), word, &nameOffsets)
        }
        for (number, offset) in nameOffsets.enumerated() where names < sections.count {
            sections[number].name = string(names, offset) ?? ""
        }
    }

    private mutating func add(
        _ start: Int, _ word: Int, _ names: inout [UInt64]
    ) throws(SymbolError) {
        var cursor = ByteCursor(bytes, start..<bytes.count)
        names.append(try cursor.unsigned(4))
        let type = UInt32(truncatingIfNeeded: try cursor.unsigned(4))
        let flags = try cursor.unsigned(word)
        let address = try cursor.unsigned(word)
        let offset = try cursor.unsigned(word)
        let size = try cursor.unsigned(word)
        let link = Int(try cursor.unsigned(4))
        _ = try cursor.unsigned(4)
        _ = try cursor.unsigned(word)
        let entrySize = try cursor.unsigned(word)
        let (end, overflow) = offset.addingReportingOverflow(size)
        let inFile = type != Self.noBits && !overflow && end <= UInt64(bytes.count)
        sections.append(
            Section(
                name: "", type: type, flags: flags, address: address, size: size,
                contents: inFile ? Int(offset)..<Int(end) : 0..<0, link: link,
                entrySize: entrySize))
    }

    /// The contents of the first section of that name, unless it is compressed; empty if there is
    /// none.
    func contents(_ name: String) -> Range<Int> {
        guard let section = sections.first(where: { $0.name == name }),
            section.flags & Self.compressed == 0
        else { return 0..<0 }
        return section.contents
    }

    /// A string of a string table section.
    func string(_ section: Int, _ offset: UInt64) -> String? {
        guard sections.indices.contains(section) else { return nil }
        return string(in: sections[section].contents, offset)
    }

    /// A string of a range of the file.
    func string(in range: Range<Int>, _ offset: UInt64) -> String? {
        guard offset < UInt64(range.count) else { return nil }
        var cursor = ByteCursor(bytes, (range.lowerBound + Int(offset))..<range.upperBound)
        return try? cursor.string()
    }

    /// Whether code lies at an address.
    func isCode(_ address: UInt64) -> Bool {
        sections.contains {
            $0.flags & (Self.allocated | Self.executable) == Self.allocated | Self.executable
                && address >= $0.address && address - $0.address < $0.size
        }
    }
}
