import Foundation
import Testing
import X86

/// Properties of the opcode table as a whole.
struct TableTests {
    /// Every row's encodings, as the decoder sees them.
    private func examples() -> [(row: Int, bytes: [UInt8], codeSize: CodeSize)] {
        (0..<OpcodeTable.rowCount).flatMap { row in
            [false, true].compactMap { memory in
                OpcodeTable.example(ofRow: row, memory: memory).map { (row, $0.bytes, $0.1) }
            }
        }
    }

    @Test func everyRowIsDecodedAndNamed() {
        var reached = Set<Int>()
        for (row, bytes, codeSize) in examples() {
            var instruction = Instruction()
            let failure = Decoder.decode(bytes, count: 15, codeSize: codeSize, into: &instruction)
            #expect(failure == nil, "\(OpcodeTable.source(ofRow: row))")
            #expect(Int(instruction.row) == row, "\(OpcodeTable.source(ofRow: row))")
            #expect(instruction.mnemonic == OpcodeTable.mnemonic(ofRow: row))
            let text = disassemble(instruction, at: 0x1000)
            let name = OpcodeTable.name(instruction)
            #expect(!name.isEmpty && text.hasPrefix(name), "\(text)")
            #expect(!name.contains("{") && !name.contains("*"), "\(name)")
            reached.insert(row)
        }
        #expect(reached.count == OpcodeTable.rowCount)
    }

    @Test func everyMnemonicHasARow() {
        let used = Set((0..<OpcodeTable.rowCount).map { OpcodeTable.mnemonic(ofRow: $0) })
        #expect(used == Set(Mnemonic.allCases))
    }

    @Test func generatedMnemonicsAreCurrent() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/X86/Generated/Mnemonic.swift")
        let committed = try String(contentsOf: file, encoding: .utf8)
        #expect(
            committed == MnemonicSource.generate(),
            "run: swift run isa-tool mnemonics > Sources/X86/Generated/Mnemonic.swift")
    }

    /// With any number of bytes fewer than an instruction has, the answer is `.truncated`, or the
    /// bytes that are there already make it undefined; never an instruction.
    @Test func shortInputIsTruncated() {
        for (row, bytes, codeSize) in examples() {
            var instruction = Instruction()
            _ = Decoder.decode(bytes, count: 15, codeSize: codeSize, into: &instruction)
            let length = Int(instruction.length)
            for count in 0..<length {
                var partial = Instruction()
                #expect(
                    Decoder.decode(bytes, count: count, codeSize: codeSize, into: &partial)
                        == .truncated, "\(OpcodeTable.source(ofRow: row)) cut to \(count)")
            }
            var exact = Instruction()
            #expect(
                Decoder.decode(bytes, count: length, codeSize: codeSize, into: &exact) == nil)
            #expect(exact == instruction)
        }
    }

    /// Nothing of an earlier instruction survives in the one decoded over it.
    @Test func decodingOverwritesEverything() {
        let crowded: [UInt8] = [0x64, 0x4E, 0x81, 0x8C, 0xC8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0]
        for (_, bytes, codeSize) in examples() {
            var fresh = Instruction()
            var used = Instruction()
            #expect(Decoder.decode(crowded, count: 15, codeSize: .bits64, into: &used) == nil)
            _ = Decoder.decode(bytes, count: 15, codeSize: codeSize, into: &fresh)
            _ = Decoder.decode(bytes, count: 15, codeSize: codeSize, into: &used)
            #expect(fresh == used)
            #expect(fresh.cost == used.cost && fresh.operandCount == used.operandCount)
        }
    }

    @Test func instructionIsSmallPlainData() {
        #expect(MemoryLayout<Instruction>.stride <= 64)
        #expect(_isPOD(Instruction.self))
    }
}
