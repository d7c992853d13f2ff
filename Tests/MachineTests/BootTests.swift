import SeededRandom
import Testing
import X86

@testable import Machine

@Suite struct BootTests {
    private func word32(_ machine: Machine, _ address: UInt64) throws -> UInt64 {
        let bytes = try #require(machine.readPhysical(address, count: 4))
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func word64(_ machine: Machine, _ address: UInt64) throws -> UInt64 {
        try word32(machine, address) | word32(machine, address + 4) << 32
    }

    @Test(arguments: [true, false])
    func aKernelStartsAtItsPVHEntry(is64Bit: Bool) throws {
        let machine = try makeMachine()
        machine.writePhysical(0x10_0003, [9, 9, 9, 9])
        let file = ELFBuilder.kernel([0xF4, 0x90, 0xEB], is64Bit: is64Bit, zeroes: 5000)
        try machine.load(kernel: file.bytes(), initrd: nil, commandLine: "a=1 b")
        #expect(machine.readPhysical(0x10_0000, count: 8) == [0xF4, 0x90, 0xEB, 0, 0, 0, 0, 0])
        let cpu = machine.cpu(0)
        #expect(cpu.pointee.rip == 0x10_0000)
        #expect(cpu.pointee.cr0 == CR0.pe | CR0.et)
        #expect(cpu.pointee.cr4 == 0 && cpu.pointee.efer == 0 && cpu.pointee.cr3 == 0)
        #expect(cpu.pointee.rflags == RFLAGS.fixedOne)
        #expect(cpu.pointee.codeSize == CodeSize.bits32.rawValue)
        for n in 0..<6 {
            #expect(cpu.segments[n].base == 0 && cpu.segments[n].limit == 0xFFFF_FFFF)
            #expect(cpu.segments[n].attributes & SegmentRegister.present != 0)
            #expect(cpu.segments[n].attributes & SegmentRegister.big != 0)
        }
        #expect(cpu.pointee.cs.attributes & 0xF == 0xB)
        #expect(cpu.pointee.ss.attributes & 0xF == 0x3)
        #expect(cpu.pointee.tr.limit == 0x67 && cpu.pointee.tr.base == 0)
        #expect(cpu.pointee.activity == Activity.active)
        #expect(machine.apicRead(APICRegister.spurious) == 0x1FF)
        #expect(machine.apicRead(APICRegister.lint0) == 0x8700)
    }

    @Test func startInfoSaysWhatIsThere() throws {
        let memory: UInt64 = 32 << 20
        let machine = try makeMachine(memory: memory)
        let initrd = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try machine.load(
            kernel: ELFBuilder.kernel([0xF4]).bytes(), initrd: initrd,
            commandLine: "console=ttyS0")
        let info = machine.cpu(0).pointee.rbx
        #expect(try word32(machine, info) == 0x336E_C578)
        #expect(try word32(machine, info + 4) == 1)
        #expect(try word32(machine, info + 12) == 1)
        let module = try word64(machine, info + 16)
        let place = try word64(machine, module)
        #expect(try word64(machine, module + 8) == 5000)
        #expect(place & 0xFFF == 0)
        #expect(machine.readPhysical(place, count: 5000) == initrd)
        let command = try word64(machine, info + 24)
        #expect(machine.readPhysical(command, count: 14) == Array("console=ttyS0".utf8) + [0])
        let map = try word64(machine, info + 40)
        let entries = try word32(machine, info + 48)
        var usable: UInt64 = 0
        for n in 0..<entries {
            let entry = map + n * 24
            let (start, size) = (try word64(machine, entry), try word64(machine, entry + 8))
            if try word32(machine, entry + 16) == 1 {
                usable += size
                #expect(start + size <= memory)
            }
        }
        #expect(usable == 0x9_FC00 + memory - 0x10_0000 - 0x2_0000)
    }

    @Test func startInfoKeepsClearOfTheKernel() throws {
        let machine = try makeMachine()
        var file = ELFBuilder.kernel([0xF4])
        file.segments.append(
            ELFBuilder.Segment(physical: 0x5000, contents: [7], zeroes: 0x8000))
        try machine.load(kernel: file.bytes(), initrd: nil, commandLine: "")
        #expect(machine.cpu(0).pointee.rbx == 0xE000)
        #expect(machine.readPhysical(0x6000, count: 4) == [0, 0, 0, 0])
    }

    /// The message of the error that loading gives, or nil.
    private func refusal(
        _ kernel: [UInt8], initrd: [UInt8]? = nil, memory: UInt64 = 4 << 20
    ) throws -> String? {
        let machine = try makeMachine(memory: memory)
        do {
            try machine.load(kernel: kernel, initrd: initrd, commandLine: "")
            return nil
        } catch .image(let text, let offset) {
            return "\(text) @\(offset)"
        }
    }

    @Test func whatCannotBeLoadedIsNamed() throws {
        let good = ELFBuilder.kernel([0xF4])
        #expect(try refusal(good.bytes()) == nil)
        #expect(try refusal([]) == "this is not an ELF file @0")
        #expect(
            try refusal(Array("#!/bin/sh\necho this is no kernel\n".utf8))?
                .contains("not an ELF file") == true)
        var bytes = good.bytes()
        bytes[18] = 0xB7
        #expect(try refusal(bytes) == "ELF machine 183 is not x86 @18")
        bytes = good.bytes()
        bytes[16] = 1
        #expect(try refusal(bytes) == "ELF type 1 is not an executable @16")
        bytes = good.bytes()
        bytes[5] = 2
        #expect(try refusal(bytes)?.contains("little-endian") == true)

        var plain = good
        plain.segments.removeLast()
        #expect(try refusal(plain.bytes())?.contains("XEN_ELFNOTE_PHYS32_ENTRY") == true)
        var high = good
        high.segments[0].physical = (4 << 20) - 1
        high.segments[0].zeroes = 1
        #expect(try refusal(high.bytes())?.contains("does not fit") == true)
        high.segments[0].physical = .max
        #expect(try refusal(high.bytes())?.contains("does not fit") == true)
        var twice = good
        twice.segments.append(twice.segments[0])
        #expect(try refusal(twice.bytes())?.contains("overlap") == true)
        var elsewhere = good
        elsewhere.segments[0].physical = 0x20_0000
        #expect(try refusal(elsewhere.bytes())?.contains("no loaded segment") == true)
        let large = Array(repeating: UInt8(1), count: 4 << 20)
        #expect(try refusal(good.bytes(), initrd: large)?.contains("module") == true)
        #expect(
            try refusal(good.bytes(), initrd: Array(large.prefix(0x2D_8000)))?
                .contains("do not both fit") == true)
    }

    @Test func notesAreReadWithTheirNames() throws {
        let file = try ELFFile(ELFBuilder.kernel([0xF4]).bytes())
        let notes = try file.notes()
        #expect(notes.map { String(decoding: $0.name, as: UTF8.self) } == ["GNU", "Xen"])
        #expect(Array(file.bytes[notes[0].descriptor]) == [1, 2, 3, 4, 5])
    }

    /// Damaged files: an error or a load, never a crash, and never far from what the file holds.
    @Test func damagedFilesAreNeverFatal() throws {
        var random = SplitMix64(42)
        let machine = try makeMachine(memory: 2 << 20)
        var loaded = 0
        for is64Bit in [true, false] {
            let good = ELFBuilder.kernel([0xF4, 1, 2, 3], is64Bit: is64Bit, zeroes: 64).bytes()
            for length in 0..<good.count {
                #expect(throws: MachineError.self) {
                    try machine.load(
                        kernel: Array(good.prefix(length)), initrd: nil, commandLine: "")
                }
            }
            for _ in 0..<4000 {
                var bytes = good
                for _ in 0...random.next() % 3 {
                    let place = Int(random.next() % UInt64(bytes.count))
                    bytes[place] = random.next() % 4 == 0 ? 0xFF : UInt8(random.next() & 0xFF)
                }
                if (try? machine.load(kernel: bytes, initrd: nil, commandLine: "")) != nil {
                    loaded += 1
                }
            }
        }
        #expect(loaded > 100 && loaded < 8000)
    }
}
