import Linux
import Machine
import Trace
import X86

/// Symbols of a Linux kernel as it runs: those that it carries, or those of a file that the user
/// gives, moved to where it runs.
public struct LinuxSymbols {
    public private(set) var table = SymbolTable()
    /// What the memory holds; nil where it holds no kernel that keeps symbols.
    public let kernel: LinuxKernel?

    private static let contexts: [Context] = [.hostKernel]

    /// - Parameters:
    ///   - file: a `vmlinux` or a `System.map`.
    ///   - machine: as it was when the kernel had been running.
    public init(file: (name: String, bytes: [UInt8])?, machine: Machine) {
        kernel = LinuxKernel.find(in: machine)
        var hasFile = false
        if let file { hasFile = add(file.name, file.bytes, machine) }
        if let kernel {
            if !hasFile, let range = kernel.symbols.image {
                add(kernel.symbols, range)
            }
            for module in kernel.modules {
                table.add(
                    symbols: module.symbols.map(Self.entry), ranges: module.ranges,
                    name: module.name, contexts: Self.contexts)
            }
        }
    }

    private mutating func add(_ symbols: KernelSymbols, _ range: Range<UInt64>) {
        table.add(
            symbols: symbols.list.filter { range.contains($0.address) }.map(Self.entry),
            ranges: [range], name: "", contexts: Self.contexts)
    }

    private static func entry(_ symbol: KernelSymbol) -> ELFSymbol {
        ELFSymbol(
            address: symbol.address, size: 0, name: symbol.name, rank: symbol.isCode ? 5 : 2)
    }

    private mutating func add(_ name: String, _ bytes: [UInt8], _ machine: Machine) -> Bool {
        if bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) {
            var file = SymbolTable()
            file.add(image: bytes, name: "", contexts: Self.contexts)
            let slide = slide({ file.address(of: $0) }, machine)
            table.add(image: bytes, name: "", contexts: Self.contexts, slide: slide)
            return file.address(of: "_text") != nil
        }
        guard let symbols = SystemMap.symbols(bytes) else {
            table.note(
                "\(name): no symbols in it; neither an ELF file nor a System.map (Debian's "
                    + "linux-image packages come with a placeholder)")
            return false
        }
        let moved = symbols.moved(by: slide({ symbols[$0] }, machine))
        guard let range = moved.image else { return false }
        add(moved, range)
        return true
    }

    /// By how much the kernel runs above a file's addresses (KASLR): told by its own symbols, by
    /// where SYSCALL goes, or by where page faults do.
    private func slide(_ address: (String) -> UInt64?, _ machine: Machine) -> UInt64 {
        for name in ["_text", "_stext", "startup_64"] {
            if let here = kernel?.symbols[name], let there = address(name) {
                return here &- there
            }
        }
        for index in 0..<machine.cpuCount {
            let cpu = machine.cpu(index)
            let entries = [
                ("entry_SYSCALL_64", cpu.pointee.lstar),
                ("asm_exc_page_fault", Self.gate(14, cpu, machine) ?? 0),
                ("page_fault", Self.gate(14, cpu, machine) ?? 0),
            ]
            for (name, here) in entries where here != 0 {
                guard let there = address(name) else { continue }
                // Linux moves by its alignment, CONFIG_PHYSICAL_ALIGN.
                if (here &- there) & 0x1F_FFFF == 0 { return here &- there }
            }
        }
        return 0
    }

    /// Where a gate of the 64-bit interrupt table leads (Intel SDM vol. 3, 6.14.1).
    private static func gate(_ vector: UInt64, _ cpu: CPU, _ machine: Machine) -> UInt64? {
        let place = cpu.pointee.idtr.base &+ vector &* 16
        let bytes = machine.readLinear(place, count: 12) {
            machine.translate($0, cr3: cpu.pointee.cr3)
        }
        guard let bytes else { return nil }
        let order = [0, 1, 6, 7, 8, 9, 10, 11]
        return order.reversed().reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
    }
}
