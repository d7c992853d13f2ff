import Testing
import X86

@testable import Machine

@Suite struct DeviceAPICTests {
    private func enabled(cpus: Int = 1) throws -> Machine {
        let machine = try makeMachine(cpus: cpus)
        for n in 0..<cpus { machine.apicWrite(APICRegister.spurious, 0x1FF, cpu: n) }
        return machine
    }

    private func isAsked(_ machine: Machine, cpu n: Int = 0) -> Bool {
        machine.cpu(n).pointee.attention & Attention.interrupt != 0
    }

    @Test func resetValuesAreTheManuals() throws {
        let machine = try makeMachine(cpus: 2)
        #expect(machine.apicRead(APICRegister.id, cpu: 1) == 1 << 24)
        #expect(machine.apicRead(APICRegister.version) == 0x0005_0014)
        #expect(machine.apicRead(APICRegister.spurious) == 0xFF)
        #expect(machine.apicRead(APICRegister.destinationFormat) == 0xFFFF_FFFF)
        #expect(machine.apicRead(APICRegister.timer) == 0x1_0000)
        #expect(machine.apicRead(APICRegister.lint0, cpu: 1) == 0x1_0000)
        #expect(machine.apicRead(APICRegister.currentCount) == 0)
        #expect(machine.cpu(0).pointee.apicBase == 0xFEE0_0900)
        #expect(machine.cpu(1).pointee.apicBase == 0xFEE0_0800)
    }

    @Test func outsideItsPageAndInOtherWidthsThereIsNoRegister() throws {
        let machine = try makeMachine()
        let cpu = machine.cpu(0)
        #expect(machine.bus.readPhysical(0xFEE0_1030, size: 4, cpu: cpu) == 0xFFFF_FFFF)
        #expect(machine.bus.readPhysical(0xFEE0_0030, size: 1, cpu: cpu) == 0)
        #expect(machine.bus.readPhysical(0x1_0000_0000, size: 8, cpu: cpu) == .max)
        cpu.pointee.apicBase = 0xD000_0800
        #expect(machine.bus.readPhysical(0xD000_0030, size: 4, cpu: cpu) == 0x0005_0014)
        cpu.pointee.apicBase = 0xD000_0000
        #expect(machine.bus.readPhysical(0xD000_0030, size: 4, cpu: cpu) == 0xFFFF_FFFF)
    }

    @Test func interruptsComeByPriorityAndNest() throws {
        let machine = try enabled()
        let cpu = machine.cpu(0)
        #expect(machine.inject(.interrupt(0x51), cpu: 0))
        #expect(machine.inject(.interrupt(0x72), cpu: 0))
        #expect(isAsked(machine))
        #expect(machine.bus.acknowledgeInterrupt(cpu) == 0x72)
        #expect(machine.apicRead(APICRegister.processorPriority) == 0x70)
        #expect(!isAsked(machine))
        #expect(machine.apicRead(APICRegister.requested + 0x20) == 1 << 17)
        #expect(machine.apicRead(APICRegister.inService + 0x30) == 1 << 18)
        #expect(machine.inject(.interrupt(0x7F), cpu: 0))
        #expect(!isAsked(machine), "the same priority class waits")
        #expect(machine.inject(.interrupt(0x80), cpu: 0))
        #expect(machine.bus.acknowledgeInterrupt(cpu) == 0x80)
        machine.apicWrite(APICRegister.endOfInterrupt, 0)
        #expect(!isAsked(machine))
        machine.apicWrite(APICRegister.endOfInterrupt, 0)
        #expect(machine.bus.acknowledgeInterrupt(cpu) == 0x7F)
        machine.apicWrite(APICRegister.endOfInterrupt, 0)
        #expect(machine.bus.acknowledgeInterrupt(cpu) == 0x51)
        machine.apicWrite(APICRegister.endOfInterrupt, 0)
        #expect(!isAsked(machine))
        #expect(machine.bus.acknowledgeInterrupt(cpu) == 0xFF, "spurious when there is none")
    }

    @Test func taskPriorityAndCR8AreOne() throws {
        let machine = try enabled()
        let cpu = machine.cpu(0)
        machine.apicWrite(APICRegister.taskPriority, 0x65)
        #expect(cpu.pointee.cr8 == 6)
        machine.inject(.interrupt(0x6F), cpu: 0)
        #expect(!isAsked(machine))
        cpu.pointee.cr8 = 5
        machine.bus.taskPriorityChanged(cpu)
        #expect(machine.apicRead(APICRegister.taskPriority) == 0x50)
        #expect(isAsked(machine))
    }

    @Test func aSwitchedOffAPICTakesNothingAndMasksItsVectors() throws {
        let machine = try makeMachine()
        #expect(!machine.inject(.interrupt(0x40), cpu: 0))
        machine.apicWrite(APICRegister.timer, 0x31)
        #expect(machine.apicRead(APICRegister.timer) == 0x1_0031)
        machine.apicWrite(APICRegister.spurious, 0x1FF)
        machine.apicWrite(APICRegister.timer, 0x31)
        machine.apicWrite(APICRegister.initialCount, 1000)
        #expect(machine.bus.schedule.next == 2000, "divide-by-2 after reset")
        machine.apicWrite(APICRegister.spurious, 0xFF)
        #expect(machine.apicRead(APICRegister.timer) == 0x1_0031)
        #expect(machine.bus.schedule.events.isEmpty)
    }

    @Test func errorsAreLatchedAndReported() throws {
        let machine = try enabled()
        machine.apicWrite(APICRegister.error, 0xE1)
        #expect(machine.apicRead(0x3D0) == 0)
        #expect(machine.bus.acknowledgeInterrupt(machine.cpu(0)) == 0xE1)
        #expect(machine.apicRead(APICRegister.errorStatus) == 0)
        machine.apicWrite(APICRegister.errorStatus, 0)
        #expect(machine.apicRead(APICRegister.errorStatus) == LocalAPIC.illegalRegister)
        machine.apicWrite(APICRegister.errorStatus, 0)
        #expect(machine.apicRead(APICRegister.errorStatus) == 0)
    }

    // MARK: Timer

    @Test(arguments: [(0b1011, 1), (0b0000, 2), (0b0001, 4), (0b1010, 128), (0b0011, 16)])
    func theTimerCountsDividedCycles(_ code: UInt32, _ divisor: UInt64) throws {
        let machine = try enabled()
        let cpu = machine.cpu(0)
        cpu.pointee.cycles = 777
        machine.apicWrite(APICRegister.divide, code)
        machine.apicWrite(APICRegister.timer, 0x41)
        machine.apicWrite(APICRegister.initialCount, 100)
        #expect(machine.bus.schedule.next == 777 + 100 * divisor)
        cpu.pointee.cycles = 777 + 30 * divisor + divisor / 2
        #expect(machine.apicRead(APICRegister.currentCount) == 70)
        cpu.pointee.cycles = 777 + 100 * divisor
        machine.bus.timerExpired(cpu, at: 777 + 100 * divisor)
        #expect(machine.apicRead(APICRegister.currentCount) == 0)
        #expect(machine.bus.acknowledgeInterrupt(cpu) == 0x41)
        #expect(machine.bus.schedule.events.isEmpty, "one-shot")
    }

    @Test func aPeriodicTimerDoesNotDrift() throws {
        let machine = try enabled()
        let cpu = machine.cpu(0)
        machine.apicWrite(APICRegister.divide, 0b1011)
        machine.apicWrite(APICRegister.timer, 1 << 17 | 0x41)
        machine.apicWrite(APICRegister.initialCount, 100)
        for n in 1...5 {
            #expect(machine.bus.schedule.next == UInt64(100 * n))
            let due = machine.bus.schedule.takeNext()
            let event = try #require(due)
            cpu.pointee.cycles = event.instant + 7
            machine.bus.timerExpired(cpu, at: event.instant)
            #expect(machine.apicRead(APICRegister.currentCount) == 93)
        }
        machine.apicWrite(APICRegister.timer, 1 << 17 | 1 << 16 | 0x41)
        #expect(machine.bus.schedule.events.isEmpty, "masked")
        cpu.pointee.cycles = 1234
        #expect(machine.apicRead(APICRegister.currentCount) == 66, "it counts on while masked")
        machine.apicWrite(APICRegister.timer, 1 << 17 | 0x41)
        #expect(machine.bus.schedule.next == 1300)
        machine.apicWrite(APICRegister.divide, 0b0000)
        #expect(machine.apicRead(APICRegister.currentCount) == 66)
        #expect(machine.bus.schedule.next == 1234 + 132)
    }

    @Test func aDeadlineFollowsTheTimeStampCounter() throws {
        let machine = try enabled()
        let cpu = machine.cpu(0)
        cpu.pointee.cycles = 500
        cpu.pointee.tscOffset = 1000
        machine.bus.writeDeadline(5000, cpu)
        #expect(machine.bus.readDeadline(cpu) == 0, "not in deadline mode")
        machine.apicWrite(APICRegister.timer, 2 << 17 | 0x41)
        machine.apicWrite(APICRegister.initialCount, 9)
        #expect(machine.apicRead(APICRegister.currentCount) == 0)
        machine.bus.writeDeadline(5000, cpu)
        #expect(machine.bus.schedule.next == 4000)
        cpu.pointee.tscOffset = 2000
        machine.bus.timeStampChanged(cpu)
        #expect(machine.bus.schedule.next == 3000)
        cpu.pointee.tscOffset = 0 &- 100
        machine.bus.writeDeadline(.max, cpu)
        #expect(machine.bus.schedule.next >= 1 << 63, "far away, not wrapped into the past")
        machine.bus.writeDeadline(1, cpu)
        #expect(machine.bus.schedule.next == 500, "a deadline that has passed is due now")
        machine.bus.timerExpired(cpu, at: 500)
        #expect(machine.bus.acknowledgeInterrupt(cpu) == 0x41)
        #expect(machine.bus.readDeadline(cpu) == 0)
    }

    // MARK: Messages

    private func targets(_ machine: Machine, _ high: UInt32, _ low: UInt32) -> [Int] {
        for n in 0..<machine.cpuCount { machine.bus.apics[n].requested = VectorSet() }
        machine.bus.schedule.removeAll()
        machine.apicWrite(APICRegister.commandHigh, high)
        machine.apicWrite(APICRegister.commandLow, low)
        let others = machine.bus.schedule.events.map(\.cpu)
        let own = machine.bus.apics[0].requested[0x40] ? [0] : []
        return (own + others).sorted()
    }

    @Test func messagesReachWhomTheyAddress() throws {
        let machine = try enabled(cpus: 4)
        machine.cpu(0).pointee.cycles = 321
        let fixed: UInt32 = 0x40
        #expect(targets(machine, 2 << 24, fixed) == [2])
        #expect(machine.bus.schedule.events.first?.instant == 321)
        #expect(machine.bus.schedule.events.first?.action == .interrupt(vector: 0x40))
        #expect(targets(machine, 0xFF << 24, fixed) == [0, 1, 2, 3])
        #expect(targets(machine, 9 << 24, fixed) == [])
        #expect(targets(machine, 0, 1 << 18 | fixed) == [0])
        #expect(targets(machine, 0, 2 << 18 | fixed) == [0, 1, 2, 3])
        #expect(targets(machine, 0, 3 << 18 | fixed) == [1, 2, 3])
        for n in 0..<4 {
            machine.apicWrite(APICRegister.logicalDestination, 1 << UInt32(24 + n), cpu: n)
        }
        #expect(targets(machine, 0b1010 << 24, 1 << 11 | fixed) == [1, 3])
        #expect(targets(machine, 0b1010 << 24, 1 << 11 | 1 << 8 | fixed) == [1], "lowest priority")
        for n in 0..<4 { machine.apicWrite(APICRegister.destinationFormat, 0x0FFF_FFFF, cpu: n) }
        machine.apicWrite(APICRegister.logicalDestination, 0x21 << 24, cpu: 3)
        #expect(targets(machine, 0x21 << 24, 1 << 11 | fixed) == [3], "cluster 2")
        #expect(targets(machine, 2 << 24, 0x05) == [], "vectors below 16 are not sent")
        #expect(machine.bus.apics[0].errors & LocalAPIC.sentIllegalVector != 0)
    }

    @Test func initAndStartupBringAProcessorUpInRealMode() throws {
        let machine = try enabled(cpus: 2)
        let other = machine.cpu(1)
        machine.cpu(0).pointee.cycles = 100
        machine.cpu(0).pointee.activity = Activity.halted
        machine.apicWrite(APICRegister.commandHigh, 1 << 24)
        machine.apicWrite(APICRegister.commandLow, 0x500 | 1 << 14)
        machine.apicWrite(APICRegister.commandLow, 0x500 | 1 << 15)
        machine.apicWrite(APICRegister.commandLow, 0x600 | 0x9A)
        #expect(machine.bus.schedule.events.count == 2, "INIT de-assert is no message")
        other.pointee.rax = 5
        while let event = machine.bus.schedule.takeNext() {
            machine.bus.perform(event.action, on: machine.cpu(event.cpu), at: event.instant)
        }
        #expect(other.pointee.activity == Activity.active)
        #expect(other.pointee.rax == 0)
        #expect(other.pointee.cs.selector == 0x9A00)
        #expect(other.pointee.cs.base == 0x9A000)
        #expect(other.pointee.rip == 0)
        #expect(other.pointee.codeSize == CodeSize.bits16.rawValue)
        #expect(machine.bus.apics[1].spurious == 0xFF, "INIT resets the local APIC")
        other.start(vector: 1)
        #expect(other.pointee.cs.selector == 0x9A00, "a second start-up message is ignored")
    }

    @Test func x2APICRegistersAreModelSpecific() throws {
        let machine = try enabled(cpus: 2)
        let cpu = machine.cpu(0)
        #expect(machine.bus.readX2APIC(0x802, cpu) == nil)
        cpu.pointee.apicBase |= APICBase.extended
        machine.bus.apicBaseChanged(cpu)
        #expect(machine.bus.readPhysical(0xFEE0_0030, size: 4, cpu: cpu) == 0xFFFF_FFFF)
        #expect(machine.bus.readX2APIC(0x802, cpu) == 0)
        #expect(machine.bus.readX2APIC(0x80D, cpu) == 1)
        #expect(machine.bus.readX2APIC(0x80B, cpu) == nil)
        #expect(machine.bus.writeX2APIC(0x830, 1 << 32 | 0x40, cpu))
        #expect(machine.bus.schedule.events.map(\.cpu) == [1])
        #expect(!machine.bus.writeX2APIC(0x80B, 1, cpu))
        #expect(!machine.bus.writeX2APIC(0x802, 1, cpu))
        #expect(machine.bus.writeX2APIC(0x83F, 0x77, cpu))
        #expect(machine.bus.acknowledgeInterrupt(cpu) == 0x77)
        #expect(machine.bus.writeX2APIC(0x80B, 0, cpu))
        #expect(machine.apicsInService == 0)
    }
}

extension Machine {
    fileprivate var apicsInService: UInt8 { bus.apics[0].inService.highest }
}
