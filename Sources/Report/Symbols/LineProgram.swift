/// One unit of `.debug_line`: its header and its program (DWARF 4 and 5, section 6.2).
struct LineProgram {
    struct Header {
        var version: UInt64 = 0
        var minimumLength: UInt64 = 1
        var maximumOperations: UInt64 = 1
        var lineBase: Int64 = 0
        var lineRange: UInt64 = 1
        var opcodeBase: UInt8 = 13
        /// Operands of each standard opcode, from opcode 1.
        var operandCounts: [UInt8] = []
        /// Directory and name, by the number that the program uses.
        var files: [String] = []
    }

    private(set) var header: Header
    private var cursor: ByteCursor
    private let offsetSize: Int

    /// `unit` begins after its length field.
    init(_ unit: ByteCursor, offsetSize: Int, _ file: ELFSections) throws(SymbolError) {
        cursor = unit
        self.offsetSize = offsetSize
        header = Header()
        header.version = try cursor.unsigned(2)
        guard (2...5).contains(header.version) else {
            throw cursor.malformed("line numbers of DWARF version \(header.version)")
        }
        if header.version >= 5 { try cursor.skip(2) }
        let length = try cursor.unsigned(offsetSize)
        var rest = try cursor.part(length)
        header.minimumLength = try rest.unsigned(1)
        if header.version >= 4 { header.maximumOperations = try rest.unsigned(1) }
        _ = try rest.byte()
        header.lineBase = Int64(Int8(bitPattern: try rest.byte()))
        header.lineRange = try rest.unsigned(1)
        header.opcodeBase = try rest.byte()
        guard header.lineRange > 0, header.maximumOperations > 0 else {
            throw rest.malformed("a line program that divides by zero")
        }
        for _ in 1..<max(1, header.opcodeBase) {
            header.operandCounts.append(try rest.byte())
        }
        if header.version >= 5 {
            try readTables(&rest, file)
        } else {
            try readOldTables(&rest)
        }
    }

    /// Version 2 to 4: NUL-ended names; directory 0 is the compilation's own, files count from 1.
    private mutating func readOldTables(_ rest: inout ByteCursor) throws(SymbolError) {
        var directories = [""]
        while true {
            let name = try rest.string()
            if name.isEmpty { break }
            directories.append(name)
        }
        header.files = [""]
        while true {
            let name = try rest.string()
            if name.isEmpty { break }
            let directory = try rest.unsignedLEB()
            _ = try rest.unsignedLEB()
            _ = try rest.unsignedLEB()
            header.files.append(Self.path(directories, directory, name))
        }
    }

    /// Version 5: tables that describe their own columns; both count from 0.
    private mutating func readTables(
        _ rest: inout ByteCursor, _ file: ELFSections
    ) throws(SymbolError) {
        var directories: [String] = []
        for entry in try readTable(&rest, file) { directories.append(entry.name) }
        for entry in try readTable(&rest, file) {
            header.files.append(Self.path(directories, entry.directory, entry.name))
        }
    }

    private struct Entry {
        var name = ""
        var directory: UInt64 = 0
    }

    private func readTable(
        _ rest: inout ByteCursor, _ file: ELFSections
    ) throws(SymbolError) -> [Entry] {
        var formats: [(content: UInt64, form: UInt64)] = []
        for _ in 0..<(try rest.byte()) {
            let content = try rest.unsignedLEB()
            formats.append((content, try rest.unsignedLEB()))
        }
        let count = try rest.unsignedLEB()
        // Every form takes a byte at least: a larger count cannot be true.
        guard count <= UInt64(rest.remaining), !formats.isEmpty || count == 0 else {
            throw rest.malformed("an impossible number of source files")
        }
        var entries: [Entry] = []
        for _ in 0..<count {
            var entry = Entry()
            for format in formats {
                let value = try readForm(&rest, format.form, file)
                if format.content == 1 { entry.name = value.text ?? "" }
                if format.content == 2 { entry.directory = value.number }
            }
            entries.append(entry)
        }
        return entries
    }

    /// The forms that the standard allows in these tables (section 6.2.4.1).
    private func readForm(
        _ rest: inout ByteCursor, _ form: UInt64, _ file: ELFSections
    ) throws(SymbolError) -> (text: String?, number: UInt64) {
        switch form {
        case 0x08: return (try rest.string(), 0)
        case 0x1f:
            let offset = try rest.unsigned(offsetSize)
            return (file.string(in: file.contents(".debug_line_str"), offset), 0)
        case 0x0e:
            let offset = try rest.unsigned(offsetSize)
            return (file.string(in: file.contents(".debug_str"), offset), 0)
        case 0x0f: return (nil, try rest.unsignedLEB())
        case 0x0b: return (nil, try rest.unsigned(1))
        case 0x05: return (nil, try rest.unsigned(2))
        case 0x06: return (nil, try rest.unsigned(4))
        case 0x07: return (nil, try rest.unsigned(8))
        case 0x1e:
            try rest.skip(16)
            return (nil, 0)
        case 0x09:
            try rest.skip(try rest.unsignedLEB())
            return (nil, 0)
        default: throw rest.malformed("form \(form) in a table of source files")
        }
    }

    private static func path(_ directories: [String], _ number: UInt64, _ name: String) -> String {
        let known = number < UInt64(directories.count) ? directories[Int(number)] : ""
        if name.hasPrefix("/") || known.isEmpty || known == "." { return name }
        return known + "/" + name
    }

    // MARK: The program

    /// The state machine's registers.
    private struct State {
        var address: UInt64 = 0
        var operation: UInt64 = 0
        var file: UInt64 = 1
        var line: UInt64 = 1

        var row: LineTable.Row {
            LineTable.Row(
                address: address, file: UInt32(clamping: file), line: UInt32(clamping: line))
        }
    }

    /// Runs the program to the next end of a sequence and gives its rows, in ascending order of
    /// addresses; nil after the last.
    mutating func nextSequence(limit: Int) throws(SymbolError) -> [LineTable.Row]? {
        var state = State()
        var rows: [LineTable.Row] = []
        while !cursor.atEnd {
            let opcode = try cursor.byte()
            guard rows.count < limit else { throw cursor.malformed("too many lines") }
            if opcode >= header.opcodeBase {
                special(UInt64(opcode - header.opcodeBase), &state)
                rows.append(state.row)
            } else if opcode == 0 {
                if try extended(&state) {
                    rows.append(state.row)
                    // The standard promises ascending addresses; a search relies on it.
                    let ascends = zip(rows, rows.dropFirst()).allSatisfy {
                        $0.address <= $1.address
                    }
                    return ascends ? rows : []
                }
            } else if try standard(opcode, &state) {
                rows.append(state.row)
            }
        }
        return nil
    }

    private func special(_ adjusted: UInt64, _ state: inout State) {
        advance(adjusted / header.lineRange, &state)
        let step = header.lineBase &+ Int64(adjusted % header.lineRange)
        state.line = state.line &+ UInt64(bitPattern: step)
    }

    /// Advances the address by operations (on x86 an operation is a byte).
    private func advance(_ operations: UInt64, _ state: inout State) {
        let total = state.operation &+ operations
        state.address &+= header.minimumLength &* (total / header.maximumOperations)
        state.operation = total % header.maximumOperations
    }

    /// A standard opcode; true if it makes a row.
    private mutating func standard(
        _ opcode: UInt8, _ state: inout State
    ) throws(SymbolError) -> Bool {
        switch opcode {
        case 1: return true
        case 2: advance(try cursor.unsignedLEB(), &state)
        case 3: state.line = state.line &+ UInt64(bitPattern: try cursor.signedLEB())
        case 4: state.file = try cursor.unsignedLEB()
        case 5, 12: _ = try cursor.unsignedLEB()
        case 6, 7, 10, 11: break
        case 8: advance(UInt64(255 - header.opcodeBase) / header.lineRange, &state)
        case 9:
            state.address &+= try cursor.unsigned(2)
            state.operation = 0
        default:
            for _ in 0..<header.operandCounts[Int(opcode) - 1] { _ = try cursor.unsignedLEB() }
        }
        return false
    }

    /// An extended opcode; true if it ends the sequence.
    private mutating func extended(_ state: inout State) throws(SymbolError) -> Bool {
        let length = try cursor.unsignedLEB()
        guard length > 0 else { return false }
        var operands = try cursor.part(length)
        switch try operands.byte() {
        case 1: return true
        case 2:
            let size = min(8, operands.remaining)
            state.address = try operands.unsigned(size)
            state.operation = 0
        case 3:
            let name = try operands.string()
            let directory = try operands.unsignedLEB()
            header.files.append(directory == 0 ? name : "?/" + name)
        default: break
        }
        return false
    }
}
