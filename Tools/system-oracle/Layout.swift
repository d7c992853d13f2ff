/// Where things are: the memory map that the harness (`harness.S`) and the generator share.
enum Layout {
    static let memory = 64 << 20
    static let harness = 0x20_0000
    static let tables = 0x30_0000
    static let control = 0x40_0000
    static let cases = 0x80_0000
    static let results = 0x180_0000
    /// Bytes of a case and of a result: a head, then the area.
    static let recordSize = 0x2000
    static let headSize = 0x400
    static let batch = 512

    /// The area's linear and physical address: tables, code, kernel's stacks, the program's data.
    static let area = 0x1_0000
    static let gdt = area
    static let ldt = area + 0x400
    static let tss = area + 0x500
    /// Task state segments for task gates, and that of the double fault handler.
    static let tssA = area + 0x600
    static let tssB = area + 0x680
    static let tssDoubleFault = area + 0x700
    static let tss16 = area + 0x780
    static let idt = area + 0x800
    static let code = area + 0x1000
    static let kernelStack = area + 0x2000
    static let data = area + 0x3000
    /// Parts of the area as a record holds them one after the other: address and size.
    static let parts = [(area, 0x1400), (kernelStack, 0x400), (data, 0x400)]
    /// The same four pages through page table entries that are a case's own.
    static let window = 0x4001_0000
    static let highWindow: UInt64 = 0xFFFF_8080_4001_0000

    /// The supervisor's; nothing else is there.
    static let scratch = 0x2D_0000

    static let realHandlers = 0x800
    static let doubleFaultStack = 0x2F_0000

    /// Handlers of 16 bytes each, by vector.
    static let stubs32 = harness + 0x800
    static let stubs64 = harness + 0x1000
    static let vectors = 128
}

/// Fields of a case's head; the names are `harness.S`'s.
enum Field {
    static let mode = 0x00
    static let cr0 = 0x04
    static let cr3 = 0x08
    static let cr4 = 0x0C
    static let efer = 0x10
    static let gdtr = 0x16
    static let idtr = 0x26
    static let ldtr = 0x30
    static let tr = 0x34
    static let segments = 0x38
    static let dr7 = 0x48
    static let dr6 = 0x4C
    static let dr0 = 0x50
    static let msrs = 0x68
    static let registers = 0xC0
    static let frame = 0x140
    static let form = 0x188
    static let cr2 = 0x190
    static let slots = 0x198
}

/// What a result's head consists of.
struct ResultField {
    var name: String
    var offset: Int
    var size: Int

    static let status = 0
    static let vector = 4
    static let all: [ResultField] = {
        var fields = [
            ResultField(name: "status", offset: 0, size: 4),
            ResultField(name: "vector", offset: 4, size: 4),
            ResultField(name: "bits", offset: 8, size: 4),
        ]
        let registers = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"]
        for n in 0..<16 {
            let name = n < 8 ? registers[n] : "r\(n)"
            fields.append(ResultField(name: name, offset: 0x10 + n * 8, size: 8))
        }
        let words = [
            "ds", "es", "fs", "gs", "ss", "cs", "cr0", "cr2", "cr3", "cr4", "efer", "dr0", "dr1",
            "dr2", "dr6", "dr7", "fs.base", "gs.base", "kernel-gs", "star", "lstar", "cstar",
            "sfmask", "sysenter-cs", "sysenter-esp", "sysenter-eip",
        ]
        for (n, name) in words.enumerated() {
            fields.append(ResultField(name: name, offset: 0x90 + n * 8, size: 8))
        }
        fields.append(ResultField(name: "gdtr.limit", offset: 0x160, size: 2))
        fields.append(ResultField(name: "gdtr.base", offset: 0x162, size: 8))
        fields.append(ResultField(name: "idtr.limit", offset: 0x170, size: 2))
        fields.append(ResultField(name: "idtr.base", offset: 0x172, size: 8))
        fields.append(ResultField(name: "ldtr", offset: 0x180, size: 8))
        fields.append(ResultField(name: "tr", offset: 0x188, size: 8))
        fields.append(ResultField(name: "flags", offset: 0x190, size: 8))
        let slots = [
            "pml4e", "pdpte", "pde", "pte0", "pte1", "pte2", "pte3", "low0", "low1", "low2", "low3",
        ]
        for (n, name) in slots.enumerated() {
            fields.append(ResultField(name: name, offset: 0x198 + n * 8, size: 8))
        }
        return fields
    }()
}

extension UnsafeMutableRawPointer {
    func put16(_ offset: Int, _ value: Int) {
        storeBytes(of: UInt16(truncatingIfNeeded: value), toByteOffset: offset, as: UInt16.self)
    }
    func put32(_ offset: Int, _ value: Int) {
        storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: offset, as: UInt32.self)
    }
    func put64(_ offset: Int, _ value: UInt64) {
        storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }
}

extension UnsafeRawPointer {
    /// `size` bytes as a number.
    func word(_ offset: Int, _ size: Int) -> UInt64 {
        switch size {
        case 1: UInt64(loadUnaligned(fromByteOffset: offset, as: UInt8.self))
        case 2: UInt64(loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        case 4: UInt64(loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        default: loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
    }
}

/// The page tables that no case changes but for its slots.
enum PageTables {
    static func write(to memory: UnsafeMutableRawPointer) {
        let t = Layout.tables
        func entry(_ table: Int, _ index: Int, _ value: Int) {
            memory.put64(t + table * 0x1000 + index * 8, UInt64(value))
        }
        // PML4, PDPT, PD of the first gigabyte: everything is the supervisor's.
        entry(0, 0, t + 0x1000 | 7)
        entry(1, 0, t + 0x2000 | 7)
        entry(2, 0, t + 0x4000 | 7)
        for n in 1..<32 { entry(2, n, n << 21 | 0x83) }
        for n in 0..<512 { entry(4, n, n << 12 | 3) }
        // PAE.
        entry(6, 0, t + 0x2000 | 1)
        // 32-bit: entries of 4 bytes.
        memory.put32(t + 0x7000, t + 0x9000 | 7)
        for n in 1..<16 { memory.put32(t + 0x7000 + n * 4, t + (0x9 + n) * 0x1000 | 3) }
        for n in 0..<16 * 1024 { memory.put32(t + 0x9000 + n * 4, n << 12 | 3) }
    }
}
