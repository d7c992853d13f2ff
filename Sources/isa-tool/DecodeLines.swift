import X86

/// Answers each line "MODE HEX" with one line of tab-separated fields: length, mnemonic, memory
/// operand, the other operands and full text; or with the failure's name.
///
/// The memory operand is `SIZE ACCESS SEGMENT BASE INDEX SCALE DISPLACEMENT`, or `-`; BASE and
/// INDEX are numbers, `-` for none and `ip` for RIP; the displacement is in hex within the address
/// size. The other operands are registers by name and numbers in hex within the operand's size.
func decodeLines() {
    var instruction = Instruction()
    var bytes: [UInt8] = []
    while let line = readLine() {
        let fields = line.utf8.split(separator: UInt8(ascii: " "))
        guard fields.count == 2, let mode = Int(Substring(fields[0])), let size = codeSize(mode),
            parse(fields[1], into: &bytes)
        else {
            print("bad line: \(line)")
            continue
        }
        let failure = bytes.withUnsafeBufferPointer {
            Decoder.decode(
                $0.baseAddress!, count: $0.count, codeSize: size, into: &instruction)
        }
        if let failure {
            print(failure)
            continue
        }
        print(
            "\(instruction.length)\t\(OpcodeTable.name(instruction))"
                + "\t\(memoryFields(instruction))\t\(otherOperands(instruction))"
                + "\t\(disassemble(instruction, at: 0x1000))")
    }
}

private func codeSize(_ mode: Int) -> CodeSize? {
    switch mode {
    case 16: .bits16
    case 32: .bits32
    case 64: .bits64
    default: nil
    }
}

private func parse(_ text: Substring.UTF8View.SubSequence, into bytes: inout [UInt8]) -> Bool {
    bytes.removeAll(keepingCapacity: true)
    var high: UInt8?
    for character in text {
        let digit: UInt8
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = character - UInt8(ascii: "A") + 10
        default: return false
        }
        if let first = high {
            bytes.append(first << 4 | digit)
            high = nil
        } else {
            high = digit
        }
    }
    return high == nil && !bytes.isEmpty
}

private func memoryFields(_ i: Instruction) -> String {
    let operands = [i.operands.0, i.operands.1, i.operands.2, i.operands.3]
    guard let index = operands.firstIndex(where: { $0.kind == .memory }) else { return "-" }
    func register(_ n: UInt8) -> String { n == Instruction.noRegister ? "-" : "\(n)" }
    let displacement = UInt64(bitPattern: i.displacement) & mask(i.addressSize)
    let base = i.flags.contains(.ripRelative) ? "ip" : register(i.base)
    return "\(operands[index].size) \(OpcodeTable.access(i, operand: index)) \(i.segment) \(base) "
        + "\(register(i.index)) \(i.scale) \(String(displacement, radix: 16))"
}

private func mask(_ size: UInt8) -> UInt64 { size >= 8 ? ~0 : (1 << (UInt64(size) * 8)) - 1 }

private func otherOperands(_ i: Instruction) -> String {
    let operands = [i.operands.0, i.operands.1, i.operands.2, i.operands.3]
    return operands.prefix(Int(i.operandCount)).map { operand in
        switch operand.kind {
        case .none, .memory: "m"
        case .register: RegisterNames.general(operand.register, size: operand.size)
        case .highByte: ["ah", "ch", "dh", "bh"][Int(operand.register)]
        case .immediate:
            String(i.immediate & mask(operand.size), radix: 16)
        case .relative: String(i.immediate, radix: 16)
        case .immediate2: String(i.immediate2, radix: 16)
        case .one: "1"
        case .farPointer:
            String(i.immediate2, radix: 16) + ":" + String(i.immediate, radix: 16)
        case .segment: RegisterNames.segment(operand.register)
        case .control: "cr\(operand.register)"
        case .debug: "dr\(operand.register)"
        case .x87: "st\(operand.register)"
        case .mmx: "mm\(operand.register)"
        case .xmm: "xmm\(operand.register)"
        }
    }.joined(separator: " ")
}
