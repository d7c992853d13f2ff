import SeededRandom
import Testing
import X86

@testable import Machine

/// Run to a random instant, save, restore into a fresh machine, run on: nothing tells them apart.
@Suite struct SnapshotRunTests {
    @Test(arguments: testedExecutors, [1, 3])
    func aRestoredRunGoesOnAsIfNothingHadHappened(executor: Executor, cpus: Int) throws {
        let whole = try ScheduleRunTests.loaded(cpus: cpus, executor: executor)
        let wholeStop = whole.run(RunLimits(cycles: 20_000_000))
        let length = whole.instructions
        var random = SplitMix64(UInt64(17 * cpus))
        for _ in 0..<8 {
            let machine = try ScheduleRunTests.loaded(cpus: cpus, executor: executor)
            let instant = random.next() % length
            #expect(machine.run(RunLimits(instructions: instant)) == .instructionLimit)
            let snapshot = machine.save()
            #expect(machine.save() == snapshot)
            // The other executor takes over: a snapshot belongs to none.
            let other = testedExecutors[Int(random.next() >> 1) & (testedExecutors.count - 1)]
            let restored = try makeMachine(cpus: cpus, executor: other)
            try restored.restore(snapshot)
            #expect(restored.digest() == machine.digest())
            let halfway = RunLimits(instructions: instant + (length - instant) / 2)
            #expect(machine.run(halfway) == restored.run(halfway))
            #expect(machine.digest() == restored.digest())
            #expect(restored.run(RunLimits(cycles: 20_000_000)) == wholeStop)
            #expect(restored.digest() == whole.digest())
            #expect(machine.run(RunLimits(cycles: 20_000_000)) == wholeStop)
            #expect(machine.digest() == whole.digest())
        }
    }

    @Test(arguments: testedExecutors)
    func incrementalSnapshotsLeadToTheSameStates(executor: Executor) throws {
        let machine = try ScheduleRunTests.loaded(executor: executor)
        let plain = try ScheduleRunTests.loaded(executor: executor)
        var chain = [machine.save()]
        machine.markPages()
        for n: UInt64 in 1...6 {
            let limits = RunLimits(instructions: n * 31_000)
            _ = machine.run(limits)
            _ = plain.run(limits)
            chain.append(machine.save(.sinceMark))
            machine.markPages()
            #expect(machine.digest() == plain.digest(), "marking pages does not show")
            let restored = try makeMachine(executor: executor)
            for snapshot in chain { try restored.restore(snapshot) }
            #expect(restored.digest() == machine.digest())
        }
        #expect(chain[6].pageNumbers.count < machine.save().pageNumbers.count)
    }

    /// Going back in one machine forgets what was decoded and what was written since.
    @Test(arguments: testedExecutors)
    func aMachineCanGoBack(executor: Executor) throws {
        let machine = try ScheduleRunTests.loaded(executor: executor)
        _ = machine.run(RunLimits(instructions: 50_000))
        let snapshot = machine.save()
        let stop = machine.run(RunLimits(cycles: 20_000_000))
        let digest = machine.digest()
        for _ in 0..<3 {
            try machine.restore(snapshot)
            #expect(machine.instructions == 50_000)
            #expect(machine.run(RunLimits(cycles: 20_000_000)) == stop)
            #expect(machine.digest() == digest)
        }
    }

    /// Saves at every event, all kinds of which the guest makes.
    private final class Saver: MachineObserver {
        var snapshots: [MachineSnapshot] = []
        func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {
            snapshots.append(machine.save())
        }
        func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) {}
    }

    @Test(arguments: testedExecutors)
    func snapshotsTakenAtEventsAreWhole(executor: Executor) throws {
        let whole = try ScheduleRunTests.loaded(executor: executor)
        for n: UInt64 in 1...9 { whole.schedule(.nmi, cpu: 0, at: .cycle(30_000 + n * 1999)) }
        let saver = Saver()
        whole.observer = saver
        let limits = RunLimits(cycles: 60_000)
        #expect(whole.run(limits) == .cycleLimit)
        whole.observer = nil
        let digest = whole.digest()
        #expect(saver.snapshots.count > 50)
        for snapshot in saver.snapshots {
            let restored = try makeMachine(executor: executor)
            try restored.restore(snapshot)
            #expect(restored.run(limits) == .cycleLimit)
            #expect(restored.digest() == digest)
        }
    }
}
