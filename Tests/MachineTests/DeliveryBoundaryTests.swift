import Testing
import X86

@testable import Machine

@Suite("What is delivered at a boundary")
struct DeliveryBoundaryTests {
    @Test("NMIs are blocked from delivery to IRET, even one that faults")
    func nmiBlocking() throws {
        let bench = try Bench()
        bench.place([0x90, 0x48, 0xCF], at: Bench.handler(2))
        bench.assemble([0x90, 0x90])
        bench.cpu.pointee.attention |= Attention.nmi
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 2)
        bench.cpu.pointee.attention |= Attention.nmi
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.nmiBlocked == 1)
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == Bench.code)
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 2)

        // The IRET of this one finds a bad CS: NMIs are unblocked all the same.
        bench.write(bench.cpu.pointee.rsp + 8, 0x18)
        bench.cpu.pointee.attention |= Attention.nmi
        bench.step()
        #expect(bench.step() == .faulted)
        #expect(bench.vectorEntered == 13)
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 2)
    }

    @Test("STI holds interrupts and NMIs off for one instruction")
    func stiShadow() throws {
        let bench = try Bench()
        bench.assemble([0xFB, 0x90, 0x90])
        latchInterrupt(bench)
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.interruptShadow == 1)
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == Bench.code + 2)
        #expect(bench.step() == .serviced)
        #expect(bench.stack(0) == Bench.code + 2)

        bench.enter(cpl: 0)
        bench.cpu.pointee.rflags = RFLAGS.fixedOne
        bench.step()
        bench.cpu.pointee.attention |= Attention.nmi
        #expect(bench.step() == .retired)
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 2)
        #expect(bench.stack(0) == Bench.code + 2)

        // In machines of the first edition STI held NMIs off not at all.
        bench.cpu.pointee.shared.pointee.edition = .first
        bench.enter(cpl: 0)
        bench.cpu.pointee.nmiBlocked = 0
        bench.step()
        bench.cpu.pointee.attention |= Attention.nmi
        #expect(bench.step() == .serviced)
        #expect(bench.stack(0) == Bench.code + 1)
    }

    @Test("STI; STI gives only the first a shadow")
    func secondSTI() throws {
        let bench = try Bench()
        bench.assemble([0xFB, 0xFB, 0x90])
        latchInterrupt(bench)
        #expect(bench.step() == .retired)
        #expect(bench.step() == .retired)
        #expect(bench.step() == .serviced)
        #expect(bench.stack(0) == Bench.code + 2)
    }

    @Test("MOV SS holds off interrupts, NMIs and debug traps")
    func stackSegmentShadow() throws {
        let bench = try Bench()
        bench.cpu.pointee.rax = 0x18
        bench.assemble([0x8E, 0xD0, 0x90, 0x90])
        bench.cpu.pointee.rflags |= RFLAGS.interruptEnable
        #expect(bench.step() == .retired)
        latchInterrupt(bench)
        bench.cpu.pointee.attention |= Attention.nmi
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == Bench.code + 3)
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 2)
    }

    /// CVE-2018-8897: a #DB that MOV SS holds back is taken as the kernel's first instruction.
    @Test("a debug trap held by MOV SS arrives after SYSCALL, at CPL 0")
    func heldTrapAndSyscall() throws {
        let bench = try Bench(cpl: 3)
        bench.cpu.pointee.rax = 0x2B
        bench.assemble([0x8E, 0xD0, 0x0F, 0x05])
        bench.step()
        bench.cpu.pointee.pendingDR6 = 1
        bench.cpu.pointee.attention |= Attention.debugTrap
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.cpl == 0)
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 1)
        #expect(bench.stack(0) == Bench.handlers + 0x2000)
        #expect(bench.stack(1) == 0x10)
        #expect(bench.cpu.pointee.dr6 & 1 == 1)
    }

    @Test("a fault under the MOV SS shadow loses the held debug trap")
    func heldTrapAndFault() throws {
        let bench = try Bench()
        bench.cpu.pointee.rax = 0x18
        bench.assemble([0x8E, 0xD0, 0x0F, 0x0B])
        bench.step()
        bench.cpu.pointee.pendingDR6 = 1
        bench.cpu.pointee.attention |= Attention.debugTrap
        #expect(bench.step() == .faulted)
        #expect(bench.vectorEntered == 6)
        bench.place([0x90], at: Bench.handler(6))
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.dr6 & 1 == 0)
    }

    @Test("single step traps after each instruction, not after MOV SS, and not into INT n")
    func singleStep() throws {
        let bench = try Bench()
        bench.gate(1, ist: 4)
        bench.gate(0x50, dpl: 3)
        bench.place([0x48, 0xCF], at: Bench.handler(1))
        bench.cpu.pointee.rax = 0x18
        bench.assemble([0x90, 0x8E, 0xD0, 0x90, 0xCD, 0x50])
        bench.cpu.pointee.rflags |= RFLAGS.tf
        bench.cpu.updateStepping()
        var traps: [UInt64] = []
        for _ in 0..<30 {
            if bench.step() == .serviced {
                #expect(bench.vectorEntered == 1)
                #expect(bench.cpu.pointee.dr6 & DebugBits.singleStep != 0)
                traps.append(bench.stack(0) - Bench.code)
            }
            if bench.vectorEntered == 0x50 { break }
        }
        #expect(traps == [1, 4])
        #expect(bench.vectorEntered == 0x50)
        #expect(bench.cpu.pointee.attention & Attention.debugTrap == 0)
    }

    @Test("POPF that sets TF traps after the instruction that follows")
    func popfStarts() throws {
        let bench = try Bench()
        bench.assemble([0x9D, 0x90, 0x90])
        bench.cpu.pointee.rsp -= 8
        bench.write(bench.cpu.pointee.rsp, RFLAGS.fixedOne | RFLAGS.tf)
        #expect(bench.step() == .retired)
        #expect(bench.step() == .retired)
        #expect(bench.step() == .serviced)
        #expect(bench.stack(0) == Bench.code + 2)
        #expect(bench.stack(2) & RFLAGS.tf != 0)
    }

    @Test("HLT waits for an interrupt that IF permits, or an NMI")
    func halt() throws {
        let bench = try Bench()
        bench.assemble([0xF4, 0x90])
        #expect(bench.step() == .retired)
        #expect(bench.step() == .waiting)
        latchInterrupt(bench)
        #expect(bench.step() == .waiting)
        bench.cpu.pointee.rflags |= RFLAGS.interruptEnable
        #expect(bench.step() == .serviced)
        #expect(bench.cpu.pointee.activity == Activity.active)
        #expect(bench.stack(0) == Bench.code + 1)
    }

    @Test("an instruction breakpoint faults before the instruction; RF lets it pass once")
    func breakpoint() throws {
        let bench = try Bench()
        bench.assemble([0x90, 0x90, 0x90])
        bench.cpu.pointee.dr0 = Bench.code + 1
        bench.cpu.pointee.dr7 = 0x402
        bench.cpu.updateBreakpoints()
        bench.place([0x48, 0xCF], at: Bench.handler(1))
        #expect(bench.step() == .retired)
        #expect(bench.step() == .faulted)
        #expect(bench.vectorEntered == 1)
        #expect(bench.cpu.pointee.dr6 & 1 == 1)
        #expect(bench.stack(0) == Bench.code + 1)
        bench.write(bench.cpu.pointee.rsp + 16, bench.stack(2) | RFLAGS.rf)
        #expect(bench.step() == .retired)
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == Bench.code + 2)
        #expect(bench.cpu.pointee.rflags & RFLAGS.rf == 0)
    }

    /// Makes the local APIC hold an interrupt with vector 0x60.
    private func latchInterrupt(_ bench: Bench) {
        let cpu = bench.cpu
        let bus = bench.machine.bus
        bus.writePhysical(0xFEE0_00F0, 0x1FF, size: 4, cpu: cpu)
        bus.deliver(0x60, to: cpu)
        #expect(cpu.pointee.attention & Attention.interrupt != 0)
    }
}
