import SeededRandom
import X86

/// The pieces of hostile code for a PC's board and its BIOS.
extension HostileCode {
    mutating func board() {
        switch numbers.below(16) {
        case 12, 13, 14: eventTimers()
        case 15: firmwareRequest()
        case 0, 1: video()
        case 2, 3: memoryTypes()
        case 4: firmwareConfiguration()
        case 5: power()
        case 6: clock()
        case 7: keyboard()
        case 8, 9: testDevice()
        case 10: textMemory()
        default: pciConfiguration()
        }
    }

    /// Index and data of the screen's register files, which move with the miscellaneous register.
    private mutating func video() {
        let pairs: [(UInt64, Int)] = [
            (0x3D4, 0x20), (0x3B4, 0x20), (0x3C4, 8), (0x3CE, 16), (0x3C0, 64), (0x3C8, 256),
        ]
        for _ in 0..<(1 + numbers.below(4)) {
            let (port, count) = numbers.pick(pairs)
            let index = UInt64(numbers.chance(80) ? numbers.below(count) : numbers.below(256))
            if numbers.chance(50) {
                out(port, index | numbers.next() << 8 & 0xFF00, 2)
            } else {
                out(port, index, 1)
                out(port == 0x3C0 ? port : port + 1, numbers.next(), 1)
            }
        }
        if numbers.chance(30) { out(0x3C2, numbers.chance(50) ? 0x67 : numbers.next(), 1) }
        code.load(2, 0x3B0 + UInt64(numbers.below(0x30)))
        code.emit(numbers.pick([0xEC, 0xED]))
    }

    private mutating func textMemory() {
        let places: [UInt64] = [0xB_8000, 0xA_0000, 0xB_0000, 0xB_FFFE, 0xC_0000]
        code.load(7, numbers.pick(places) + UInt64(numbers.below(0x1000)))
        code.load(0, numbers.next())
        code.load(1, UInt64(numbers.below(2000)))
        if code.size == .bits16 { code.emit(0x67) }
        code.emit(0xF3, numbers.pick([0xAA, 0xAB, 0xAE]))
    }

    private mutating func memoryTypes() {
        let registers: [UInt64] = [
            0xFE, 0x200 + UInt64(numbers.below(18)), 0x250, 0x258, 0x259,
            0x267 + UInt64(numbers.below(10)), 0x2FF, 0x277,
        ]
        let register = numbers.pick(registers)
        let values: [UInt64] = [
            0x0606_0606_0606_0606, 0x0500_0400_0601_0006, 0xC06, 0x800, 0xF_8000_0800, memory | 6,
            numbers.next(), numbers.bit(64),
        ]
        if numbers.chance(60) { code.writeMSR(register, numbers.pick(values)) }
        code.load(1, register)
        code.emit(0x0F, 0x32)
    }

    /// Any item of fw_cfg, and more of it than there is.
    private mutating func firmwareConfiguration() {
        let keys: [UInt64] = [0, 1, 3, 5, 0x0F, 0x19, 0x8000, 0xC005, numbers.next()]
        out(0x510, numbers.pick(keys), numbers.pick([2, 2, 1, 4]))
        code.load(2, 0x511 + UInt64(numbers.chance(85) ? 0 : numbers.below(16)))
        if numbers.chance(50) {
            code.load(1, UInt64(numbers.below(40)))
            code.load(7, address())
            code.emit(0xF3, 0x6C)
        } else {
            code.emit(numbers.pick([0xEC, 0xED]))
        }
    }

    /// The event timers' registers, whole and in parts, with periods of a tick and with none, and
    /// their pin or their lines open.
    private mutating func eventTimers() {
        let block: UInt64 = 0xFED0_0000
        for _ in 0..<(1 + numbers.below(4)) {
            let timer = 0x100 + UInt64(numbers.below(3)) * 0x20
            let settings: [UInt64] = [
                0x004, 0x00C, 0x04C, 0x14C, 0x406, 0x44E, 0x40E, numbers.next(),
            ]
            let spans: [UInt64] = [0, 1, 2, 100, 5000, 0xFFFF_FFFF, numbers.next()]
            switch numbers.below(8) {
            case 0, 1: code.store(block + 0x10, numbers.chance(80) ? numbers.pick([1, 3]) : 0)
            case 2, 3: code.store(block + timer, numbers.pick(settings))
            case 4, 5: code.store(block + timer + 8, numbers.pick(spans))
            case 6: code.store(block + numbers.pick([0x20, 0xF0, 0xF4]), numbers.pick(spans))
            default:
                let register = UInt64(numbers.below(0x58)) << 3 | UInt64(numbers.below(8))
                code.load(3, block + (numbers.chance(60) ? register & ~7 : register))
                code.load(0, numbers.pick(spans))
                if code.size == .bits64 && numbers.chance(50) { code.emit(0x48) }
                if code.size == .bits16 { code.emit(0x67) }
                code.emit(numbers.pick([0x8A, 0x8B, 0x88, 0x89, 0x01, 0x87]), 0x03)
            }
        }
        guard numbers.chance(40) else { return }
        let page: UInt64 = 0xFEC0_0000
        code.store(page, 0x14)
        code.store(page + 0x10, 0x30 | UInt64(numbers.below(0x10)) << 12)
        out(numbers.pick([0x21, 0xA1]), 0, 1)
    }

    /// A request to fw_cfg's DMA: control, length and address, the most significant byte first.
    private mutating func firmwareRequest() {
        let place = Layout.data + UInt64(numbers.below(64)) * 16
        let keys: [UInt64] = [0, 3, 0x11, 0x15, 0x19, 0x20, 0x21, numbers.next() & 0xFFFF]
        let controls: [UInt64] = [2, 4, 8, 10, 12, 16, 0, numbers.next() & 0xFF]
        let lengths: [UInt64] = [0, 1, 16, 0x1000, memory, 0xFFFF_FFFF, numbers.next()]
        let words = [
            numbers.pick(keys) << 16 | numbers.pick(controls), numbers.pick(lengths),
            numbers.chance(90) ? 0 : numbers.next(), address(),
        ]
        for (n, word) in words.enumerated() {
            code.store(place + UInt64(n) * 4, UInt64(UInt32(truncatingIfNeeded: word).byteSwapped))
        }
        let target = numbers.chance(90) ? place : address()
        if numbers.chance(20) { out(0x514, numbers.next(), 4) }
        out(0x518, UInt64(UInt32(truncatingIfNeeded: target).byteSwapped), 4)
    }

    /// ACPI's registers; S5 seldom, for it ends the run.
    private mutating func power() {
        let port = 0x5FF + UInt64(numbers.below(14))
        var value = numbers.next()
        if numbers.chance(95) { value &= ~0x2000_2020 }
        out(port, value, numbers.pick([1, 2, 4]))
        code.load(2, 0x600 + UInt64(numbers.below(12)))
        code.emit(numbers.pick([0xEC, 0xED]))
        if numbers.chance(3) { out(numbers.pick([0xF4, 0x604, 0xF7]), numbers.next(), 2) }
    }

    private mutating func clock() {
        for _ in 0..<(1 + numbers.below(3)) {
            let index = numbers.chance(70) ? numbers.below(14) : numbers.below(256)
            out(0x70, UInt64(index), 1)
            if numbers.chance(60) { out(0x71, numbers.next(), numbers.pick([1, 1, 2])) }
            code.load(2, 0x71)
            code.emit(0xEC)
        }
    }

    private mutating func keyboard() {
        let commands: [UInt64] = [
            0x20, 0x60, 0xA7, 0xA8, 0xAA, 0xAB, 0xAD, 0xAE, 0xC0, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4,
        ]
        if numbers.chance(60) {
            out(0x64, numbers.chance(80) ? numbers.pick(commands) : numbers.next() & 0xEF, 1)
        }
        let bytes: [UInt64] = [0xFF, 0xF4, 0xF2, 0xED, 0xF0, 0xEE, 0x01, numbers.next() | 1]
        if numbers.chance(70) { out(0x60, numbers.pick(bytes), 1) }
        code.load(2, numbers.pick([0x60, 0x64]))
        code.emit(0xEC)
    }

    /// The test device's register and memory, and its lines up and down, with the interrupt
    /// controllers open.
    private mutating func testDevice() {
        switch numbers.below(4) {
        case 0:
            out(0xDE + UInt64(numbers.below(16)), numbers.next(), numbers.pick([1, 2, 4]))
        case 1:
            let edges: [UInt64] = [0xFF00_0000, 0xFF00_FFFC, 0xFF00_FFFF, 0xFF01_0000]
            let place = numbers.pick(edges) + UInt64(numbers.below(8))
            code.load(3, numbers.chance(60) ? place : 0xFF00_0000 | numbers.next() & 0xFFFF)
            code.emit(numbers.pick([0x8B, 0x89, 0x01, 0x87, 0x88]), 0x03)
        default:
            out(numbers.pick([0x21, 0xA1]), numbers.chance(70) ? 0 : numbers.next(), 1)
            if numbers.chance(20) { out(numbers.pick([0x4D0, 0x4D1]), numbers.next(), 1) }
            for _ in 0..<(1 + numbers.below(4)) {
                out(0x2000 + UInt64(numbers.below(26)), UInt64(numbers.below(2)), 1)
            }
        }
    }

    // MARK: - BIOS

    /// A call of the BIOS with wild registers, by the interrupt or straight to its code; now and
    /// then through a vector that the guest has changed.
    mutating func firmware() {
        let services: [(UInt8, [UInt64])] = [
            (
                0x10,
                [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 14, 15, 0x10, 0x11, 0x12, 0x13, 0x1A, 0x4F]
            ),
            (0x13, [0, 1, 2, 8, 0x15, 0x41, 0x42, 0x48]), (0x15, [0x24, 0x86, 0x87, 0x88, 0xE8]),
            (0x16, [1, 2, 5, 0x11, 0x12]), (0x1A, [0, 1, 2, 3, 4, 5, 6, 7, 0xB1]), (0x11, [0]),
            (0x12, [0]), (0x14, [0, 1, 2, 3]), (0x17, [0, 1, 2]), (0x08, [0]), (0x09, [0]),
            (0x70, [0]), (0x1C, [0]),
        ]
        let (vector, functions) = numbers.pick(services)
        let function = numbers.chance(85) ? numbers.pick(functions) : UInt64(numbers.below(256))
        var low = UInt64(numbers.below(256))
        if vector == 0x15 && function == 0xE8 { low = numbers.pick([1, 0x20, 0x81]) }
        code.load(0, function << 8 | low | numbers.next() << 16 & 0xFFFF_0000)
        for register in [1, 2, 3] where numbers.chance(75) {
            let small = numbers.chance(50)
            code.load(register, small ? UInt64(numbers.below(0x2000)) : numbers.next() >> 32)
        }
        if function == 0x86 { code.load(1, UInt64(numbers.below(2))) }
        if low == 0x20 && numbers.chance(70) { code.load(2, 0x534D_4150) }
        for register in [5, 6, 7] where numbers.chance(30) {
            code.load(register, numbers.next() & 0xFFFF)
        }
        let segments: [UInt64] = [0x40, 0xB800, 0x800, 0, 0xF000, 0xFFFF, numbers.next() & 0xFFFF]
        if code.size == .bits16 && numbers.chance(40) {
            segment(numbers.pick([0, 2, 3]), numbers.pick(segments))
        }
        if numbers.chance(12) { changeVector(vector) }
        if code.size == .bits16 && numbers.chance(12) {
            // PUSHF and a far call anywhere into the BIOS.
            let offset = numbers.next() & 0x1FFF | 0xE000
            code.emit(0x9C, 0x9A, UInt8(truncatingIfNeeded: offset))
            code.emit(UInt8(truncatingIfNeeded: offset >> 8), 0x00, 0xF0)
        } else {
            code.emit(0xCD, vector)
        }
    }

    /// MOV of a number to a segment register, by PUSH and POP of SI.
    private mutating func segment(_ register: UInt8, _ value: UInt64) {
        code.emit(0x56, 0xBE, UInt8(truncatingIfNeeded: value))
        code.emit(UInt8(truncatingIfNeeded: value >> 8), 0x8E, 0xC6 | register << 3, 0x5E)
    }

    private mutating func changeVector(_ vector: UInt8) {
        if code.size == .bits16 { segment(3, 0) }
        let targets: [UInt64] = [
            0xF000_E000 | numbers.next() & 0x1FFF, 0x0800_0000 | numbers.next() & 0x3FFF,
            0xFFFF_FFFF, numbers.next(),
        ]
        let at = numbers.chance(70) ? UInt64(vector) * 4 : UInt64(numbers.below(0x400))
        code.store(at, numbers.pick(targets))
    }
}
