import X86

@testable import Machine

/// A small machine set directly into 64-bit mode: 16 MiB mapped one to one with 2 MiB pages open to
/// CPL 3, and once more at `Bench.kernel` for supervisors only; a GDT like Linux 2.6's; an IDT
/// whose gates all lead to their own 16 bytes from `Bench.handlers`; a TSS with RSP0 and seven IST
/// stacks.
final class Bench {
    static let pml4: UInt64 = 0x1000
    static let gdt: UInt64 = 0x5000
    static let idt: UInt64 = 0x6000
    static let tss: UInt64 = 0x7000
    static let handlers: UInt64 = 0x8000
    static let code: UInt64 = 0x1_0000
    static let kernelStack: UInt64 = 0x2_1000
    static let rsp0: UInt64 = 0x2_2000
    static let userStack: UInt64 = 0x3_1000
    /// IST n starts at this + n * 0x1000.
    static let ist: UInt64 = 0x4_0000
    static let data: UInt64 = 0x5_0000
    /// Where the upper half maps the same memory for supervisors.
    static let kernel: UInt64 = 0xFFFF_8000_0000_0000

    let machine: Machine
    let cpu: CPU

    init(vendor: Vendor = .intel, cpl: UInt8 = 0) throws {
        machine = try Machine(MachineConfiguration(memory: 16 << 20, cpus: 1, vendor: vendor))
        cpu = machine.cpu(0)
        for n in 0..<16 { cpu.registers[n] = 0 }
        makePageTables()
        makeDescriptors()
        cpu.pointee.cr4 = CR4.pae | CR4.mce
        cpu.pointee.efer = EFER.lme | EFER.lma | EFER.nxe | EFER.sce
        cpu.pointee.cr0 = CR0.pe | CR0.pg | CR0.wp | CR0.et
        cpu.pointee.cr3 = Bench.pml4
        cpu.pointee.longMode = 1
        cpu.pointee.gdtr.base = Bench.gdt
        cpu.pointee.gdtr.limit = 0x7F
        cpu.pointee.idtr.base = Bench.idt
        cpu.pointee.idtr.limit = 0xFFF
        cpu.pointee.tr.base = Bench.tss
        cpu.pointee.tr.limit = 0x67
        cpu.pointee.tr.selector = 0x40
        cpu.pointee.tr.attributes = 0x8B
        cpu.pointee.ldtr.attributes = SegmentRegister.unusable
        cpu.pointee.star = 0x0023_0010_0000_0000
        cpu.pointee.lstar = Bench.handlers + 0x2000
        cpu.pointee.cycleDeadline = .max
        cpu.pointee.instructionDeadline = .max
        cpu.flushTLB()
        enter(cpl: cpl)
    }

    /// 64-bit code at CPL 0 or 3 with its stack, at `Bench.code`.
    func enter(cpl: UInt8) {
        cpu.pointee.cs = register(cpl == 0 ? 0x10 : 0x33)
        cpu.pointee.ss = register(cpl == 0 ? 0x18 : 0x2B)
        cpu.pointee.ds = register(cpl == 0 ? 0x18 : 0x2B)
        cpu.pointee.es = cpu.pointee.ds
        cpu.pointee.fs = SegmentRegister()
        cpu.pointee.fs.attributes = SegmentRegister.unusable
        cpu.pointee.gs = cpu.pointee.fs
        cpu.setCPL(cpl)
        cpu.updateCodeSize()
        cpu.pointee.rsp = cpl == 0 ? Bench.kernelStack : Bench.userStack
        cpu.pointee.rip = Bench.code
    }

    /// The hidden part that the bench's GDT gives a selector.
    func register(_ selector: UInt16) -> SegmentRegister {
        Descriptor(raw: read(Bench.gdt + UInt64(selector & 0xFFF8))).register(selector)
    }

    private func makePageTables() {
        let rights = PageEntry.present | PageEntry.writable
        for (slot, user) in [(0, PageEntry.user), (256, 0)] {
            let pdpt: UInt64 = slot == 0 ? 0x2000 : 0x3000
            let directory: UInt64 = slot == 0 ? 0x4000 : 0x9_0000
            write(Bench.pml4 + UInt64(slot) * 8, pdpt | rights | user)
            write(pdpt, directory | rights | user)
            for n in 0..<8 as Range<UInt64> {
                write(directory + n * 8, n << 21 | PageEntry.large | rights | user)
            }
        }
    }

    private func makeDescriptors() {
        let table: [UInt64] = [
            0, 0x00CF_9A00_0000_FFFF, 0x00AF_9A00_0000_FFFF, 0x00CF_9200_0000_FFFF,
            0x00CF_FA00_0000_FFFF, 0x00CF_F200_0000_FFFF, 0x00AF_FA00_0000_FFFF,
            0x00CF_9A00_0000_FFFF, 0x0000_8900_7000_0067, 0, 0, 0, 0, 0, 0,
            0x0040_F500_0000_0000,
        ]
        for (n, entry) in table.enumerated() { write(Bench.gdt + UInt64(n) * 8, entry) }
        for n in 0..<256 { gate(n) }
        write(Bench.tss + 4, Bench.rsp0)
        // No I/O permission bitmap.
        write(Bench.tss + 0x66, 0x68, size: 2)
        for n in 1...7 as ClosedRange<UInt64> {
            write(Bench.tss + 28 + n * 8, Bench.ist + n * 0x1000)
        }
    }

    static func handler(_ vector: Int) -> UInt64 { handlers + UInt64(vector) * 16 }

    /// Writes a 16-byte gate.
    func gate(
        _ vector: Int, type: UInt64 = 0xE, dpl: UInt64 = 0, present: Bool = true,
        selector: UInt64 = 0x10, ist: UInt64 = 0, target: UInt64? = nil
    ) {
        let offset = target ?? Bench.handler(vector)
        let low =
            (offset & 0xFFFF) | selector << 16 | ist << 32 | type << 40 | dpl << 45
            | (present ? 1 << 47 : 0) | (offset >> 16 & 0xFFFF) << 48
        write(Bench.idt + UInt64(vector) * 16, low)
        write(Bench.idt + UInt64(vector) * 16 + 8, offset >> 32)
    }

    /// Physical memory.
    func read(_ physical: UInt64, size: Int = 8) -> UInt64 {
        cpu.loadPhysical(physical, size: size)
    }
    func write(_ physical: UInt64, _ value: UInt64, size: Int = 8) {
        cpu.storePhysical(physical, value, size: size)
    }

    /// Puts code at `Bench.code`, or elsewhere, and RIP on it.
    func assemble(_ bytes: [UInt8], at address: UInt64 = Bench.code) {
        place(bytes, at: address)
        cpu.pointee.rip = address
    }

    func place(_ bytes: [UInt8], at address: UInt64) {
        for (n, byte) in bytes.enumerated() {
            write(address + UInt64(n), UInt64(byte), size: 1)
        }
    }

    /// Steps `count` times.
    @discardableResult
    func step(_ count: Int = 1) -> StepResult {
        var result = StepResult.retired
        for _ in 0..<count { result = cpu.step() }
        return result
    }

    /// The vector whose handler RIP is at the start of, or nil.
    var vectorEntered: Int? {
        let offset = cpu.pointee.rip &- Bench.handlers
        return offset < 0x1000 && offset & 15 == 0 ? Int(offset >> 4) : nil
    }

    /// Word `n` of the stack.
    func stack(_ n: Int) -> UInt64 { read(cpu.pointee.rsp + UInt64(n) * 8) }

    /// Executes one instruction, which must fault; the vector and the error code on the handler's
    /// stack, where the vector has one.
    func fault(of bytes: [UInt8]) -> Raised? {
        assemble(bytes)
        guard step() == .faulted, let vector = vectorEntered else { return nil }
        let hasCode = [8, 10, 11, 12, 13, 14, 17].contains(vector)
        return Raised(vector: vector, code: hasCode ? stack(0) : nil)
    }

    struct Raised: Equatable, CustomStringConvertible {
        var vector: Int
        var code: UInt64?
        static func gp(_ code: UInt64) -> Raised { Raised(vector: 13, code: code) }
        static func np(_ code: UInt64) -> Raised { Raised(vector: 11, code: code) }
        static func ss(_ code: UInt64) -> Raised { Raised(vector: 12, code: code) }
        static func ts(_ code: UInt64) -> Raised { Raised(vector: 10, code: code) }
        static func pf(_ code: UInt64) -> Raised { Raised(vector: 14, code: code) }
        static let ud = Raised(vector: 6, code: nil)
        static let db = Raised(vector: 1, code: nil)
        var description: String {
            "#\(vector)" + (code.map { "(0x" + String($0, radix: 16) + ")" } ?? "")
        }
    }
}

extension Bench.Raised {
    init(_ fault: Fault) {
        self.init(
            vector: Int(fault.vector),
            code: fault.hasErrorCode ? UInt64(fault.errorCode) : nil)
    }
}
