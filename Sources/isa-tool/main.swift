/// A tool for those who work on the instruction set:
///
///     isa-tool mnemonics    print Sources/X86/Generated/Mnemonic.swift
///     isa-tool decode       decode lines of "MODE HEX" (MODE 16, 32 or 64) from standard input
///     isa-tool rows         print the opcode table, one numbered row a line

import X86

switch CommandLine.arguments.dropFirst().first {
case "mnemonics":
    print(MnemonicSource.generate(), terminator: "")
case "rows":
    for row in 0..<OpcodeTable.rowCount {
        print(row, OpcodeTable.mnemonic(ofRow: row), OpcodeTable.source(ofRow: row))
    }
case "decode":
    decodeLines()
default:
    print("usage: isa-tool mnemonics | decode | rows")
}
