import Machine
import SeededRandom
import X86

/// A kernel image that does what no sane guest does, made from a seed, and the machine for it. It
/// is an ELF file that the ordinary loaders take; behind the last segment 40 bytes say which
/// machine it is for, so that the file alone repeats the run.
struct HostileGuest {
    typealias Layout = HostileLayout

    var image: [UInt8]
    /// Bytes of RAM.
    var memory: UInt64 = 16 << 20
    var cpus = 1
    var vendor = Vendor.intel
    /// Virtio block devices; the second is read-only.
    var disks = 0
    var hasConsole = false
    /// Whether typed bytes reach the virtio console.
    var typesAtConsole = false
    /// Seeds what is injected, where runs are cut, and RDRAND.
    var seed: UInt64 = 0

    private static let mark: UInt64 = 0x454C_4954_534F_4820

    /// A guest from a file: one of ours, or any kernel.
    init(file: [UInt8]) {
        image = file
        guard file.count > 40, Self.word(file, 40) == Self.mark else { return }
        memory = min(max(Self.word(file, 32) & ~0xFFF, 0x1000), 64 << 20)
        cpus = Int(min(max(Self.word(file, 24), 1), 64))
        let kind = Self.word(file, 16)
        vendor = kind & 1 == 0 ? .intel : .amd
        disks = Int(kind >> 8 & 3)
        hasConsole = kind & 2 != 0
        typesAtConsole = hasConsole && kind & 4 != 0
        seed = Self.word(file, 8)
    }

    private static func word(_ bytes: [UInt8], _ fromEnd: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[bytes.count - fromEnd + $1]) << UInt64(8 * $1) }
    }

    init(seed: UInt64) {
        var numbers = SplitMix64(seed)
        self.seed = seed
        memory = numbers.pick([0x13_0000, 0x14_0000, 0x20_0000, 0x20_1000, 0x40_0000])
        cpus = numbers.pick([1, 1, 1, 2, 2, 3, 4])
        vendor = numbers.chance(50) ? .intel : .amd
        disks = numbers.pick([0, 0, 1, 1, 2])
        hasConsole = numbers.chance(40)
        typesAtConsole = hasConsole && numbers.chance(50)
        let functions = disks + (hasConsole ? 1 : 0)
        var tables = HostileTables(SplitMix64(numbers.next()), memory: memory)
        tables.fill()
        let isLong = numbers.chance(55)
        let isReal = !isLong && numbers.chance(30)
        let setup =
            isLong
            ? Self.setup64(&numbers, cpus)
            : isReal ? Self.setup16(&numbers, cpus) : Self.setup32(&numbers, cpus)
        tables.put(setup, at: Layout.setup)
        tables.put(Self.handler(.bits64, &numbers), at: Layout.handlers)
        tables.put(Self.handler(.bits32, &numbers), at: Layout.handler32)
        tables.put(Self.interrupt(.bits64), at: Layout.interrupt64)
        tables.put(Self.interrupt(.bits32), at: Layout.interrupt32)
        for size in [CodeSize.bits64, .bits32] {
            var code = HostileCode(
                SplitMix64(numbers.next()), size, memory: memory, functions: functions)
            tables.put(code.program(Int(Layout.codeSize)), at: Layout.code(size))
        }
        var low = HostileCode(
            SplitMix64(numbers.next()), .bits16, memory: memory, functions: functions)
        var program = low.program(Int(Layout.toReal - Layout.code16))
        program += Self.toReal
        program += [UInt8](
            repeating: 0x90, count: Int(Layout.handler16 - Layout.code16) - program.count)
        program += Self.handler16()
        program += [UInt8](
            repeating: 0, count: Int(Layout.lowPointers - Layout.code16) - program.count)
        program += tables.bytes[Int(Layout.pointers - Layout.setup)...].prefix(64)
        image = HostileGuest.elf(
            is64Bit: isLong,
            segments: Self.realVectors(keepsBIOS: numbers.chance(70))
                + [(Layout.code16, program)],
            main: tables.bytes)
        var kind: UInt64 = vendor == .intel ? 0 : 1
        kind |= (hasConsole ? 2 : 0) | (typesAtConsole ? 4 : 0) | UInt64(disks) << 8
        for value in [Self.mark, memory, UInt64(cpus), kind, seed] {
            for n in 0..<8 { image.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * n))) }
        }
    }

    // MARK: - Pieces that make it run

    /// Vectors of real mode lead to `handler16`, but for those of the BIOS's services and of what
    /// it drives, where they are kept.
    private static func realVectors(keepsBIOS: Bool) -> [(UInt64, [UInt8])] {
        let offset = Layout.handler16 - Layout.code16
        let segment = UInt8(Layout.code16 >> 12)
        let entry = [UInt8(offset & 0xFF), UInt8(offset >> 8), 0x00, segment]
        let parts = keepsBIOS ? [0..<8, 10..<16, 32..<112, 120..<256] : [0..<256]
        return parts.map { part in (UInt64(part.lowerBound) * 4, part.flatMap { _ in entry }) }
    }

    /// CR0.PE goes, and a far jump to `code16`.
    private static let toReal: [UInt8] = [
        0x0F, 0x20, 0xC0, 0x24, 0xFE, 0x0F, 0x22, 0xC0, 0xEA, 0x00, 0x00, 0x00,
        UInt8(Layout.code16 >> 12),
    ]

    /// Draws the next number into EAX. Real mode's lies in the code's own segment, which is there
    /// whatever the others are.
    private static func counting(_ e: inout Emitter) {
        let low = Layout.lowCounter - Layout.code16
        let place = [UInt8(low & 0xFF), UInt8(low >> 8)]
        if e.size == .bits16 {
            e.bytes += [0x2E, 0x66, 0xA1] + place
        } else {
            e.load(7, Layout.counter)
            e.emit(0x8B, 0x07)
        }
        e.operands32()
        e.emit(0x69, 0xC0)
        e.word(0x19660D)
        e.operands32()
        e.emit(0x05)
        e.word(0x3C6E_F35F)
        if e.size == .bits16 {
            e.bytes += [0x2E, 0x66, 0xA3] + place
        } else {
            e.emit(0x89, 0x07)
        }
    }

    /// A handler of exceptions: another stack, now and then sound tables again, and on at some
    /// place of the code that depends on how many came before.
    private static func handler(_ size: CodeSize, _ numbers: inout SplitMix64) -> [UInt8] {
        var e = Emitter(size)
        if size == .bits32 { e.emit(0x66, 0xB8, 0x18, 0x00, 0x8E, 0xD8, 0x8E, 0xC0, 0x8E, 0xD0) }
        e.load(4, Layout.stack - 0x40)
        counting(&e)
        var heal = Emitter(size)
        heal.load(6, Layout.pristine)
        heal.load(7, Layout.tables.lowerBound)
        heal.load(1, (Layout.tables.upperBound - Layout.tables.lowerBound) / 4)
        heal.emit(0xFC, 0xF3, 0xA5)
        heal.loadTable(2, at: Layout.pointers)
        heal.loadTable(3, at: Layout.pointers + (size == .bits64 ? 16 : 32))
        if size == .bits64 { heal.writeControl(3, Layout.pml4) }
        // TEST EAX with some bits, and a jump over.
        e.emit(0xA9)
        e.word(numbers.pick([0x1F_0000, 0x7_0000, 0x7F_0000]))
        e.emit(0x75, UInt8(heal.bytes.count))
        e.bytes += heal.bytes
        e.load(7, Layout.counter)
        e.emit(0x8B, 0x07, 0xC1, 0xE8, 0x08, 0x25)
        e.word(0x3FF0)
        e.emit(0x05)
        e.word(Layout.code(size))
        e.emit(0xFF, 0xE0)
        return e.bytes
    }

    private static func handler16() -> [UInt8] {
        var e = Emitter(.bits16)
        e.load(4, 0x7000)
        counting(&e)
        // SHR EAX, 8; AND AX, 3FF0; JMP AX.
        e.emit(0x66, 0xC1, 0xE8, 0x08, 0x25, 0xF0, 0x3F, 0xFF, 0xE0)
        return e.bytes
    }

    /// A handler of interrupts: EOI, and back.
    private static func interrupt(_ size: CodeSize) -> [UInt8] {
        var e = Emitter(size)
        e.emit(0x50, 0x57)
        e.store(0xFEE0_00B0, 0)
        e.emit(0xB0, 0x20, 0xE6, 0x20, 0xE6, 0xA0)
        e.emit(0x5F, 0x58)
        e.wide()
        e.emit(0xCF)
        return e.bytes
    }

    /// Copies the tables, switches the local APIC on and starts the other processors.
    private static func common(_ e: inout Emitter, _ cpus: Int) {
        e.load(4, Layout.stack)
        e.load(6, Layout.tables.lowerBound)
        e.load(7, Layout.pristine)
        e.load(1, (Layout.tables.upperBound - Layout.tables.lowerBound) / 4)
        e.emit(0xFC, 0xF3, 0xA5)
        e.loadTable(2, at: Layout.pointers)
        e.store(0xFEE0_00F0, 0x1FF)
        // The first virtio device's queue, if there is one: as `HostileCode.plainQueue`.
        for (port, value) in [(0xC00E, 0), (0xC008, Layout.legacyQueue >> 12), (0xC012, 7)] {
            e.load(2, UInt64(port))
            e.load(0, value)
            if port == 0xC00E { e.emit(0x66) }
            e.emit(port == 0xC012 ? 0xEE : 0xEF)
        }
        guard cpus > 1 else { return }
        e.store(0xFEE0_0300, 0xC_4500)
        e.store(0xFEE0_0300, 0xC_4600 | Layout.code16 >> 12)
        e.store(0xFEE0_0300, 0xC_4600 | Layout.code16 >> 12)
    }

    private static func setup64(_ numbers: inout SplitMix64, _ cpus: Int) -> [UInt8] {
        var e = Emitter(.bits64)
        common(&e, cpus)
        e.loadTable(3, at: Layout.pointers + 16)
        e.writeControl(3, Layout.pml4)
        var features: UInt64 = 0x620
        for bit in [7, 18, 16, 11, 2, 6, 8, 17] where numbers.chance(40) { features |= 1 << bit }
        e.writeControl(4, features)
        e.writeControl(0, numbers.pick([0x8001_0033, 0x8000_0033, 0x8000_0013, 0x8005_0033]))
        e.writeMSR(0xC000_0080, 0xD01)
        e.writeMSR(0xC000_0081, 0x0023_0008_0000_0000)
        e.writeMSR(0xC000_0082, Layout.code64 + 0x800)
        e.writeMSR(0xC000_0084, numbers.next() & 0x4700)
        e.writeMSR(0x174, 0x08)
        e.writeMSR(0x175, Layout.stack - 0x200)
        e.writeMSR(0x176, Layout.code64 + 0x100)
        e.load(0, Layout.Selector.longTask)
        e.emit(0x0F, 0x00, 0xD8)
        e.load(0, Layout.Selector.ldt)
        e.emit(0x0F, 0x00, 0xD0)
        if numbers.chance(50) { e.emit(0xFB) }
        e.goFar(Layout.Selector.code64, Layout.code64)
        return e.bytes
    }

    private static func setup32(_ numbers: inout SplitMix64, _ cpus: Int) -> [UInt8] {
        var e = Emitter(.bits32)
        common(&e, cpus)
        e.loadTable(3, at: Layout.pointers + 32)
        if numbers.chance(60) {
            e.writeControl(3, Layout.directory32)
            e.writeControl(4, numbers.pick([0x610, 0x690, 0x618, 0x630]))
            e.writeControl(0, numbers.pick([0x8001_0033, 0x8000_0033, 0x8005_0033]))
        } else {
            e.writeControl(4, 0x600)
        }
        e.load(0, Layout.Selector.task32)
        e.emit(0x0F, 0x00, 0xD8)
        e.load(0, Layout.Selector.ldt)
        e.emit(0x0F, 0x00, 0xD0)
        e.writeMSR(0x174, 0x28)
        e.writeMSR(0x175, Layout.stack - 0x200)
        e.writeMSR(0x176, Layout.code32 + 0x100)
        if numbers.chance(50) { e.emit(0xFB) }
        e.goFar(Layout.Selector.code32, Layout.code32)
        return e.bytes
    }

    /// Real mode, with the BIOS's interrupts open.
    private static func setup16(_ numbers: inout SplitMix64, _ cpus: Int) -> [UInt8] {
        var e = Emitter(.bits32)
        common(&e, cpus)
        e.loadTable(3, at: Layout.pointers + 48)
        e.emit(0xB0, 0xF8, 0xE6, 0x21)
        // Real mode keeps the limits: 64 KiB, or all of memory.
        let data = numbers.pick([Layout.Selector.data, Layout.Selector.data16])
        e.emit(0x66, 0xB8, UInt8(data), 0x00, 0x8E, 0xD8, 0x8E, 0xC0)
        e.emit(0x66, 0xB8, UInt8(Layout.Selector.data16), 0x00, 0x8E, 0xD0)
        e.goFar(Layout.Selector.code16, Layout.toReal - Layout.code16)
        return e.bytes
    }

    // MARK: - The file

    /// An ELF file of either class with an entry at `Layout.setup` (System V ABI, chapter 4).
    private static func elf(
        is64Bit: Bool, segments: [(UInt64, [UInt8])], main: [UInt8]
    ) -> [UInt8] {
        var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, is64Bit ? 2 : 1, 1, 1, 0]
        file += [UInt8](repeating: 0, count: 8)
        func add(_ v: UInt64, _ size: Int) {
            for n in 0..<size { file.append(UInt8(truncatingIfNeeded: v >> UInt64(8 * n))) }
        }
        let word = is64Bit ? 8 : 4
        let all =
            segments.map { (address: $0.0, bytes: $0.1, room: UInt64($0.1.count)) }
            + [(address: Layout.setup, bytes: main, room: Layout.end - Layout.setup)]
        add(2, 2)
        add(is64Bit ? 62 : 3, 2)
        add(1, 4)
        add(Layout.setup, word)
        let header: UInt64 = is64Bit ? 64 : 52
        add(header, word)
        add(0, word)
        add(0, 4)
        for field in [header, is64Bit ? 56 : 32, UInt64(all.count), 0, 0, 0] { add(field, 2) }
        var offset: UInt64 = 0x1000
        for part in all {
            add(1, 4)
            if is64Bit { add(7, 4) }
            for field in [offset, part.address, part.address, UInt64(part.bytes.count), part.room] {
                add(field, word)
            }
            if !is64Bit { add(7, 4) }
            add(0x1000, word)
            offset += UInt64(part.bytes.count)
        }
        file += [UInt8](repeating: 0, count: 0x1000 - file.count)
        for part in all { file += part.bytes }
        return file
    }
}
