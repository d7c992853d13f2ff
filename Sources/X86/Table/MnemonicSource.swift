/// Writes the source of the `Mnemonic` enumeration from the table. It must work when `Mnemonic`
/// lags behind the table, so it touches only the parsed rows.
public enum MnemonicSource {
    public static func generate() -> String {
        let identifiers = Set(RowParser.parseAll().map(\.identifier)).sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        let cases = identifiers.map { "    case " + ($0 == "in" ? "`in`" : $0) + "\n" }
        return """
            // Generated from the opcode table (Sources/X86/Table) by
            // `swift run isa-tool mnemonics`. Do not edit.

            /// What an instruction does, as named by the rows of the opcode table. Rows with the
            /// same semantics share a case: conditions, operand sizes and operand kinds are fields
            /// of `Instruction`.
            public enum Mnemonic: UInt16, Sendable, CaseIterable {

            """ + cases.joined() + "}\n"
    }
}
