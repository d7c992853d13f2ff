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

    /// False where the file is not one of the kernel that runs; the table's faults say why.
    private mutating func add(_ name: String, _ bytes: [UInt8], _ machine: Machine) -> Bool {
        if bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) {
            var file = SymbolTable()
            file.add(image: bytes, name: "", contexts: Self.contexts)
            guard let slide = slide(name, { file.address(of: $0) }, machine) else { return false }
            table.add(image: bytes, name: "", contexts: Self.contexts, slide: slide)
            return true
        }
        guard let symbols = SystemMap.symbols(bytes) else {
            table.note(
                "\(name): no symbols in it; neither an ELF file nor a System.map (Debian's "
                    + "linux-image packages come with a placeholder: the real one is in the "
                    + "package whose name ends in -dbg)\(insteadOfIt)")
            return false
        }
        guard let slide = slide(name, { symbols[$0] }, machine) else { return false }
        let moved = symbols.moved(by: slide)
        guard let range = moved.image else { return false }
        add(moved, range)
        return true
    }

    private var insteadOfIt: String {
        kernel == nil ? "" : "; the names are those that the kernel carries itself"
    }

    /// By how much the kernel runs above a file's addresses (KASLR): told by its own symbols, by
    /// where SYSCALL goes, or by where page faults do. Nil, with a fault, for another kernel's
    /// file.
    private mutating func slide(
        _ file: String, _ address: (String) -> UInt64?, _ machine: Machine
    ) -> UInt64? {
        for name in ["_text", "_stext", "startup_64"] {
            guard let here = kernel?.symbols[name], let there = address(name) else { continue }
            let slide = here &- there
            if let misfit = misfit(slide, address) {
                table.note("\(file): \(misfit)\(insteadOfIt)")
                return nil
            }
            return slide
        }
        if kernel != nil {
            table.note("\(file): it has none of this kernel's names\(insteadOfIt)")
            return nil
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
        table.note(
            "\(file): nothing tells by how much the kernel that runs was moved, if it is of that "
                + "kernel; the names are those of the addresses in the file")
        return 0
    }

    /// How many functions are looked up in a file to see whether it is this kernel's.
    private static let sampleSize = 64

    /// What tells that a file is of another kernel; nil where most functions are where it says.
    private func misfit(_ slide: UInt64, _ address: (String) -> UInt64?) -> String? {
        guard let kernel else { return nil }
        let functions = kernel.symbols.list.filter {
            $0.isCode && kernel.symbols[$0.name] == $0.address
        }
        var known = 0
        var fitting = 0
        for n in stride(from: 0, to: functions.count, by: max(1, functions.count / Self.sampleSize))
        {
            guard let there = address(functions[n].name) else { continue }
            known += 1
            if there &+ slide == functions[n].address { fitting += 1 }
        }
        // Names that come several times need not be the same ones.
        guard known == 0 || fitting * 4 < known * 3 else { return nil }
        let release = kernel.release.map { " (\($0))" } ?? ""
        return "it is of another kernel than the one that runs\(release): \(known - fitting) of "
            + "\(known) functions are elsewhere"
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
