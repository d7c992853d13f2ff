import SeededRandom
import Testing
import X86

@testable import Machine

/// How a machine is driven (in pieces, watched, polled, by which executor) never shows.
@Suite struct ScheduleRunTests {
    struct Outcome: Equatable {
        var stop: StopReason
        var digest: UInt64
        var instructions: UInt64
        var console: String
    }

    static func loaded(
        cpus: Int = 1, executor: Executor, inputPollCycles: UInt64 = 4096
    ) throws -> Machine {
        let machine = try makeMachine(cpus: cpus, executor: executor)
        let image = cpus == 1 ? LoopGuest.image : ParallelGuest.image
        try machine.load(kernel: image, initrd: nil, commandLine: "")
        return machine
    }

    static func finish(_ machine: Machine) -> Outcome {
        let console = ConsoleKeeper()
        machine.observer = console
        let stop = machine.run(RunLimits(cycles: 20_000_000))
        machine.observer = nil
        return Outcome(
            stop: stop, digest: machine.digest(), instructions: machine.instructions,
            console: console.text)
    }

    @Test(arguments: testedExecutors, [1, 3])
    func aRunInPiecesIsTheSameRun(executor: Executor, cpus: Int) throws {
        let whole = Self.finish(try Self.loaded(cpus: cpus, executor: executor))
        guard case .debugExit = whole.stop else {
            Issue.record("the guest ended with \(whole.stop)")
            return
        }
        var random = SplitMix64(UInt64(cpus))
        for _ in 0..<4 {
            let machine = try Self.loaded(cpus: cpus, executor: executor)
            let console = ConsoleKeeper()
            machine.observer = console
            var stop = StopReason.cycleLimit
            while stop == .cycleLimit || stop == .instructionLimit {
                let by = random.next() % 20_000
                stop =
                    random.next() & 1 == 0
                    ? machine.run(RunLimits(cycles: machine.cycles + by))
                    : machine.run(RunLimits(instructions: machine.instructions + by))
            }
            machine.observer = nil
            let pieces = Outcome(
                stop: stop, digest: machine.digest(), instructions: machine.instructions,
                console: console.text)
            #expect(pieces == whole)
        }
    }

    @Test(arguments: [1, 2, 4])
    func executorsAgreeWhereverTheyStop(cpus: Int) throws {
        let a = try Self.loaded(cpus: cpus, executor: .stepwise)
        let b = try Self.loaded(cpus: cpus, executor: testedExecutors.last!)
        var random = SplitMix64(99)
        var stops = 0
        while true {
            let limits =
                random.next() & 1 == 0
                ? RunLimits(cycles: a.cycles + random.next() % 3000)
                : RunLimits(instructions: a.instructions + random.next() % 3000)
            let (first, second) = (a.run(limits), b.run(limits))
            #expect(first == second)
            #expect(a.instructions == b.instructions)
            #expect(a.stateDigest() == b.stateDigest())
            stops += 1
            if first != .cycleLimit && first != .instructionLimit { break }
            if first != second || a.stateDigest() != b.stateDigest() { break }
        }
        #expect(a.digest() == b.digest())
        #expect(stops > 10)
    }

    @Test(arguments: testedExecutors)
    func limitsAreExact(executor: Executor) throws {
        let machine = try Self.loaded(executor: executor)
        var random = SplitMix64(4)
        // All classes cost 1 but REP STOS, so that no boundary lies far past a cycle.
        for _ in 0..<300 {
            let target = machine.instructions + random.next() % 100
            #expect(machine.run(RunLimits(instructions: target)) == .instructionLimit)
            #expect(machine.instructions == target)
            let cycle = machine.cycles + random.next() % 100
            #expect(machine.run(RunLimits(cycles: cycle)) == .cycleLimit)
            // A vCPU that waits in HLT has not reached the limit, and does not pretend to.
            if machine.cpu(0).pointee.activity == Activity.active {
                #expect(machine.cycles >= cycle && machine.cycles <= cycle + 1)
            }
        }
        let before = machine.digest()
        #expect(machine.run(RunLimits(instructions: 0)) == .instructionLimit)
        #expect(machine.run(RunLimits(cycles: 0)) == .cycleLimit)
        #expect(machine.digest() == before)
    }

    @Test(arguments: testedExecutors)
    func watchingAndPollingDoNotShow(executor: Executor) throws {
        final class Silent: InputSource {
            var polls: [UInt64] = []
            func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
                polls.append(cycle)
                return []
            }
        }
        let plain = try Self.loaded(executor: executor)
        let watched = try Self.loaded(executor: executor)
        let (silent, console) = (Silent(), ConsoleKeeper())
        watched.inputs = silent
        watched.observer = console
        for limit in stride(from: UInt64(5000), to: 400_000, by: 77_777) {
            let limits = RunLimits(cycles: limit)
            #expect(plain.run(limits) == watched.run(limits))
            #expect(plain.digest() == watched.digest())
        }
        watched.inputs = nil
        watched.observer = nil
        #expect(console.events > 100)
        #expect(silent.polls == (1...silent.polls.count).map { UInt64($0) * 4096 })
        #expect(silent.polls.count > 80)
    }

    @Test func anObserverCanStopTheRunAtItsEvent() throws {
        final class Stopper: MachineObserver {
            var left = 100
            var at: UInt64 = 0
            func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {
                left -= 1
                if left == 0 {
                    at = cpu.pointee.instructions
                    machine.requestStop()
                }
            }
            func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) {}
        }
        for executor in testedExecutors {
            let whole = Self.finish(try Self.loaded(executor: executor))
            let machine = try Self.loaded(executor: executor)
            let stopper = Stopper()
            machine.observer = stopper
            #expect(machine.run() == .requested)
            #expect(machine.instructions == stopper.at)
            machine.observer = nil
            let rest = Self.finish(machine)
            #expect(rest.stop == whole.stop && rest.digest == whole.digest)
        }
    }

    // MARK: Stimuli

    @Test(arguments: testedExecutors)
    func aStimulusArrivesAtItsVeryInstruction(executor: Executor) throws {
        final class Places: MachineObserver {
            var nmis: [(instructions: UInt64, rip: UInt64)] = []
            func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {
                if event.pointee.kind == .nmi {
                    nmis.append((event.pointee.instructions, event.pointee.oldRIP))
                }
            }
            func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) {}
        }
        var random = SplitMix64(11)
        let reference = try Self.loaded(executor: .stepwise)
        let machine = try Self.loaded(executor: executor)
        let places = Places()
        machine.observer = places
        var counts: [UInt64] = []
        var at: UInt64 = 10_000
        for _ in 0..<50 {
            at += 500 + random.next() % 500
            counts.append(at)
        }
        for count in counts.shuffled(using: &random) {
            machine.schedule(.nmi, cpu: 0, at: .instruction(count))
        }
        #expect(machine.run(RunLimits(instructions: at + 1)) == .instructionLimit)
        machine.observer = nil
        #expect(places.nmis.map(\.instructions) == counts)
        #expect(reference.run(RunLimits(instructions: counts[0])) == .instructionLimit)
        #expect(reference.cpu(0).pointee.rip == places.nmis[0].rip)
    }

    @Test(arguments: testedExecutors)
    func stimuliByCycleAndByHandAreTheSame(executor: Executor) throws {
        let ahead = try Self.loaded(executor: executor)
        let byHand = try Self.loaded(executor: executor)
        for n: UInt64 in 1...30 {
            ahead.schedule(.nmi, cpu: 0, at: .cycle((n + 2) * 5003))
            ahead.schedule(.console([65, 66]), cpu: 0, at: .cycle((n + 2) * 5003))
        }
        for n: UInt64 in 1...30 {
            #expect(byHand.run(RunLimits(cycles: (n + 2) * 5003)) == .cycleLimit)
            byHand.inject(.nmi, cpu: 0)
            byHand.inject(.console([65, 66]), cpu: 0)
        }
        let limits = RunLimits(cycles: 200_000)
        #expect(ahead.run(limits) == byHand.run(limits))
        #expect(ahead.instructions == byHand.instructions)
        #expect(ahead.readPhysical(0x19_0000, count: 4) == byHand.readPhysical(0x19_0000, count: 4))
        #expect(ahead.readPhysical(0x19_0000, count: 1) == [30])
        #expect(ahead.consoleBacklog == 60)
        #expect(ahead.digest() == byHand.digest())
    }

    @Test func inputIsPolledAtItsInstantsAndReachesTheGuest() throws {
        final class Typist: InputSource {
            func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
                cycle == 3 * 4096 ? Array("typed".utf8) : []
            }
        }
        let machine = try Self.loaded(executor: .stepwise)
        let typist = Typist()
        machine.inputs = typist
        _ = machine.run(RunLimits(cycles: 3 * 4096))
        #expect(machine.consoleBacklog == 0)
        _ = machine.run(RunLimits(cycles: 3 * 4096 + 100))
        #expect(machine.consoleBacklog == 5)
        machine.inputs = nil
    }

    /// Injects NMIs from inside the run, at every event that it counts down to.
    private final class Injector: MachineObserver {
        var events = 0
        func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {
            events += 1
            // Before the guest has its interrupt table an NMI would be its end.
            guard cpu.pointee.idtr.base == 0x1_0000 else { return }
            switch events % 7 {
            case 3: machine.inject(.nmi, cpu: 0)
            case 5:
                machine.schedule(.nmi, cpu: 0, at: .cycle(cpu.pointee.cycles + 13))
                machine.schedule(
                    .nmi, cpu: 0, at: .instruction(cpu.pointee.instructions + 29))
            default: break
            }
        }
        func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) {}
    }

    @Test func anObserverCanInject() throws {
        var digests: [UInt64] = []
        for executor in testedExecutors {
            let machine = try Self.loaded(executor: executor)
            let injector = Injector()
            machine.observer = injector
            #expect(machine.run(RunLimits(cycles: 300_000)) == .cycleLimit)
            machine.observer = nil
            let taken = try #require(machine.readPhysical(0x19_0000, count: 2))
            #expect(Int(taken[0]) + Int(taken[1]) * 256 > 100)
            digests.append(machine.digest())
        }
        #expect(digests[0] == digests[1])
    }
}
