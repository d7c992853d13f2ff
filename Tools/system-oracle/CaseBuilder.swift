/// In which mode a case begins.
enum World: Int, CaseIterable {
    case real, virtual8086, protected, long
}

enum PagingForm: Int {
    case none, entries32, pae, fourLevel
}

/// Selectors of the descriptors that every case's GDT has.
enum Selector {
    /// By privilege level.
    static let code32 = [0x50, 0x91, 0x9A, 0x63]
    static let code16 = [0xA0, 0xA9, 0xB2, 0xBB]
    static let code64 = [0x18, 0xE9, 0xF2, 0x73]
    static let data32 = [0x58, 0x81, 0x8A, 0x6B]
    static let data16 = [0xC0, 0xC9, 0xD2, 0xDB]
    static let conforming = 0xE0
    static let homeCode = 0x08
    static let homeData = 0x10
    static let homeLong = 0x18
    static let task = 0x20
    static let localTable = 0x30
    static let doubleFault = 0x40
    static let taskA = 0x100
    static let taskB = 0x110
    static let task16 = 0x120
    static let otherTable = 0x130
    /// From here random descriptors, 16 bytes apart.
    static let random = 0x140
    static let randomCount = 16
}

/// Writes one case into a record. The parts are in extensions: tables, paging, instructions.
struct CaseBuilder {
    var record: UnsafeMutableRawPointer
    var random: Random
    var world: World
    var bits: Int
    var cpl: Int
    var paging: PagingForm
    /// Linear addresses of offset 0 of the segments that the case begins with.
    var codeBase = 0
    var dataBase = 0
    var stackBase = 0
    /// Bytes of code so far, from `Layout.code`.
    var length = 0
    /// Where the stack pointer begins, a linear address.
    var stack = 0
    /// What the stack holds from there.
    var stackFilled = 0
    var dataFilled = 0

    init(record: UnsafeMutableRawPointer, random: Random) {
        self.record = record
        self.random = random
        world = .real
        bits = 16
        cpl = 0
        paging = .none
    }

    /// Where a record holds an address of the area.
    static func place(_ linear: Int) -> Int? {
        var offset = Layout.headSize
        for (start, size) in Layout.parts {
            if linear >= start && linear < start + size { return offset + linear - start }
            offset += size
        }
        return nil
    }

    func area(_ linear: Int) -> UnsafeMutableRawPointer {
        guard let place = CaseBuilder.place(linear) else {
            fatalError("\(String(linear, radix: 16)) is not of the area")
        }
        return record + place
    }

    /// Writes `size` bytes of the area.
    func put(_ linear: Int, _ value: UInt64, size: Int) {
        for n in 0..<size {
            area(linear + n).storeBytes(
                of: UInt8(truncatingIfNeeded: value >> UInt64(n * 8)), as: UInt8.self)
        }
    }

    // -- Registers and code ------------------------------------------------------------------

    /// Gives a register a value: from the beginning, or by an instruction after the first.
    mutating func set(_ register: Int, _ value: UInt64) {
        if length == 0 {
            record.put64(Field.registers + register * 8, value)
            return
        }
        if register >= 8 { return }
        if bits == 64 {
            emit([0x48, 0xB8 + UInt8(register)])
            emit(value, size: 8)
        } else {
            if bits == 16 { emit([0x66]) }
            emit([0xB8 + UInt8(register)])
            emit(value, size: 4)
        }
    }

    mutating func emit(_ bytes: [UInt8]) {
        for byte in bytes where length < 0x1C0 {
            put(Layout.code + length, UInt64(byte), size: 1)
            length += 1
        }
    }

    mutating func emit(_ value: UInt64, size: Int) {
        emit((0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) })
    }

    /// An operand size prefix, sometimes; the size in bytes that follows from it.
    mutating func operandSize(wide: Bool = true) -> (prefixes: [UInt8], size: Int) {
        if bits == 64 && wide && random.chance(40) { return ([0x48], 8) }
        let prefixed = random.chance(25)
        let size = (bits == 16) != prefixed ? 2 : 4
        return (prefixed ? [0x66] : [], size)
    }

    /// An instruction with a memory operand at a linear address, as [rBX].
    mutating func memory(
        _ prefixes: [UInt8], _ opcode: [UInt8], reg: Int, at address: UInt64
    ) {
        let offset = bits == 64 ? address : (address &- UInt64(dataBase)) & 0xFFFF_FFFF
        set(3, offset)
        var before: [UInt8] = []
        if random.chance(8) { before.append(random.pick([0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65])) }
        var rm = 3
        if bits == 16 {
            if offset <= 0xFFFF && random.chance(90) { rm = 7 } else { before.append(0x67) }
        }
        emit(before + prefixes + opcode + [UInt8(reg << 3 | rm)])
    }

    /// An instruction whose operand is a register or memory.
    mutating func either(
        _ prefixes: [UInt8], _ opcode: [UInt8], reg: Int, value: UInt64, size: Int
    ) {
        if random.chance(60) {
            let register = random.pick([0, 1, 2, 6, 7])
            set(register, value)
            emit(prefixes + opcode + [UInt8(0xC0 | reg << 3 | register)])
        } else {
            memory(prefixes, opcode, reg: reg, at: stored(value, size: size))
        }
    }

    // -- Values ------------------------------------------------------------------------------

    /// An address in the data page, or one of its other addresses.
    mutating func dataAddress(_ offset: Int) -> UInt64 {
        let percent = random.below(100)
        if bits == 64 && percent < 4 {
            return random.pick([0x8000_0000_0000, 0xFFFF_7FFF_FFFF_FFF0, 0x7FFF_FFFF_FFFC])
        }
        if world != .real && world != .virtual8086 && paging != .none && dataBase == 0 {
            if bits == 64 && percent < 20 { return Layout.highWindow + 0x3000 + UInt64(offset) }
            if percent < 55 { return UInt64(Layout.window + 0x3000 + offset) }
        }
        return UInt64(Layout.data + offset)
    }

    /// Stores a value in the data page; its address.
    mutating func stored(_ value: UInt64, size: Int) -> UInt64 {
        let offset = dataFilled
        put(Layout.data + offset, value, size: size)
        dataFilled += (size + 7) & ~7
        if dataFilled > 0x1A0 { dataFilled = 0 }
        return dataAddress(offset)
    }

    /// Any address that a load or store may be tried at.
    mutating func anyAddress() -> UInt64 {
        let edge = random.pick([0xFF8, 0xFFC, 0xFFE, 0xFFF])
        switch random.below(12) {
        case 0: return dataAddress(edge)
        case 1: return UInt64(Layout.code + random.below(0x400))
        case 2: return UInt64(Layout.area + random.below(0x1000))
        case 3: return UInt64(Layout.kernelStack + random.below(0x400))
        case 4 where world != .real: return UInt64(Layout.scratch + random.below(0x100))
        case 5 where world != .real && paging != .none:
            return UInt64(Layout.window + random.pick([0, 0x2000, 0x3000]) + random.below(0x400))
        default: return dataAddress(random.below(0x180))
        }
    }

    /// An address that nothing stands at: the table there is not present, or the address is not
    /// canonical. Without paging all addresses lead somewhere.
    mutating func wild() -> UInt64 {
        if bits == 64 {
            return random.pick([random.next() | 1 << 47, 0x7000_0000_0000, 0xFFFF_9000_0000_1234])
        }
        if paging == .none { return pad(base: codeBase) }
        return 0x9000_0000 | random.next() & 0xFFF_FFFF
    }

    /// Pads are one-byte INT3 instructions: control that arrives anywhere there is seen.
    mutating func pad(base: Int) -> UInt64 {
        UInt64(Layout.code + 0x200 + random.below(0x1F0) - base)
    }

    /// An instruction pointer for a far transfer to a selector.
    mutating func target(_ selector: Int) -> UInt64 {
        let is16 = Selector.code16.contains { $0 & ~7 == selector & ~7 }
        switch random.below(40) {
        case 0: return wild()
        case 1: return UInt64(Layout.code + 0x210) | 1 << 47
        case 2 where paging != .none || is16: return 0xFFFF_FFF0
        case 3: return 0x10_0000
        default: break
        }
        if !is16 && paging != .none && random.chance(15) {
            return UInt64(Layout.window + 0x1200 + random.below(0x1F0))
        }
        return pad(base: is16 || world == .real || world == .virtual8086 ? Layout.area : 0)
    }

    /// A selector of any kind, with any RPL.
    mutating func anySelector() -> Int {
        let rpl = random.chance(60) ? cpl : random.below(4)
        switch random.below(20) {
        case 0: return random.below(4)
        case 1: return random.below(0x10000)
        case 2...4: return random.below(8) << 3 | 4 | rpl
        case 5...12: return (Selector.random + random.below(Selector.randomCount * 2) * 8) | rpl
        default: return random.below(0x140 / 8) << 3 | rpl
        }
    }

    mutating func dataSelector() -> Int {
        if world == .real || world == .virtual8086 {
            return random.chance(80) ? Layout.area >> 4 : random.below(0x10000)
        }
        if random.chance(45) { return anySelector() }
        let ring = random.chance(70) ? cpl : random.below(4)
        return random.chance(70) ? Selector.data32[ring] : Selector.data16[ring]
    }

    mutating func codeSelector(from ring: Int) -> Int {
        if world == .real || world == .virtual8086 {
            return random.chance(90) ? Layout.area >> 4 : random.below(0x10000)
        }
        if random.chance(25) { return anySelector() }
        let level = random.chance(60) ? ring : random.below(4)
        if random.chance(8) { return Selector.conforming | random.below(4) }
        var forms = [Selector.code32, Selector.code16]
        if world == .long { forms += [Selector.code64, Selector.code64] }
        var selector = random.pick(forms)[level]
        if random.chance(5) { selector ^= 1 + random.below(3) }
        return selector
    }

    /// R/W and LEN of three breakpoints, as DR7 has them. Those on instructions have a LEN of 0:
    /// what others mean is not defined (Intel SDM vol. 3, 17.2.4).
    func definedBreakpoints(_ fields: Int) -> UInt64 {
        var fields = UInt64(fields)
        for slot in 0..<3 where fields >> UInt64(slot * 4) & 3 == 0 {
            fields &= ~(0xC << UInt64(slot * 4))
        }
        return fields << 16
    }

    mutating func flagsWord() -> UInt64 {
        var flags: UInt64 = 2 | random.next() & 0x8D5
        for (bit, percent) in [
            (8, 6), (9, 50), (10, 20), (14, 5), (16, 6), (18, 15), (19, 3), (20, 3), (21, 50),
        ] where random.chance(percent) {
            flags |= 1 << UInt64(bit)
        }
        let iopl = random.chance(40) ? 3 : random.below(4)
        return flags | UInt64(iopl) << 12
    }
}
