import Testing

@testable import Machine

@Suite struct ScheduleTests {
    private func event(
        _ instant: UInt64, _ sequence: UInt64, cpu: Int = 0, _ action: ScheduledAction = .nmi
    ) -> ScheduledEvent {
        ScheduledEvent(instant: instant, sequence: sequence, cpu: cpu, action: action)
    }

    @Test func eventsComeByInstantThenByInsertion() {
        var random = TestRandom(state: 7)
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
        for (n, action) in actions.enumerated() {
            schedule.insert(event(UInt64(100 - n), UInt64(n), cpu: n % 2, action))
        }
        var out = StateStream()
        try schedule.transfer(&out)
        var copy = Schedule()
        var back = StateStream(reading: out.bytes)
        try copy.transfer(&back)
        #expect(back.atEnd)
        #expect(copy.events == schedule.events)
    }

    @Test func aScheduleOutOfOrderIsRefused() throws {
        var out = StateStream()
        var count = 2
        try out.count(&count, itemSize: 18)
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
    }

    @Test func aShutDownMachineStaysShutDown() throws {
        let machine = try makeMachine()
        machine.cpu(0).pointee.activity = Activity.shutdown
        #expect(machine.run() == .shutdown(cpu: 0))
        #expect(machine.run() == .shutdown(cpu: 0))
    }
}
