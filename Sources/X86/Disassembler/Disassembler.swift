/// Intel-syntax text of a decoded instruction, for example
/// `lock cmpxchg qword ptr gs:[rax+rcx*8-0x10], rdx`.
///
/// - Parameters:
///   - address: linear address (RIP) of the instruction's first byte, for branch targets and
///     RIP-relative operands.
///   - symbols: names an address ("start+0x10"), or nil where it knows none.
public func disassemble(
    _ i: Instruction, at address: UInt64, symbols: ((UInt64) -> String?)? = nil
) -> String {
    Disassembler(instruction: i, address: address, symbols: symbols).text()
}

struct Disassembler {
    let instruction: Instruction
    let address: UInt64
    let symbols: ((UInt64) -> String?)?

    func text() -> String {
        let i = instruction
        var text = prefixes() + OpcodeTable.name(i)
        var separator = " "
        let specs = LookupTables.table[Int(i.row)].operands
        for (index, spec) in specs.enumerated() where !spec.hidden {
            text += separator + operand(index, spec)
            separator = ", "
        }
        if i.flags.contains(.ripRelative) {
            let target = ripTarget
            text += " # " + hex(target) + symbol(target)
        }
        return text
    }

    private func prefixes() -> String {
        let i = instruction
        var text = i.flags.contains(.lock) ? "lock " : ""
        switch i.mnemonic {
        case .movs, .stos, .lods, .ins, .outs:
            if i.flags.contains(.rep) || i.flags.contains(.repne) { text += "rep " }
        case .cmps, .scas:
            if i.flags.contains(.rep) { text += "repe " }
            if i.flags.contains(.repne) { text += "repne " }
        case .ret:
            if i.flags.contains(.rep) { text += "rep " }
        default: break
        }
        return text
    }

    private func operand(_ index: Int, _ spec: OperandSpec) -> String {
        let i = instruction
        let operands = [i.operands.0, i.operands.1, i.operands.2, i.operands.3]
        let operand = operands[index]
        switch operand.kind {
        case .none: return ""
        case .register: return RegisterNames.general(operand.register, size: operand.size)
        case .highByte: return ["ah", "ch", "dh", "bh"][Int(operand.register & 3)]
        case .memory: return memory(operand, spec)
        case .immediate: return hex(masked(i.immediate, operand.size))
        case .immediate2: return hex(UInt64(i.immediate2))
        case .one: return "1"
        case .relative: return target()
        case .farPointer: return hex(UInt64(i.immediate2)) + ":" + hex(i.immediate)
        case .segment: return RegisterNames.segment(operand.register)
        case .control: return "cr\(operand.register)"
        case .debug: return "dr\(operand.register)"
        case .x87: return spec.method == .x87Top ? "st" : "st(\(operand.register))"
        case .mmx: return "mm\(operand.register)"
        case .xmm: return "xmm\(operand.register)"
        }
    }

    /// A near branch's target, within the operand size.
    private func target() -> String {
        let i = instruction
        let next = address &+ UInt64(i.length) &+ i.immediate
        let value = masked(next, i.operandSize)
        return hex(value) + symbol(value)
    }

    private var ripTarget: UInt64 {
        let i = instruction
        let sum = address &+ UInt64(i.length) &+ UInt64(bitPattern: i.displacement)
        return masked(sum, i.addressSize)
    }

    private func memory(_ operand: Operand, _ spec: OperandSpec) -> String {
        let i = instruction
        var text = sizeName(operand.size, spec)
        // Of two string operands only the source takes an override; the other is ES:[rDI].
        let isDestination = spec.method == .stringDestination
        let segment = isDestination ? SegmentNumber.es : i.segment
        if i.flags.contains(.segmentOverride) || isDestination {
            if !(isDestination && i.codeSize == .bits64) {
                text += RegisterNames.segment(segment) + ":"
            }
        }
        if isDestination {
            return text + "[" + RegisterNames.general(7, size: i.addressSize) + "]"
        }
        return text + "[" + addressTerms(isOffset: spec.method == .absoluteOffset) + "]"
    }

    private func addressTerms(isOffset: Bool) -> String {
        let i = instruction
        let size = i.addressSize
        var text = ""
        if i.flags.contains(.ripRelative) { text = size == 4 ? "eip" : "rip" }
        if i.base != Instruction.noRegister { text = RegisterNames.general(i.base, size: size) }
        if i.index != Instruction.noRegister {
            if !text.isEmpty { text += "+" }
            text += RegisterNames.general(i.index, size: size)
            if i.scale != 1 || i.base == Instruction.noRegister { text += "*\(i.scale)" }
        }
        let displacement = i.displacement
        if text.isEmpty {
            return hex(masked(UInt64(bitPattern: displacement), size))
        }
        if displacement < 0 {
            return text + "-" + hex(UInt64(bitPattern: 0 &- displacement))
        }
        return displacement == 0 ? text : text + "+" + hex(UInt64(displacement))
    }

    private func sizeName(_ size: UInt8, _ spec: OperandSpec) -> String {
        switch size {
        case 1: "byte ptr "
        case 2: "word ptr "
        case 4: "dword ptr "
        case 8: "qword ptr "
        case 10: "tbyte ptr "
        case 16: "xmmword ptr "
        default: instruction.mnemonic == .callFar || instruction.mnemonic == .jmpFar ? "far " : ""
        }
    }

    private func symbol(_ value: UInt64) -> String {
        guard let name = symbols?(value) else { return "" }
        return " <" + name + ">"
    }

    private func masked(_ value: UInt64, _ size: UInt8) -> UInt64 {
        size >= 8 || size == 0 ? value : value & ((1 << (UInt64(size) * 8)) - 1)
    }

    private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
