import Testing
import X86

@testable import Machine

/// RFLAGS' system bits and DR7.GD on the way into a handler and back: what two emulators and the
/// manuals say against what is easy to assume.
@Suite("System flags at delivery and return")
struct DeliveryFlagTests {
    /// Real mode: code at 1000:100, the stack at 2000:1000.
    private func real(_ code: [UInt8], flags: UInt64 = RFLAGS.fixedOne) throws -> Bench {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.resetProcessor()
        cpu.loadRealModeSegment(Int(SegmentNumber.cs), selector: 0x1000)
        cpu.loadRealModeSegment(Int(SegmentNumber.ss), selector: 0x2000)
        cpu.loadRealModeSegment(Int(SegmentNumber.ds), selector: 0)
        bench.place(code, at: 0x1_0100)
        cpu.pointee.rip = 0x100
        cpu.pointee.rsp = 0x1000
        cpu.pointee.rflags = flags
        cpu.updateStepping()
        return bench
    }

    private func run(_ bench: Bench, _ blocks: Bool, instructions: UInt64 = 1) {
        bench.cpu.pointee.instructionDeadline = instructions
        if blocks { bench.cpu.runBlocks() } else { bench.cpu.runStepwise() }
    }

    @Test("any debug exception clears DR7.GD, another leaves it")
    func generalDetect() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.dr7 = 0x400 | DebugBits.generalDetect
        cpu.pointee.rflags |= RFLAGS.tf
        cpu.updateStepping()
        #expect(bench.fault(of: [0x0F, 0x0B]) == .ud)
        #expect(cpu.pointee.dr7 & DebugBits.generalDetect != 0)
        bench.enter(cpl: 0)
        cpu.pointee.rflags |= RFLAGS.tf
        cpu.updateStepping()
        bench.assemble([0x90])
        #expect(bench.step() == .retired && bench.step() == .serviced)
        #expect(bench.vectorEntered == 1)
        #expect(cpu.pointee.dr7 == 0x400)
    }

    @Test("a real-mode interrupt clears IF, TF, RF and AC, not NT")
    func nestedTaskInRealMode() throws {
        let flags = RFLAGS.interruptEnable | RFLAGS.ac | RFLAGS.nt | RFLAGS.cf
        let bench = try real([0xCD, 0x21], flags: flags | RFLAGS.fixedOne)
        bench.write(0x21 * 4, 0x3000_0020, size: 4)
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rflags == RFLAGS.fixedOne | RFLAGS.nt | RFLAGS.cf)
        #expect(bench.read(0x2_0FFE, size: 2) == flags & 0xFFFF | RFLAGS.fixedOne)
    }

    @Test("INT n pushes RF as 0, whatever IRET gave it", arguments: [false, true])
    func resumeFlagAtSoftwareInterrupt(blocks: Bool) throws {
        let bench = try Bench()
        bench.cpu.pointee.rflags = RFLAGS.fixedOne | RFLAGS.rf
        bench.cpu.updateStepping()
        bench.assemble([0xCD, 0x50])
        run(bench, blocks)
        #expect(bench.vectorEntered == 0x50)
        #expect(bench.stack(2) == RFLAGS.fixedOne)
    }

    @Test("SYSCALL's R11 has RF clear", arguments: Vendor.allCases, [false, true])
    func resumeFlagAtSyscall(vendor: Vendor, blocks: Bool) throws {
        let bench = try Bench(vendor: vendor, cpl: 3)
        bench.cpu.pointee.rflags = RFLAGS.fixedOne | RFLAGS.rf | RFLAGS.cf
        bench.cpu.updateStepping()
        bench.assemble([0x0F, 0x05])
        run(bench, blocks)
        #expect(bench.cpu.pointee.rip == bench.cpu.pointee.lstar)
        #expect(bench.cpu.pointee.r11 == RFLAGS.fixedOne | RFLAGS.cf)
    }

    /// A 16-bit image has no RF: the one that an earlier IRET gave the IRET itself is used up.
    @Test("a 16-bit IRET leaves RF clear and the upper half of EFLAGS as it was")
    func shortReturn() throws {
        let upper = RFLAGS.rf | RFLAGS.ac | RFLAGS.id
        let bench = try real([0xCF], flags: RFLAGS.fixedOne | upper)
        for (n, word) in [0x200, 0x1000, 0x0003].enumerated() {
            bench.write(0x2_1000 + UInt64(n) * 2, UInt64(word), size: 2)
        }
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == 0x200)
        let expected = RFLAGS.fixedOne | RFLAGS.cf | RFLAGS.ac | RFLAGS.id
        #expect(bench.cpu.pointee.rflags == expected)
    }

    @Test("IRETD takes VIF and VIP at CPL 0 in protected mode, not in real mode")
    func virtualInterruptFlags() throws {
        let bits = RFLAGS.vif | RFLAGS.vip
        let bench = try real([0x66, 0xCF])
        for (n, word) in [0x200, 0x1000, bits | RFLAGS.ac | RFLAGS.fixedOne].enumerated() {
            bench.write(0x2_1000 + UInt64(n) * 4, word, size: 4)
        }
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == 0x200)
        #expect(bench.cpu.pointee.rflags == RFLAGS.fixedOne | RFLAGS.ac)
        let long = try Bench()
        let frame = [Bench.code + 8, 0x10, bits | RFLAGS.fixedOne, Bench.kernelStack, 0x18]
        long.cpu.pointee.rsp -= 40
        for (n, word) in frame.enumerated() {
            long.write(long.cpu.pointee.rsp + UInt64(n) * 8, word)
        }
        long.assemble([0x48, 0xCF])
        #expect(long.step() == .retired)
        #expect(long.cpu.pointee.rflags & bits == bits)
    }

    @Test("a stack from the IST leaves SS where CPL stays, and makes it null where CPL changes")
    func stackSegmentWithIST() throws {
        for cpl in [UInt8(0), 3] {
            let bench = try Bench(cpl: cpl)
            bench.gate(6, ist: 1)
            #expect(bench.fault(of: [0x0F, 0x0B]) == .ud)
            #expect(bench.cpu.pointee.rsp == Bench.ist + 0x1000 - 40)
            #expect(bench.cpu.pointee.ss.selector == (cpl == 0 ? 0x18 : 0))
        }
    }

    @Test("IRET takes a null SS into 64-bit mode below CPL 3, not into compatibility mode")
    func nullStackSegment() throws {
        for (selector, isTaken) in [(UInt64(0x10), true), (0x08, false)] {
            let bench = try Bench()
            let frame = [Bench.code + 8, selector, RFLAGS.fixedOne, Bench.kernelStack, 0]
            bench.cpu.pointee.rsp -= 40
            for (n, word) in frame.enumerated() {
                bench.write(bench.cpu.pointee.rsp + UInt64(n) * 8, word)
            }
            #expect(bench.fault(of: [0x48, 0xCF]) == (isTaken ? nil : .gp(0)))
            #expect(bench.cpu.pointee.ss.selector == (isTaken ? 0 : 0x18))
        }
    }

    /// STI's shadow is no such inhibition: only loads of SS are named (17.3.1.1, 6.8.3).
    @Test(
        "no instruction breakpoint hits under the shadow of MOV SS and POP SS",
        arguments: [false, true], [false, true])
    func breakpointInShadow(isPop: Bool, blocks: Bool) throws {
        let bench = try real((isPop ? [0x17] : [0x8E, 0xD0]) + [0x90, 0x90])
        let cpu = bench.cpu
        bench.write(1 * 4, 0x3000_0020, size: 4)
        cpu.pointee.rax = 0x2000
        bench.write(0x2_1000, 0x2000, size: 2)
        let after: UInt64 = isPop ? 0x101 : 0x102
        cpu.pointee.dr0 = 0x1_0000 + after
        cpu.pointee.dr1 = 0x1_0000 + after + 1
        cpu.pointee.dr7 = 0x40A
        cpu.updateBreakpoints()
        run(bench, blocks, instructions: 2)
        #expect(cpu.pointee.cs.selector == 0x1000 && cpu.pointee.rip == after + 1)
        #expect(cpu.pointee.rflags & RFLAGS.rf == 0)
        // The next one does, so that it is the shadow that kept the first away.
        #expect(bench.step() == .faulted)
        #expect(cpu.pointee.cs.selector == 0x3000 && cpu.pointee.dr6 & 0xF == 2)
        #expect(bench.read(0x2_0000 + (cpu.pointee.rsp & 0xFFFF), size: 2) == after + 1)
    }

    @Test("an instruction breakpoint hits under STI's shadow", arguments: [false, true])
    func breakpointAfterSTI(blocks: Bool) throws {
        let bench = try real([0xFB, 0x90])
        bench.write(1 * 4, 0x3000_0020, size: 4)
        bench.cpu.pointee.dr0 = 0x1_0101
        bench.cpu.pointee.dr7 = 0x402
        bench.cpu.updateBreakpoints()
        bench.place([0x90], at: 0x3_0020)
        run(bench, blocks, instructions: 2)
        #expect(bench.cpu.pointee.cs.selector == 0x3000)
        #expect(bench.cpu.pointee.dr6 & 1 == 1)
    }
}
