/// Source lines of code addresses, from `.debug_line` of DWARF 2 to 5.
struct LineTable {
    /// One row: from its address on, to the next row's.
    struct Row {
        var address: UInt64
        /// Index into `files`.
        var file: UInt32
        /// From 1; 0 where the compiler says that there is none.
        var line: UInt32
    }

    /// Rows of ascending addresses that belong together; the last row only ends it.
    private struct Sequence {
        var start: UInt64
        var end: UInt64
        var rows: Range<Int>
    }

    /// Bounds for what one image may hold; a Linux kernel has some ten million rows.
    static let rowLimit = 32 << 20
    static let fileLimit = 1 << 20

    private var files: [String] = []
    private var rows: [Row] = []
    private var sequences: [Sequence] = []
    /// What could not be read, unit by unit; the other units are there.
    private(set) var faults: [SymbolError] = []

    init(_ file: ELFSections) {
        var cursor = ByteCursor(file.bytes, file.contents(".debug_line"))
        while !cursor.atEnd {
            do throws(SymbolError) {
                var length = try cursor.unsigned(4)
                let offsetSize = length == 0xffff_ffff ? 8 : 4
                if offsetSize == 8 { length = try cursor.unsigned(8) }
                let unit = try cursor.part(length)
                read(unit, offsetSize: offsetSize, file)
            } catch {
                faults.append(error)
                break
            }
        }
        sequences.sort { $0.start == $1.start ? $0.end < $1.end : $0.start < $1.start }
    }

    private mutating func read(_ unit: ByteCursor, offsetSize: Int, _ file: ELFSections) {
        do throws(SymbolError) {
            var program = try LineProgram(unit, offsetSize: offsetSize, file)
            let base = UInt32(files.count)
            guard files.count + program.header.files.count <= Self.fileLimit else {
                throw unit.malformed("too many source files")
            }
            files += program.header.files
            let none = UInt32(program.header.files.count)
            while let part = try program.nextSequence(limit: Self.rowLimit - rows.count) {
                // Code that the linker dropped keeps rows at address 0 or so.
                guard let first = part.first, let last = part.last, part.count > 1,
                    file.isCode(first.address)
                else { continue }
                let start = rows.count
                for row in part {
                    let known = row.file < none
                    rows.append(
                        Row(
                            address: row.address, file: known ? base + row.file : .max,
                            line: row.line))
                }
                sequences.append(
                    Sequence(start: first.address, end: last.address, rows: start..<rows.count))
            }
        } catch { faults.append(error) }
    }

    /// Path, as the compiler was given it, and line of the code at an address.
    func find(_ address: UInt64) -> (file: String, line: Int)? {
        var low = 0
        var high = sequences.count
        while low < high {
            let middle = (low + high) / 2
            if sequences[middle].start <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address < sequences[low - 1].end else { return nil }
        let range = sequences[low - 1].rows
        var first = range.lowerBound
        var last = range.upperBound
        while first < last {
            let middle = (first + last) / 2
            if rows[middle].address <= address { first = middle + 1 } else { last = middle }
        }
        guard first > range.lowerBound else { return nil }
        // Where a line is 0 (code of no line), the nearest before it tells most.
        var index = first - 1
        while rows[index].line == 0 && index > range.lowerBound { index -= 1 }
        let row = rows[index]
        guard row.line != 0, row.file < files.count else { return nil }
        return (files[Int(row.file)], Int(row.line))
    }
}
