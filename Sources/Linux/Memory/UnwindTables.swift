/// Who called whom by the tables that a kernel carries for its own unwinder (CONFIG_UNWINDER_ORC;
/// Linux, Documentation/x86/orc-unwinder.rst, asm/orc_types.h): for each range of code, where the
/// caller's stack pointer is to be found.
struct UnwindTables {
    /// Addresses and entries of an image, side by side and in ascending order.
    struct Table: Sendable {
        var code: [Range<UInt64>]
        /// 32 bits each, relative to their own place.
        var addresses: UInt64
        /// Six bytes each: offsets of SP and BP, and what they are relative to.
        var entries: UInt64
        var count: UInt64

        func covers(_ address: UInt64) -> Bool { code.contains { $0.contains(address) } }
    }

    private struct Entry {
        enum Form { case call, registers, partialRegisters, end }
        var stackOffset: Int64
        var frameOffset: Int64
        var stackRegister: UInt64
        var frameRegister: UInt64
        var form: Form
    }

    private enum Register {
        static let undefined: UInt64 = 0
        static let previousStack: UInt64 = 1
        static let dx: UInt64 = 2
        static let di: UInt64 = 3
        static let bp: UInt64 = 4
        static let sp: UInt64 = 5
        static let r10: UInt64 = 6
        static let r13: UInt64 = 7
        static let bpIndirect: UInt64 = 8
        static let spIndirect: UInt64 = 9
    }

    /// Where struct pt_regs has what an exception has saved.
    private enum Saved {
        static let bp: UInt64 = 32
        static let rip: UInt64 = 128
        static let cs: UInt64 = 136
        static let rsp: UInt64 = 152
    }

    let memory: KernelMemory
    let tables: [Table]
    /// Until Linux 6.3 a bit of its own says that the stack ends; since then a form does.
    private let hasEndBit: Bool

    private static let frameLimit = 64

    /// Nil where the kernel's types do not tell the form of entries.
    init?(memory: KernelMemory, types: TypeFormat, tables: [Table]) {
        guard !tables.isEmpty, types.size(of: "orc_entry") == 6 else { return nil }
        self.memory = memory
        self.tables = tables
        hasEndBit = types.offset(of: "end", in: "orc_entry") != nil
    }

    private func entry(_ address: UInt64) -> Entry? {
        guard let table = tables.first(where: { $0.covers(address) }) else { return nil }
        var low: UInt64 = 0
        var high = table.count
        while low < high {
            let middle = (low + high) / 2
            let place = table.addresses &+ middle &* 4
            guard let offset = memory.number(place, size: 4) else { return nil }
            let relative = Int64(Int32(truncatingIfNeeded: offset))
            if place &+ UInt64(bitPattern: relative) <= address {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low > 0, let bits = memory.number(table.entries &+ (low - 1) &* 6, size: 6) else {
            return nil
        }
        let form: [Entry.Form?] =
            hasEndBit
            ? [.call, .registers, .partialRegisters, nil]
            : [nil, .end, .call, .registers, .partialRegisters, nil, nil, nil]
        let ends = hasEndBit && bits >> 42 & 1 != 0
        let number = Int(bits >> 40 & (hasEndBit ? 3 : 7))
        guard let form = ends ? .end : form[number] else { return nil }
        return Entry(
            stackOffset: Int64(Int16(truncatingIfNeeded: bits)),
            frameOffset: Int64(Int16(truncatingIfNeeded: bits >> 16)),
            stackRegister: bits >> 32 & 15, frameRegister: bits >> 36 & 15, form: form)
    }

    /// Frames from the innermost out; the last is where the tables know no further.
    /// - Parameter general: RAX RCX RDX RBX RSP RBP RSI RDI R8...R15.
    func frames(rip: UInt64, general: [UInt64]) -> [LinuxKernel.Frame] {
        var frames = [LinuxKernel.Frame(address: rip, isReturn: false)]
        var (rip, sp, bp) = (rip, general[4], general[5])
        // Other registers are those of the innermost frame.
        var registers: [UInt64: UInt64] = [
            Register.dx: general[2], Register.di: general[7], Register.r10: general[10],
            Register.r13: general[13],
        ]
        while frames.count < Self.frameLimit {
            guard let entry = entry(frames.last!.isReturn ? rip &- 1 : rip), entry.form != .end,
                let base = stack(entry, sp, bp, registers)
            else { break }
            let old = (sp, bp)
            switch entry.form {
            case .call:
                guard let address = memory.word(base &- 8) else { return frames }
                (rip, sp) = (address, base)
            case .registers, .partialRegisters:
                let start = entry.form == .registers ? base : base &- Saved.rip
                guard let address = memory.word(start &+ Saved.rip),
                    let cs = memory.word(start &+ Saved.cs), cs & 3 == 0,
                    let stack = memory.word(start &+ Saved.rsp)
                else { return frames }
                (rip, sp) = (address, stack)
                if entry.form == .registers { bp = memory.word(start &+ Saved.bp) ?? bp }
            case .end: return frames
            }
            switch entry.frameRegister {
            case Register.previousStack:
                bp = memory.word(base &+ UInt64(bitPattern: entry.frameOffset)) ?? bp
            case Register.bp:
                bp = memory.word(old.1 &+ UInt64(bitPattern: entry.frameOffset)) ?? bp
            default: break
            }
            registers = [:]
            guard tables.contains(where: { $0.covers(rip) }) else { return frames }
            frames.append(LinuxKernel.Frame(address: rip, isReturn: entry.form == .call))
            if sp == old.0 { return frames }
        }
        return frames
    }

    /// The caller's stack pointer.
    private func stack(
        _ entry: Entry, _ sp: UInt64, _ bp: UInt64, _ registers: [UInt64: UInt64]
    ) -> UInt64? {
        let offset = UInt64(bitPattern: entry.stackOffset)
        switch entry.stackRegister {
        case Register.sp: return sp &+ offset
        case Register.bp: return bp &+ offset
        case Register.spIndirect: return memory.word(sp).map { $0 &+ offset }
        case Register.bpIndirect: return memory.word(bp &+ offset)
        default: return registers[entry.stackRegister]
        }
    }
}
