import Testing
import X86

@testable import Machine

/// Hardware task switches and virtual-8086 mode, in 32-bit protected mode without paging.
@Suite struct TaskSwitchTests {
    private static let first: UInt64 = 0x6_0000
    private static let second: UInt64 = 0x6_1000
    private static let secondCode: UInt64 = 0x6_2000
    private static let secondStack: UInt64 = 0x6_4000

    /// TSS 0x40 is the current task's, 0x48 an available one whose code is at `secondCode`; 0x50 is
    /// a task gate to it.
    private func bench() throws -> Bench {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.cr0 = CR0.pe | CR0.et
        cpu.pointee.cr4 = 0
        cpu.pointee.efer = 0
        cpu.pointee.longMode = 0
        cpu.pointee.cs = bench.register(0x08)
        cpu.pointee.ss = bench.register(0x18)
        cpu.pointee.ds = cpu.pointee.ss
        cpu.pointee.es = cpu.pointee.ss
        cpu.setCPL(0)
        cpu.updateCodeSize()
        cpu.flushTLB()
        bench.write(Bench.gdt + 0x40, descriptor(Self.first, type: 0xB))
        bench.write(Bench.gdt + 0x48, descriptor(Self.second, type: 0x9))
        bench.write(Bench.gdt + 0x50, 0x0000_8500_0048_0000)
        cpu.pointee.tr = bench.register(0x40)
        task(bench, Self.second, rip: Self.secondCode, rsp: Self.secondStack)
        return bench
    }

    private func descriptor(_ base: UInt64, type: UInt64) -> UInt64 {
        0x67 | (base & 0xFF_FFFF) << 16 | type << 40 | 1 << 47
    }

    private func task(_ bench: Bench, _ base: UInt64, rip: UInt64, rsp: UInt64) {
        bench.write(base + 0x20, rip, size: 4)
        bench.write(base + 0x24, 0x2, size: 4)
        bench.write(base + 0x2C, 0x1234_5678, size: 4)
        bench.write(base + 0x38, rsp, size: 4)
        for (n, selector) in [0x18, 0x08, 0x18, 0x18, 0, 0].enumerated() {
            bench.write(base + 0x48 + UInt64(n) * 4, UInt64(selector), size: 4)
        }
    }

    private func type(_ bench: Bench, _ selector: UInt64) -> UInt64 {
        bench.read(Bench.gdt + selector + 5, size: 1) & 0xF
    }

    @Test("CALL to a TSS nests, and IRET comes back", arguments: [0x48, 0x50])
    func callAndReturn(_ selector: UInt8) throws {
        let bench = try bench()
        let cpu = bench.cpu
        cpu.pointee.rsp = Bench.kernelStack
        cpu.pointee.rax = 0xABCD
        // CALL FAR selector:0
        bench.assemble([0x9A, 0, 0, 0, 0, selector, 0])
        bench.place([0xCF], at: Self.secondCode)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rip == Self.secondCode && cpu.pointee.rsp == Self.secondStack)
        #expect(cpu.pointee.rcx == 0x1234_5678)
        #expect(cpu.pointee.rflags & RFLAGS.nt != 0)
        #expect(cpu.pointee.cr0 & CR0.ts != 0)
        #expect(cpu.pointee.tr.selector == 0x48 && cpu.pointee.tr.base == Self.second)
        #expect(bench.read(Self.second, size: 2) == 0x40)
        #expect(bench.read(Self.first + 0x20, size: 4) == Bench.code + 7)
        #expect(type(bench, 0x40) == 0xB && type(bench, 0x48) == 0xB)
        cpu.pointee.rax = 0
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rip == Bench.code + 7 && cpu.pointee.rsp == Bench.kernelStack)
        #expect(cpu.pointee.rax == 0xABCD)
        #expect(cpu.pointee.rflags & RFLAGS.nt == 0)
        #expect(type(bench, 0x40) == 0xB && type(bench, 0x48) == 0x9)
        #expect(bench.read(Self.second + 0x20, size: 4) == Self.secondCode + 1)
    }

    @Test("JMP leaves the old task available")
    func jump() throws {
        let bench = try bench()
        // JMP FAR 48:0
        bench.assemble([0xEA, 0, 0, 0, 0, 0x48, 0])
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == Self.secondCode)
        #expect(bench.cpu.pointee.rflags & RFLAGS.nt == 0)
        #expect(type(bench, 0x40) == 0x9 && type(bench, 0x48) == 0xB)
    }

    @Test("an exception through a task gate pushes its error code on the new stack")
    func exception() throws {
        let bench = try bench()
        bench.write(Bench.idt + 13 * 8, 0x0000_8500_0048_0000)
        // MOV DS, AX with a selector beyond the table.
        bench.cpu.pointee.rax = 0x1000
        bench.assemble([0x8E, 0xD8])
        #expect(bench.step() == .faulted)
        #expect(bench.cpu.pointee.rip == Self.secondCode)
        #expect(bench.cpu.pointee.rsp == Self.secondStack - 4)
        #expect(bench.read(Self.secondStack - 4, size: 4) == 0x1000)
        #expect(bench.read(Self.first + 0x20, size: 4) == Bench.code)
    }

    @Test("what is wrong with the task is the old task's fault, with its segments the new one's")
    func faults() throws {
        for (raw, expected) in [
            (descriptor(Self.second, type: 0xB), Fault.generalProtection(0x48)),
            (descriptor(Self.second, type: 0x9) & ~(1 << 47), .segmentNotPresent(0x48)),
            (descriptor(Self.second, type: 0x9) & ~0xFF | 0x66, .invalidTSS(0x48)),
        ] {
            let bench = try bench()
            bench.write(Bench.gdt + 0x48, raw)
            #expect(throws: expected) {
                _ = try bench.cpu.switchTask(0x48, cause: .jump, ext: 0, flags: 2)
            }
            #expect(bench.cpu.pointee.tr.selector == 0x40)
        }
        for (offset, selector, expected) in [
            (0x4C, 0x18, Fault.invalidTSS(0x18)), (0x50, 0, .invalidTSS(0)),
            (0x54, 0x1000, .invalidTSS(0x1000)), (0x60, 0x18, .invalidTSS(0x18)),
        ] {
            let bench = try bench()
            bench.write(Self.second + UInt64(offset), UInt64(selector), size: 2)
            let fault = try bench.cpu.switchTask(0x48, cause: .jump, ext: 0, flags: 2)
            #expect(fault == expected)
            #expect(bench.cpu.pointee.tr.selector == 0x48)
        }
    }

    @Test("IRET enters virtual-8086 mode, and an interrupt leaves it")
    func virtual8086() throws {
        let bench = try bench()
        let cpu = bench.cpu
        let top = Bench.kernelStack
        let words: [UInt64] = [
            0x100, 0x3000, 0x2_3202, 0x800, 0x4000, 0x111, 0x5000, 0x222, 0x333,
        ]
        for (n, word) in words.enumerated() { bench.write(top + UInt64(n) * 4, word, size: 4) }
        cpu.pointee.rsp = top
        bench.write(Self.first + 4, Bench.rsp0, size: 4)
        bench.write(Self.first + 8, 0x18, size: 4)
        bench.assemble([0xCF])
        // CLI; INT 0x50 at 3000:0100; CLI is allowed with IOPL 3.
        bench.place([0xFA, 0xCD, 0x50], at: 0x3_0100)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.cpl == 3 && cpu.pointee.rflags & RFLAGS.vm != 0)
        #expect(cpu.pointee.cs.base == 0x3_0000 && cpu.pointee.ds.base == 0x5_0000)
        #expect(cpu.pointee.codeSize == CodeSize.bits16.rawValue)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rflags & RFLAGS.interruptEnable == 0)
        let target = Bench.handler(0x50)
        bench.write(
            Bench.idt + 0x50 * 8,
            target & 0xFFFF | 8 << 16 | 0xE << 40 | 3 << 45 | 1 << 47 | (target >> 16) << 48)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.cpl == 0 && cpu.pointee.rflags & RFLAGS.vm == 0)
        #expect(cpu.pointee.rip == target)
        #expect(cpu.pointee.ds.attributes == SegmentRegister.unusable)
        let frame = (0..<9).map {
            bench.read(cpu.pointee.rsp + UInt64($0) * 4, size: 4)
        }
        #expect(frame == [0x103, 0x3000, 0x2_3002, 0x800, 0x4000, 0x111, 0x5000, 0x222, 0x333])
        // With IOPL 0 INT n is #GP(0).
        cpu.pointee.rflags |= RFLAGS.vm
        cpu.pointee.rflags &= ~RFLAGS.iopl
        #expect(throws: Fault.generalProtection(0)) { try cpu.refuseFlagsInVirtual8086() }
    }
}
