/// Descriptor tables, gates and task state segments: whole, then spoilt a little.
extension CaseBuilder {
    static func descriptor(base: Int, limit: Int, access: Int, flags: Int) -> UInt64 {
        let (b, l) = (UInt64(base), UInt64(limit))
        return l & 0xFFFF | (b & 0xFFFFFF) << 16 | UInt64(access) << 40
            | (l >> 16 & 0xF) << 48 | UInt64(flags) << 52 | (b >> 24 & 0xFF) << 56
    }

    static func gate(selector: Int, target: UInt64, access: Int, low: Int) -> UInt64 {
        target & 0xFFFF | UInt64(selector) << 16 | UInt64(low) << 32 | UInt64(access) << 40
            | (target >> 16 & 0xFFFF) << 48
    }

    private mutating func accessed() -> Int { random.below(2) }

    /// `quiet`: nothing but what every case has.
    mutating func writeTables(quiet: Bool = false) {
        writeGDT()
        writeLDT()
        writeIDT(quiet: quiet)
        writeTSS(quiet: quiet)
        if !quiet { spoil() }
        record.put16(Field.gdtr, 0x3FF)
        record.put64(Field.gdtr + 2, UInt64(Layout.gdt))
        record.put16(Field.idtr, world == .real ? 0x1FF : world == .long ? 0x7FF : 0x3FF)
        record.put64(Field.idtr + 2, UInt64(Layout.idt))
        record.put32(Field.ldtr, Selector.localTable)
        record.put32(Field.tr, Selector.task)
    }

    private mutating func entry(_ selector: Int, _ value: UInt64) {
        put(Layout.gdt + (selector & ~7), value, size: 8)
    }

    private mutating func writeGDT() {
        typealias Builder = CaseBuilder
        for (selector, access, flags) in [(0x08, 0x9B, 0xC), (0x10, 0x93, 0xC), (0x18, 0x9B, 0xA)] {
            entry(
                selector,
                Builder.descriptor(base: 0, limit: 0xFFFFF, access: access, flags: flags))
        }
        for ring in 0..<4 {
            let dpl = ring << 5
            let base16 = Layout.area
            for (selector, base, limit, access, flags) in [
                (Selector.code32[ring], 0, 0xFFFFF, 0x9A, 0xC),
                (Selector.code16[ring], base16, 0xFFFF, 0x9A, 0),
                (Selector.data32[ring], 0, 0xFFFFF, 0x92, 0xC),
                (Selector.data16[ring], base16, 0xFFFF, 0x92, 0),
            ] {
                entry(
                    selector,
                    Builder.descriptor(
                        base: base, limit: limit, access: access | dpl | accessed(), flags: flags))
            }
            if ring > 0 {
                entry(
                    Selector.code64[ring],
                    Builder.descriptor(
                        base: 0, limit: 0xFFFFF, access: 0x9A | dpl | accessed(), flags: 0xA))
            }
        }
        // Data beside the 64-bit code at CPL 3, as SYSRET and SYSEXIT want it.
        entry(0x78, Builder.descriptor(base: 0, limit: 0xFFFFF, access: 0xF3, flags: 0xC))
        let long = world == .long
        entry(
            Selector.conforming,
            Builder.descriptor(
                base: 0, limit: 0xFFFFF, access: 0x9E | accessed(), flags: long ? 0xA : 0xC))
        let taskLimit = random.pick([0x67, 0x67, 0x6F, 0x85, 0x87, 0x8F, 0x8F, 0xFF])
        for (selector, base, limit, access) in [
            (Selector.task, Layout.tss, taskLimit, 0x89),
            (Selector.localTable, Layout.ldt, 0x3F, 0x82),
            (Selector.taskA, Layout.tssA, 0x67, random.pick([0x89, 0xE9, 0x8B])),
            (Selector.taskB, Layout.tssB, 0x67, random.pick([0x89, 0xE9, 0x8B])),
            (Selector.task16, Layout.tss16, 0x2B, random.pick([0x81, 0xE1, 0x83])),
            (Selector.otherTable, Layout.ldt, 0x1F, 0x82),
        ] {
            entry(
                selector, Builder.descriptor(base: base, limit: limit, access: access, flags: 0))
        }
        if !long {
            entry(
                Selector.doubleFault,
                Builder.descriptor(base: Layout.tssDoubleFault, limit: 0x67, access: 0x89, flags: 0)
            )
        }
        for n in 0..<Selector.randomCount {
            entry(Selector.random + n * 16, randomDescriptor())
            if !long { entry(Selector.random + n * 16 + 8, randomDescriptor()) }
        }
    }

    private mutating func writeLDT() {
        for n in 0..<8 { put(Layout.ldt + n * 8, randomDescriptor(segments: true), size: 8) }
    }

    /// A descriptor that makes sense more often than not.
    private mutating func randomDescriptor(segments: Bool = false) -> UInt64 {
        let dpl = random.chance(50) ? cpl : random.below(4)
        var access = dpl << 5 | (random.chance(92) ? 0x80 : 0)
        let kind = segments ? random.below(7) : random.below(11)
        var flags = random.pick([0xC, 0xC, 0x4, 0x8, 0])
        var limit = random.pick([0xFFFFF, 0xFFFFF, 0xFFFF, 0x1FFFF, 0x11FF, 0x3050, 0, 0xFFF])
        switch kind {
        case 0...3: access |= 0x10 | random.pick([2, 2, 3, 0, 1, 6, 7, 4])
        case 4...6:
            access |= 0x18 | random.pick([2, 3, 0, 1, 6, 7, 4])
            if world == .long && random.chance(60) { flags = flags & 0xB | 0x2 }
            if random.chance(3) { flags |= 6 }
        case 7...8: return callGate(dpl: dpl)
        case 9:
            access |= random.pick([1, 2, 3, 9, 0xB, 2, 9])
            flags = 0
            limit = random.pick([0x67, 0x2B, 0x66, 0x2A, 0xFF, 0x1F])
            return CaseBuilder.descriptor(
                base: random.pick([Layout.tssA, Layout.tssB, Layout.tss16, Layout.ldt]),
                limit: limit, access: access, flags: flags)
        default: access |= random.below(16)
        }
        if world != .long && flags & 4 == 0 && kind < 7 && random.chance(80) {
            if limit < 0x4000 || random.chance(70) { flags &= ~8 }
            return CaseBuilder.descriptor(
                base: Layout.area, limit: limit, access: access, flags: flags)
        }
        let far = paging == .none ? [Layout.area] : [Layout.area, 0x1234_5678, 0xFFFF_F000]
        let base = random.chance(85) ? 0 : random.pick(far)
        if base == 0 && limit < 0x20000 && random.chance(70) { flags |= 8 }
        return CaseBuilder.descriptor(base: base, limit: limit, access: access, flags: flags)
    }

    /// Call and task gates.
    private mutating func callGate(dpl: Int) -> UInt64 {
        let access = dpl << 5 | (random.chance(92) ? 0x80 : 0)
        if world != .long && random.chance(20) {
            let task = random.pick([Selector.taskA, Selector.taskB, Selector.task16, 0x40, 0x30])
            return CaseBuilder.gate(selector: task, target: 0, access: access | 5, low: 0)
        }
        let selector = codeSelector(from: random.below(cpl + 1))
        let type = random.chance(80) || world == .long ? 0xC : 4
        let count = random.chance(60) ? 0 : random.below(32)
        return CaseBuilder.gate(
            selector: selector, target: target(selector), access: access | type, low: count)
    }

    private mutating func writeIDT(quiet: Bool) {
        for vector in 0..<Layout.vectors {
            if world == .real {
                let address = vector * 16 | Layout.realHandlers << 16
                put(Layout.idt + vector * 4, UInt64(address), size: 4)
                continue
            }
            let long = world == .long
            let stub = UInt64((long ? Layout.stubs64 : Layout.stubs32) + vector * 16)
            var selector = long ? Selector.homeLong : Selector.homeCode
            var access = vector == 3 || vector >= 0x50 ? 0xEE : random.pick([0x8E, 0x8F, 0xEE])
            var low = 0
            if vector == 8 {
                low = long ? 7 : 0
                if !long { (selector, access) = (Selector.doubleFault, 0x85) }
            }
            write(
                vector,
                CaseBuilder.gate(selector: selector, target: stub, access: access, low: low),
                high: 0)
        }
        if quiet { return }
        for vector in 0x40..<0x50 { randomGate(vector) }
        if random.chance(15) { randomGate(random.pick([1, 4, 6, 7, 10, 11, 12, 13, 13, 14])) }
    }

    private func write(_ vector: Int, _ low: UInt64, high: UInt64) {
        let size = world == .long ? 16 : 8
        put(Layout.idt + vector * size, low, size: 8)
        if world == .long { put(Layout.idt + vector * size + 8, high, size: 8) }
    }

    private mutating func randomGate(_ vector: Int) {
        if world == .real {
            let selector = random.chance(90) ? Layout.area >> 4 : random.below(0x10000)
            let offset = random.chance(90) ? Int(pad(base: Layout.area)) : random.below(0x10000)
            put(Layout.idt + vector * 4, UInt64(offset | selector << 16), size: 4)
            return
        }
        let dpl = random.chance(70) ? 3 : random.below(4)
        var access = dpl << 5 | (random.chance(93) ? 0x80 : 0)
        let long = world == .long
        if !long && random.chance(15) {
            let task =
                random.chance(80)
                ? random.pick([Selector.taskA, Selector.taskB, Selector.task16]) : anySelector()
            write(
                vector,
                CaseBuilder.gate(selector: task, target: 0, access: access | 5, low: 0), high: 0)
            return
        }
        let types = long ? [0xE, 0xE, 0xE, 0xF, 0xF] : [0xE, 0xE, 0xF, 6, 7]
        access |= random.chance(93) ? random.pick(types) : random.below(32)
        let ring = world == .virtual8086 ? 0 : random.below(cpl + 1)
        var selector = codeSelector(from: ring)
        if world == .virtual8086 {
            selector =
                random.chance(70)
                ? random.pick([Selector.code32, Selector.code16])[random.chance(85) ? 0 : 3]
                : anySelector()
        }
        if long && random.chance(80) { selector = Selector.code64[ring] }
        let is16 = Selector.code16.contains { $0 & ~7 == selector & ~7 }
        let at = random.chance(92) ? pad(base: is16 ? Layout.area : 0) : target(selector)
        let low = long ? (random.chance(30) ? random.below(8) : 0) : 0
        write(
            vector, CaseBuilder.gate(selector: selector, target: at, access: access, low: low),
            high: at >> 32)
    }

    private mutating func writeTSS(quiet: Bool) {
        let at = Layout.tss
        if quiet {
            writeQuietTSS()
        } else if world == .long {
            for ring in 0..<3 { put(at + 4 + ring * 8, stackPointer64(ring), size: 8) }
            for n in 1..<7 { put(at + 0x1C + n * 8, stackPointer64(n), size: 8) }
            put(at + 0x1C + 7 * 8, UInt64(Layout.doubleFaultStack), size: 8)
        } else {
            for ring in 0..<3 {
                let is16 = random.chance(20)
                let selector =
                    random.chance(94)
                    ? (is16 ? Selector.data16 : Selector.data32)[ring] : anySelector()
                var pointer = Layout.kernelStack + 0x200 - ring * 0x60
                if is16 { pointer -= Layout.area }
                if random.chance(4) { pointer = random.pick([0, 4, 0x10, 0x4001_2208]) }
                if random.chance(10) && !is16 && paging != .none {
                    pointer += Layout.window - Layout.area
                }
                put(at + 4 + ring * 8, UInt64(pointer), size: 4)
                put(at + 8 + ring * 8, UInt64(selector), size: 4)
            }
            writeTask(Layout.tssA)
            writeTask(Layout.tssB)
            writeTask16()
            writeDoubleFaultTask()
            put(
                at, UInt64(random.pick([Selector.taskA, Selector.taskB, Selector.task16])), size: 4)
        }
        put(at + 0x66, UInt64(random.pick([0x68, 0x68, 0x6A, 0x67, 0x88, 0xFFFF])), size: 2)
        for n in 0..<0x20 {
            put(at + 0x68 + n, random.chance(50) ? 0 : random.next(), size: 1)
        }
        put(at + 0x88, 0xFF, size: 1)
    }

    private mutating func writeQuietTSS() {
        put(Layout.tss + 4, UInt64(Layout.kernelStack + 0x200), size: 8)
        if world == .long {
            put(Layout.tss + 0x1C + 7 * 8, UInt64(Layout.doubleFaultStack), size: 8)
        } else {
            put(Layout.tss + 8, UInt64(Selector.data32[0]), size: 4)
            writeDoubleFaultTask()
        }
    }

    private mutating func stackPointer64(_ n: Int) -> UInt64 {
        let top = Layout.kernelStack + 0x200 - n % 4 * 0x40 + (random.chance(10) ? 4 : 0)
        switch random.below(40) {
        case 0: return 0x8000_0000_0000
        case 1: return UInt64(0x4001_2008)
        case 2, 3: return UInt64(top - Layout.area + Layout.window)
        case 4: return UInt64(top - Layout.area) + Layout.highWindow
        default: return UInt64(top)
        }
    }

    /// A task to switch to: most are sound.
    private mutating func writeTask(_ at: Int) {
        let ring = random.pick([0, 0, 3, 3, 1, 2])
        let isVirtual = random.chance(8)
        var flags = flagsWord() & ~0x4100
        if isVirtual { flags |= 1 << 17 }
        put(at, UInt64(random.pick([Selector.task, Selector.taskA, Selector.taskB])), size: 4)
        put(at + 0x1C, record.assumedWord(Field.cr3), size: 4)
        let base = isVirtual ? Layout.area : 0
        put(at + 0x20, random.chance(95) ? pad(base: base) : wild(), size: 4)
        put(at + 0x24, flags, size: 4)
        for n in 0..<8 where n != 4 { put(at + 0x28 + n * 4, random.next(), size: 4) }
        put(at + 0x38, UInt64(Layout.kernelStack + 0x340 - base), size: 4)
        var selectors = [0, 0, 0, 0, 0, 0].map { _ in Selector.data32[ring] }
        selectors[1] = Selector.code32[ring]
        if isVirtual { selectors = selectors.map { _ in Layout.area >> 4 } }
        if random.chance(25) { selectors[random.below(6)] = anySelector() }
        for (n, selector) in selectors.enumerated() {
            put(at + 0x48 + n * 4, UInt64(selector), size: 4)
        }
        let table = random.chance(90) ? random.pick([0, Selector.localTable]) : anySelector()
        put(at + 0x60, UInt64(table), size: 4)
        put(at + 0x64, random.chance(5) ? 1 : 0, size: 2)
        put(at + 0x66, 0x68, size: 2)
    }

    private mutating func writeTask16() {
        let at = Layout.tss16
        let ring = random.pick([0, 3])
        put(at, UInt64(Selector.task), size: 2)
        put(at + 0x0E, pad(base: Layout.area), size: 2)
        put(at + 0x10, flagsWord() & ~0x4100, size: 2)
        for n in 0..<8 where n != 4 { put(at + 0x12 + n * 2, random.next(), size: 2) }
        put(at + 0x1A, 0x2340, size: 2)
        var selectors = [0, 0, 0, 0].map { _ in Selector.data16[ring] }
        selectors[1] = Selector.code16[ring]
        if random.chance(20) { selectors[random.below(4)] = anySelector() }
        for (n, selector) in selectors.enumerated() {
            put(at + 0x22 + n * 2, UInt64(selector), size: 2)
        }
        put(at + 0x2A, UInt64(random.pick([0, Selector.localTable])), size: 2)
    }

    private mutating func writeDoubleFaultTask() {
        let at = Layout.tssDoubleFault
        put(at + 0x1C, record.assumedWord(Field.cr3), size: 4)
        put(at + 0x20, UInt64(Layout.stubs32 + 8 * 16), size: 4)
        put(at + 0x24, 2, size: 4)
        put(at + 0x38, UInt64(Layout.doubleFaultStack), size: 4)
        for n in 0..<6 {
            put(at + 0x48 + n * 4, UInt64(n == 1 ? Selector.homeCode : Selector.homeData), size: 4)
        }
    }

    /// Flips bits of descriptors, so that one check or another fails.
    private mutating func spoil() {
        if world == .real { return }
        while random.chance(30) {
            let selector =
                random.chance(80) ? 0x50 + random.below(22) * 8 : 0x100 + random.below(4) * 16
            let at = Layout.gdt + selector
            switch random.below(6) {
            case 0: put(at, UInt64(random.pick([0, 0x1FFF, 0x3200])), size: 2)
            case 1: area(at + 6).flip(UInt8(0x80 >> random.below(4)))
            case 2 where world == .long: put(at + 12, random.next(), size: 4)
            default: area(at + 5).flip(UInt8(1 << random.below(8)))
            }
        }
    }
}

extension UnsafeMutableRawPointer {
    func flip(_ bits: UInt8) { storeBytes(of: load(as: UInt8.self) ^ bits, as: UInt8.self) }
    /// A word of 4 bytes.
    func assumedWord(_ offset: Int) -> UInt64 { UnsafeRawPointer(self).word(offset, 4) }
}
