/// The instructions that cases are made of, each with the state that makes it interesting.
extension CaseBuilder {
    private typealias Part = (weight: Int, write: @Sendable (inout CaseBuilder) -> Void)

    private static let parts: [Part] = [
        (8, { $0.loadSegment() }), (3, { $0.popSegment() }), (4, { $0.loadFarPointer() }),
        (5, { $0.askDescriptor() }), (2, { $0.loadSystemRegister() }), (2, { $0.storeSystem() }),
        (2, { $0.loadTable() }), (8, { $0.farTransfer() }), (7, { $0.farReturn() }),
        (9, { $0.interruptReturn() }), (8, { $0.softwareInterrupt() }), (5, { $0.systemCall() }),
        (4, { $0.moveControl() }), (3, { $0.moveDebug() }), (3, { $0.modelSpecific() }),
        (5, { $0.flagInstruction() }), (3, { $0.portAccess() }), (9, { $0.access() }),
        (3, { $0.stackInstruction() }), (3, { $0.smallSystem() }), (2, { $0.string() }),
        (2, { $0.floating() }), (1, { $0.near() }),
    ]
    private static let totalWeight = parts.reduce(0) { $0 + $1.weight }

    mutating func writeInstructions(longest: Int) {
        let count = 1 + random.below(longest)
        for _ in 0..<count {
            var at = random.below(CaseBuilder.totalWeight)
            for part in CaseBuilder.parts {
                at -= part.weight
                if at < 0 {
                    part.write(&self)
                    break
                }
            }
        }
    }

    // -- Segments ----------------------------------------------------------------------------

    private mutating func loadSegment() {
        let segment = random.pick([0, 2, 2, 3, 4, 5, 1, 6])
        if random.chance(15) {
            let (prefixes, size) = operandSize()
            either(prefixes, [0x8C], reg: segment, value: random.next(), size: size)
            return
        }
        either([], [0x8E], reg: segment, value: UInt64(dataSelector()), size: 2)
        if segment == 2 || random.chance(40) { accessThrough(segment) }
    }

    /// Uses a segment that was loaded, so that its hidden part is seen.
    private mutating func accessThrough(_ segment: Int) {
        guard segment < 6, segment != 1, bits != 64 || segment > 3 else { return }
        let prefix: UInt8 = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65][segment]
        let offsets = [0x3000, 0x3000, 0xFFFF, 0x11FF, 0x1_3000, 0x3050, 0xFFFFF, 0xFFFF_FFFE]
        set(3, UInt64(random.pick(offsets) - random.below(3)))
        let opcode: UInt8 = random.pick([0x8B, 0x8A, 0x89, 0x88])
        emit((bits == 16 ? [0x67] : []) + [prefix, opcode, 0x03])
    }

    private mutating func popSegment() {
        let (prefixes, size) = operandSize(wide: false)
        put(stack, UInt64(dataSelector()), size: bits == 64 && size == 4 ? 8 : size)
        let opcode: [UInt8] = random.pick([
            [0x07], [0x17], [0x1F], [0x0F, 0xA1], [0x0F, 0xA9], [0x06], [0x0E], [0x0F, 0xA0],
            [0x16],
        ])
        emit(prefixes + opcode)
    }

    private mutating func loadFarPointer() {
        let (prefixes, size) = operandSize()
        let selector = UInt64(dataSelector())
        let opcode: [UInt8] = random.pick([
            [0xC4], [0xC5], [0x0F, 0xB2], [0x0F, 0xB2], [0x0F, 0xB4], [0x0F, 0xB5],
        ])
        let at = farPointer(random.next(), selector, size)
        memory(prefixes, opcode, reg: random.pick([0, 1, 2]), at: at)
    }

    /// Stores an offset and a selector; the address.
    private mutating func farPointer(_ offset: UInt64, _ selector: UInt64, _ size: Int) -> UInt64 {
        let at = dataFilled
        put(Layout.data + at, offset, size: size)
        put(Layout.data + at + size, selector, size: 2)
        dataFilled = dataFilled > 0x180 ? 0 : dataFilled + 16
        return dataAddress(at)
    }

    private mutating func askDescriptor() {
        let selector = UInt64(random.chance(70) ? anySelector() : codeSelector(from: cpl))
        switch random.below(5) {
        case 0, 1:
            let (prefixes, _) = operandSize()
            either(
                prefixes, [0x0F, random.pick([2, 3])], reg: random.pick([0, 5, 6]), value: selector,
                size: 2)
        case 2: either([], [0x0F, 0], reg: 4, value: selector, size: 2)
        case 3: either([], [0x0F, 0], reg: 5, value: selector, size: 2)
        default: either([], [0x63], reg: random.pick([0, 2, 5]), value: selector, size: 4)
        }
    }

    private mutating func loadSystemRegister() {
        let isTask = random.chance(50)
        var selector = anySelector()
        if random.chance(50) {
            let tasks = [Selector.taskA, Selector.taskB, Selector.task16]
            selector = isTask ? random.pick(tasks) : Selector.otherTable
        }
        either([], [0x0F, 0], reg: isTask ? 3 : 2, value: UInt64(selector), size: 2)
        if !isTask { loadSegment() }
    }

    private mutating func storeSystem() {
        let (prefixes, size) = operandSize()
        switch random.below(4) {
        case 0: either(prefixes, [0x0F, 0], reg: random.below(2), value: random.next(), size: size)
        case 1: either(prefixes, [0x0F, 1], reg: 4, value: random.next(), size: size)
        default:
            memory(prefixes, [0x0F, 1], reg: random.below(2), at: dataAddress(random.below(0x100)))
        }
    }

    private mutating func loadTable() {
        let isGDT = random.chance(50)
        let at = dataFilled
        var base = UInt64(isGDT ? Layout.gdt : Layout.idt)
        if random.chance(5) && bits == 64 { base |= 1 << 47 }
        put(Layout.data + at, isGDT ? 0x3FF : UInt64(world == .long ? 0x7FF : 0x3FF), size: 2)
        put(Layout.data + at + 2, base, size: 8)
        dataFilled = dataFilled > 0x180 ? 0 : dataFilled + 16
        let (prefixes, _) = operandSize(wide: false)
        memory(prefixes, [0x0F, 1], reg: isGDT ? 2 : 3, at: dataAddress(at))
    }

    // -- Transfers ---------------------------------------------------------------------------

    private mutating func farTransfer() {
        let selector = codeSelector(from: cpl)
        let offset = target(selector)
        let isCall = random.chance(50)
        let (prefixes, size) = operandSize()
        if bits != 64 && random.chance(50) {
            emit(prefixes + [isCall ? 0x9A : 0xEA])
            emit(offset, size: size)
            emit(UInt64(selector), size: 2)
            return
        }
        memory(
            prefixes, [0xFF], reg: isCall ? 3 : 5,
            at: farPointer(offset, UInt64(selector), size))
    }

    /// Words on the stack, for what pops them.
    private mutating func push(_ words: [UInt64], size: Int) {
        for (n, word) in words.enumerated() where stackFilled + size <= 0x80 {
            put(stack + n * size, word, size: size)
        }
    }

    private mutating func outer(_ code: Int) -> (ring: Int, stack: UInt64, selector: Int) {
        let ring = code & 3
        let is16 = Selector.code16.contains { $0 & ~7 == code & ~7 } || random.chance(10)
        var selector = (is16 ? Selector.data16 : Selector.data32)[ring]
        if random.chance(10) { selector = anySelector() }
        if world == .long && random.chance(10) { selector = ring }
        var pointer = UInt64(Layout.data + 0x2C0 - (is16 ? Layout.area : 0))
        if random.chance(3) { pointer |= random.next() << 32 }
        return (ring, pointer, selector)
    }

    private mutating func farReturn() {
        let (prefixes, size) = operandSize()
        let code = codeSelector(from: random.chance(60) ? cpl : 3)
        let back = outer(code)
        let skip = random.chance(40) ? size * random.below(3) : 0
        var words = [target(code), UInt64(code)]
        words += Array(repeating: 0, count: skip / size)
        push(words + [back.stack, UInt64(back.selector)], size: size)
        if skip > 0 {
            emit(prefixes + [0xCA])
            emit(UInt64(skip), size: 2)
        } else {
            emit(prefixes + [0xCB])
        }
    }

    private mutating func interruptReturn() {
        let (prefixes, size) = operandSize()
        var code = codeSelector(from: random.chance(60) ? cpl : 3)
        var flags = flagsWord()
        var ip = target(code)
        var back = outer(code)
        if world == .protected && cpl == 0 && random.chance(20) {
            flags |= 1 << 17
            code = Layout.area >> 4
            ip = random.chance(95) ? pad(base: Layout.area) : random.next() << 16
            back.selector = code
            back.stack = 0x32C0
        }
        let segment = UInt64(Layout.area >> 4)
        let words = [ip, UInt64(code), flags, back.stack, UInt64(back.selector)]
        push(words + [segment, segment, segment, segment], size: size)
        emit(prefixes + [0xCF])
    }

    private mutating func softwareInterrupt() {
        switch random.below(12) {
        case 0: emit([0xCC])
        case 1: emit([0xCE])
        case 2: emit([0xF1])
        case 3: emit([0xCD, UInt8(random.below(256))])
        default: emit([0xCD, UInt8(0x40 + random.below(16))])
        }
    }

    private mutating func systemCall() {
        let wide: [UInt8] = bits == 64 && random.chance(60) ? [0x48] : []
        set(1, UInt64(Layout.code + 0x200 + random.below(0x100)))
        if bits == 64 && random.chance(6) { set(1, wild()) }
        set(2, UInt64(Layout.code + 0x240))
        switch random.below(4) {
        case 0: emit([0x0F, 0x05])
        case 1: emit(wide + [0x0F, 0x07])
        case 2: emit([0x0F, 0x34])
        default:
            set(1, UInt64(Layout.data + 0x2C0))
            emit(wide + [0x0F, 0x35])
        }
    }

    private mutating func near() {
        switch random.below(4) {
        case 0:
            emit([0xE8])
            emit(UInt64(random.below(0x100) + 0x100), size: bits == 16 ? 2 : 4)
        case 1:
            let size = bits / 8
            push([random.chance(80) ? pad(base: codeBase) : wild()], size: size)
            emit([0xC3])
        case 2:
            set(5, dataAddress(0x100) &- UInt64(dataBase))
            emit([0xC8, 0x10, 0, UInt8(random.below(4))])
        default:
            set(5, dataAddress(0x100) &- UInt64(dataBase))
            emit([0xC9])
        }
    }

    // -- Control -----------------------------------------------------------------------------

    private mutating func moveControl() {
        let number = random.pick([0, 0, 2, 3, 4, 4, 8, 1, 5])
        let register = random.pick([0, 1, 2])
        let rex: [UInt8] = number == 8 && bits == 64 ? [0x44] : []
        let modrm = UInt8(0xC0 | (number & 7) << 3 | register)
        if random.chance(35) {
            emit(rex + [0x0F, 0x20, modrm])
            return
        }
        set(register, controlValue(number))
        emit(rex + [0x0F, 0x22, modrm])
    }

    private mutating func controlValue(_ number: Int) -> UInt64 {
        var value: UInt64 = 0
        switch number {
        case 0:
            value = record.assumedWord(Field.cr0)
            value ^= 1 << UInt64(random.pick([1, 2, 3, 5, 16, 18, 29, 30, 4, 6, 17, 28]))
            // The window is not there without paging.
            if random.chance(5) && record.assumedWord(Field.frame) < Layout.window {
                value ^= 1 << 31
            }
        case 3: value = record.assumedWord(Field.cr3) | UInt64(random.pick([0, 0, 8, 0x18, 4]))
        case 4:
            value = record.assumedWord(Field.cr4)
            // A reserved bit of CR4 or CR3 makes QEMU 7.2 loop for ever; `reserved()` tests those.
            let bit = random.pick([2, 3, 4, 7, 8, 9, 10, 11, 16, 20, 21])
            value ^= 1 << UInt64(bit)
            if world == .long && random.chance(8) { value ^= 0x20 }
        case 2: value = random.next()
        case 8: return UInt64(random.below(20))
        default: value = random.next()
        }
        if bits == 64 && number != 3 && number != 4 && random.chance(4) {
            value |= 1 << UInt64(32 + random.below(32))
        }
        return value
    }

    private mutating func moveDebug() {
        let number = random.pick([0, 1, 2, 4, 5, 6, 7, 7])
        let register = random.pick([0, 1, 2])
        let modrm = UInt8(0xC0 | number << 3 | register)
        if random.chance(35) {
            emit([0x0F, 0x21, modrm])
            return
        }
        var value = UInt64(Layout.data + random.below(0x80))
        if number > 5 { value = random.next() & 0xFFFF }
        if number == 7 {
            value = UInt64(random.below(0x40)) | definedBreakpoints(random.below(0x1000))
            if random.chance(5) { value |= 0x2000 }
        }
        if bits == 64 && random.chance(5) { value |= 1 << UInt64(32 + random.below(32)) }
        set(register, value)
        emit([0x0F, 0x23, modrm])
        if random.chance(60) { access() }
    }

    private mutating func modelSpecific() {
        let numbers: [UInt64] = [
            0xC000_0100, 0xC000_0101, 0xC000_0102, 0xC000_0081, 0xC000_0082, 0xC000_0083,
            0xC000_0084, 0x174, 0x175, 0x176, 0xC000_0080, 0x277, 0xC000_0103,
        ]
        let number = random.pick(numbers)
        set(1, number)
        if random.chance(30) {
            emit([0x0F, 0x32])
            return
        }
        var value = random.pick([0, 0x10000, UInt64(Layout.data), 0xFFFF_8000_0000_0000, 1 << 47])
        if number == 0xC000_0080 {
            value = record.assumedWord(Field.efer) ^ 1 << UInt64(random.pick([0, 8, 10, 11, 9, 1]))
        }
        if number == 0x277 { value = random.pick([0x0007_0406_0007_0406, 0x0106_0504_0302_0100]) }
        if number == 0xC000_0103 || number == 0xC000_0084 {
            // A mask's upper half is reserved, and other emulators have no such check.
            let isNarrow = random.chance(80) || number == 0xC000_0084
            value = random.next() & (isNarrow ? 0xFFFF_FFFF : .max)
        }
        set(0, value & 0xFFFF_FFFF)
        set(2, value >> 32)
        emit([0x0F, 0x30])
        if number == 0xC000_0103 { emit([0x0F, 0x32]) }
    }

    private mutating func flagInstruction() {
        let (prefixes, size) = operandSize(wide: false)
        switch random.below(8) {
        case 0: emit([0xFA])
        case 1: emit([0xFB])
        case 2: emit(prefixes + [0x9C])
        case 3...5:
            put(stack, flagsWord(), size: bits == 64 && size == 4 ? 8 : size)
            emit(prefixes + [0x9D])
            if random.chance(50) { emit([0x90]) }
        default: emit([0x0F, 0x01, random.pick([0xCA, 0xCB])])
        }
    }

    private mutating func portAccess() {
        let port = random.pick([0xA8, 0xA9, 0xAA, 0xAC, 0x1F8, 0x1000])
        let (prefixes, _) = operandSize(wide: false)
        set(2, UInt64(port))
        if random.chance(15) && bits != 64 || random.chance(5) {
            set(7, UInt64(Layout.data + 0x40 - dataBase))
            set(6, UInt64(Layout.data + 0x60 - dataBase))
            emit(prefixes + [random.pick([0x6C, 0x6D, 0x6E, 0x6F])])
            return
        }
        if port < 0x100 && random.chance(40) {
            emit(prefixes + [random.pick([0xE4, 0xE5, 0xE6, 0xE7]), UInt8(port)])
        } else {
            emit(prefixes + [random.pick([0xEC, 0xED, 0xEE, 0xEF])])
        }
    }

    private mutating func access() {
        let (prefixes, _) = operandSize()
        let opcode: [UInt8] = random.pick([
            [0x8B], [0x8A], [0x89], [0x88], [0x01], [0x0F, 0xB1], [0x86], [0x0F, 0xAB],
        ])
        if opcode == [0x0F, 0xAB] {
            for register in [0, 2] { set(register, UInt64(random.below(8))) }
        }
        memory(prefixes, opcode, reg: random.pick([0, 2]), at: anyAddress())
    }

    private mutating func stackInstruction() {
        let (prefixes, _) = operandSize(wide: false)
        switch random.below(5) {
        case 0: emit(prefixes + [0x50 + UInt8(random.below(8))])
        case 1: emit(prefixes + [0x58 + UInt8(random.pick([0, 1, 2, 3, 5]))])
        case 2 where bits != 64: emit(prefixes + [random.pick([0x60, 0x61])])
        case 3:
            let flat = [0x4001_2002, UInt64(Layout.scratch), 1 << 47]
            set(4, random.pick(stackBase == 0 ? flat : [0, 1, 2, 6]))
            emit(prefixes + [random.pick([0x50, 0x58, 0x9C])])
        default: memory(prefixes, [0x8F], reg: 0, at: anyAddress())
        }
    }

    private mutating func smallSystem() {
        switch random.below(9) {
        case 0: emit([0x0F, 0x06])
        case 1: emit([0x0F, 0x01, 0xF8])
        case 2: memory([], [0x0F, 0x01], reg: 7, at: anyAddress())
        case 3: either([], [0x0F, 0x01], reg: 6, value: UInt64(random.below(16)) | 1, size: 2)
        case 4: emit([0x0F, random.pick([0x08, 0x09])])
        case 5 where cpl > 0: emit([0xF4])
        case 6:
            let wide: [UInt8] = random.chance(50) ? [0x48] : []
            let modrm = UInt8(0xC0 | random.below(4) << 3)
            set(0, random.pick([0, 0x12345, 1 << 47]))
            emit([0xF3] + (bits == 64 ? wide : []) + [0x0F, 0xAE, modrm])
        case 7: emit([0x0F, 0x0B])
        default: emit([0x0F, 0x01, random.pick([0xD0, 0xD1, 0xC1, 0xD9])])
        }
    }

    private mutating func string() {
        let source = anyAddress() &- UInt64(dataBase)
        let destination = anyAddress() &- UInt64(dataBase)
        set(6, source)
        set(7, destination)
        set(1, UInt64(random.below(5)))
        let repeated: [UInt8] = random.chance(60) ? [0xF3] : []
        emit(repeated + [random.pick([0xA4, 0xA5, 0xAA, 0xAB, 0xAC, 0xA6, 0xAE])])
    }

    private mutating func floating() {
        let bytes: [[UInt8]] = [
            [0x9B], [0xD9, 0xEE], [0xDB, 0xE3], [0x0F, 0x77], [0x0F, 0x28, 0xC1],
            [0x0F, 0x6F, 0xC1],
        ]
        emit(random.pick(bytes))
    }
}
