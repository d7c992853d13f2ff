import Machine

/// Control registers, page table entries and all else that a case begins with.
extension CaseBuilder {
    private var userPages: Bool { cpl == 3 || world == .virtual8086 }

    mutating func writeControl(_ vendor: Vendor) {
        var cr0 = 0x11
        for (bit, percent) in [(1, 20), (2, 3), (3, 5), (5, 50), (16, 50), (18, 40)]
        where random.chance(percent) {
            cr0 |= 1 << bit
        }
        if paging != .none { cr0 |= 1 << 31 }
        var cr4 = paging == .pae || paging == .fourLevel ? 0x20 : 0
        for (bit, percent) in [
            (2, 10), (3, 50), (4, 50), (7, 30), (9, 50), (10, 30), (11, 25), (16, 50),
            (20, 30), (21, 30),
        ] where random.chance(percent) {
            cr4 |= 1 << bit
        }
        if paging == .entries32 && world == .real { cr4 = 0 }
        var efer = 0
        if world == .long { efer |= 0x100 }
        if random.chance(70) { efer |= 1 }
        if random.chance(70) { efer |= 0x800 }
        record.put32(Field.cr0, cr0)
        record.put32(Field.cr4, cr4)
        record.put32(Field.efer, efer)
        let tables = [0, 0x7000, 0x6000, 0]
        record.put32(Field.cr3, Layout.tables + tables[paging.rawValue])
        record.put64(Field.cr2, random.next() & 0xFFFF_FFFF)
        writeSlots()
        spoilSlots(cr4)
        writeRegisters()
    }

    func slot(_ n: Int, _ value: UInt64) { record.put64(Field.slots + n * 8, value) }

    /// Entries that allow all.
    func writeSlots() {
        let t = UInt64(Layout.tables)
        let wide = paging != .entries32
        slot(0, t + 0x1000 | 7)
        slot(1, t + 0x3000 | (paging == .pae ? 1 : 7))
        slot(2, (wide ? t + 0x5000 : t + 0x8000) | 7)
        for n in 0..<4 {
            let page = UInt64(Layout.area + n * 0x1000)
            slot(3 + n, page | 7)
            // Tables and kernel stacks are the supervisor's.
            let user: UInt64 = userPages && n % 2 == 1 ? 4 : 0
            slot(7 + n, page | 3 | user)
        }
    }

    private mutating func spoilSlots(_ cr4: Int) {
        if paging == .none { return }
        // Large pages.
        if random.chance(15) {
            let isBig = paging != .entries32 || cr4 & 0x10 != 0
            if paging == .fourLevel && random.chance(40) {
                slot(1, 0x87 | random.next() & 0x178)
            } else if isBig {
                slot(2, 0x87 | random.next() & 0x178)
            }
        }
        let wide = paging != .entries32
        while random.chance(45) {
            var n = random.below(7)
            if random.chance(15) { n = 7 + random.below(4) }
            if paging == .pae && n == 1 && random.chance(70) { n = 2 }
            let bits = [0, 1, 1, 2, 2, 3, 4, 5, 6, 8, 9, 11]
            var bit = random.pick(bits)
            if wide && random.chance(35) {
                bit = random.pick([63, 63, 63, 40, 47, 51, 52, 58, 62])
            }
            if wide && n < 3 && random.chance(10) { bit = 7 }
            if n > 2 && random.chance(10) { bit = 7 }
            let old = UnsafeRawPointer(record).word(Field.slots + n * 8, 8)
            slot(n, old ^ 1 << UInt64(bit))
        }
    }

    private mutating func writeRegisters() {
        for n in 0..<16 where n != 4 {
            record.put64(Field.registers + n * 8, registerValue())
        }
        for n in 0..<3 {
            let address = random.pick([
                Layout.code, Layout.code + 1, Layout.code + 2, Layout.data, Layout.data + 8,
                Layout.kernelStack + 0x1F8, Layout.code + 0x210, 0xE0,
            ])
            record.put64(Field.dr0 + n * 8, UInt64(address + random.below(3)))
        }
        if random.chance(10) {
            var dr7 = random.below(0x40) | 0x400 | Int(definedBreakpoints(random.below(0x1000)))
            if random.chance(5) { dr7 |= 0x2000 }
            record.put32(Field.dr7, dr7)
        } else {
            record.put32(Field.dr7, 0x400)
        }
        record.put32(Field.dr6, 0xFFFF_0FF0)
        writeModelSpecific()
    }

    mutating func registerValue() -> UInt64 {
        switch random.below(5) {
        case 0: return UInt64(random.below(0x100))
        case 1: return UInt64(anySelector())
        case 2: return random.next()
        default: return random.next() & 0xFFFF_FFFF
        }
    }

    private mutating func writeModelSpecific() {
        func base(_ random: inout Random) -> UInt64 {
            random.pick([0, 0x10000, 0x1_2345_6789, 0xFFFF_8000_0000_0000])
        }
        let entry =
            world == .long
            ? random.pick([0, 0, UInt64(Layout.window - Layout.area)]) : 0
        let targets = (0..<3).map { _ in pad(base: 0) + entry }
        let values: [UInt64] = [
            base(&random), base(&random), base(&random),
            0x0060_0050 << 32 | pad(base: 0) | (random.chance(10) ? random.next() << 32 : 0),
            targets[0], targets[1], random.next() & 0xFFFF_FFFF,
            UInt64(random.pick([0x50, 0x50, 0x50, 0x53, 0, 1, 0x3F0, 0xFFF8])),
            UInt64(Layout.kernelStack + 0x240), targets[2],
        ]
        for (n, value) in values.enumerated() { record.put64(Field.msrs + n * 8, value) }
    }

    /// Segments, stack and flags of the beginning, by the world.
    mutating func writeFrame() {
        let is16 = bits == 16
        let flat = world != .long && !is16
        codeBase = is16 ? Layout.area : 0
        dataBase = codeBase
        stackBase = codeBase
        var flags = flagsWord()
        var form = cpl == 0 ? 0 : 1
        var (code, stackSelector, dataSelector) = (0, 0, 0)
        switch world {
        case .real, .virtual8086:
            (code, stackSelector) = (Layout.area >> 4, Layout.area >> 4)
            dataSelector = Layout.area >> 4
            if world == .virtual8086 {
                flags |= 1 << 17
                form = 2
            }
        case .protected, .long:
            let codes = bits == 64 ? Selector.code64 : is16 ? Selector.code16 : Selector.code32
            code = codes[cpl]
            let datas = is16 ? Selector.data16 : Selector.data32
            stackSelector = datas[cpl]
            dataSelector = datas[cpl]
            if flat && random.chance(10) { stackSelector = Selector.data16[cpl] }
            if stackSelector == Selector.data16[cpl] { stackBase = Layout.area }
            if bits == 64 && cpl < 3 && random.chance(30) { stackSelector = cpl }
        }
        if world == .real { flags &= ~0x10_0000 }
        // A kernel's stack is in the kernel's page, but for IRET frames of other levels' sake.
        stack = (cpl == 0 && world != .virtual8086 ? Layout.kernelStack : Layout.data) + 0x240
        if random.chance(5) { stack += random.below(8) }
        var pointer = UInt64(stack - stackBase)
        if stackBase == 0 && paging != .none && cpl > 0 && random.chance(20) {
            pointer += UInt64(Layout.window - Layout.area)
        }
        var ip = UInt64(Layout.code - codeBase)
        if codeBase == 0 && paging != .none && random.chance(20) {
            ip += UInt64(Layout.window - Layout.area)
        }
        let frame = [ip, UInt64(code), flags, pointer, UInt64(stackSelector)]
        for (n, value) in frame.enumerated() { record.put64(Field.frame + n * 8, value) }
        if world != .real {
            for n in 5..<9 { record.put64(Field.frame + n * 8, UInt64(dataSelector)) }
        }
        record.put32(Field.form, form)
        record.put32(Field.mode, world == .real ? 2 : world == .long ? 1 : 0)
        for n in 0..<4 {
            var selector = dataSelector
            if world == .protected || world == .long, n > 0, random.chance(15) { selector = 0 }
            if world == .virtual8086 { selector = 0 }
            record.put32(Field.segments + n * 4, selector)
        }
        if world == .real {
            let segments = [dataSelector, dataSelector, dataSelector, dataSelector]
            for n in 0..<4 { record.put32(Field.segments + n * 4, segments[n]) }
        }
        // A stack of zeros would return to nowhere.
        for n in 0..<0x40 { put(stack + n * 2, UInt64(Layout.area >> 4), size: 2) }
    }
}
