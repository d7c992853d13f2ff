import Machine

/// A Linux kernel as it lies in a machine's memory: its symbols where it runs, and what can be read
/// by them. Everything is found from the memory itself; a guest's memory may hold anything, so
/// whatever is not as it should be is left out.
public struct LinuxKernel {
    /// Where the kernel runs (the random slide is in the addresses).
    public let symbols: KernelSymbols
    public let memory: KernelMemory
    public let modules: [KernelModule]
    private let types: TypeFormat?
    private let unwinding: UnwindTables?

    /// Whether an image is a Linux kernel: of the boot protocol, or an ELF file with the banner.
    public static func isLinux(image: [UInt8]) -> Bool {
        if image.count > 0x206, image[0x202..<0x206].elementsEqual(Array("HdrS".utf8)) {
            return true
        }
        guard image.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { return false }
        return image.withUnsafeBytes { !places(of: banner, in: $0, limit: 1).isEmpty }
    }

    private static let banner = Array("Linux version ".utf8)

    /// The kernel that a machine runs; nil where its memory holds none that keeps its symbols.
    public static func find(in machine: Machine) -> LinuxKernel? {
        let symbols = machine.withMemory { Kallsyms.find(in: $0) }.map { KernelSymbols($0) }
        guard let symbols, let image = symbols.image else { return nil }
        return LinuxKernel(machine, symbols, image)
    }

    private init(_ machine: Machine, _ symbols: KernelSymbols, _ image: Range<UInt64>) {
        self.symbols = symbols
        let offset = symbols["linux_banner"].flatMap { Self.imageOffset(machine, $0) }
        memory = KernelMemory(machine, image: image, imageOffset: offset)
        // Where things lie in memory is only known of 64-bit kernels.
        types = image.lowerBound >> 63 != 0 ? Self.types(symbols, memory) : nil
        if let types, let head = symbols["modules"] {
            modules = KernelModules(memory: memory, types: types).list(head)
        } else {
            modules = []
        }
        let tables = Self.unwindTable(symbols, image).map { [$0] } ?? []
        let memory = memory
        let modules = modules
        unwinding = types.flatMap {
            UnwindTables(
                memory: memory, types: $0, tables: tables + modules.compactMap(\.unwinding))
        }
    }

    private static func unwindTable(
        _ symbols: KernelSymbols, _ image: Range<UInt64>
    ) -> UnwindTables.Table? {
        guard let addresses = symbols["__start_orc_unwind_ip"],
            let end = symbols["__stop_orc_unwind_ip"], let entries = symbols["__start_orc_unwind"],
            addresses < end
        else { return nil }
        return UnwindTables.Table(
            code: [image], addresses: addresses, entries: entries, count: (end - addresses) / 4)
    }

    /// Virtual minus physical address: by where the banner lies. It is text that the kernel's log
    /// has as well, but not at a multiple of the alignment of its image.
    private static func imageOffset(_ machine: Machine, _ address: UInt64) -> UInt64? {
        machine.withMemory { memory in
            places(of: banner, in: memory, limit: 4096)
                .map { address &- UInt64($0) }.first { $0 & 0x1F_FFFF == 0 }
        }
    }

    private static func places(
        of text: [UInt8], in memory: UnsafeRawBufferPointer, limit: Int
    ) -> [Int] {
        var places: [Int] = []
        var start = 0
        while places.count < limit, let place = memory.firstPlace(of: text, from: start) {
            places.append(place)
            start = place + 1
        }
        return places
    }

    private static func types(_ symbols: KernelSymbols, _ memory: KernelMemory) -> TypeFormat? {
        guard let start = symbols["__start_BTF"], let end = symbols["__stop_BTF"], start < end,
            end - start < 1 << 26, let bytes = memory.bytes(start, Int(end - start))
        else { return nil }
        return TypeFormat(bytes)
    }

    /// `6.1.0-13-amd64`, by the kernel's banner.
    public var release: String? {
        symbols["linux_banner"].flatMap { memory.text($0, limit: 128) }
            .flatMap { $0.split(separator: " ").dropFirst(2).first.map { String($0) } }
    }

    /// The last messages of the kernel's log, also those that no console has shown.
    public var log: [String] {
        symbols["prb"].map { KernelLog(memory, types).lines($0) } ?? []
    }

    /// A place in the chain of callers.
    public struct Frame: Equatable, Sendable {
        public var address: UInt64
        /// Whether it is where a call returns to, rather than an instruction that goes on.
        public var isReturn: Bool
    }

    /// Callers by the kernel's own tables, from the innermost out: RIP alone where they do not know
    /// it, nil where the kernel has no such tables.
    /// - Parameter general: RAX RCX RDX RBX RSP RBP RSI RDI R8...R15.
    public func callers(rip: UInt64, general: [UInt64]) -> [Frame]? {
        unwinding?.frames(rip: rip, general: general)
    }

    /// Who runs on a processor.
    public struct Task: Equatable, Sendable {
        /// The task's own name, `sh`.
        public var name: String
        public var pid: UInt64
    }

    /// The current task of a processor; nil where the kernel's types do not say where it is.
    public func task(_ cpu: CPU) -> Task? {
        guard let types, let name = types.offset(of: "comm", in: "task_struct"),
            let pid = types.offset(of: "pid", in: "task_struct")
        else { return nil }
        // Between two SWAPGS the kernel's base is the one in use.
        let own = [cpu.pointee.gs.base, cpu.pointee.kernelGSBase].first { $0 >> 47 == 0x1FFFF }
        let place =
            symbols["current_task"]
            ?? symbols["pcpu_hot"].map {
                $0 &+ (types.offset(of: "current_task", in: "pcpu_hot") ?? 0)
            }
        guard let own, let place, let task = memory.word(own &+ place),
            let text = memory.text(task &+ name, limit: 16), !text.isEmpty,
            let number = memory.number(task &+ pid, size: 4)
        else { return nil }
        return Task(name: text, pid: number)
    }
}
