import SeededRandom
import X86

/// Random code that does what no sane guest does, in one code size. Each piece is short and mostly
/// well-formed, so that programs get far; between the pieces lie random instructions of every
/// encoding in the table.
struct HostileCode {
    typealias Layout = HostileLayout
    typealias Selector = HostileLayout.Selector

    var numbers: SplitMix64
    var code: Emitter
    /// Bytes of RAM.
    let memory: UInt64
    /// Virtio devices that the machine has.
    let functions: Int
    private var example = HostileInstruction()

    init(_ numbers: SplitMix64, _ size: CodeSize, memory: UInt64, functions: Int = 0) {
        self.numbers = numbers
        self.memory = memory
        self.functions = functions
        code = Emitter(size)
    }

    /// `count` bytes of code.
    mutating func program(_ count: Int) -> [UInt8] {
        while code.bytes.count < count { piece() }
        return Array(code.bytes.prefix(count))
    }

    private mutating func piece() {
        switch numbers.below(76) {
        case 64..<69: virtio()
        case 69, 70: board()
        case 71, 72: firmware()
        case 73, 74, 75: processors()
        case 0..<26: instruction()
        case 26..<32: code.load(numbers.pick([0, 1, 2, 3, 5, 6, 7]), value())
        case 32, 33: controlRegister()
        case 34: modelSpecificRegister()
        case 35, 36: localAPIC()
        case 37: inputOutputAPIC()
        case 38, 39: ports()
        case 40: descriptorTables()
        case 41, 42: farTransfer()
        case 43, 44: pageTables()
        case 45, 46, 47: ownCode()
        case 48, 49: strings()
        case 50, 51: processorState()
        case 52: debugRegisters()
        case 53: locked()
        case 54: prefixes()
        case 55: stack()
        case 56, 57, 58: branch()
        case 59: taskState()
        case 60, 61: waiting()
        case 62: softwareEvent()
        default: otherMode()
        }
    }

    // MARK: - Values

    mutating func address() -> UInt64 {
        var places: [UInt64] = [
            Layout.data, Layout.data + 0x1000, Layout.stack - 0x800, Layout.counter, memory,
            0xFEE0_0000, 0xFEC0_0000, 0xD000_0000, 0x1_0000_0000, 0xA_0000, 0xF_0000, 0x9_F000,
            Layout.setup + 0x4_0000 + UInt64(numbers.below(192)) << 12, 0,
        ]
        if numbers.chance(40) { return Layout.data + UInt64(numbers.below(0x2000)) }
        if code.size == .bits64 {
            places += [
                0x8000_0000_0000, 0xFFFF_8000_0000_0000, 0xFFFF_FF7F_BFDF_E000, ~0xFFF,
                0x1_4000_0000, 0xFFFF_FF00_0000_0000,
            ]
        }
        if numbers.chance(15) { places = [Layout.gdt, Layout.longIDT, Layout.pageTable] }
        let place = numbers.pick(places)
        switch numbers.below(4) {
        case 0: return place &+ UInt64(numbers.below(0x1000))
        case 1: return place &- UInt64(numbers.below(64))
        case 2: return place &+ UInt64(numbers.below(256)) << 4
        default: return place
        }
    }

    mutating func value() -> UInt64 {
        switch numbers.below(6) {
        case 0: return numbers.next()
        case 1: return numbers.bit(64)
        case 2: return UInt64(numbers.below(256))
        case 3: return UInt64(bitPattern: -Int64(numbers.below(64)))
        default: return address()
        }
    }

    mutating func target() -> UInt64 {
        let base = numbers.chance(95) ? Layout.code(code.size) : address()
        return base &+ UInt64(numbers.below(Int(Layout.codeSize)))
    }

    // MARK: - Instructions

    private mutating func instruction() {
        if numbers.chance(40) { code.load(numbers.pick([0, 1, 2, 3, 5, 6, 7]), address()) }
        code.bytes += example.next(&numbers, code.size)
    }

    private mutating func locked() {
        code.load(3, address())
        code.emit(0xF0)
        let opcodes: [[UInt8]] = [
            [0x01, 0x03], [0x0F, 0xC1, 0x03], [0x0F, 0xB1, 0x0B], [0x87, 0x03], [0xFF, 0x03],
            [0xF7, 0x13], [0x0F, 0xC7, 0x0B], [0x48, 0x0F, 0xC7, 0x0B], [0x0F, 0xAB, 0x03],
            [0x89, 0x03], [0x90], [0x0F, 0xBA, 0x2B, numbers.byte()], [0x08, 0x03],
        ]
        code.bytes += numbers.pick(opcodes)
    }

    /// Up to fifteen prefixes, and often more bytes than an instruction may have.
    private mutating func prefixes() {
        let all: [UInt8] = [
            0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0x48, 0x4F,
        ]
        let one = numbers.pick(all)
        let count = 1 + numbers.below(16)
        for _ in 0..<count { code.emit(numbers.chance(60) ? one : numbers.pick(all)) }
        code.bytes += example.next(&numbers, code.size)
    }

    private mutating func stack() {
        let top = numbers.chance(60) ? Layout.stack - UInt64(numbers.below(0x400)) : address()
        code.load(4, top)
        if numbers.chance(50) { code.emit(numbers.pick([0x50, 0x58, 0x9C, 0x60, 0x61, 0xC9])) }
    }

    private mutating func branch() {
        switch numbers.below(5) {
        case 0: code.emit(0x70 | UInt8(numbers.below(16)), numbers.byte() >> 1)
        case 1: code.emit(0xEB, UInt8(bitPattern: Int8(numbers.below(80) - 30)))
        case 2: code.emit(0xE0 | UInt8(numbers.below(4)), numbers.byte() >> 2)
        case 3:
            code.load(0, target())
            code.emit(0xFF, numbers.pick([0xE0, 0xD0]))
        default:
            code.emit(0xE9)
            let distance = UInt64(bitPattern: Int64(numbers.below(0x3000) - 0x1800))
            if code.size == .bits16 {
                code.emit(UInt8(truncatingIfNeeded: distance), numbers.byte() & 15)
            } else {
                code.word(distance)
            }
        }
    }

    private mutating func strings() {
        code.load(6, address())
        code.load(7, address())
        let counts = [2, 17, 600, 0x2_0000, 0xFFFF_FFFF, UInt64(numbers.below(64)), .max]
        code.load(1, numbers.pick(counts))
        if numbers.chance(15) { code.load(2, UInt64(numbers.pick(HostileCode.portNumbers))) }
        if numbers.chance(25) { code.emit(numbers.pick([0xFC, 0xFD])) }
        if numbers.chance(80) { code.emit(numbers.pick([0xF3, 0xF2])) }
        if code.size != .bits16 && numbers.chance(20) { code.emit(0x67) }
        if code.size == .bits64 && numbers.chance(40) { code.emit(0x48) }
        code.emit(
            numbers.pick([
                0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF, 0x6C, 0x6D, 0x6E, 0x6F,
            ]))
    }

    /// FXSAVE and its kin at the edges of pages, of memory and of alignment.
    private mutating func processorState() {
        let edges: [UInt64] = [0x1000, 0xE00, 0xE10, 0xDC0, 0xFF0, 0x10, 0, 8]
        let place = numbers.chance(50) ? Layout.data + numbers.pick(edges) : address()
        code.load(3, numbers.chance(70) ? place & ~0x3F : place)
        code.load(0, numbers.chance(70) ? UInt64(numbers.below(8)) : numbers.next())
        code.load(2, numbers.chance(90) ? 0 : numbers.next())
        if numbers.chance(50) { code.emit(0x48 & (code.size == .bits64 ? 0xFF : 0) | 0x40) }
        // FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, XSAVE, XRSTOR, XSAVEOPT, and the x87 images.
        if numbers.chance(70) {
            code.emit(0x0F, 0xAE, UInt8(numbers.below(7)) << 3 | 3)
        } else {
            code.emit(numbers.pick([0xD9, 0xDD]), UInt8(4 + numbers.below(4)) << 3 | 3)
        }
    }

    private mutating func debugRegisters() {
        let n = UInt8(numbers.pick([0, 1, 2, 3, 6, 7, 7, 7]))
        code.load(0, n < 4 ? target() : numbers.next() & 0xFFFF_2FFF | numbers.next() & 0xFF)
        if n < 4 && numbers.chance(60) { code.load(0, address()) }
        code.emit(0x0F, 0x23, 0xC0 | n << 3)
        if numbers.chance(30) { code.emit(0x9C, 0x9D) }
    }

    private mutating func softwareEvent() {
        switch numbers.below(9) {
        case 0: code.emit(0xCD, numbers.byte())
        case 1: code.emit(0xCC)
        case 2: code.emit(0xF1)
        case 3: code.emit(0x0F, 0x05)
        case 4: code.emit(0x0F, 0x34)
        case 5: code.emit(0x0F, 0x0B)
        case 6: code.emit(0xCE)
        case 7: code.emit(0x0F, 0x01, numbers.pick([0xC1, 0xD9, 0xC8, 0xC9, 0xF9, 0xD0, 0xD1]))
        // TF, or anything else in the flags.
        default:
            code.emit(0x9C, 0x58, 0x0D)
            code.word(numbers.chance(50) ? 0x100 : numbers.next() & 0x3F_7FD5)
            code.emit(0x50, 0x9D)
        }
    }

    private mutating func waiting() {
        switch numbers.below(12) {
        case 0: code.emit(0xFB, 0xF4)
        case 1: code.emit(0xF4)
        case 2: code.emit(0xFA)
        case 3: code.emit(0x0F, 0x01, 0xC8, 0x0F, 0x01, 0xC9)
        case 4, 5: code.emit(0xF3, 0x90)
        default: code.emit(0xFB)
        }
    }
}
