import SeededRandom
import X86

/// Descriptors, gates, page tables and task states of a hostile guest: sound where nothing would
/// run without them, now and then nonsense elsewhere.
struct HostileTables {
    typealias Layout = HostileLayout

    var numbers: SplitMix64
    /// Bytes of RAM.
    let memory: UInt64
    /// From `Layout.setup`.
    var bytes = [UInt8](repeating: 0, count: Int(Layout.fileEnd - Layout.setup))

    init(_ numbers: SplitMix64, memory: UInt64) {
        self.numbers = numbers
        self.memory = memory
    }

    mutating func put(_ value: UInt64, at address: UInt64, size: Int = 8) {
        for n in 0..<size {
            let byte = UInt8(truncatingIfNeeded: value >> UInt64(8 * n))
            bytes[Int(address - Layout.setup) + n] = byte
        }
    }

    mutating func put(_ code: [UInt8], at address: UInt64) {
        for (n, byte) in code.enumerated() { bytes[Int(address - Layout.setup) + n] = byte }
    }

    mutating func fill() {
        fillDescriptors()
        fillTasks()
        fillGates()
        fillLongPages()
        fillPages32()
        for n in 0..<(Layout.fileEnd - Layout.data) / 8 {
            put(numbers.chance(50) ? numbers.next() : 0, at: Layout.data + n * 8)
        }
        let pointers: [(limit: UInt64, base: UInt64)] = [
            (0x3FF, Layout.gdt), (0xFFF, Layout.longIDT), (0x7FF, Layout.idt32), (0x3FF, 0),
        ]
        for (n, pointer) in pointers.enumerated() {
            put(pointer.limit, at: Layout.pointers + UInt64(n) * 16, size: 2)
            put(pointer.base, at: Layout.pointers + UInt64(n) * 16 + 2)
        }
    }

    // MARK: - Segments

    /// A descriptor (Intel SDM vol. 3, figure 3-8); `attributes` are bits 40...55 of it.
    private static func packed(_ base: UInt64, _ limit: UInt64, _ attributes: UInt64) -> UInt64 {
        limit & 0xFFFF | (base & 0xFF_FFFF) << 16 | attributes << 40
            | (limit >> 16 & 0xF) << 48 | (base >> 24 & 0xFF) << 56
    }

    private mutating func fillDescriptors() {
        let flat: UInt64 = 0xF_FFFF
        let entries: [(UInt64, UInt64)] = [
            (0x08, Self.packed(0, flat, 0xA09B)), (0x10, Self.packed(0, flat, 0xC09B)),
            (0x18, Self.packed(0, flat, 0xC093)), (0x20, Self.packed(0, flat, 0xA0FB)),
            (0x28, Self.packed(0, flat, 0xC09B)), (0x30, Self.packed(0, flat, 0xC0F3)),
            (0x38, Self.packed(0, flat, 0xC0FB)),
            (0x40, Self.packed(Layout.code16, 0xFFFF, 0x009B)),
            (0x48, Self.packed(0, 0xFFFF, 0x0093)),
            (0x50, Self.packed(Layout.longTask, 0x67, 0x0089)), (0x58, 0),
            // Now and then with room for bitmaps of ports and of virtual-8086 mode's interrupts.
            (0x60, Self.packed(Layout.task32, numbers.pick([0x67, 0x2090]), 0x0089)),
            (0x68, Self.packed(Layout.otherTask32, 0x67, 0x0089)),
            (0x70, Self.packed(Layout.task16, 0x2B, 0x0081)),
            (0x78, Self.packed(Layout.ldt, 0xFF, 0x0082)), (0x80, 0),
            (0x88, gate(0x08, Layout.handlers, 0xEC)), (0x90, 0),
            (0x98, gate(0x60, 0, 0xE5)),
            (0xA0, Self.packed(0, flat, 0xC09F)), (0xA8, Self.packed(0, 0xFFF, 0xC097)),
        ]
        for (at, entry) in entries { put(entry, at: Layout.gdt + at) }
        for at in stride(from: UInt64(0xB0), to: 0x400, by: 8) {
            put(descriptor(), at: Layout.gdt + at)
        }
        for at in stride(from: UInt64(0), to: 0x100, by: 8) {
            put(descriptor(), at: Layout.ldt + at)
        }
    }

    /// The low half of a gate.
    private func gate(_ selector: UInt64, _ target: UInt64, _ type: UInt64) -> UInt64 {
        target & 0xFFFF | selector << 16 | type << 40 | (target >> 16 & 0xFFFF) << 48
    }

    /// Any descriptor; most are present and of some type with a base that makes sense.
    private mutating func descriptor() -> UInt64 {
        if numbers.chance(20) { return numbers.next() }
        let bases = [0, Layout.gdt, Layout.data, Layout.task32, memory - 0x1000, 0xFFFF_F000]
        var attributes = UInt64(numbers.below(256)) | UInt64(numbers.below(16)) << 12
        if numbers.chance(80) { attributes |= 0x80 }
        return Self.packed(numbers.pick(bases), UInt64(numbers.below(1 << 20)), attributes)
    }

    private mutating func fillTasks() {
        let odd: [UInt64] = [
            Layout.stack, memory, memory - 8, 0xFEE0_0300, 0xFEC0_0020, 0x8000_0000_0000, 0,
            0xFFFF_FFFF_FFFF_FFF8, Layout.longTask + 0x40, Layout.pageTable + 0x900,
        ]
        for at in [UInt64(4), 12, 20] { put(Layout.stack - at * 16, at: Layout.longTask + at) }
        put(Layout.stack - 0x800, at: Layout.longTask + 0x24)
        for n in UInt64(1)..<7 { put(numbers.pick(odd), at: Layout.longTask + 0x24 + n * 8) }
        put(UInt64(numbers.below(0x80)), at: Layout.longTask + 0x66, size: 2)
        for task in [Layout.task32, Layout.otherTask32] {
            for at in [UInt64(4), 12, 20] {
                put(Layout.stack - 0x400, at: task + at, size: 4)
                put(Layout.Selector.data, at: task + at + 4, size: 4)
            }
            put(Layout.directory32, at: task + 0x1C, size: 4)
            put(Layout.code32 + UInt64(numbers.below(0x3FF)) * 16, at: task + 0x20, size: 4)
            put(2 | numbers.next() & 0x2_7ED5, at: task + 0x24, size: 4)
            for n in UInt64(0)..<8 {
                put(Layout.stack - 0x100 * n, at: task + 0x28 + n * 4, size: 4)
            }
            for n in UInt64(0)..<6 {
                put(n == 1 ? 0x28 : 0x18, at: task + 0x48 + n * 4, size: 4)
            }
            put(numbers.pick([0, 0x68, 0x88]), at: task + 0x66, size: 2)
            if numbers.chance(30) { put(numbers.next(), at: task + UInt64(numbers.below(0x60))) }
        }
        for n in UInt64(0)..<22 { put(numbers.next(), at: Layout.task16 + n * 2, size: 2) }
        put(0x40, at: Layout.task16 + 0x24, size: 2)
    }

    // MARK: - Gates

    private mutating func fillGates() {
        for vector in UInt64(0)..<256 {
            let isException = vector < 32
            let target = isException ? Layout.handlers : Layout.interrupt64
            let dpl: UInt64 = numbers.chance(50) ? 0x60 : 0
            let ist = vector == 8 || numbers.chance(20) ? 1 : UInt64(numbers.below(50) / 43)
            let at = Layout.longIDT + vector * 16
            put(gate(0x08, target, 0x8E | dpl | UInt64(numbers.below(2))) | ist << 32, at: at)
            put(0, at: at + 8)
            let isVital = [6, 8, 13, 14].contains(vector)
            if !isVital && numbers.chance(3) { put(numbers.next(), at: at) }
            if !isVital && numbers.chance(1) { put(numbers.next(), at: at + 8) }
            let target32 = isException ? Layout.handler32 : Layout.interrupt32
            var entry = gate(0x28, target32, 0x8E | dpl | UInt64(numbers.below(2)))
            if !isVital && numbers.chance(8) { entry = gate(0x68, 0, 0x85 | dpl) }
            if !isVital && numbers.chance(3) { entry = numbers.next() }
            put(entry, at: Layout.idt32 + vector * 8)
        }
    }

    // MARK: - Pages

    private mutating func fillLongPages() {
        put(Layout.pdpt | 7, at: Layout.pml4)
        // Tables that contain themselves, for users as well.
        put(Layout.pml4 | 7, at: Layout.pml4 + 0x1FE * 8)
        put(Layout.pdpt | 7, at: Layout.pml4 + 0x1FF * 8)
        put(Layout.firstDirectory | 7, at: Layout.pdpt)
        put(Layout.lastDirectory | 7, at: Layout.pdpt + 3 * 8)
        put(0x87, at: Layout.pdpt + 4 * 8)
        put(Layout.firstDirectory | 7, at: Layout.pdpt + 0x1FF * 8)
        put(Layout.pageTable | 7, at: Layout.firstDirectory)
        for n in UInt64(1)..<512 {
            let global: UInt64 = numbers.chance(30) ? 0x100 : 0
            put(n << 21 | 0x87 | global, at: Layout.firstDirectory + n * 8)
            put((n << 21) + 0xC000_0000 | 0x87, at: Layout.lastDirectory + n * 8)
        }
        for n in UInt64(0)..<512 {
            var entry = n << 12 | 7
            if n >= 0x140 {
                // Beyond the guest's own things anything may be mapped.
                let places = [
                    0xFEE0_0000, 0xFEC0_0000, memory - 0x1000, memory, 0xD000_0000, Layout.code64,
                    Layout.data, Layout.pageTable, Layout.gdt, 0xF_FFFF_FFFF_F000,
                ]
                entry = numbers.pick(places) | numbers.next() & 0x1E7
                if numbers.chance(80) { entry |= 1 }
                if numbers.chance(20) { entry |= 1 << 63 }
                if numbers.chance(5) { entry |= numbers.next() & 0x7FF0_0000_0000_0000 }
            }
            put(entry, at: Layout.pageTable + n * 8)
        }
    }

    private mutating func fillPages32() {
        put(Layout.pageTable32 | 7, at: Layout.directory32, size: 4)
        for n in UInt64(1)..<1024 { put(n << 22 | 0x87, at: Layout.directory32 + n * 4, size: 4) }
        put(Layout.directory32 | 7, at: Layout.directory32 + 0x3FE * 4, size: 4)
        for n in UInt64(0)..<1024 {
            var entry = n << 12 | 7
            if n >= 0x140 {
                entry = numbers.pick([0xFEE0_0000, memory - 0x1000, memory, Layout.code32]) | 7
                if numbers.chance(30) { entry ^= numbers.bit(9) }
            }
            put(entry, at: Layout.pageTable32 + n * 4, size: 4)
        }
    }
}
