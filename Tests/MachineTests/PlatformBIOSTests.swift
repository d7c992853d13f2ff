import Testing
import X86

@testable import Machine

/// A kernel of boot protocol 2.07, which starts in real mode, calls the BIOS.
@Suite struct PlatformBIOSTests {
    /// A setup sector and a second one with `code`, entered at 0x1020:0, and a kernel of zeros.
    private func kernel(_ code: [UInt8]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 2048)
        bytes[0x1F1] = 2
        bytes[0x201] = 0x66
        bytes.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
        bytes.replaceSubrange(0x206..<0x208, with: [0x07, 0x02])
        bytes[0x211] = 1
        bytes.replaceSubrange(0x22C..<0x230, with: [0xFF, 0xFF, 0xFF, 0x7F])
        bytes[0x238] = 100
        // 0x1020:0 is offset 0x200, where the header is: a jump over it.
        bytes.replaceSubrange(0x200..<0x202, with: [0xEB, 0x66])
        bytes.replaceSubrange(0x268..<0x268 + code.count, with: code)
        return bytes
    }

    private func run(
        _ code: [UInt8], executor: Executor, memory: UInt64 = 32 << 20, words: String = ""
    ) throws -> Machine {
        let machine = try makePC(memory: memory, executor: executor)
        try machine.boot(
            kernel: kernel(code + [0xFA, 0xF4]), name: "", modules: [], commandLine: words)
        #expect(machine.cpu(0).pointee.cr0 & CR0.pe == 0)
        #expect(machine.cpu(0).pointee.cs.selector == 0x1020)
        #expect(machine.cpu(0).pointee.ds.selector == 0x1000)
        #expect(machine.run(RunLimits(instructions: 100_000)) == .idle)
        return machine
    }

    @Test(arguments: [Executor.stepwise, .blocks]) func textGoesToTheScreen(executor: Executor)
        throws
    {
        var code: [UInt8] = []
        // The line feed after 24 others scrolls.
        for byte in Array(repeating: UInt8(0x0A), count: 24) + Array("\rup\n\rhi".utf8) {
            code += [0xB8, byte, 0x0E, 0xCD, 0x10]  // MOV AX, 0E00h + byte; INT 10h
        }
        let machine = try run(code, executor: executor)
        let screen = try #require(machine.textScreen)
        #expect(screen.count == 25 && screen[23] == "up" && screen[24] == "hi")
        #expect(machine.readPhysical(0x450, count: 2) == [2, 24], "the cursor")
    }

    @Test(arguments: [Executor.stepwise, .blocks]) func memoryIsReported(executor: Executor) throws
    {
        // XOR EBX, EBX; MOV DI, 8000h. Loop: MOV EAX, E820h; MOV EDX, 'SMAP'; MOV ECX, 20; INT 15h;
        // JC end; ADD DI, 20; TEST EBX, EBX; JNZ loop.
        let code: [UInt8] = [
            0x66, 0x31, 0xDB, 0xBF, 0x00, 0x80,
            0x66, 0xB8, 0x20, 0xE8, 0x00, 0x00, 0x66, 0xBA, 0x50, 0x41, 0x4D, 0x53,
            0x66, 0xB9, 0x14, 0x00, 0x00, 0x00, 0xCD, 0x15, 0x72, 0x08,
            0x83, 0xC7, 0x14, 0x66, 0x85, 0xDB, 0x75, 0xE2,
            0xB8, 0x01, 0xE8, 0xCD, 0x15,  // MOV AX, E801h; INT 15h
        ]
        let machine = try run(code, executor: executor)
        let map = machine.memoryMap
        for (n, entry) in map.enumerated() {
            let bytes = try #require(
                machine.readPhysical(0x1_8000 + UInt64(20 * n), count: 20))
            var expected = ByteBuilder()
            expected.add64(entry.start)
            expected.add64(entry.size)
            expected.add32(entry.type)
            #expect(bytes == expected.bytes)
        }
        let cpu = machine.cpu(0).pointee
        #expect(cpu.rdi & 0xFFFF == 0x8000 + UInt64(20 * map.count))
        #expect(cpu.rax & 0xFFFF == 15 * 1024 && cpu.rbx & 0xFFFF == 256)
        #expect(cpu.rflags & RFLAGS.cf == 0)
    }

    @Test func whatIsAbsentFails() throws {
        // MOV AH, 8; MOV DL, 80h; INT 13h; PUSHF; MOV AX, B101h; INT 1Ah; PUSHF; POP BX; POP CX
        let code: [UInt8] = [
            0xB4, 0x08, 0xB2, 0x80, 0xCD, 0x13, 0x9C, 0xB8, 0x01, 0xB1, 0xCD, 0x1A, 0x9C, 0x5B,
            0x59,
        ]
        let machine = try run(code, executor: .stepwise)
        #expect(machine.cpu(0).pointee.rbx & 1 == 1 && machine.cpu(0).pointee.rcx & 1 == 1)
    }

    @Test func ticksCountAndKeysWait() throws {
        // STI; MOV AH, 0; INT 16h (wait for a key).
        let machine = try makePC(memory: 32 << 20)
        try machine.boot(
            kernel: kernel([0xFB, 0xB4, 0x00, 0xCD, 0x16, 0xFA, 0xF4]), name: "", modules: [],
            commandLine: "")
        #expect(machine.run(RunLimits(cycles: 200_000_000)) == .cycleLimit)
        #expect(machine.readPhysical(0x46C, count: 2) == [3, 0], "200 ms at 18.2 Hz")
        // The controller's command D2 puts a scan code into the output buffer: H.
        machine.portOut(0x64, 0xD2)
        machine.portOut(0x60, 0x23)
        #expect(machine.run(RunLimits(cycles: 300_000_000)) == .idle)
        #expect(machine.cpu(0).pointee.rax & 0xFFFF == 0x2368)
    }

    @Test func lowMemoryIsAsFirmwareLeavesIt() throws {
        let machine = try run([], executor: .stepwise, words: "root=/dev/x")
        #expect(machine.readPhysical(0x2_0000, count: 12) == Array("root=/dev/x".utf8) + [0])
        #expect(machine.readPhysical(0x410, count: 5) == [0x22, 0x02, 0x00, 0x7F, 0x02])
        // Every vector leads into the BIOS's segment.
        for n in UInt64(0)..<256 {
            let vector = try #require(machine.readPhysical(4 * n, count: 4))
            #expect(vector[2...] == [0x00, 0xF0] && vector[1] >= 0xE0)
        }
        #expect(machine.readPhysical(0xF_FFF0, count: 1) == [0xEA])
    }
}
