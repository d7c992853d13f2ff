import SeededRandom
import Testing
import X86

@testable import Machine

@Suite struct ScheduleTests {
    private func event(
        _ instant: UInt64, _ sequence: UInt64, cpu: Int = 0, _ action: ScheduledAction = .nmi
    ) -> ScheduledEvent {
        ScheduledEvent(instant: instant, sequence: sequence, cpu: cpu, action: action)
    }

    @Test func eventsComeByInstantThenByInsertion() {
        var random = SplitMix64(7)
        var schedule = Schedule()
        var expected: [ScheduledEvent] = []
        for sequence in 0..<500 {
            let one = event(random.next() % 40, UInt64(sequence))
            schedule.insert(one)
            expected.append(one)
        }
        expected.sort { ($0.instant, $0.sequence) < ($1.instant, $1.sequence) }
        #expect(schedule.next == expected[0].instant)
        var taken: [ScheduledEvent] = []
        while let one = schedule.takeNext() { taken.append(one) }
        #expect(taken == expected)
        #expect(schedule.next == .max)
    }

    @Test func aTimerIsRemovedForItsOwnProcessorOnly() {
        var schedule = Schedule()
        schedule.insert(event(10, 0, cpu: 0, .timer))
        schedule.insert(event(20, 1, cpu: 1, .timer))
        schedule.insert(event(30, 2, cpu: 1, .nmi))
        schedule.removeTimer(cpu: 1)
        schedule.removeTimer(cpu: 1)
        #expect(schedule.events.map(\.sequence) == [2, 0])
    }

    @Test func aScheduleSurvivesItsEncoding() throws {
        var schedule = Schedule()
        let actions: [ScheduledAction] = [
            .timer, .interrupt(vector: 0x41), .nmi, .machineCheck, .initialise,
            .startup(vector: 9), .console([1, 2, 3]),
        ]
        // Three of them at the same instant: only their order tells them apart.
        for (n, action) in actions.enumerated() {
            schedule.insert(event(UInt64(n < 3 ? 50 : n), UInt64(40 + n), cpu: n % 2, action))
        }
        var out = StateStream()
        try schedule.transfer(&out)
        var copy = Schedule()
        var back = StateStream(reading: out.bytes)
        try copy.transfer(&back)
        #expect(back.atEnd)
        #expect(copy.events.map(\.instant) == schedule.events.map(\.instant))
        #expect(copy.events.map(\.action) == schedule.events.map(\.action))
        #expect(copy.events.map(\.cpu) == schedule.events.map(\.cpu))
        #expect(copy.events.map(\.sequence) == [6, 5, 4, 3, 2, 1, 0])
    }

    @Test func aScheduleOutOfOrderIsRefused() throws {
        var out = StateStream()
        var count = 2
        try out.count(&count, itemSize: 10)
        for instant: UInt64 in [5, 9] {
            var one = event(instant, instant)
            try one.transfer(&out)
        }
        var copy = Schedule()
        var back = StateStream(reading: out.bytes)
        #expect(throws: MachineError.self) { try copy.transfer(&back) }
    }

    @Test func configurationsThatCannotBeAreRefused() {
        for memory: UInt64 in [0, 4095, 4096 + 1, MachineConfiguration.maximumMemory + 4096] {
            #expect(throws: MachineError.self) {
                _ = try Machine(MachineConfiguration(memory: memory))
            }
        }
        for cpus in [0, -1, MachineConfiguration.maximumCPUs + 1] {
            #expect(throws: MachineError.self) {
                _ = try Machine(MachineConfiguration(memory: 4096, cpus: cpus))
            }
        }
    }

    @Test func allHaltedAndNothingScheduledIsIdle() throws {
        let machine = try makeMachine()
        machine.cpu(0).pointee.activity = Activity.halted
        #expect(machine.run() == .idle)
        // Console input wakes nobody: its interrupt line is not connected.
        machine.schedule(.console([65]), cpu: 0, at: .cycle(100))
        #expect(machine.run() == .idle)
        // An interrupt cannot be taken with IF clear; an NMI could, so time goes on to it.
        machine.schedule(.interrupt(0x40), cpu: 0, at: .cycle(50))
        #expect(machine.run() == .idle)
        machine.schedule(.nmi, cpu: 0, at: .cycle(5000))
        #expect(machine.run(RunLimits(cycles: 5000)) == .cycleLimit)
        #expect(machine.bus.serial.received == [65])
        #expect(machine.cpu(0).pointee.cycles == 0)
        #expect(machine.cycles == 5000 && machine.now(cpu: 0) == 5000)
    }

    @Test func aShutDownMachineStaysShutDown() throws {
        let machine = try makeMachine()
        machine.cpu(0).pointee.activity = Activity.shutdown
        #expect(machine.run() == .shutdown(cpu: 0))
        #expect(machine.run() == .shutdown(cpu: 0))
    }

    /// A vCPU that waits in HLT for its timer; nothing else happens.
    private func waiting(period: UInt32, taskPriority: UInt32 = 0, cpus: Int = 1) throws -> Machine
    {
        let machine = try makeMachine(cpus: cpus)
        machine.cpu(0).pointee.activity = Activity.halted
        machine.cpu(0).pointee.rflags |= RFLAGS.interruptEnable
        machine.apicWrite(APICRegister.spurious, 0x1FF)
        machine.apicWrite(APICRegister.divide, 0b1011)
        machine.apicWrite(APICRegister.taskPriority, taskPriority)
        machine.apicWrite(APICRegister.timer, 1 << 17 | 0x41)
        machine.apicWrite(APICRegister.initialCount, period)
        return machine
    }

    @Test func pollsPassAtOneGoWhereNobodyAnswers() throws {
        final class Silent: InputSource {
            var polls = 0
            func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
                polls += 1
                return []
            }
        }
        for limit: UInt64 in [1000, 4095, 4096, 4097, 1_000_000, 8_192_000, 10_000_000] {
            let alone = try waiting(period: 10_000_001)
            let asked = try waiting(period: 10_000_001)
            let silent = Silent()
            asked.inputs = silent
            #expect(alone.run(RunLimits(cycles: limit)) == .cycleLimit)
            #expect(asked.run(RunLimits(cycles: limit)) == .cycleLimit)
            #expect(UInt64(silent.polls) == (limit - 1) / 4096)
            #expect(alone.digest() == asked.digest())
            asked.inputs = nil
        }
    }

    @Test func aTimerThatCannotWakeCostsNothing() throws {
        #expect(try waiting(period: 1, taskPriority: 0xF0).run() == .idle)
        // Another vCPU's timer wakes that one, after 2^39 cycles of the first one's expiries.
        let machine = try waiting(period: 1, taskPriority: 0xF0, cpus: 2)
        let other = machine.cpu(1)
        other.pointee.activity = Activity.halted
        other.pointee.rflags |= RFLAGS.interruptEnable
        machine.apicWrite(APICRegister.spurious, 0x1FF, cpu: 1)
        machine.apicWrite(APICRegister.divide, 0b1010, cpu: 1)
        machine.apicWrite(APICRegister.timer, 0x42, cpu: 1)
        machine.apicWrite(APICRegister.initialCount, .max, cpu: 1)
        let expiry = UInt64(UInt32.max) * 128
        #expect(machine.run(RunLimits(cycles: expiry + 1)) == .cycleLimit)
        #expect(other.pointee.cycles > expiry && other.pointee.cycles < expiry + 10)
        #expect(machine.bus.apics[0].requested[0x41])
    }
}
