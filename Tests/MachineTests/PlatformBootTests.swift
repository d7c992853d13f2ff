import SeededRandom
import Testing
import X86

@testable import Machine

@Suite struct PlatformBootTests {
    /// A bzImage in outline: a setup sector, a header of protocol 2.15, and the kernel.
    private func linux(has64BitEntry: Bool = true) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1024 + 0x400)
        bytes[0x1F1] = 1
        bytes[0x201] = 0x6A
        bytes.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
        bytes[0x206] = 0x0F
        bytes[0x207] = 0x02
        bytes[0x211] = 1
        bytes.replaceSubrange(0x22C..<0x230, with: [0xFF, 0xFF, 0xFF, 0x7F])
        bytes[0x236] = has64BitEntry ? 1 : 0
        bytes[0x238] = 100
        bytes[0x261] = 0x10  // 4096 bytes
        bytes[1024] = 0xF4
        bytes[1024 + 0x200] = 0xF4
        return bytes
    }

    private func word(_ machine: Machine, _ at: UInt64, _ size: Int = 4) throws -> UInt64 {
        let bytes = try #require(machine.readPhysical(at, count: size))
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    @Test(arguments: [true, false]) func linuxIsEnteredByItsProtocol(long: Bool) throws {
        let machine = try makePC(memory: 16 << 20)
        let kind = try machine.boot(
            kernel: linux(has64BitEntry: long), name: "k",
            modules: [BootModule(bytes: [1, 2, 3])], commandLine: "words")
        #expect(kind == .linux)
        let cpu = machine.cpu(0).pointee
        #expect(cpu.rip == (long ? 0x10_0200 : 0x10_0000))
        #expect(cpu.longMode == (long ? 1 : 0))
        #expect(cpu.cs.selector == 0x10 && cpu.ds.selector == 0x18)
        let page = cpu.rsi
        #expect(try word(machine, page + 0x202) == 0x5372_6448)
        let text = try word(machine, page + 0x228)
        #expect(machine.readPhysical(text, count: 6) == Array("words".utf8) + [0])
        let disk = try word(machine, page + 0x218)
        #expect(try word(machine, page + 0x21C) == 3)
        #expect(machine.readPhysical(disk, count: 3) == [1, 2, 3])
        #expect(try word(machine, page + 0x70, 8) == 0xF_0000)
        #expect(try word(machine, page + 0x1E8, 1) == 6)
        #expect(machine.run(RunLimits(instructions: 1)) == .idle, "HLT, with interrupts off")
        #expect(machine.cpu(0).pointee.activity == Activity.halted)
    }

    @Test func linuxIsRefusedWithThePlace() throws {
        func refusal(
            at offset: UInt64, modules: Int = 0, words: String = "", memory: UInt64 = 16 << 20,
            _ change: (inout [UInt8]) -> Void
        ) throws {
            var image = linux()
            change(&image)
            let machine = try makePC(memory: memory)
            do {
                try machine.boot(
                    kernel: image, name: "",
                    modules: Array(repeating: BootModule(bytes: [0]), count: modules),
                    commandLine: words)
                Issue.record("it was loaded")
            } catch MachineError.image(_, let place) {
                #expect(place == offset)
            }
        }
        try refusal(at: 0x206) { $0[0x207] = 1 }
        try refusal(at: 0x211) { $0[0x211] = 0 }
        try refusal(at: 0x1F1) { $0[0x1F1] = 200 }
        try refusal(at: 0x201) { $0[0x201] = 1 }
        try refusal(at: 0x238, words: String(repeating: "x", count: 101)) { _ in }
        try refusal(at: 0, modules: 2) { _ in }
        try refusal(at: 1024) { $0[0x263] = 0x7F }
        try refusal(at: 1024, memory: 1 << 20) { _ in }
        try refusal(at: 0x210) { $0.removeLast($0.count - 0x210) }
    }

    /// A flat multiboot kernel: the header with its addresses, then HLT.
    private func multiboot(flags: UInt32 = 1 << 16, _ addresses: [UInt32]) -> [UInt8] {
        var image = ByteBuilder()
        image.add32(0x1BAD_B002)
        image.add32(flags)
        image.add32(0 &- 0x1BAD_B002 &- flags)
        for address in addresses { image.add32(address) }
        image.add8(0xF4)
        return image.bytes
    }

    @Test func multibootIsEnteredWithItsInformation() throws {
        let machine = try makePC(memory: 16 << 20)
        let kind = try machine.boot(
            kernel: multiboot([0x20_0000, 0x20_0000, 0, 0x20_2000, 0x20_0020]), name: "name",
            modules: [
                BootModule(name: "a", bytes: [7], commandLine: "x y"), BootModule(bytes: [8, 9]),
            ], commandLine: "words")
        #expect(kind == .multiboot)
        let cpu = machine.cpu(0).pointee
        #expect(cpu.rax == 0x2BAD_B002 && cpu.rip == 0x20_0020 && cpu.rbx == 0x9000)
        // Real mode's vectors, for kernels that go back there.
        #expect(cpu.idtr.base == 0 && cpu.idtr.limit == 0x3FF)
        #expect(try word(machine, 0x9000) & 0x4B == 0x4B)
        let command = try word(machine, 0x9010)
        #expect(machine.readPhysical(command, count: 11) == Array("name words".utf8) + [0])
        #expect(try word(machine, 0x9014) == 2)
        let modules = try word(machine, 0x9018)
        #expect(try word(machine, modules) == 0x20_2000)
        #expect(try word(machine, modules + 4) == 0x20_2001)
        #expect(try word(machine, modules + 16) == 0x20_3000)
        let text = try word(machine, modules + 8)
        #expect(machine.readPhysical(text, count: 6) == Array("a x y".utf8) + [0])
        #expect(try word(machine, 0x902C) == 6 * 24)
    }

    /// A kernel that requires a video mode gets the text mode's description.
    @Test func multibootIsToldOfTheTextMode() throws {
        let machine = try makePC()
        let image = multiboot(flags: 1 << 16 | 4, [0x20_0000, 0x20_0000, 0, 0, 0x20_0020])
        try machine.boot(kernel: image, name: "", modules: [], commandLine: "")
        let info = machine.cpu(0).pointee.rbx
        #expect(try word(machine, info) & 1 << 12 != 0)
        #expect(try word(machine, info + 88, 8) == 0xB_8000)
        #expect(try [96, 100, 104].map { try word(machine, info + $0) } == [160, 80, 25])
        #expect(machine.readPhysical(info + 108, count: 2) == [16, 2])
    }

    @Test func multibootIsRefusedWithThePlace() throws {
        let images: [([UInt8], UInt64)] = [
            (multiboot(flags: 8, []), 4),
            (multiboot([0x20_0000, 0x20_0001, 0, 0, 0x20_0020]), 16),
            (multiboot([0x20_0000, 0x1F_0000, 0, 0, 0x20_0020]), 16),
            (multiboot([0x20_0000, 0x20_0000, 0x30_0000, 0, 0x20_0020]), 20),
            (multiboot([0x20_0000, 0x20_0000, 0, 0x20_0001, 0x20_0020]), 24),
            (multiboot([0x20_0000, 0x20_0000, 0, 0xFFFF_FFFF, 0x20_0020]), 24),
            (multiboot([0x20_0000, 0x20_0000, 0, 0, 0x10_0000]), 24),
        ]
        for (image, offset) in images {
            let machine = try makePC()
            do {
                try machine.boot(kernel: image, name: "", modules: [], commandLine: "")
                Issue.record("it was loaded")
            } catch MachineError.image(_, let place) {
                #expect(place == offset)
            }
        }
    }

    /// Loaders face files that nobody meant for them: each is loaded or refused.
    @Test func damagedImagesAreRefusedOrLoaded() throws {
        var random = SplitMix64(7)
        let good = [
            linux(), multiboot([0x20_0000, 0x20_0000, 0, 0x20_2000, 0x20_0020]), [], [0x7F, 0x45],
        ]
        for n in 0..<400 {
            var image = good[n % good.count]
            for _ in 0..<4 where !image.isEmpty {
                let place = Int(random.next() % UInt64(min(image.count, 0x300)))
                image[place] = UInt8(truncatingIfNeeded: random.next())
            }
            let machine = try makePC()
            do {
                try machine.boot(kernel: image, name: "", modules: [], commandLine: "")
            } catch MachineError.image {}
        }
    }

    @Test(arguments: [1, 4, 64]) func firmwareTablesAddUp(cpus: Int) throws {
        let machine = try makePC(cpus: cpus)
        let root = machine.writeFirmwareTables()
        func sum(_ at: UInt64, _ size: UInt64) throws -> UInt8 {
            try #require(machine.readPhysical(at, count: Int(size))).reduce(0, &+)
        }
        #expect(try sum(root, 20) == 0)
        #expect(try sum(root, 36) == 0)
        var tables = [try word(machine, root + 16), try word(machine, root + 24, 8)]
        #expect(try word(machine, tables[0] + 36) == word(machine, tables[1] + 36, 8))
        for n in UInt64(0)..<3 { tables.append(try word(machine, tables[1] + 36 + 8 * n, 8)) }
        tables.append(try word(machine, tables[2] + 40))
        for table in tables { #expect(try sum(table, word(machine, table + 4)) == 0) }
        #expect(try word(machine, tables[2] + 4) == 244, "the FADT of ACPI 4")
        #expect(try word(machine, tables[4]) == 0x5445_5048, "HPET")
        #expect(try word(machine, tables[4] + 36) == 0x8086_A201)
        #expect(try word(machine, tables[4] + 44, 8) == 0xFED0_0000)
        let pointer = root + 0x40
        #expect(try sum(pointer, 16) == 0)
        let configuration = try word(machine, pointer + 4)
        let size = try word(machine, configuration + 4, 2)
        #expect(try sum(configuration, size) == 0)
        var at = configuration + 44
        var entries: UInt64 = 0
        while at < configuration + size {
            at += try word(machine, at, 1) == 0 ? 20 : 8
            entries += 1
        }
        #expect(at == configuration + size)
        #expect(entries == (try word(machine, configuration + 34, 2)))
        #expect(configuration + size < 0x10_0000)
    }

    @Test func codeOfTheDSDTIsAsTheGrammarSays() {
        #expect(AML.identity(vendor: "PNP", product: 0x0501) == [0x0C, 0x41, 0xD0, 0x05, 0x01])
        #expect(AML.integer(0x1234) == [0x0B, 0x34, 0x12])
        #expect(
            AML.define("\\_S5", AML.package([AML.integer(0), AML.integer(5)]))
                == [0x08] + Array("\\_S5_".utf8) + [0x12, 0x05, 2, 0, 0x0A, 5])
        let long = AML.buffer([UInt8](repeating: 9, count: 100))
        #expect(long.prefix(5) == [0x11, 0x48, 0x06, 0x0A, 100])
        #expect(long.count == 105)
    }
}
