import SeededRandom

@testable import Machine

/// Random 64-bit instructions for `BlockRig`: mostly well-formed, over registers that mostly point
/// at the rig's data and code, so that programs go deep, fault often, and now and then rewrite
/// themselves.
struct RandomCode {
    var random: SplitMix64
    var bytes: [UInt8] = []
    /// Whether instructions that only CPL 0 may execute are worth including.
    let supervisor: Bool

    /// Registers that memory operands prefer: RBX RSI RDI R8...R11.
    static let pointers = [3, 6, 7, 8, 9, 10, 11]

    static func program(_ seed: UInt64, supervisor: Bool) -> [UInt8] {
        var code = RandomCode(random: SplitMix64(seed), supervisor: supervisor)
        while code.bytes.count < BlockRig.codeSize { code.instruction() }
        return Array(code.bytes.prefix(BlockRig.codeSize))
    }

    // MARK: - Pieces

    private mutating func emit(_ b: UInt8...) { bytes += b }

    private mutating func emit32(_ v: Int) {
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: v >> shift)) }
    }

    /// A linear address worth using, often near a page's end.
    private mutating func address() -> Int {
        let page: Int
        switch random.below(10) {
        case 0: page = 0x10 + random.below(4)
        case 1: page = [0x20, 0x21, 0x22, 0x30, 0x31, 0x32, 0x33, 0x35, 0x36][random.below(9)]
        case 2: page = 0x34
        default: page = 0x18 + random.below(4)
        }
        let offset = random.chance(15) ? 0xFF0 + random.below(16) : random.below(0x1000)
        return page << 12 | offset
    }

    /// An optional 66, and a REX for a register and an r/m operand; returns the low ModRM bits.
    private mutating func prefixes(wide: Bool? = nil) -> UInt8 {
        if random.chance(8) { emit(0x66) }
        if random.chance(3) { emit(random.chance(50) ? 0x64 : 0x65) }
        if random.chance(1) { emit(0x67) }
        let w: UInt8 = (wide ?? random.chance(50)) ? 8 : 0
        if w != 0 || random.chance(60) { emit(0x40 | w | UInt8(random.below(8))) }
        return 0
    }

    /// ModRM with the given reg field: a register half of the time, else memory.
    private mutating func modRM(_ reg: Int? = nil, memory: Bool? = nil) {
        let field = UInt8(reg ?? random.below(8)) << 3
        if !(memory ?? random.chance(50)) {
            emit(0xC0 | field | UInt8(random.below(8)))
            return
        }
        switch random.below(8) {
        case 0:
            // RIP-relative, near by, into code or data.
            emit(field | 5)
            let here = bytes.count % BlockRig.codeSize + BlockRig.code
            emit32(address() - here - 6)
        case 1:
            emit(field | 4, 0x25)
            emit32(address())
        case 2, 3:
            let scale = UInt8(random.below(4)) << 6
            emit(field | 0x44, scale | UInt8(random.below(8)) << 3 | pointer())
            emit(random.byte())
        case 4:
            emit(field | 0x80 | pointer())
            emit32(random.below(0x200) - 0x100)
        case 5: emit(field | 0x40 | pointer(), random.byte())
        default: emit(field | pointer())
        }
    }

    /// RBX, RSI or RDI (R11, R14 or R15 under REX.B): none needs a SIB byte.
    private mutating func pointer() -> UInt8 { [3, 6, 7][random.below(3)] }

    private mutating func immediate(_ opcode: UInt8, _ size16: Bool) {
        if opcode == 0x81 || opcode == 0xC7 || opcode == 0xF7 || opcode == 0x69 {
            if size16 {
                emit(random.byte(), random.byte())
            } else {
                emit32(Int(random.byte()) * 0x1003)
            }
        } else {
            emit(random.byte())
        }
    }

    private var lastHad66: Bool { bytes.suffix(4).contains(0x66) }

    // MARK: - Instructions

    private mutating func instruction() {
        switch random.below(40) {
        case 0...5: loadPointer()
        case 6...14: arithmetic()
        case 15...19: move()
        case 20...22: groups()
        case 23, 24: shift()
        case 25...27: stack()
        case 28...30: twoByte()
        case 31...34: transfer()
        case 35: string()
        case 36: flagsAndTraps()
        case 37: vector()
        case 38: if supervisor { system() } else { arithmetic() }
        default:
            if random.chance(10) {
                for _ in 0...random.below(4) { emit(random.byte()) }
            } else {
                move()
            }
        }
    }

    /// MOV of an address into a pointer register or RSP.
    private mutating func loadPointer() {
        let register = random.chance(25) ? 4 : RandomCode.pointers[random.below(7)]
        if register >= 8 { emit(0x41) }
        emit(0xB8 | UInt8(register & 7))
        emit32(register == 4 ? address() & ~7 : address())
    }

    private mutating func arithmetic() {
        _ = prefixes()
        let had66 = lastHad66
        let operation = UInt8(random.below(8)) << 3
        switch random.below(6) {
        case 0...3:
            emit(operation | UInt8(random.below(4)))
            modRM()
        case 4:
            let opcode: UInt8 = [0x80, 0x81, 0x83][random.below(3)]
            emit(opcode)
            modRM(Int(operation >> 3))
            immediate(opcode, had66)
        default:
            emit(random.chance(50) ? 0x84 : 0x85)
            modRM()
        }
    }

    private mutating func move() {
        _ = prefixes()
        let had66 = lastHad66
        switch random.below(8) {
        case 0...4:
            emit(0x88 | UInt8(random.below(4)))
            modRM(memory: random.chance(75))
        case 5:
            let opcode: UInt8 = random.chance(50) ? 0xC6 : 0xC7
            emit(opcode)
            modRM(0)
            immediate(opcode, had66)
        case 6:
            emit(0x8D)
            modRM(memory: true)
        default:
            emit(0x63)
            modRM()
        }
    }

    private mutating func groups() {
        _ = prefixes()
        let had66 = lastHad66
        if random.chance(50) {
            emit(random.chance(30) ? 0xFE : 0xFF)
            modRM(random.below(2))
            return
        }
        let opcode: UInt8 = random.chance(30) ? 0xF6 : 0xF7
        let operation = random.below(8)
        emit(opcode)
        modRM(operation)
        if operation < 2 { immediate(opcode, had66) }
    }

    private mutating func shift() {
        _ = prefixes()
        let opcode: UInt8 = [0xC0, 0xC1, 0xD0, 0xD1, 0xD2, 0xD3][random.below(6)]
        emit(opcode)
        modRM(random.below(8), memory: random.chance(25))
        if opcode < 0xD0 { emit(random.byte()) }
    }

    private mutating func stack() {
        switch random.below(8) {
        case 0, 1: emit(0x50 | UInt8(random.below(8)))
        case 2, 3: emit(0x58 | UInt8(random.below(8)))
        case 4: emit(0x6A, random.byte())
        case 5:
            emit(0xFF)
            modRM(6)
        case 6:
            emit(0x8F)
            modRM(0)
        default: emit(0xC9)
        }
    }

    private mutating func twoByte() {
        _ = prefixes()
        emit(0x0F)
        switch random.below(9) {
        case 0:
            emit([0xB6, 0xB7, 0xBE, 0xBF][random.below(4)])
            modRM()
        case 1:
            emit(0x90 | UInt8(random.below(16)))
            modRM(0)
        case 2, 3:
            emit(0x40 | UInt8(random.below(16)))
            modRM()
        case 4:
            emit(0xAF)
            modRM()
        case 5:
            emit([0xA3, 0xAB, 0xBC, 0xBD, 0xB0, 0xB1, 0xC0, 0xC1][random.below(8)])
            modRM()
        case 6:
            emit(0xBA)
            modRM(4 + random.below(4))
            emit(random.byte())
        case 7: emit(0xC8 | UInt8(random.below(8)))
        default:
            emit([0xA5, 0xAD][random.below(2)])
            modRM()
        }
    }

    private mutating func transfer() {
        switch random.below(12) {
        case 0...5:
            emit(0x70 | UInt8(random.below(16)), UInt8(truncatingIfNeeded: random.below(200) - 90))
        case 6:
            emit(0x0F, 0x80 | UInt8(random.below(16)))
            near()
        case 7: emit(0xEB, UInt8(truncatingIfNeeded: random.below(160) - 40))
        case 8:
            emit(random.chance(50) ? 0xE8 : 0xE9)
            near()
        case 9:
            if random.chance(15) { emit(0xC2, 8, 0) } else { emit(0xC3) }
        case 10:
            let register = UInt8(random.below(8))
            emit(0xB8 | register)
            emit32(
                BlockRig.code + random.below(BlockRig.codeSize) + (random.chance(20) ? 0x10000 : 0))
            emit(0xFF, (random.chance(50) ? 0xD0 : 0xE0) | register)
        default:
            emit(0xE0 | UInt8(random.below(4)), UInt8(truncatingIfNeeded: random.below(60) - 20))
        }
    }

    /// A 32-bit displacement to somewhere in the code.
    private mutating func near() {
        let here = bytes.count % BlockRig.codeSize
        emit32(random.below(BlockRig.codeSize) - here)
    }

    private mutating func string() {
        emit(0xB9)
        emit32(random.below(24))
        if random.chance(70) { emit(random.chance(70) ? 0xF3 : 0xF2) }
        if random.chance(40) { emit(0x48) }
        emit([0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF][random.below(10)])
    }

    private mutating func flagsAndTraps() {
        switch random.below(12) {
        case 0: emit(0x9C)
        case 1: emit(0x9D)
        case 2: emit(0x9E)
        case 3: emit(0x9F)
        case 4: emit([0xF5, 0xF8, 0xF9, 0xFC, 0xFD][random.below(5)])
        case 5: emit(0x0F, 0x05)
        case 6: emit(0xCC)
        case 7: emit(0xCD, 0x80)
        case 8: emit(0x0F, 0x0B)
        case 9: emit(0x0F, 0x31)
        // PUSHF, set or clear some flags in the image, POPF: TF now and then.
        default: emit(0x9C, 0x80, 0x74, 0x24, UInt8(random.below(2)), random.byte() & 0xD5, 0x9D)
        }
    }

    private mutating func vector() {
        switch random.below(3) {
        case 0: emit(0x66, 0x0F, [0xFE, 0xEF, 0x6F, 0x7F, 0xD4][random.below(5)])
        case 1: emit(0x0F, [0x10, 0x11][random.below(2)])
        default: emit(0xF3, 0x0F, [0x6F, 0x7F][random.below(2)])
        }
        modRM()
    }

    private mutating func system() {
        switch random.below(8) {
        case 0: emit(0xFA)
        case 1: emit(0xFB)
        case 2, 3:
            emit(0x0F, 0x01)
            modRM(7, memory: true)
        case 4: emit(0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8)
        case 5: emit(0x0F, 0x01, 0xF8)
        case 6: emit(0x66, 0x8C, 0xD0, 0x8E, 0xD0)
        default: emit(0x0F, 0xA2)
        }
    }
}
