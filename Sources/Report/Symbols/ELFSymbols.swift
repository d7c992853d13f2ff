/// A name for a range of addresses.
struct ELFSymbol {
    var address: UInt64
    /// Bytes, 0 where the file does not say (labels of assembly).
    var size: UInt64
    var name: String
    /// Functions are preferred to data, and those to labels, at one address.
    var rank: UInt8
}

/// The symbol table of an ELF file, for finding the name of an address.
struct ELFSymbols {
    /// Real images have thousands; a file may say any number.
    static let limit = 1 << 20

    /// By address; at one address the preferred symbol is last.
    private var symbols: [ELFSymbol] = []

    init(_ file: ELFSections) throws(SymbolError) {
        for section in file.sections where section.type == ELFSections.symbolTable {
            try read(section, file)
        }
        sort()
    }

    init(_ symbols: [ELFSymbol]) {
        self.symbols = symbols
        sort()
    }

    private mutating func sort() {
        symbols.sort {
            if $0.address != $1.address { return $0.address < $1.address }
            if $0.rank != $1.rank { return $0.rank < $1.rank }
            return $0.name > $1.name
        }
    }

    private mutating func read(
        _ section: ELFSections.Section, _ file: ELFSections
    ) throws(SymbolError) {
        let entrySize = file.is64Bit ? 24 : 16
        guard section.entrySize == UInt64(entrySize) else {
            throw SymbolError(
                offset: UInt64(section.contents.lowerBound), what: "an odd symbol table")
        }
        let count = min(section.contents.count / entrySize, Self.limit)
        for number in 0..<count {
            let start = section.contents.lowerBound + number * entrySize
            var cursor = ByteCursor(file.bytes, start..<(start + entrySize))
            try add(&cursor, section.link, file)
        }
    }

    private mutating func add(
        _ cursor: inout ByteCursor, _ names: Int, _ file: ELFSections
    ) throws(SymbolError) {
        let nameOffset = try cursor.unsigned(4)
        var address: UInt64
        var size: UInt64
        let info: UInt8
        let place: UInt64
        if file.is64Bit {
            info = try cursor.byte()
            _ = try cursor.byte()
            place = try cursor.unsigned(2)
            address = try cursor.unsigned(8)
            size = try cursor.unsigned(8)
        } else {
            address = try cursor.unsigned(4)
            size = try cursor.unsigned(4)
            info = try cursor.byte()
            _ = try cursor.byte()
            place = try cursor.unsigned(2)
        }
        // Undefined symbols, absolute values, section and file names name no place.
        let kind = info & 15
        guard place != 0, place < 0xff00, kind <= 2 else { return }
        guard let name = file.string(names, nameOffset), !name.isEmpty else { return }
        let isGlobal = info >> 4 != 0
        let rank: UInt8 = (kind == 2 ? 4 : kind == 1 ? 2 : 0) + (isGlobal ? 1 : 0)
        symbols.append(ELFSymbol(address: address, size: size, name: name, rank: rank))
    }

    /// The symbol that an address lies in. A symbol with a size covers that many bytes, a label
    /// reaches to the next symbol.
    func find(_ address: UInt64) -> ELFSymbol? {
        var low = 0
        var high = symbols.count
        while low < high {
            let middle = (low + high) / 2
            if symbols[middle].address <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let nearest = symbols[low - 1].address
        // A function may have symbols inside it, but few: the search back is short.
        for symbol in symbols[max(0, low - 64)..<low].reversed() {
            let covers = address - symbol.address < symbol.size
            if covers || symbol.size == 0 && symbol.address == nearest { return symbol }
        }
        return nil
    }

    func find(named name: String) -> ELFSymbol? { symbols.last { $0.name == name } }
}
