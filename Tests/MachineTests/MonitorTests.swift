import Testing
import X86

@testable import Machine

/// MONITOR and MWAIT, and the order in which clocks are read: what a kernel cannot see of itself.
@Suite struct MonitorTests {
    private static let monitor: [UInt8] = [0x0F, 0x01, 0xC8]
    private static let wait: [UInt8] = [0x0F, 0x01, 0xC9]

    /// Two vCPUs; the second sleeps in MWAIT on the line at 0x3040, with interrupts off.
    private func sleeping(extensions: UInt8 = 0) throws -> Machine {
        let machine = try makeMachine(cpus: 2)
        let (one, two) = (machine.cpu(0), machine.cpu(1))
        // mov ax,3040h; monitor; mov cl,extensions; mwait; jmp $
        let code: [UInt8] =
            [0xB8, 0x40, 0x30] + Self.monitor + [0xB1, extensions] + Self.wait + [0xEB, 0xFE]
        machine.writePhysical(0x2000, code)
        machine.writePhysical(0x1000, [0xEB, 0xFE])
        for (cpu, start) in [(one, UInt64(0x1000)), (two, 0x2000)] {
            cpu.pointee.cs.base = 0
            cpu.pointee.cs.selector = 0
            cpu.pointee.rip = start
            cpu.pointee.activity = Activity.active
        }
        #expect(machine.run(RunLimits(cycles: 4000)) == .cycleLimit)
        #expect(two.pointee.activity >= Activity.monitorWait)
        #expect(two.pointee.monitoredLine == 0x3040 >> 6)
        return machine
    }

    @Test func aStoreToTheLineEndsTheWaitAtItsCycle() throws {
        let machine = try sleeping()
        let (one, two) = (machine.cpu(0), machine.cpu(1))
        let asleep = two.pointee.cycles
        machine.writePhysical(0x3080, [1])
        machine.writePhysical(0x303F, [1])
        #expect(!two.isRunnable && two.pointee.cycles == asleep)
        one.storePhysical(0x303C, 1, size: 8)
        #expect(two.isRunnable && two.pointee.cycles == one.pointee.cycles)
        #expect(two.pointee.monitoredLine == CPUState.noMonitor)
        #expect(machine.run(RunLimits(cycles: 9000)) == .cycleLimit)
        #expect(two.pointee.activity == Activity.active && two.pointee.rip == 0x200B)
        // The page is written at full speed again.
        #expect(machine.shared.pointee.pageFlags[3] & PageFlag.monitored == 0)
    }

    @Test func aMaskedInterruptEndsTheWaitOnlyWithTheExtension() throws {
        for extensions in [UInt8(0), 1] {
            let machine = try sleeping(extensions: extensions)
            machine.apicWrite(APICRegister.spurious, 0x1FF, cpu: 1)
            #expect(machine.inject(.interrupt(0x40), cpu: 1))
            #expect(machine.cpu(1).isRunnable == (extensions == 1))
            #expect(machine.run(RunLimits(cycles: 9000)) == .cycleLimit)
            let isAwake = machine.cpu(1).pointee.activity == Activity.active
            #expect(isAwake == (extensions == 1))
            // It is still requested: nothing delivered it.
            #expect(machine.bus.apics[1].requested[0x40])
        }
    }

    @Test func aSnapshotKeepsTheArmedLine() throws {
        let machine = try sleeping()
        let copy = try sleeping()
        let snapshot = machine.save()
        copy.cpu(1).pointee.monitoredLine = CPUState.noMonitor
        try copy.restore(snapshot)
        #expect(copy.digest() == machine.digest())
        for m in [machine, copy] { m.cpu(0).storePhysical(0x3040, 7, size: 4) }
        #expect(copy.digest() == machine.digest())
        #expect(copy.cpu(1).isRunnable)
    }

    @Test func nobodyButTheSupervisorMonitors() throws {
        for code in [Self.monitor, Self.wait] {
            let bench = try Bench(cpl: 3)
            bench.place(code, at: Bench.code)
            #expect(throws: Fault.undefinedOpcode) {
                var i = Instruction()
                try bench.cpu.fetch(into: &i)
                try bench.cpu.execute(i)
            }
        }
    }

    @Test func theFirstEditionHasNone() throws {
        let machine = try Machine(
            MachineConfiguration(memory: 1 << 20, cpus: 2, edition: .first))
        let cpu = machine.cpu(0)
        #expect(!cpu.hasMonitor && cpu.pointee.miscEnable == 0)
        cpu.pointee.rax = 1
        try cpu.executeCPUID(Instruction())
        #expect(cpu.pointee.rcx & 1 << 3 == 0)
        cpu.pointee.rax = 5
        try cpu.executeCPUID(Instruction())
        #expect(cpu.pointee.rax == 0 && cpu.pointee.rdx == 0)
        #expect(machine.timeHorizon(for: cpu) == .max)
    }
}
