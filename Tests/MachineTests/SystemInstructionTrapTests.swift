import Testing
import X86

@testable import Machine

/// What returns to an outer privilege leave of the data segments, and which debug traps the
/// instructions at the edge of a privilege take.
@Suite("Returns outward and debug traps")
struct SystemInstructionTrapTests {
    private func pushUserFrame(_ bench: Bench, flags: UInt64 = RFLAGS.fixedOne) {
        let frame = [Bench.code + 0x100, 0x33, flags, Bench.userStack, 0x2B]
        bench.cpu.pointee.rsp -= 40
        for (n, word) in frame.enumerated() {
            bench.write(bench.cpu.pointee.rsp + UInt64(n) * 8, word)
        }
    }

    /// Null selectors' RPL measured on a processor of AMD's, as every interrupt of a program shows.
    @Test(
        "IRETQ outward drops selectors, not bases", arguments: [Vendor.intel, .amd], [false, true])
    func droppedSegments(vendor: Vendor, blocks: Bool) throws {
        let bench = try Bench(vendor: vendor)
        let cpu = bench.cpu
        cpu.pointee.fs = bench.register(0x18)
        cpu.pointee.fs.base = 0x1234_5678_9ABC
        cpu.pointee.gs = bench.register(0x2B)
        cpu.pointee.gs.base = 0x7000
        cpu.pointee.ds.selector = 3
        cpu.pointee.ds.attributes = SegmentRegister.unusable
        cpu.pointee.es.selector = 0
        cpu.pointee.es.attributes = SegmentRegister.unusable
        pushUserFrame(bench)
        bench.assemble([0x48, 0xCF])
        cpu.pointee.instructionDeadline = 1
        if blocks { cpu.runBlocks() } else { cpu.runStepwise() }
        #expect(cpu.pointee.cpl == 3 && cpu.pointee.rip == Bench.code + 0x100)
        #expect(cpu.pointee.fs.selector == 0 && cpu.pointee.fs.base == 0x1234_5678_9ABC)
        #expect(cpu.pointee.fs.attributes & SegmentRegister.unusable != 0)
        #expect(cpu.pointee.gs.selector == 0x2B && cpu.pointee.gs.base == 0x7000)
        #expect(cpu.pointee.ds.selector == 0 && cpu.pointee.es.selector == 0)
    }

    @Test("SYSRET traps at its target when it sets TF", arguments: [Vendor.intel, .amd])
    func stepAfterSysret(vendor: Vendor) throws {
        for blocks in [false, true] {
            let bench = try Bench(vendor: vendor)
            let cpu = bench.cpu
            cpu.pointee.rcx = Bench.code + 0x100
            cpu.pointee.r11 = RFLAGS.fixedOne | RFLAGS.tf
            // At the target: MOV EAX, 1, which must not come to be executed.
            bench.place([0xB8, 1, 0, 0, 0], at: Bench.code + 0x100)
            bench.assemble([0x48, 0x0F, 0x07])
            cpu.pointee.instructionDeadline = 1
            if blocks { cpu.runBlocks() } else { cpu.runStepwise() }
            #expect(bench.step() == .serviced)
            #expect(bench.vectorEntered == 1 && bench.stack(0) == Bench.code + 0x100)
            #expect(cpu.pointee.dr6 & DebugBits.singleStep != 0 && cpu.pointee.rax == 0)
        }
    }

    @Test("SYSRET that clears TF does not trap")
    func noStepAfterSysret() throws {
        let bench = try Bench()
        bench.cpu.pointee.rcx = Bench.code + 0x100
        bench.cpu.pointee.r11 = RFLAGS.fixedOne
        bench.cpu.pointee.rflags |= RFLAGS.tf
        bench.cpu.updateStepping()
        bench.place([0x90], at: Bench.code + 0x100)
        bench.assemble([0x48, 0x0F, 0x07])
        #expect(bench.step() == .retired)
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == Bench.code + 0x101)
    }

    @Test("SYSCALL traps in the kernel only if TF outlives it", arguments: [false, true])
    func stepAfterSyscall(masked: Bool) throws {
        let bench = try Bench(cpl: 3)
        let cpu = bench.cpu
        cpu.pointee.sfmask = masked ? RFLAGS.tf : 0
        cpu.pointee.rflags |= RFLAGS.tf
        cpu.updateStepping()
        bench.place([0x90], at: cpu.pointee.lstar)
        bench.assemble([0x0F, 0x05])
        #expect(bench.step() == .retired)
        #expect(bench.step() == (masked ? .retired : .serviced))
        if !masked {
            #expect(bench.vectorEntered == 1 && bench.stack(0) == cpu.pointee.lstar)
        }
    }

    @Test("bits 0 to 3 of DR6 tell of the last debug exception, the others stay")
    func breakpointBits() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.dr2 = Bench.code
        cpu.pointee.dr7 = 0x400 | 1 << 4
        cpu.updateBreakpoints()
        cpu.pointee.dr6 = DebugBits.fixedDR6 | DebugBits.singleStep | 0b1011
        #expect(bench.fault(of: [0x90]) == .db)
        #expect(cpu.pointee.dr6 == DebugBits.fixedDR6 | DebugBits.singleStep | 0b100)
        cpu.pointee.dr7 = 0x400
        cpu.updateBreakpoints()
        cpu.pointee.rflags = RFLAGS.fixedOne | RFLAGS.tf
        cpu.updateStepping()
        bench.assemble([0x90])
        #expect(bench.step() == .retired && bench.step() == .serviced)
        #expect(cpu.pointee.dr6 == DebugBits.fixedDR6 | DebugBits.singleStep)
    }

    /// A breakpoint on what MOV SS reads waits for the next instruction. INT1 takes it along; after
    /// INT 1 it comes at the handler's first instruction.
    @Test("INT1 after MOV SS takes the held trap along", arguments: [true, false])
    func interruptInShadow(int1: Bool) throws {
        let bench = try Bench()
        let cpu = bench.cpu
        bench.write(Bench.data, 0x18, size: 2)
        cpu.pointee.dr1 = Bench.data
        // Slot 1, reads and writes, 2 bytes.
        cpu.pointee.dr7 = 0x400 | 1 << 2 | 3 << 20 | 1 << 22
        cpu.updateBreakpoints()
        cpu.pointee.rbx = Bench.data
        let code: [UInt8] = [0x8E, 0x13] + (int1 ? [0xF1] : [0xCD, 1])
        bench.place([0x90, 0x90], at: Bench.handler(1))
        bench.assemble(code)
        #expect(bench.step(2) == .retired)
        #expect(bench.vectorEntered == 1 && bench.stack(0) == Bench.code + UInt64(code.count))
        #expect(cpu.pointee.dr6 & 0xF == (int1 ? 2 : 0))
        #expect(bench.step() == (int1 ? .retired : .serviced))
        if !int1 { #expect(bench.stack(0) == Bench.handler(1)) }
    }
}
