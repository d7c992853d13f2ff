import SeededRandom
import X86

/// The pieces of hostile code for what several processors do to one another, and for modes that
/// change in the middle of something.
extension HostileCode {
    mutating func processors() {
        switch numbers.below(10) {
        case 0, 1: startups()
        case 2, 3: monitor()
        case 4, 5: sharedCode()
        case 6: modeFlip()
        case 7, 8: oddTask()
        case 9 where numbers.chance(40): extendedAPIC()
        default: alias()
        }
    }

    private mutating func command(_ low: UInt64, to destination: UInt64) {
        code.store(0xFEE0_0310, destination << 24)
        code.store(0xFEE0_0300, low)
    }

    /// INIT, start-up and NMI to anybody, oneself too, in any order; in x2APIC mode as well.
    private mutating func startups() {
        let page = Layout.code16 >> 12
        let kinds: [UInt64] = [
            0x4500, 0x500, 0x8500, 0xC500, 0x4600 | page, 0x4600 | page + 1, 0x4600 | 0xF0,
            0x4600 | UInt64(numbers.below(256)), 0x4400, 0x4400, 0x4000 | 0x41, 0x4700, 0x4200,
        ]
        for _ in 0..<(1 + numbers.below(6)) {
            let shorthand = UInt64(numbers.pick([0, 0, 1, 2, 3, 3]))
            let low = numbers.pick(kinds) | shorthand << 18 | (numbers.chance(10) ? 1 << 11 : 0)
            let destination = numbers.chance(80) ? UInt64(numbers.below(5)) : 0xFF
            if numbers.chance(15) {
                code.writeMSR(0x830, destination << 32 | low & 0xC_CFFF)
            } else {
                command(low, to: destination)
            }
            if numbers.chance(20) { code.emit(numbers.pick([0xF4, 0xFA, 0xFB, 0x90])) }
        }
        if numbers.chance(15) { code.writeMSR(0x1B, 0xFEE0_0C00 | UInt64(numbers.below(2)) << 8) }
        // Whatever it was, the others run again.
        if numbers.chance(50) {
            command(0xC_4500, to: 0)
            command(0xC_4600 | page, to: 0)
        }
    }

    /// The local APIC's registers as MSRs, in the mode that has them; often back again.
    private mutating func extendedAPIC() {
        let base = 0xFEE0_0000 | UInt64(numbers.below(2)) << 8
        code.writeMSR(0x1B, base | 0xC00)
        for _ in 0..<(2 + numbers.below(6)) {
            let register = 0x800 + UInt64(numbers.below(0x42))
            let values: [UInt64] = [
                0, 1, 0x1FF, UInt64(numbers.below(256)), numbers.next(), 0x2_0050,
            ]
            if numbers.chance(60) { code.writeMSR(register, numbers.pick(values)) }
            if numbers.chance(50) {
                code.load(1, register)
                code.emit(0x0F, 0x32)
            }
        }
        guard numbers.chance(60) else { return }
        code.writeMSR(0x1B, base)
        code.writeMSR(0x1B, base | 0x800)
    }

    /// MONITOR and MWAIT on lines of all kinds, some of which others write.
    private mutating func monitor() {
        let places = [Layout.counter, Layout.data, Layout.modernQueue + 0x800, Layout.buffers]
        let place = numbers.chance(70) ? numbers.pick(places) : address()
        code.load(0, place &+ UInt64(numbers.below(80)))
        code.load(1, numbers.chance(90) ? 0 : numbers.next())
        code.load(2, numbers.chance(90) ? 0 : numbers.next())
        code.emit(0x0F, 0x01, 0xC8)
        if numbers.chance(30) { code.store(place, numbers.next()) }
        if numbers.chance(20) { code.emit(numbers.pick([0xFA, 0xFB, 0xF4])) }
        if numbers.chance(25) {
            code.store(0xFEE0_0320, 0x40)
            code.store(0xFEE0_0380, 5000)
        }
        code.load(1, UInt64(numbers.below(2)))
        code.emit(0x0F, 0x01, 0xC9)
        if numbers.chance(20) { code.writeMSR(0x1A0, numbers.next() & 0x4_0001) }
    }

    /// Code of any size, which others may be running, changed by locked operations, across the
    /// ends of pages, or by a string instruction.
    private mutating func sharedCode() {
        let bases = [Layout.code16, Layout.code32, Layout.code64]
        let page = numbers.pick(bases) + UInt64(numbers.below(4)) << 12
        let place = numbers.chance(50) ? page &- UInt64(numbers.below(8)) : page + target() & 0xFFF
        code.load(3, place)
        switch numbers.below(4) {
        case 0:
            code.load(0, numbers.next())
            if code.size == .bits16 { code.emit(0x67) }
            code.emit(0xF0)
            let all: [[UInt8]] = [
                [0x0F, 0xC1, 0x03], [0x87, 0x03], [0x0F, 0xB1, 0x0B], [0x31, 0x03], [0xFE, 0x03],
            ]
            code.bytes += numbers.pick(all)
        case 1:
            code.load(6, numbers.pick(bases) + UInt64(numbers.below(0x3F00)))
            code.load(7, place)
            code.load(1, UInt64(numbers.below(64)))
            if code.size == .bits16 { code.emit(0x67) }
            code.emit(0xF3, numbers.pick([0xA4, 0xA5]))
        default:
            code.store(
                place, numbers.pick([0x9090_9090, 0xFEEB_9090, 0x40C0_FE90, numbers.next()]))
        }
    }

    /// Paging, protection, long mode and their features flipped, a few instructions between.
    private mutating func modeFlip() {
        let bits: [(UInt8, UInt64)] = [
            (0, 1 << 31), (0, 1), (0, 1 << 16), (0, 1 << 30), (0, 8), (0, 0x20), (4, 1 << 5),
            (4, 1 << 4), (4, 1), (4, 2), (4, 1 << 7), (4, 1 << 17), (4, 1 << 20), (4, 1 << 3),
        ]
        if numbers.chance(40) {
            code.load(1, 0xC000_0080)
            code.emit(0x0F, 0x32)
            code.operands32()
            code.emit(0x35)
            code.word(numbers.pick([1, 0x100, 0x800, 0x400, 0x2000, 0x4000, 0x900]))
            code.emit(0x0F, 0x30)
        }
        let (register, bit) = numbers.pick(bits)
        for round in 0..<2 {
            code.emit(0x0F, 0x20, 0xC0 | register << 3)
            code.operands32()
            code.emit(0x35)
            code.word(bit)
            code.emit(0x0F, 0x22, 0xC0 | register << 3)
            if round == 0 { code.emit(numbers.pick([0x90, 0x50, 0x58, 0x9C, 0x9D, 0xF4, 0xEC])) }
        }
    }

    /// Task switches with NT, TF, a task that is busy, lies elsewhere, ends at a page's end or in
    /// a device; back links to anywhere.
    private mutating func oddTask() {
        let tasks = [Layout.task32, Layout.otherTask32, Layout.task16, Layout.longTask]
        switch numbers.below(5) {
        case 0:
            code.store(numbers.pick(tasks), numbers.pick([0x60, 0x68, 0x70, 0x50, 0x98, 0x18]))
            code.emit(0x9C, 0x58)
            code.operands32()
            code.emit(0x0D)
            code.word(numbers.chance(80) ? 0x4000 : 0x4100)
            code.emit(0x50, 0x9D)
            code.wide()
            code.emit(0xCF)
        case 1:
            // Another base for a task's descriptor.
            let ends: [UInt64] = [0x10_0FC0, memory - 0x34, memory, 0xFEE0_0000, Layout.pml4]
            let base = numbers.pick(ends)
            let entry = Layout.gdt + numbers.pick([0x60, 0x68, 0x70])
            code.store(entry, base << 16 & 0xFFFF_0000 | 0x67)
            let type: UInt64 = numbers.chance(80) ? 0x89 : 0x8B
            code.store(entry + 4, base >> 16 & 0xFF | type << 8 | base & 0xFF00_0000)
        case 2:
            code.store(Layout.gdt + numbers.pick([0x64, 0x6C, 0x74]), numbers.next() & 0xFFFF)
        default: break
        }
        if numbers.chance(40) {
            code.load(0, numbers.pick([0x60, 0x68, 0x70, 0x50]))
            code.emit(0x0F, 0x00, 0xD8)
        }
        guard code.size != .bits64 else { return code.emit(0xCD, numbers.byte()) }
        code.operands32()
        code.emit(numbers.pick([0x9A, 0xEA]))
        code.word(numbers.next())
        code.emit(numbers.pick([0x60, 0x68, 0x70, 0x98]), 0)
    }

    /// A page mapped once more, written through one of its addresses and run through the other.
    private mutating func alias() {
        let page = UInt64(0x140 + numbers.below(0xC0))
        let from = Layout.code(code.size) + UInt64(numbers.below(4)) << 12
        let table = code.size == .bits64 ? Layout.pageTable : Layout.pageTable32
        let entry = table + page * (code.size == .bits64 ? 8 : 4)
        code.store(entry, from | 7)
        code.load(3, page << 12)
        if code.size == .bits16 { code.emit(0x67) }
        code.emit(0x0F, 0x01, 0x3B)
        let place = page << 12 | UInt64(numbers.below(0x1000))
        if numbers.chance(60) {
            code.store(place, numbers.pick([0x9090_9090, numbers.next()]))
        }
        if numbers.chance(40) {
            code.load(0, place)
            code.emit(0xFF, 0xE0)
        }
    }
}
