import Testing
import X86

@testable import Machine

/// Keeps what it is shown, and checks that the vCPU is at the boundary the event says.
private final class EventLog: MachineObserver {
    var events: [MachineEvent] = []
    var mismatches = 0
    var stopAt: MachineEvent.Kind?

    func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {
        let event = event.pointee
        events.append(event)
        if event.newRIP != cpu.pointee.rip || event.cycles != cpu.pointee.cycles
            || event.instructions != cpu.pointee.instructions || event.newCPL != cpu.pointee.cpl
            || event.newRSP != cpu.pointee.rsp
        {
            mismatches += 1
        }
        if event.kind == stopAt { machine.requestStop() }
    }

    func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) {}
}

@Suite("Events")
struct SystemInstructionEventTests {
    /// At CPL 3: SYSCALL, INT 50, a fault, and an endless loop; the handlers return.
    private func prepare(_ bench: Bench) {
        bench.gate(0x50, dpl: 3)
        bench.assemble([0x0F, 0x05, 0xCD, 0x50, 0x48, 0x8B, 0x03, 0xEB, 0xFE])
        bench.cpu.pointee.rbx = 0x6000_0000_0000
        bench.cpu.pointee.rsp = Bench.userStack
        bench.place([0x48, 0x0F, 0x07], at: bench.cpu.pointee.lstar)
        bench.place([0x48, 0xCF], at: Bench.handler(0x50))
        // ADD QWORD [RSP+8], 3; ADD RSP, 8; IRETQ
        bench.place(
            [0x48, 0x83, 0x44, 0x24, 0x08, 0x03, 0x48, 0x83, 0xC4, 0x08, 0x48, 0xCF],
            at: Bench.handler(14))
    }

    @Test("each transfer is one event with both ends", arguments: [false, true])
    func transfers(blocks: Bool) throws {
        let bench = try Bench(cpl: 3)
        prepare(bench)
        let log = EventLog()
        bench.machine.observer = log
        let cpu = bench.cpu
        cpu.pointee.instructionDeadline = 20
        if blocks { cpu.runBlocks() } else { cpu.runStepwise() }
        bench.machine.observer = nil
        #expect(cpu.pointee.instructions == 20)
        #expect(log.mismatches == 0)
        #expect(
            log.events.map(\.kind) == [
                .syscall, .sysret, .softwareInterrupt, .interruptReturn, .exception,
                .interruptReturn,
            ])
        guard log.events.count == 6 else { return }
        let code = Bench.code
        #expect(
            log.events.map(\.oldRIP) == [
                code + 2, cpu.pointee.lstar, code + 4, Bench.handler(0x50), code + 4,
                Bench.handler(14) + 10,
            ])
        #expect(
            log.events.map(\.newRIP) == [
                cpu.pointee.lstar, code + 2, Bench.handler(0x50), code + 4, Bench.handler(14),
                code + 7,
            ])
        #expect(log.events.map(\.oldCPL) == [3, 0, 3, 0, 3, 0])
        #expect(log.events.map(\.newCPL) == [0, 3, 0, 3, 0, 3])
        #expect(log.events.map(\.instructions) == [1, 2, 3, 4, 4, 7])
        #expect(log.events[2].number == 0x50 && log.events[4].number == 14)
        #expect(log.events[4].errorCode == 4 && log.events[4].hasErrorCode)
        #expect(log.events[4].address == 0x6000_0000_0000)
        #expect(log.events[0].oldRSP == Bench.userStack)
    }

    @Test("watching changes nothing, and an observer can stop at its boundary")
    func unchanged() throws {
        var digests: [UInt64] = []
        for observed in [false, true] {
            let bench = try Bench(cpl: 3)
            prepare(bench)
            let log = EventLog()
            if observed { bench.machine.observer = log }
            bench.cpu.pointee.instructionDeadline = 20
            bench.cpu.runStepwise()
            bench.machine.observer = nil
            digests.append(bench.machine.digest())
        }
        #expect(digests[0] == digests[1])

        let bench = try Bench(cpl: 3)
        prepare(bench)
        let log = EventLog()
        log.stopAt = .softwareInterrupt
        bench.machine.observer = log
        bench.cpu.runStepwise()
        bench.machine.observer = nil
        #expect(bench.vectorEntered == 0x50)
        #expect(log.events.count == 3)
    }

    @Test("system registers and halts are events")
    func systemRegisters() throws {
        let bench = try Bench()
        let log = EventLog()
        bench.machine.observer = log
        bench.cpu.pointee.rax = Bench.pml4
        bench.cpu.pointee.rcx = UInt64(MSR.kernelGSBase)
        // Reset leaves the processor's signature there.
        bench.cpu.pointee.rdx = 0
        // MOV CR3, RAX; WRMSR; SWAPGS; HLT
        bench.assemble([0x0F, 0x22, 0xD8, 0x0F, 0x30, 0x0F, 0x01, 0xF8, 0xF4])
        bench.step(4)
        bench.cpu.pointee.attention |= Attention.nmi
        bench.step()
        bench.machine.observer = nil
        #expect(
            log.events.map(\.kind) == [
                .systemRegister, .systemRegister, .systemRegister, .halt, .halt, .nmi,
            ])
        guard log.events.count == 6 else { return }
        let registers = log.events.prefix(3).map { $0.number }
        let expected: [MachineEvent.SystemRegister] = [.cr3, .msr, .swapgs]
        #expect(registers == expected.map(\.rawValue))
        #expect(log.events[1].address == UInt64(MSR.kernelGSBase))
        #expect(log.events[1].value == Bench.pml4)
        #expect(log.events[3].number == 0 && log.events[4].number == 1)
        #expect(log.mismatches == 0)
    }

    @Test("shutdown is an event")
    func shutdown() throws {
        let bench = try Bench()
        let log = EventLog()
        bench.machine.observer = log
        bench.cpu.pointee.idtr.limit = 0
        bench.assemble([0x0F, 0x0B])
        bench.step()
        bench.machine.observer = nil
        #expect(log.events.map(\.kind) == [.tripleFault])
    }
}
