import SeededRandom
import Testing
import X86

@testable import Machine

@Suite struct FirmwareConfigurationTests {
    private func item(_ machine: Machine, _ key: UInt64, _ size: Int) -> [UInt8] {
        machine.bus.writePort(0x510, key, size: 2, cpu: machine.cpu(0))
        return (0..<size).map { _ in machine.portIn(0x511) }
    }

    private func number(_ machine: Machine, _ key: UInt64, _ size: Int = 4) -> UInt64 {
        item(machine, key, size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func file(_ machine: Machine, _ name: String) -> [UInt8]? {
        let count = Int(item(machine, 0x19, 4)[3])
        let directory = item(machine, 0x19, 4 + 64 * count)
        for n in 0..<count {
            let entry = directory[(4 + 64 * n)..<(68 + 64 * n)]
            let (start, text) = (entry.startIndex, entry.dropFirst(8).prefix { $0 != 0 })
            guard text.elementsEqual(name.utf8) else { continue }
            let key = UInt64(entry[start + 4]) << 8 | UInt64(entry[start + 5])
            return item(machine, key, Int(entry[start + 3]))
        }
        return nil
    }

    /// A request at 0x2000.
    private func request(
        _ machine: Machine, _ control: UInt32, _ length: UInt32, _ address: UInt64,
        at place: UInt64 = 0x2000
    ) -> UInt32? {
        var bytes = ByteBuilder()
        bytes.add32(control.byteSwapped)
        bytes.add32(length.byteSwapped)
        bytes.add64(address.byteSwapped)
        let isMemory = place <= machine.configuration.memory - 16
        if isMemory { machine.writePhysical(place, bytes.bytes) }
        let cpu = machine.cpu(0)
        for (port, half) in [(UInt16(0x514), place >> 32), (0x518, place & 0xFFFF_FFFF)] {
            let word = UInt32(truncatingIfNeeded: half).byteSwapped
            machine.bus.writePort(port, UInt64(word), size: 4, cpu: cpu)
        }
        guard isMemory else { return nil }
        return machine.readPhysical(place, count: 4)?.reduce(0) { $0 << 8 | UInt32($1) }
    }

    @Test func itTellsOfTheBoard() throws {
        let machine = try makePC(cpus: 3, memory: 5 << 20)
        #expect(item(machine, 0, 5) == Array("QEMU".utf8) + [0])
        #expect(number(machine, 1) == 3)
        #expect(number(machine, 3, 8) == 5 << 20)
        #expect(number(machine, 5, 2) == 3)
        #expect(number(machine, 0xF, 2) == 3)
        #expect(number(machine, 0x4000) == 0x554D_4551, "bit 14 is not part of the key")
        #expect(number(machine, 0x8000) == 0, "bit 15 is")
        #expect(number(machine, 0x7777, 8) == 0)
        #expect(file(machine, "bootorder") == [])
        #expect(file(machine, "etc/system-states") == [0x80, 0, 0, 1, 2, 0x80])
        let map: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 1, 0, 0, 0]
        #expect(file(machine, "etc/e820") == map)
        #expect(file(machine, "etc/e82") == nil)
    }

    /// What a machine of the second edition had is what its traces have seen.
    @Test func earlierEditionsHaveTheTraditionalInterfaceAlone() throws {
        let machine = try Machine(
            MachineConfiguration(memory: 4 << 20, cpus: 3, platform: .pc, edition: .second))
        try machine.boot(kernel: multiboot(), name: "k", modules: [], commandLine: "")
        #expect(number(machine, 0) == 0x554D_4551)
        #expect(number(machine, 1) == 1)
        #expect(number(machine, 3, 8) == 4 << 20)
        #expect(number(machine, 5, 2) == 3 && number(machine, 0xF, 2) == 3)
        for key in [UInt64(7), 8, 0x10, 0x11, 0x12, 0x19, 0x8002, 0x8004] {
            #expect(number(machine, key) == 0)
        }
        #expect(machine.bus.readPort(0x514, size: 4, cpu: machine.cpu(0)) == 0xFFFF_FFFF)
        #expect(request(machine, 8 | 2, 4, 0x3000) == 10)
        #expect(machine.readPhysical(0x3000, count: 4) == [0, 0, 0, 0])
    }

    @Test func requestsReadSkipAndSelect() throws {
        let machine = try makePC()
        func bytes(_ count: Int) -> [UInt8]? { machine.readPhysical(0x3000, count: count) }
        machine.writePhysical(0x3000, Array(repeating: 0xEE, count: 16))
        #expect(request(machine, 8 | 2, 6, 0x3000) == 0)
        #expect(bytes(7) == Array("QEMU".utf8) + [0, 0, 0xEE], "zeros past the end")
        #expect(request(machine, 3 << 16 | 8 | 4, 2, 0) == 0)
        #expect(machine.portIn(0x511) == 0x40, "skipped two of 4 MiB")
        #expect(request(machine, 4, 0xFFFF_FFFF, 0) == 0, "to the end")
        #expect(request(machine, 2, 4, 0x3000) == 0)
        #expect(bytes(4) == [0, 0, 0, 0])
        #expect(request(machine, 8 | 16, 1, 0x3000) == 1, "no item can be written")
        #expect(machine.portIn(0x511) == 0x51, "it was selected for all that")
        #expect(request(machine, 8, 77, 0x3000) == 0)
        #expect(request(machine, 0, 77, 0x3000) == 0)
        // The result comes last, over what was read to the same place.
        #expect(request(machine, 8 | 2, 16, 0x2000) == 0)
        #expect(machine.readPhysical(0x2004, count: 4) == [0, 0, 0, 0])
    }

    @Test func requestsThatLeaveMemoryAreErrors() throws {
        let machine = try makePC()
        let top = machine.configuration.memory
        for address in [top, top - 3, 0xFEC0_0000, 1 << 40, .max, .max - 3] {
            #expect(request(machine, 8 | 2, 4, address) == 1)
        }
        #expect(request(machine, 8 | 2, 0xFFFF_FFFF, 0x3000) == 1)
        #expect(machine.readPhysical(top - 3, count: 3) == [0, 0, 0])
        #expect(request(machine, 8 | 2, 3, top - 3) == 0)
        #expect(machine.readPhysical(top - 3, count: 3) == Array("QEM".utf8))
        #expect(request(machine, 8 | 2, 0, .max) == 1)
        for place in [top, top - 15, 1 << 40, 0xFFFF_FFFF_FFFF_FFF8] {
            #expect(request(machine, 8 | 2, 4, 0x3000, at: place) == nil)
        }
        #expect(request(machine, 8 | 2, 4, 0x3000, at: top - 16) == 0)
    }

    /// A request is a store like any other: pages are marked, decoded code is dropped.
    @Test(arguments: [Executor.stepwise, .blocks])
    func requestsReplaceCodeThatRuns(executor: Executor) throws {
        // 0x20_0020: 32-bit code asks for "QEMU" over its own next instructions, which are NOPs at
        // first, twice round: MOV DX, 0x518; MOV EAX, place; OUT DX, EAX; 4 NOPs; DEC ECX; JNZ.
        let code: [UInt8] = [
            0xB9, 2, 0, 0, 0, 0x66, 0xBA, 0x18, 0x05, 0xB8, 0, 0, 0x20, 0x00, 0xEF, 0x90, 0x90,
            0x90, 0x90, 0x49, 0x75, 0xEF, 0xF4,
        ]
        let machine = try makePC(executor: executor)
        try machine.boot(kernel: multiboot(code), name: "k", modules: [], commandLine: "")
        machine.cpu(0).pointee.rax = 0
        var bytes = ByteBuilder()
        bytes.add32(UInt32(8 | 2).byteSwapped)
        bytes.add32(UInt32(4).byteSwapped)
        bytes.add64(UInt64(0x20_002F).byteSwapped)
        machine.writePhysical(0x2000, bytes.bytes)
        let image = machine.readPhysical(0x20_002F, count: 4)
        #expect(image == [0x90, 0x90, 0x90, 0x90])
        // The first word of the address register is big-endian: 0x2000.
        machine.writePhysical(0x20_002A, [0, 0, 0x20, 0])
        machine.markPages()
        _ = machine.run(RunLimits(instructions: 6))
        #expect(machine.readPhysical(0x20_002F, count: 4) == Array("QEMU".utf8))
        #expect(machine.dirtyPages.contains(0x200))
        // "QEMU": PUSH ECX; INC EBP; DEC EBP; PUSH EBP.
        #expect(machine.cpu(0).pointee.rip == 0x20_0031)
        #expect(machine.cpu(0).pointee.rsp == 0xFFFF_FFFC)
    }

    @Test func theAddressRegisterSaysWhatItIs() throws {
        let machine = try makePC()
        let cpu = machine.cpu(0)
        #expect((0x514...0x51B).map { machine.portIn($0) } == Array("QEMU CFG".utf8))
        #expect(machine.bus.readPort(0x514, size: 4, cpu: cpu) == 0x554D_4551)
        #expect(machine.bus.readPort(0x516, size: 2, cpu: cpu) == 0x554D)
        #expect(machine.bus.readPort(0x510, size: 2, cpu: cpu) == 0)
        #expect(machine.bus.readPort(0x510, size: 4, cpu: cpu) == 0)
        #expect(machine.bus.readPort(0x511, size: 4, cpu: cpu) == 0)
    }

    /// A flat kernel of 0x1000 bytes at 0x20_0000; its code starts at 0x20_0020.
    private func multiboot(_ code: [UInt8] = [0xF4]) -> [UInt8] {
        var image = ByteBuilder()
        image.add32(0x1BAD_B002)
        image.add32(1 << 16)
        image.add32(0 &- 0x1BAD_B002 &- 1 << 16)
        for word in [UInt32(0x20_0000), 0x20_0000, 0, 0x20_1000, 0x20_0020] { image.add32(word) }
        image.bytes += code
        return image.bytes
    }

    @Test func multibootKernelsFindWhatWasLoaded() throws {
        let machine = try makePC()
        let kernel = multiboot()
        try machine.boot(
            kernel: kernel, name: "k", modules: [BootModule(name: "m", bytes: [1, 2, 3])],
            commandLine: "words")
        #expect(number(machine, 7) == 0x20_0000)
        #expect(number(machine, 8) == 0x1003, "to the end of the module")
        #expect(number(machine, 0x10) == 0x20_0020)
        let bytes = item(machine, 0x11, 0x1004)
        #expect(Array(bytes[..<kernel.count]) == kernel)
        #expect(bytes[kernel.count..<0x1000].allSatisfy { $0 == 0 })
        #expect(bytes[0x1000...] == [1, 2, 3, 0])
        let info = machine.cpu(0).pointee.rbx
        #expect(number(machine, 0xA) == info)
        let size = Int(number(machine, 0xB))
        #expect(item(machine, 0x12, size) == machine.readPhysical(info, count: size))
        #expect(number(machine, 0x14) == 0 && number(machine, 0x17) == 0)
        // By DMA too, across the pieces.
        #expect(request(machine, 0x11 << 16 | 8 | 4, 0x20, 0) == 0)
        #expect(request(machine, 2, 0xFE2, 0x30_0000) == 0)
        #expect(machine.readPhysical(0x30_0000, count: 2) == [0xF4, 0])
        #expect(machine.readPhysical(0x30_0FDF, count: 4) == [0, 1, 2, 0])
    }

    @Test func otherKernelsFindWhatWasLoaded() throws {
        let machine = try makePC(memory: 16 << 20)
        try machine.boot(
            kernel: ELFBuilder.kernel([0xF4, 0x90], at: 0x30_0000, zeroes: 30).bytes(), name: "k",
            modules: [BootModule(bytes: [9, 8])], commandLine: "some words")
        #expect(number(machine, 7) == 0x30_0000)
        #expect(number(machine, 8) == 32)
        #expect(number(machine, 0x10) == 0x30_0000)
        #expect(item(machine, 0x11, 3) == [0xF4, 0x90, 0])
        #expect(number(machine, 0xB) == 2)
        #expect(item(machine, 0x12, 2) == [9, 8])
        #expect(machine.readPhysical(number(machine, 0xA), count: 2) == [9, 8])
        #expect(number(machine, 0x13) == 0 && number(machine, 0x14) == 11)
        #expect(item(machine, 0x15, 11) == Array("some words".utf8) + [0])
    }

    @Test func aSnapshotHoldsARequestsUpperHalf() throws {
        let machine = try makePC()
        machine.bus.writePort(0x514, 0x0100_0000, size: 4, cpu: machine.cpu(0))
        let other = try makePC()
        #expect(other.digest() != machine.digest())
        try other.restore(machine.save())
        #expect(other.digest() == machine.digest())
    }
}
