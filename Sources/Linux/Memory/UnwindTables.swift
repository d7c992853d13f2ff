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

    /// The numbers by which entries name registers: an interface of the kernel with itself, which
    /// Linux 7.2 has otherwise than all before (read from its tables).
    private struct Registers {
        var previousStack: UInt64 = 1
        var dx: UInt64 = 2
        var di: UInt64? = 3
        var bp: UInt64 = 4
        var sp: UInt64 = 5
        let r10: UInt64 = 6
        let r13: UInt64 = 7
        var bpIndirect: UInt64 = 8
        var spIndirect: UInt64 = 9

        static let old = Registers()
        static let new = Registers(
            previousStack: 8, di: nil, sp: 3, bpIndirect: 10, spIndirect: 9)
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
    private let register: Registers

    private static let frameLimit = 64

    /// Nil where the kernel's types do not tell the form of entries.
    init?(memory: KernelMemory, types: TypeFormat, tables: [Table]) {
        guard !tables.isEmpty, types.size(of: "orc_entry") == 6 else { return nil }
        self.memory = memory
        self.tables = tables
        hasEndBit = types.offset(of: "end", in: "orc_entry") != nil
        register = Self.registers(memory, tables[0])
    }

    /// Which numbers a table uses: nearly all of its entries count from SP.
    private static func registers(_ memory: KernelMemory, _ table: Table) -> Registers {
        var old = 0
        var new = 0
        for n in stride(from: 0, to: table.count, by: Int(max(1, table.count / 1024))) {
            guard let bits = memory.number(table.entries &+ n &* 6, size: 6) else { break }
            if bits >> 32 & 15 == Registers.old.sp { old += 1 }
            if bits >> 32 & 15 == Registers.new.sp { new += 1 }
        }
        return new > old ? .new : .old
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
            register.dx: general[2], register.r10: general[10], register.r13: general[13],
        ]
        if let di = register.di { registers[di] = general[7] }
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
            case register.previousStack:
                bp = memory.word(base &+ UInt64(bitPattern: entry.frameOffset)) ?? bp
            case register.bp:
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
        case register.sp: return sp &+ offset
        case register.bp: return bp &+ offset
        case register.spIndirect: return memory.word(sp).map { $0 &+ offset }
        case register.bpIndirect: return memory.word(bp &+ offset)
        default: return registers[entry.stackRegister]
        }
    }
}
