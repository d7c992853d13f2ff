/// The opcode table as other modules and the tests see it.
public enum OpcodeTable {
    /// How many rows there are; `Instruction.row` is below it.
    public static var rowCount: Int { LookupTables.table.count }

    /// The rows' operations, in the table's order.
    public static func mnemonic(ofRow row: Int) -> Mnemonic {
        LookupTables.shared.rows[row].mnemonic
    }

    /// The row's opcode byte, the first of its map.
    public static func opcode(ofRow row: Int) -> UInt8 { LookupTables.table[row].opcode }

    /// The line of the table that the row came from.
    public static func source(ofRow row: Int) -> String { LookupTables.table[row].source }

    /// Name in assembly language, for an effective operand and address size in bytes.
    public static func name(ofRow row: Int, operandSize: UInt8, addressSize: UInt8) -> String {
        let entry = LookupTables.table[row]
        switch entry.attributes.contains(.namedByAddressSize) ? addressSize : operandSize {
        case 2: return entry.names[0]
        case 8: return entry.names[2]
        default: return entry.names[1]
        }
    }

    /// Name of a decoded instruction, without prefixes: "jne", "movsq", "cdqe".
    public static func name(_ i: Instruction) -> String {
        name(ofRow: Int(i.row), operandSize: i.operandSize, addressSize: i.addressSize)
    }

    /// Cost classes of the row's register form and memory form.
    public static func costs(ofRow row: Int) -> (register: CostClass, memory: CostClass) {
        let entry = LookupTables.table[row]
        return (entry.cost, entry.memoryCost)
    }

    /// What an instruction does with its operand 0...3.
    public static func access(_ i: Instruction, operand: Int) -> OperandAccess {
        let operands = LookupTables.table[Int(i.row)].operands
        return operand < operands.count ? operands[operand].access : .none
    }
}
