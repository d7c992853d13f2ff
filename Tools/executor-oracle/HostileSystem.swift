import SeededRandom
import X86

/// The pieces of hostile code that change the system's registers, tables and devices.
extension HostileCode {
    /// Flips a bit of a control register, or moves the page tables.
    mutating func controlRegister() {
        switch numbers.below(8) {
        case 0, 1:
            let root = code.size == .bits64 ? Layout.pml4 : Layout.directory32
            let low = numbers.next() & 0xFFF
            code.load(0, numbers.chance(75) ? root | numbers.pick([0, 0x18, low]) : address())
            code.emit(0x0F, 0x22, 0xD8)
        case 2:
            code.load(0, numbers.next() & 15)
            // CR8 through LOCK on AMD's processors; #UD elsewhere.
            code.emit(numbers.chance(50) ? 0x44 : 0xF0, 0x0F, 0x22, 0xC0)
        case 3: code.emit(0x0F, 0x06)
        case 4:
            code.load(0, numbers.next())
            code.emit(0x0F, 0x01, 0xF0)
        default:
            let n: UInt8 = numbers.chance(50) ? 0 : 4
            code.emit(0x0F, 0x20, 0xC0 | n << 3)
            code.operands32()
            code.emit(0x35)
            let mild: [UInt64] = [1 << 16, 1 << 3, 1 << 18, 1 << 1, 1 << 2, 1 << 5]
            let mild4: [UInt64] = [1 << 7, 1 << 17, 1 << 9, 1 << 20, 1 << 21, 1 << 18, 1 << 11, 4]
            code.word(
                numbers.chance(80) ? numbers.pick(n == 0 ? mild : mild4) : numbers.bit(32))
            code.emit(0x0F, 0x22, 0xC0 | n << 3)
        }
    }

    mutating func modelSpecificRegister() {
        let known: [UInt64] = [
            0x10, 0x1B, 0x3A, 0x8B, 0x174, 0x175, 0x176, 0x179, 0x17A, 0x1A0, 0x1D9, 0x277, 0x2FF,
            0x200, 0x250, 0x6E0, 0xC000_0080, 0xC000_0081, 0xC000_0082, 0xC000_0083, 0xC000_0084,
            0xC000_0100, 0xC000_0101, 0xC000_0102, 0xC000_0103, 0xDA0, 0xE7, 0xE8, 0x3B, 0x48,
        ]
        let register =
            numbers.chance(70)
            ? numbers.pick(known)
            : numbers.chance(70) ? 0x800 + UInt64(numbers.below(0x50)) : numbers.next()
        if numbers.chance(15) {
            // IA32_APIC_BASE onto code, data, tables, the end of memory, off and on, x2APIC.
            let places = [Layout.code64, Layout.data, Layout.pageTable, memory, 0xFEC0_0000, 0]
            code.writeMSR(0x1B, numbers.pick(places) & ~0xFFF | UInt64(numbers.below(16)) << 8)
        } else if numbers.chance(50) {
            code.load(1, register)
            code.emit(0x0F, 0x32)
            code.operands32()
            code.emit(0x35)
            code.word(numbers.bit(32))
            code.emit(0x0F, 0x30)
        } else {
            code.writeMSR(register, value())
        }
    }

    /// Any register of the local APIC; often a command with any delivery mode, vector and
    /// destination, or a timer with a period of next to nothing.
    mutating func localAPIC() {
        let page: UInt64 = 0xFEE0_0000
        switch numbers.below(6) {
        case 0, 1:
            if numbers.chance(30) { code.store(page + 0x310, numbers.next() & 0xFF00_0000) }
            var command = UInt64(numbers.below(256)) | UInt64(numbers.below(8)) << 8
            command |= UInt64(numbers.below(4)) << 18 | UInt64(numbers.below(16)) << 11
            if numbers.chance(20) { command = 0xC_4600 | Layout.code16 >> 12 }
            code.store(page + 0x300, command)
        case 2:
            code.store(page + 0x3E0, numbers.pick([0xB, 0, 1, 3, 0xA]))
            code.store(page + 0x320, 0x20000 | 0x30 + UInt64(numbers.below(200)))
            code.store(page + 0x380, numbers.pick([1, 2, 3, 50, 1000, 0xFFFF_FFFF, 0]))
        case 3:
            code.store(page + 0x320, 0x4_0000 | UInt64(numbers.below(256)))
            code.writeMSR(0x6E0, numbers.pick([1, 0, 1 << 20, .max, 300_000]))
        case 4: code.store(page + 0xB0, 0)
        default:
            let register = UInt64(numbers.below(0x40)) << 4
            if numbers.chance(60) {
                code.store(page + register, numbers.chance(50) ? numbers.next() : value())
            } else {
                code.load(3, page + register + UInt64(numbers.below(16)))
                code.emit(numbers.pick([0x8A, 0x8B, 0x88, 0x89, 0x01, 0x87]), 0x03)
            }
        }
    }

    mutating func inputOutputAPIC() {
        let page: UInt64 = 0xFEC0_0000
        code.store(page, UInt64(numbers.below(0x44)))
        var entry = UInt64(numbers.below(256)) | UInt64(numbers.below(0x200)) << 8
        if numbers.chance(30) { entry = numbers.next() }
        if numbers.chance(20) { code.store(page + 0x40, numbers.next() & 0xFF) }
        code.store(page + 0x10, entry)
    }

    static let portNumbers: [UInt16] = [
        0x20, 0x21, 0xA0, 0xA1, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0xE9, 0x3F8,
        0x3F9, 0x3FA, 0x3FB, 0x3FC, 0x3FD, 0x3FE, 0x3FF, 0x4D0, 0x4D1, 0x510, 0x511, 0x514, 0x600,
        0x601, 0x602, 0x608, 0x609, 0xCF8, 0xCFC, 0xCFE, 0xCFF, 0x3D4, 0x3D5, 0x1F0, 0x1F7, 0x170,
        0x2F8, 0x378, 0x80, 0x402, 0xB2, 0xAF00, 0xFFFF, 0xFFFE,
    ]

    /// Random bytes to the ports; those that end a run seldom.
    mutating func ports() {
        for _ in 0..<(1 + numbers.below(3)) {
            var port = numbers.pick(Self.portNumbers)
            if numbers.chance(4) {
                port =
                    numbers.chance(90)
                    ? UInt16(truncatingIfNeeded: numbers.next())
                    : numbers.pick([0xF4, 0x604, 0xCF9, 0x92])
            }
            code.load(2, UInt64(port))
            var out = numbers.next()
            if port == 0x64 && out & 0xF0 == 0xF0 { out ^= 0x50 }
            code.load(0, numbers.chance(40) ? numbers.pick([0, 1, 0x34, 0xB6, 0xFF]) : out)
            if numbers.chance(15) { code.emit(0x66) }
            code.emit(numbers.pick([0xEE, 0xEE, 0xEF, 0xEC, 0xED]))
        }
        // The interval timer and the clock at their fastest.
        if numbers.chance(15) {
            for (port, byte) in [(0x43, 0x34), (0x40, 1 + numbers.below(3)), (0x40, 0)] {
                code.load(0, UInt64(byte))
                code.emit(0xE6, UInt8(port))
            }
        } else if numbers.chance(15) {
            let registers = [(10, 0x20 | numbers.below(16)), (11, numbers.below(256))]
            for (register, value) in registers {
                code.load(0, UInt64(register))
                code.emit(0xE6, 0x70)
                code.load(0, UInt64(value))
                code.emit(0xE6, 0x71)
            }
        }
    }

    mutating func descriptorTables() {
        switch numbers.below(6) {
        case 0:
            let which = UInt8(2 + numbers.below(2))
            var own = which == 2 ? 0 : code.size == .bits64 ? 16 : code.size == .bits32 ? 32 : 48
            if numbers.chance(10) { own = numbers.below(64) }
            let low = code.size == .bits16 ? Layout.lowPointers : Layout.pointers
            code.loadTable(which, at: numbers.chance(80) ? low + UInt64(own) : address())
        case 1:
            code.load(0, numbers.chance(70) ? UInt64(0x50 + 8 * numbers.below(6)) : numbers.next())
            code.emit(0x0F, 0x00, numbers.pick([0xD0, 0xD8]))
        case 2, 3:
            let selector = numbers.chance(80) ? UInt64(numbers.below(0x400)) : numbers.next()
            code.load(0, selector)
            code.emit(0x8E, 0xC0 | numbers.pick([0, 2, 3, 4, 5]) << 3)
        case 4: code.store(Layout.gdt + UInt64(numbers.below(0x3FC)), numbers.next())
        default:
            let idt = code.size == .bits64 ? Layout.longIDT : Layout.idt32
            code.store(idt + UInt64(numbers.below(0x800)), numbers.next())
        }
    }

    /// Far calls, jumps and returns and IRET, with frames of all kinds.
    mutating func farTransfer() {
        let selectors: [UInt64] = [
            Selector.code64, Selector.user64, Selector.code32, Selector.user32, Selector.code16,
            Selector.callGate, Selector.taskGate, Selector.task32, Selector.task16,
            Selector.code64 | 3, 0xA0, 0, UInt64(numbers.below(0x400)),
        ]
        var selector = numbers.pick(selectors)
        let own: [CodeSize: UInt64] = [.bits16: 0x40, .bits32: 0x28, .bits64: 0x08]
        if numbers.chance(30) { selector = own[code.size, default: 0] }
        switch numbers.below(4) {
        case 0 where code.size == .bits64, 1 where code.size == .bits64:
            if numbers.chance(60) { selector = numbers.pick([0x08, 0x23]) }
            iretFrame(selector)
        case 1:
            iretFrame(selector)
        case 2 where code.size != .bits64:
            code.operands32()
            code.emit(numbers.pick([0x9A, 0xEA]))
            code.word(target())
            code.emit(UInt8(truncatingIfNeeded: selector), UInt8(truncatingIfNeeded: selector >> 8))
        default:
            code.goFar(selector, target())
        }
    }

    /// SS, RSP, flags, CS and RIP pushed, and IRET.
    private mutating func iretFrame(_ selector: UInt64) {
        let isUser = selector & 3 == 3
        let isVirtual = code.size == .bits32 && numbers.chance(20)
        if isVirtual {
            for _ in 0..<4 {
                code.emit(0x68)
                code.word(UInt64(numbers.below(0x1000)))
            }
        }
        var flags = numbers.next() & 0x4ED5
        if numbers.chance(30) { flags |= numbers.next() & 0x3F_7FD5 }
        if isVirtual { flags |= 0x2_0000 }
        let stack = isUser ? Selector.userData : Selector.data
        let top = isVirtual ? 0x7000 : Layout.stack - 0x600
        let place = isVirtual ? UInt64(numbers.below(0x2000)) : target()
        let code16 = isVirtual ? 0x800 : selector
        for value in [stack, top, flags, code16, place] {
            code.operands32()
            code.emit(0x68)
            code.word(value)
        }
        code.wide()
        code.emit(0xCF)
    }

    /// Writes an entry of some page table, directly or through the tables' own mapping.
    mutating func pageTables() {
        let tables = [
            Layout.pageTable, Layout.firstDirectory, Layout.pdpt, Layout.pml4, Layout.directory32,
            Layout.pageTable32, Layout.lastDirectory,
        ]
        var entry = numbers.pick(tables) + UInt64(numbers.below(512)) * 8
        if numbers.chance(80) { entry = Layout.pageTable + 0xA00 + UInt64(numbers.below(190)) * 8 }
        if code.size == .bits64 && numbers.chance(25) {
            // PML4 entry 0x1FE contains the PML4: this is the page table's last level by itself.
            entry = 0xFFFF_FF00_0000_0000 + UInt64(numbers.below(512)) * 8
        }
        let places: [UInt64] = [
            0xFEE0_0000, memory - 0x1000, memory, Layout.code64, Layout.pageTable, Layout.data,
            0xFEC0_0000, numbers.next() & 0xF_FFFF_FFFF_F000,
        ]
        code.store(entry, numbers.pick(places) & 0xFFFF_F000 | numbers.next() & 0x1FF)
        if numbers.chance(30) {
            code.load(3, entry << 9)
            code.emit(0x0F, 0x01, 0x3B)
        }
        if numbers.chance(10) { code.emit(0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8) }
    }

    /// Changes code: what comes next, what is on the next page, what another vCPU runs.
    mutating func ownCode() {
        let here = Layout.code(code.size) + UInt64(code.bytes.count)
        var place = here + 7 + UInt64(numbers.below(24))
        if numbers.chance(40) { place = target() }
        if numbers.chance(10) { place = target() & ~0xFFF &- 2 }
        if numbers.chance(50) {
            code.storeByte(place, numbers.pick([0x90, 0x40, 0x66, 0xEB, numbers.byte()]))
        } else {
            code.store(place, numbers.chance(50) ? 0x9090_9090 : numbers.next())
        }
        if numbers.chance(10) { code.emit(0x0F, 0xA2) }
    }

    /// Nonsense in task-state segments, and a switch to one.
    mutating func taskState() {
        let tasks = [Layout.longTask, Layout.task32, Layout.otherTask32, Layout.task16]
        if numbers.chance(70) {
            code.store(numbers.pick(tasks) + UInt64(numbers.below(0x68)), value())
        }
        if numbers.chance(60) && code.size != .bits64 {
            code.operands32()
            code.emit(numbers.pick([0x9A, 0xEA]))
            code.word(0)
            code.emit(numbers.pick([0x60, 0x68, 0x70, 0x98, 0x50]), 0)
        }
    }

    /// From one mode to another, by the book.
    mutating func otherMode() {
        switch code.size {
        case .bits64:
            let selector = numbers.pick([Selector.code32, Selector.code16, Selector.user32])
            code.goFar(selector, selector == 0x40 ? 0x100 : Layout.code32)
        case .bits32:
            if numbers.chance(50) {
                leaveLongMode()
            } else {
                enterLongMode()
            }
        case .bits16:
            // Protected mode on or off, and a far jump.
            code.loadTable(2, at: Layout.lowPointers)
            code.loadTable(3, at: Layout.lowPointers + numbers.pick([32, 48]))
            code.emit(0x0F, 0x20, 0xC0, 0x34, 0x01, 0x0F, 0x22, 0xC0, 0xEA)
            code.emit(numbers.byte(), 0x01)
            code.emit(numbers.pick([0x00, 0x40]), numbers.pick([0x08, 0x00]))
            if numbers.chance(50) { enterLongMode() }
        }
    }

    /// Paging off, EFER.LME off, then 32-bit paging with or without PAE.
    private mutating func leaveLongMode() {
        code.emit(0x0F, 0x20, 0xC0, 0x25)
        code.word(0x7FFF_FFFF)
        code.emit(0x0F, 0x22, 0xC0)
        code.writeMSR(0xC000_0080, 0)
        code.loadTable(3, at: Layout.pointers + 32)
        if numbers.chance(70) {
            code.writeControl(3, numbers.chance(80) ? Layout.directory32 : Layout.pdpt)
            code.writeControl(4, numbers.chance(80) ? 0x610 : 0x620)
            code.writeControl(0, 0x8000_0033)
        }
    }

    private mutating func enterLongMode() {
        code.emit(0x0F, 0x20, 0xC0)
        code.operands32()
        code.emit(0x25)
        code.word(0x7FFF_FFFF)
        code.emit(0x0F, 0x22, 0xC0)
        let pointers = code.size == .bits16 ? Layout.lowPointers : Layout.pointers
        code.loadTable(2, at: pointers)
        code.loadTable(3, at: pointers + 16)
        code.writeControl(4, 0x620)
        code.writeControl(3, Layout.pml4)
        code.writeMSR(0xC000_0080, 0xD01)
        code.writeControl(0, 0x8000_0033)
        code.operands32()
        code.emit(0xEA)
        code.word(Layout.code64 + UInt64(numbers.below(0x3000)))
        code.emit(0x08, 0x00)
    }
}
