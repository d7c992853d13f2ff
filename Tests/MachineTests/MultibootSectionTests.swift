import Testing
import X86

@testable import Machine

@Suite struct MultibootSectionTests {
    private struct Section {
        var type: UInt32
        var address: UInt32 = 0
        var offset: UInt32 = 0
        var size: UInt32 = 0
        var alignment: UInt32 = 1
    }

    /// A kernel of one segment at 0x20_0000, and after it the text "symbols" and a section table.
    private func kernel(_ sections: [Section], is64Bit: Bool = false, edit: (inout [UInt8]) -> Void)
        -> [UInt8]
    {
        var file = ELFBuilder()
        file.is64Bit = is64Bit
        file.entry = 0x20_000C
        let header = ELFBuilder.words(0x1BAD_B002, 0, 0 &- 0x1BAD_B002)
        file.segments = [ELFBuilder.Segment(physical: 0x20_0000, contents: header + [0xF4])]
        var image = ByteBuilder()
        image.bytes = file.bytes()
        let symbols = UInt32(image.bytes.count)
        image.add("symbols")
        image.pad(to: (image.bytes.count + 7) & ~7)
        let table = UInt32(image.bytes.count)
        for section in sections {
            let offset = section.offset == 1 ? symbols : section.offset
            for word in [1, section.type] { image.add32(word) }
            if is64Bit {
                for word in [0, section.address, offset, section.size] { image.add64(UInt64(word)) }
                image.add64(0)
                image.add64(UInt64(section.alignment))
                image.add64(0)
            } else {
                for word in [0, section.address, offset, section.size, 0, 0] { image.add32(word) }
                for word in [section.alignment, 0] { image.add32(word) }
            }
        }
        image.set32(table, at: is64Bit ? 40 : 32)
        let counts = is64Bit ? 58 : 46
        let words = [is64Bit ? 64 : 40, UInt8(sections.count), 2]
        for (n, word) in words.enumerated() {
            image.bytes[counts + 2 * n] = word
            image.bytes[counts + 2 * n + 1] = 0
        }
        edit(&image.bytes)
        return image.bytes
    }

    private let sections = [
        Section(type: 0), Section(type: 1, address: 0x20_0000, offset: 84, size: 13),
        Section(type: 3, offset: 1, size: 7, alignment: 64), Section(type: 8, size: 99),
        Section(type: 2, offset: 1, size: 3, alignment: 16),
    ]

    private func boot(
        _ image: [UInt8], edition: MachineEdition = .latest
    ) throws -> (Machine, info: UInt64) {
        let machine = try Machine(
            MachineConfiguration(memory: 4 << 20, platform: .pc, edition: edition))
        try machine.boot(
            kernel: image, name: "k", modules: [BootModule(bytes: [1])], commandLine: "")
        return (machine, machine.cpu(0).pointee.rbx)
    }

    private func word(_ machine: Machine, _ at: UInt64, _ size: Int = 4) throws -> UInt64 {
        let bytes = try #require(machine.readPhysical(at, count: size))
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    @Test(arguments: [false, true]) func sectionsAreLoadedAndDescribed(is64Bit: Bool) throws {
        let (machine, info) = try boot(kernel(sections, is64Bit: is64Bit) { _ in })
        let size: UInt64 = is64Bit ? 64 : 40
        #expect(try word(machine, info) & 0x30 == 0x20)
        #expect(try word(machine, info + 28) == 5)
        #expect(try word(machine, info + 32) == size)
        #expect(try word(machine, info + 40) == 2)
        let table = try word(machine, info + 36)
        func address(_ n: UInt64) throws -> UInt64 {
            try word(machine, table + n * size + (is64Bit ? 16 : 12), is64Bit ? 8 : 4)
        }
        #expect(try [0, 1, 3].map { try address($0) } == [0, 0x20_0000, 0])
        let (text, symbols) = (try address(2), try address(4))
        #expect(text % 64 == 0 && symbols % 16 == 0 && text >= 0x20_1000)
        #expect(machine.readPhysical(text, count: 7) == Array("symbols".utf8))
        #expect(machine.readPhysical(symbols, count: 3) == Array("sym".utf8))
        let module = try word(machine, word(machine, info + 24))
        #expect(module >= table + 5 * size, "modules come after it")
        #expect(module % 4096 == 0)
    }

    @Test func withoutAWholeTableThereIsNone() throws {
        let images = [
            kernel([]) { _ in },
            kernel(sections) { $0[48] = 200 },
            kernel(sections) { $0[46] = 39 },
            kernel(sections) { $0[35] = 0xFF },
            kernel(sections) { $0.removeLast() },
            // Names the file's bytes too often.
            kernel(
                Array(repeating: Section(type: 1, offset: 0, size: 200), count: 9)
            ) { _ in },
        ]
        for image in images {
            let (machine, info) = try boot(image)
            #expect(try word(machine, info) & 0x30 == 0)
            #expect(try (0..<4).allSatisfy { try word(machine, info + 28 + 4 * $0) == 0 })
        }
    }

    @Test func sectionsOutsideTheFileAreLeftAlone() throws {
        let wild = [
            Section(type: 1, offset: 0xFFFF_FFF0, size: 0x20),
            Section(type: 1, offset: 1, size: 999),
            Section(type: 3, offset: 1, size: 7, alignment: 3),
        ]
        let (machine, info) = try boot(kernel(wild) { _ in })
        let table = try word(machine, info + 36)
        #expect(try word(machine, table + 12) == 0)
        #expect(try word(machine, table + 52) == 0)
        #expect(try word(machine, table + 92) != 0)
    }

    @Test func earlierEditionsHaveNone() throws {
        let (machine, info) = try boot(kernel(sections) { _ in }, edition: .second)
        #expect(try word(machine, info) & 0x20 == 0)
        #expect(try word(machine, word(machine, info + 24)) == 0x20_1000)
    }
}
