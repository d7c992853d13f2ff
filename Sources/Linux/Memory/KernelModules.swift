/// A loaded module of a kernel.
public struct KernelModule: Sendable {
    public var name: String
    /// Where its code and data lie; what only its start needs is a piece of its own, until it is
    /// over.
    public var ranges: [Range<UInt64>]
    public var symbols: [KernelSymbol]
    /// By which its callers are found.
    var unwinding: UnwindTables.Table?
}

/// Reads the list of loaded modules. Where its members lie is what the kernel's own types tell.
struct KernelModules {
    let memory: KernelMemory
    let types: TypeFormat

    private static let moduleLimit = 1024
    private static let symbolLimit: UInt64 = 100_000
    private static let largest: UInt64 = 1 << 26

    /// - Parameter head: address of the list `modules`.
    func list(_ head: UInt64) -> [KernelModule] {
        guard let link = types.offset(of: "list", in: "module"),
            let name = types.offset(of: "name", in: "module")
        else { return [] }
        var modules: [KernelModule] = []
        var next = memory.word(head)
        while let place = next, place != head, place >> 47 == 0x1FFFF,
            modules.count < Self.moduleLimit
        {
            let module = place &- link
            let ranges = pieces(module)
            if let name = memory.text(module &+ name, limit: 56), !ranges.isEmpty {
                modules.append(
                    KernelModule(
                        name: name, ranges: ranges, symbols: symbols(module, ranges),
                        unwinding: unwinding(module, ranges)))
            }
            next = memory.word(place)
        }
        return modules
    }

    /// Up to Linux 6.3 one piece of memory, and one for its start; since 6.4 one of each kind (enum
    /// mod_mem_type of linux/module.h has seven).
    private func pieces(_ module: UInt64) -> [Range<UInt64>] {
        let pieces = ["core_layout", "init_layout"].compactMap { member in
            types.offset(of: member, in: "module").flatMap {
                piece(module &+ $0, "module_layout")
            }
        }
        guard pieces.isEmpty, let offset = types.offset(of: "mem", in: "module"),
            let size = types.size(of: "module_memory")
        else { return pieces }
        return (0..<7).compactMap { piece(module &+ offset &+ $0 &* size, "module_memory") }
    }

    private func piece(_ place: UInt64, _ structure: String) -> Range<UInt64>? {
        guard let base = types.offset(of: "base", in: structure),
            let size = types.offset(of: "size", in: structure),
            let start = memory.word(place &+ base), start >> 47 == 0x1FFFF, start & 0xFFF == 0,
            let length = memory.number(place &+ size, size: 4), length > 0,
            length < Self.largest, start < .max - Self.largest
        else { return nil }
        return start..<(start + length)
    }

    private func unwinding(
        _ module: UInt64, _ ranges: [Range<UInt64>]
    ) -> UnwindTables.Table? {
        let name = "mod_arch_specific"
        guard let arch = types.offset(of: "arch", in: "module"),
            let number = types.offset(of: "num_orcs", in: name),
            let places = types.offset(of: "orc_unwind_ip", in: name),
            let entries = types.offset(of: "orc_unwind", in: name),
            let count = memory.number(module &+ arch &+ number, size: 4), count < 1 << 22,
            let addresses = memory.word(module &+ arch &+ places),
            let table = memory.word(module &+ arch &+ entries)
        else { return nil }
        return UnwindTables.Table(
            code: ranges, addresses: addresses, entries: table, count: count)
    }

    /// The symbols that the kernel keeps of a module, in an ELF symbol table.
    private func symbols(_ module: UInt64, _ ranges: [Range<UInt64>]) -> [KernelSymbol] {
        let name = "mod_kallsyms"
        guard let offset = types.offset(of: "kallsyms", in: "module"),
            let table = memory.word(module &+ offset),
            let symtab = types.offset(of: "symtab", in: name),
            let number = types.offset(of: "num_symtab", in: name),
            let strtab = types.offset(of: "strtab", in: name),
            let entries = memory.word(table &+ symtab),
            let count = memory.number(table &+ number, size: 4),
            let texts = memory.word(table &+ strtab)
        else { return [] }
        var symbols: [KernelSymbol] = []
        for n in 0..<min(count, Self.symbolLimit) {
            let entry = entries &+ n &* 24
            guard let place = memory.number(entry, size: 4),
                let info = memory.number(entry &+ 4, size: 1),
                let address = memory.word(entry &+ 8),
                ranges.contains(where: { $0.contains(address) }),
                let text = memory.text(texts &+ place, limit: 128), !text.isEmpty
            else { continue }
            symbols.append(
                KernelSymbol(
                    address: address, type: info & 15 == 2 ? 0x74 : 0x64, name: text))
        }
        return symbols
    }
}
