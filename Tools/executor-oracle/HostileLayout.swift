import X86

/// Where a hostile guest has its things: a world that works, for random code to take apart. All
/// addresses are physical, and linear as well until that code changes the page tables.
enum HostileLayout {
    static let setup: UInt64 = 0x10_0000
    // The pages that handlers put back now and then.
    static let gdt: UInt64 = 0x10_1000
    static let longTask = gdt + 0x400
    static let task32 = gdt + 0x500
    static let otherTask32 = gdt + 0x580
    static let task16 = gdt + 0x600
    static let ldt = gdt + 0x680
    static let longIDT: UInt64 = 0x10_2000
    static let pml4: UInt64 = 0x10_3000
    static let pdpt: UInt64 = 0x10_4000
    static let firstDirectory: UInt64 = 0x10_5000
    static let lastDirectory: UInt64 = 0x10_6000
    static let pageTable: UInt64 = 0x10_7000
    static let idt32: UInt64 = 0x10_8000
    static let directory32: UInt64 = 0x10_9000
    static let pageTable32: UInt64 = 0x10_A000
    static let tables = gdt..<0x10_B000

    static let handlers: UInt64 = 0x10_B000
    static let interrupt64 = handlers + 0x400
    static let handler32 = handlers + 0x600
    static let interrupt32 = handlers + 0xA00
    static let counter: UInt64 = 0x10_C000
    /// Limit and base of GDT, long IDT, 32-bit IDT and real-mode table, 16 bytes apart.
    static let pointers: UInt64 = 0x10_C100
    static let code64: UInt64 = 0x10_E000
    static let code32: UInt64 = 0x11_2000
    static let codeSize: UInt64 = 0x4000
    static let data: UInt64 = 0x11_6000
    static let fileEnd: UInt64 = 0x11_8000
    static let stack: UInt64 = 0x11_C000
    static let pristine: UInt64 = 0x12_0000
    // Virtio's: the three pages of a queue of 256, then a small queue, buffers, and a table.
    static let legacyQueue: UInt64 = 0x12_A000
    static let modernQueue: UInt64 = 0x12_D000
    static let buffers: UInt64 = 0x12_E000
    static let indirect: UInt64 = 0x12_F000
    static let end: UInt64 = 0x13_0000

    // Below 1 MiB, for real mode and virtual-8086 mode.
    static let code16: UInt64 = 0x8000
    /// From 16-bit protected mode to real mode, at `code16`.
    static let toReal: UInt64 = 0xBDE0
    static let handler16: UInt64 = 0xBE00
    /// A copy of `pointers`.
    static let lowPointers: UInt64 = 0xBF00
    /// `counter`, for real mode.
    static let lowCounter: UInt64 = 0xBFA0

    static func code(_ size: CodeSize) -> UInt64 {
        switch size {
        case .bits16: code16
        case .bits32: code32
        case .bits64: code64
        }
    }

    enum Selector {
        static let code64: UInt64 = 0x08
        static let data: UInt64 = 0x18
        static let user64: UInt64 = 0x23
        static let code32: UInt64 = 0x28
        static let userData: UInt64 = 0x33
        static let user32: UInt64 = 0x3B
        static let code16: UInt64 = 0x40
        static let data16: UInt64 = 0x48
        static let longTask: UInt64 = 0x50
        static let task32: UInt64 = 0x60
        static let otherTask32: UInt64 = 0x68
        static let task16: UInt64 = 0x70
        static let ldt: UInt64 = 0x78
        static let callGate: UInt64 = 0x88
        static let taskGate: UInt64 = 0x98
    }
}
