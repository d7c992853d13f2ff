/// The opcode table in the form that the decoder reads: three dense arrays, built once.

/// What the decoder needs of a row; plain data, 20 bytes.
struct DecodeRow {
    var mnemonic: Mnemonic
    var attributes: RowAttributes
    var cost: CostClass
    var memoryCost: CostClass
    var condition: UInt8
    var operandCount: UInt8
    var method0 = OperandMethod.none
    var width0 = OperandWidth.unsized
    var method1 = OperandMethod.none
    var width1 = OperandWidth.unsized
    var method2 = OperandMethod.none
    var width2 = OperandWidth.unsized
    var method3 = OperandMethod.none
    var width3 = OperandWidth.unsized
}

/// Where the rows of one opcode are in `slots`: at `base` + prefix * `prefixStride` + the ModRM
/// selector. The prefix is 0 for none, 1 for 66, 2 for F3, 3 for F2.
struct OpcodeEntry {
    enum Shape: UInt8 {
        /// No row: undefined.
        case undefined
        /// No ModRM byte.
        case plain
        /// A ModRM byte that selects nothing.
        case modRM
        /// Sixteen slots: reg, plus 8 for mod = 3.
        case digits
        /// 72 slots: reg for memory, then the 64 values of reg and r/m for mod = 3.
        case whole
    }
    var base: UInt16
    var prefixStride: UInt8
    var shape: Shape
}

/// Never freed: immutable for the life of the process, so the pointers may be shared.
struct LookupTables: @unchecked Sendable {
    /// Slot contents where no row applies.
    static let noRow: UInt16 = 0xFFFF

    /// By (64-bit mode, map, opcode): 2 * 4 * 256 entries.
    let entries: UnsafePointer<OpcodeEntry>
    let slots: UnsafePointer<UInt16>
    let rows: UnsafePointer<DecodeRow>
    /// `PrefixClass` by byte.
    let prefixClasses: UnsafePointer<UInt8>

    static let shared = LookupTables()

    /// All rows with their names, in the order of `rows`; apart, so that the decoder handles only
    /// plain pointers.
    static let table = RowParser.parseAll()

    private init() {
        let table = LookupTables.table
        let mnemonics = Dictionary(
            uniqueKeysWithValues: Mnemonic.allCases.map { ("\($0)", $0) })
        let rows = UnsafeMutablePointer<DecodeRow>.allocate(capacity: table.count)
        for (index, row) in table.enumerated() {
            guard let mnemonic = mnemonics[row.identifier] else {
                preconditionFailure("opcode table: Mnemonic lacks \(row.identifier): regenerate it")
            }
            rows.advanced(by: index).initialize(to: LookupTables.compact(row, mnemonic))
        }
        self.rows = UnsafePointer(rows)
        var builder = SlotBuilder(table: table)
        let entries = UnsafeMutablePointer<OpcodeEntry>.allocate(capacity: 2048)
        for index in 0..<2048 {
            entries.advanced(by: index).initialize(to: builder.entry(index))
        }
        self.entries = UnsafePointer(entries)
        let slots = UnsafeMutablePointer<UInt16>.allocate(capacity: builder.slots.count)
        slots.initialize(from: builder.slots, count: builder.slots.count)
        self.slots = UnsafePointer(slots)
        prefixClasses = PrefixClass.makeTable()
    }

    private static func compact(_ row: OpcodeRow, _ mnemonic: Mnemonic) -> DecodeRow {
        var compact = DecodeRow(
            mnemonic: mnemonic, attributes: row.attributes, cost: row.cost,
            memoryCost: row.memoryCost, condition: row.condition,
            operandCount: UInt8(row.operands.count))
        let none = OperandSpec(method: .none, size: .unsized, access: .none, hidden: true)
        let padded = row.operands + Array(repeating: none, count: 4 - row.operands.count)
        (compact.method0, compact.width0) = (padded[0].method, padded[0].size)
        (compact.method1, compact.width1) = (padded[1].method, padded[1].size)
        (compact.method2, compact.width2) = (padded[2].method, padded[2].size)
        (compact.method3, compact.width3) = (padded[3].method, padded[3].size)
        return compact
    }
}

/// Lays out the slots of every opcode.
private struct SlotBuilder {
    /// Rows by map and opcode.
    private var rowsByOpcode: [[Int]]
    private let table: [OpcodeRow]
    var slots: [UInt16] = []

    init(table: [OpcodeRow]) {
        self.table = table
        rowsByOpcode = Array(repeating: [], count: 1024)
        for (index, row) in table.enumerated() {
            for n in 0..<row.opcodeCount {
                rowsByOpcode[Int(row.map.rawValue) << 8 + Int(row.opcode) + n].append(index)
            }
        }
    }

    /// A row with a narrower condition takes its slots from one with a wider condition.
    private func narrowness(_ row: OpcodeRow) -> Int {
        (row.exactModRM != nil ? 2 : 0) + (row.prefix != .any ? 1 : 0)
    }

    mutating func entry(_ index: Int) -> OpcodeEntry {
        let excluded: RowAttributes = index >= 1024 ? .invalidIn64 : .onlyIn64
        let rows = rowsByOpcode[index & 1023].filter { !table[$0].attributes.contains(excluded) }
            .sorted { (narrowness(table[$0]), $0) < (narrowness(table[$1]), $1) }
        if rows.isEmpty { return OpcodeEntry(base: 0, prefixStride: 0, shape: .undefined) }
        var shape = OpcodeEntry.Shape.plain
        for row in rows.map({ table[$0] }) where row.hasModRM {
            var needed = OpcodeEntry.Shape.modRM
            if row.digits != 0xFF || row.modRule != .any { needed = .digits }
            if row.exactModRM != nil { needed = .whole }
            if needed.rawValue > shape.rawValue { shape = needed }
        }
        let stride = [0, 1, 1, 16, 72][Int(shape.rawValue)]
        let byPrefix = rows.contains { table[$0].prefix != .any }
        let base = slots.count
        precondition(base <= 0xFFFF)
        slots += Array(repeating: LookupTables.noRow, count: stride * (byPrefix ? 4 : 1))
        for row in rows {
            for prefix in 0..<(byPrefix ? 4 : 1) where accepts(table[row].prefix, prefix) {
                for selector in 0..<stride where accepts(table[row], selector, shape) {
                    let slot = base + prefix * stride + selector
                    let old = slots[slot]
                    precondition(
                        old == LookupTables.noRow
                            || narrowness(table[Int(old)]) < narrowness(table[row]),
                        "opcode table: rows overlap: \(table[row].source)")
                    slots[slot] = UInt16(row)
                }
            }
        }
        return OpcodeEntry(
            base: UInt16(base), prefixStride: byPrefix ? UInt8(stride) : 0, shape: shape)
    }

    private func accepts(_ rule: OpcodeRow.PrefixRule, _ prefix: Int) -> Bool {
        switch rule {
        case .any: true
        case .none: prefix == 0
        case .noRepeat: prefix <= 1
        case .operandSize: prefix == 1
        case .repeatF3: prefix == 2
        case .repeatF2: prefix == 3
        }
    }

    private func accepts(_ row: OpcodeRow, _ selector: Int, _ shape: OpcodeEntry.Shape) -> Bool {
        let digit: Int
        let isRegister: Bool
        switch shape {
        case .undefined, .plain, .modRM: return true
        case .digits:
            digit = selector & 7
            isRegister = selector >= 8
        case .whole:
            isRegister = selector >= 8
            digit = isRegister ? (selector - 8) >> 3 : selector
        }
        if let exact = row.exactModRM {
            let first = Int(exact & 63) + 8
            return selector >= first && selector < first + row.exactCount
        }
        switch row.modRule {
        case .any: break
        case .register: if !isRegister { return false }
        case .memory: if isRegister { return false }
        }
        return row.digits & (1 << UInt8(digit)) != 0
    }
}
