import SeededRandom
import X86

/// Random instructions of every row of the opcode table.
struct HostileInstruction {
    /// One instruction; where the row has none in this code size, bytes that are #UD or another.
    func next(_ numbers: inout SplitMix64, _ size: CodeSize) -> [UInt8] {
        while true {
            let row = numbers.below(OpcodeTable.rowCount)
            let memory = numbers.chance(50)
            guard
                let example = OpcodeTable.example(ofRow: row, memory: memory)
                    ?? OpcodeTable.example(ofRow: row, memory: !memory)
            else { continue }
            let mnemonic = OpcodeTable.mnemonic(ofRow: row)
            if mnemonic == .hlt && numbers.chance(90) { continue }
            return vary(example.bytes, &numbers, size)
        }
    }

    /// Other operands for an encoding: prefixes before it, registers and addressing in its ModRM
    /// byte, and random bytes for what follows.
    private func vary(
        _ example: [UInt8], _ numbers: inout SplitMix64, _ size: CodeSize
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        var start = 0
        // A mandatory prefix stays before REX.
        if [0x66, 0xF2, 0xF3].contains(example[0]) {
            bytes.append(example[0])
            start = 1
        }
        if numbers.chance(8) { bytes.append(numbers.pick([0x66, 0x67, 0x64, 0x65, 0xF2, 0xF3])) }
        if size == .bits64 && numbers.chance(40) { bytes.append(0x40 | UInt8(numbers.below(16))) }
        var opcode = 1
        if example[start] == 0x0F { opcode = [0x38, 0x3A].contains(example[start + 1]) ? 3 : 2 }
        bytes += example[start..<(start + opcode)]
        var modRM = example[start + opcode]
        // The reg field may be part of the opcode: it is kept where it is not zero.
        if modRM & 0x38 == 0 && numbers.chance(50) { modRM |= UInt8(numbers.below(8)) << 3 }
        if modRM < 0xC0 {
            modRM = modRM & 0x38 | UInt8(numbers.below(8)) | UInt8(numbers.below(3)) << 6
        } else {
            modRM |= UInt8(numbers.below(8))
        }
        bytes.append(modRM)
        for _ in 0..<12 { bytes.append(numbers.chance(40) ? 0 : numbers.byte()) }
        var instruction = Instruction()
        let failure = bytes.withUnsafeBufferPointer {
            Decoder.decode(
                $0.baseAddress.unsafelyUnwrapped, count: min(15, $0.count), codeSize: size,
                into: &instruction)
        }
        return Array(bytes.prefix(failure == nil ? Int(instruction.length) : 5))
    }
}
