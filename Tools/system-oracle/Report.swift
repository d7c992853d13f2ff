import X86

/// Text about a case: what it does, in which state it begins, and where results differ.
struct CaseText {
    var record: UnsafeRawPointer

    var bits: Int {
        switch record.word(Field.mode, 4) {
        case 2: return 16
        case 1: return selectorBits(long: true)
        default:
            return record.word(Field.frame + 16, 8) & RFLAGS.vm != 0
                ? 16 : selectorBits(long: false)
        }
    }

    private func selectorBits(long: Bool) -> Int {
        let selector = Int(record.word(Field.frame + 8, 2)) & ~7
        if Selector.code16.contains(where: { $0 & ~7 == selector }) { return 16 }
        if long && Selector.code64.contains(where: { $0 & ~7 == selector }) { return 64 }
        return 32
    }

    var mode: String {
        let form = record.word(Field.mode, 4)
        if form == 2 { return "real" }
        if record.word(Field.frame + 16, 8) & RFLAGS.vm != 0 { return "v86" }
        let cpl = record.word(Field.frame + 8, 2) & 3
        let pae = record.word(Field.cr4, 4) & CR4.pae != 0
        let paging = record.word(Field.cr0, 4) & CR0.pg == 0 ? "flat" : pae ? "pae" : "pg32"
        return form == 1 ? "long\(bits).\(cpl)" : "prot\(bits).\(cpl).\(paging)"
    }

    /// The instructions, up to the pads.
    var instructions: [(text: String, name: String)] {
        guard let place = CaseBuilder.place(Layout.code) else { return [] }
        let size: CodeSize = bits == 16 ? .bits16 : bits == 32 ? .bits32 : .bits64
        var found: [(String, String)] = []
        var at = 0
        var instruction = Instruction()
        while at < 0x1C0 {
            let bytes = UnsafeRawBufferPointer(start: record + place + at, count: 15)
            if bytes[0] == 0xCC && bytes[1] == 0xCC && bytes[2] == 0xCC { break }
            let failure = Decoder.decode(
                bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), count: 15, codeSize: size,
                into: &instruction)
            if failure != nil {
                found.append(("(bad) " + bytes.prefix(4).map { hex(UInt64($0)) }.joined(), "(bad)"))
                break
            }
            let far: [Mnemonic] = [.jmpFar, .callFar, .lss, .lfs, .lgs]
            let isFar64 =
                instruction.operandSize == 8 && far.contains(instruction.mnemonic)
            let name = "\(OpcodeTable.name(instruction))" + (isFar64 ? "-m64" : "")
            found.append(
                ("\(disassemble(instruction, at: UInt64(Layout.code + at)))", name))
            at += Int(instruction.length)
        }
        return found
    }

    /// The names of the instructions that do not only load a constant.
    var names: String {
        let all = instructions
        return all.enumerated().filter { n, i in
            n == all.count - 1 || i.name != "mov" || !i.text.contains("0x") || i.text.contains("[")
                || i.text.contains("cr") || i.text.contains("dr")
        }.map(\.1.name).joined(separator: " ")
    }

    /// Whether it has this instruction; `*` is any.
    func has(_ name: Substring) -> Bool {
        name == "*" || names.split(separator: " ").contains(name)
    }

    func lines() -> [String] {
        var lines = ["\(mode): " + instructions.map(\.text).joined(separator: "; ")]
        func field(_ name: String, _ offset: Int, _ size: Int) -> String {
            "\(name) \(hex(record.word(offset, size)))"
        }
        lines.append(
            [
                field("cr0", Field.cr0, 4), field("cr3", Field.cr3, 4), field("cr4", Field.cr4, 4),
                field("efer", Field.efer, 4), field("dr7", Field.dr7, 4),
                field("dr0", Field.dr0, 8), field("dr1", Field.dr0 + 8, 8),
                field("dr2", Field.dr0 + 16, 8),
            ].joined(separator: ", "))
        let names = ["ip", "cs", "flags", "sp", "ss"]
        lines.append(
            names.enumerated().map { field($1, Field.frame + $0 * 8, 8) }.joined(separator: ", "))
        let registers = ["rax", "rcx", "rdx", "rbx", "", "rbp", "rsi", "rdi"]
        lines.append(
            registers.enumerated().filter { $0.element != "" }.map {
                field($0.element, Field.registers + $0.offset * 8, 8)
            }.joined(separator: ", "))
        let slots = [
            "pml4e", "pdpte", "pde", "pte0", "pte1", "pte2", "pte3", "low0", "low1", "low2", "low3",
        ]
        lines.append(
            slots.enumerated().map { field($1, Field.slots + $0 * 8, 8) }.joined(separator: ", "))
        lines.append(memory("stack", stackAddress, 12))
        lines.append(memory("data", Layout.data, 8))
        return lines
    }

    private var stackAddress: Int {
        let sp = Int(truncatingIfNeeded: record.word(Field.frame + 24, 8)) & 0xFFFF
        // Selectors with base 0 and with the area's base, and the windows, end in the same digits.
        return Layout.area + sp % 0x1_0000 % 0x4000
    }

    /// Words of the area.
    func memory(_ name: String, _ linear: Int, _ count: Int) -> String {
        var words: [String] = []
        for n in 0..<count {
            if let place = CaseBuilder.place(linear + n * 4) {
                words.append(String(record.word(place, 4), radix: 16))
            }
        }
        return "\(name) at \(hex(UInt64(linear))): " + words.joined(separator: " ")
    }

    /// A descriptor of the GDT or LDT.
    func descriptor(_ selector: UInt64) -> String {
        let table = selector & 4 != 0 ? Layout.ldt : Layout.gdt
        guard let place = CaseBuilder.place(table + Int(selector & 0x3F8)) else { return "-" }
        return hex(record.word(place, 8))
    }
}
