import SeededRandom
import Testing
import X86

@testable import Machine

@Suite struct EventTimerTests {
    private static let base: UInt64 = 0xFED0_0000
    private static let (level, enable, periodic, setsValue, is32Bit):
        (
            UInt64, UInt64, UInt64, UInt64, UInt64
        ) = (2, 4, 8, 0x40, 0x100)
    private static let pin2: UInt64 = 2 << 9

    private func read(_ machine: Machine, _ offset: UInt64, size: Int = 8) -> UInt64 {
        machine.bus.readPhysical(Self.base + offset, size: size, cpu: machine.cpu(0))
    }

    private func write(
        _ machine: Machine, _ offset: UInt64, _ value: UInt64, size: Int = 8
    ) {
        machine.bus.writePhysical(Self.base + offset, value, size: size, cpu: machine.cpu(0))
    }

    /// Time comes to a cycle: what is scheduled up to it happens.
    private func go(_ machine: Machine, to cycle: UInt64) {
        while machine.bus.schedule.next <= cycle {
            guard let event = machine.bus.schedule.takeNext() else { break }
            machine.cpu(0).pointee.cycles = event.instant
            machine.bus.perform(event.action, on: machine.cpu(event.cpu), at: event.instant)
        }
        machine.cpu(0).pointee.cycles = cycle
    }

    /// A machine with the I/O APIC's pin 2 open as vector 0x50, and the 8254 silent.
    private func pinMachine(entry: UInt32 = 0x50) throws -> Machine {
        let machine = try makePC()
        machine.bus.writePhysical(0xFEE0_00F0, 0x1FF, size: 4, cpu: machine.cpu(0))
        machine.portOut(0x43, 0x30)
        machine.inputOutputWrite(0x15, 0)
        machine.inputOutputWrite(0x14, entry)
        return machine
    }

    /// Takes an interrupt of the I/O APIC and ends it.
    private func take(_ machine: Machine) -> UInt8? {
        let vector = machine.acknowledge()
        if vector != nil {
            machine.bus.writePhysical(0xFEE0_00B0, 0, size: 4, cpu: machine.cpu(0))
        }
        return vector
    }

    @Test func registersSayWhatThereIs() throws {
        let machine = try makePC()
        #expect(read(machine, 0) == 0x0098_9680_8086_A201)
        #expect(read(machine, 4, size: 4) == 10_000_000, "femtoseconds")
        for n in UInt64(0)..<3 {
            #expect(read(machine, 0x100 + 0x20 * n) == 0x0000_0004_0000_0030)
            #expect(read(machine, 0x108 + 0x20 * n) == .max)
            #expect(read(machine, 0x110 + 0x20 * n) == 0)
            write(machine, 0x100 + 0x20 * n, .max)
            // Route 31 is not there; messages are not offered.
            #expect(read(machine, 0x100 + 0x20 * n) == 0x0000_0004_0000_017E)
            write(machine, 0x100 + 0x20 * n, Self.pin2)
            #expect(read(machine, 0x100 + 0x20 * n, size: 4) == 0x430)
        }
        write(machine, 0, .max)
        write(machine, 0x10, 0xFFFF_FFFE)
        #expect(read(machine, 0x10) == 2)
        #expect(read(machine, 0) == 0x0098_9680_8086_A201)
        #expect(read(machine, 0x160) == 0 && read(machine, 0x3F8) == 0)
    }

    @Test func theCounterCountsTenNanosecondsWhileItIsEnabled() throws {
        let machine = try makePC()
        go(machine, to: 5_000)
        #expect(read(machine, 0xF0) == 0)
        write(machine, 0xF0, 0x5_FFFF_FFFF)
        write(machine, 0x10, 1)
        go(machine, to: 5_009)
        #expect(read(machine, 0xF0) == 0x5_FFFF_FFFF)
        go(machine, to: 5_010)
        #expect(read(machine, 0xF0) == 0x6_0000_0000)
        #expect(read(machine, 0xF4, size: 4) == 6)
        write(machine, 0xF0, 7)
        #expect(read(machine, 0xF0) == 0x6_0000_0000, "it cannot be set while it counts")
        write(machine, 0x10, 0)
        go(machine, to: 9_000)
        #expect(read(machine, 0xF0) == 0x6_0000_0000)
        write(machine, 0xF4, 1, size: 4)
        write(machine, 0xF0, 2, size: 4)
        #expect(read(machine, 0xF0) == 0x1_0000_0002)
    }

    @Test func oneShotInterruptsOnceAtItsTick() throws {
        let machine = try pinMachine()
        write(machine, 0x10, 1)
        write(machine, 0x140, Self.enable | Self.pin2)
        write(machine, 0x148, 1_000)
        go(machine, to: 9_999)
        #expect(take(machine) == nil)
        go(machine, to: 10_000)
        #expect(take(machine) == 0x50)
        go(machine, to: 1 << 50)
        #expect(take(machine) == nil)
        // A value that has passed is never reached, the present one is.
        write(machine, 0x148, 5)
        #expect(machine.bus.schedule.events.isEmpty)
        write(machine, 0x148, (1 << 50) / 10)
        go(machine, to: 1 << 50)
        #expect(take(machine) == 0x50)
    }

    @Test func aTimerOf32BitsMatchesEveryRound() throws {
        let machine = try pinMachine()
        write(machine, 0x10, 1)
        write(machine, 0x148, 0xABCD_0000_0064)
        write(machine, 0x140, Self.enable | Self.pin2 | Self.is32Bit)
        #expect(read(machine, 0x148) == 100, "the upper half is gone")
        let round: UInt64 = 10 << 32
        for n in UInt64(0)..<3 {
            go(machine, to: n * round + 999)
            #expect(take(machine) == nil)
            go(machine, to: n * round + 1_000)
            #expect(take(machine) == 0x50)
        }
    }

    /// As the specification's example and as Linux set it.
    @Test func periodicModeAddsTheLastValueWritten() throws {
        let machine = try pinMachine()
        write(machine, 0x10, 1)
        write(machine, 0x140, Self.enable | Self.pin2 | Self.periodic | Self.setsValue)
        write(machine, 0x148, 500)
        #expect(read(machine, 0x140) & Self.setsValue == 0)
        for n in UInt64(1)...5 {
            go(machine, to: n * 5_000 - 1)
            #expect(take(machine) == nil)
            #expect(read(machine, 0x148) == n * 500)
            go(machine, to: n * 5_000)
            #expect(take(machine) == 0x50)
        }
        write(machine, 0x148, 200)
        #expect(read(machine, 0x148) == 3_000, "the accumulator stays")
        go(machine, to: 30_000)
        #expect(take(machine) == 0x50)
        go(machine, to: 32_000)
        #expect(take(machine) == 0x50)
        go(machine, to: 1_000_000)
        #expect(read(machine, 0x148) == 100_200)
        // Off, the comparator goes on.
        write(machine, 0x140, Self.pin2 | Self.periodic)
        #expect(take(machine) == 0x50)
        go(machine, to: 2_000_000)
        #expect(machine.bus.schedule.events.isEmpty && take(machine) == nil)
        #expect(read(machine, 0x148) == 200_200)
    }

    @Test func levelsStayUntilTheirStatusIsCleared() throws {
        let machine = try pinMachine(entry: 0x8050)
        write(machine, 0x10, 1)
        write(machine, 0x120, Self.enable | Self.pin2 | Self.level)
        write(machine, 0x128, 10)
        go(machine, to: 100)
        #expect(read(machine, 0x20) == 2)
        #expect(take(machine) == 0x50)
        #expect(take(machine) == 0x50, "still high at the end of interrupt")
        write(machine, 0x20, 5)
        #expect(read(machine, 0x20) == 2)
        write(machine, 0x20, 2)
        #expect(take(machine) == 0x50, "the one that came while it was high")
        #expect(take(machine) == nil)
        // Without its interrupt a level-triggered timer still has its status.
        write(machine, 0x120, Self.pin2 | Self.level)
        write(machine, 0x128, 20)
        go(machine, to: 200)
        #expect(read(machine, 0x20) == 2)
        #expect(take(machine) == nil)
        write(machine, 0x120, Self.enable | Self.pin2 | Self.level)
        #expect(take(machine) == 0x50)
        write(machine, 0x120, Self.enable | Self.pin2)
        #expect(read(machine, 0x20) == 0, "an edge has none")
    }

    @Test func theSharedPinIsHighWhileAnyHoldsIt() throws {
        let machine = try pinMachine(entry: 0x10050)
        func isHigh() -> Bool { machine.bus.inputOutputAPIC.levels & 4 != 0 }
        machine.line(0, true)
        write(machine, 0x10, 1)
        write(machine, 0x120, Self.enable | Self.pin2 | Self.level)
        write(machine, 0x128, 10)
        #expect(isHigh())
        go(machine, to: 100)
        machine.line(0, false)
        #expect(isHigh())
        machine.line(0, true)
        write(machine, 0x20, 2)
        #expect(isHigh())
        machine.line(0, false)
        #expect(!isHigh())
    }

    @Test func legacyReplacementTakesTheLinesAndGivesThemBack() throws {
        let machine = try makePC()
        machine.initialiseControllers(automaticEnd: true)
        machine.portOut(0x43, 0x34)
        machine.portOut(0x40, 0x9C)
        machine.portOut(0x40, 0x2E)
        _ = machine.acknowledge()
        write(machine, 0x108, 1_000_000)
        write(machine, 0x128, 2_000_000)
        write(machine, 0x100, Self.enable)
        write(machine, 0x120, Self.enable)
        write(machine, 0x10, 3)
        go(machine, to: 9_999_999)
        // Whatever the 8254 had asked for has been taken; it asks no more.
        while machine.acknowledge() != nil {}
        go(machine, to: 10_000_000)
        #expect(machine.acknowledge() == 0x20)
        go(machine, to: 19_999_999)
        #expect(machine.acknowledge() == nil)
        go(machine, to: 20_000_000)
        #expect(machine.acknowledge() == 0x28)
        go(machine, to: 200_000_000)
        #expect(machine.acknowledge() == nil)
        write(machine, 0x10, 1)
        go(machine, to: 220_000_000)
        #expect(machine.acknowledge() == 0x20, "the 8254's")
        #expect(machine.bus.schedule.events.contains { $0.action == .intervalTimer })
        // A stopped counter replaces nothing.
        write(machine, 0x10, 2)
        #expect(machine.bus.schedule.events.contains { $0.action == .intervalTimer })
    }

    @Test func onlyItsRegistersAnswer() throws {
        let machine = try makePC()
        write(machine, 0xF0, 0x1122_3344_5566_7788)
        for size in [1, 2, 4, 8] {
            for offset in UInt64(0)..<0x400 {
                let value = read(machine, offset, size: size)
                let isAccess = size >= 4 && offset % UInt64(size) == 0
                #expect(isAccess || value == 0)
            }
            #expect(read(machine, 0x400, size: size) == .max >> UInt64(64 - 8 * size))
        }
        write(machine, 0xF0, 0, size: 1)
        write(machine, 0xF2, 0, size: 2)
        write(machine, 0xF2, 0, size: 4)
        write(machine, 0xF4, 0, size: 8)
        #expect(read(machine, 0xF0) == 0x1122_3344_5566_7788)
    }

    @Test func itsPageShowsClocks() throws {
        let machine = try makePC(cpus: 2)
        let cpu = machine.cpu(0)
        #expect(machine.bus.showsClock(physical: 0xFED0_00F0, cpu))
        #expect(machine.bus.showsClock(physical: 0xFED0_0108, cpu))
        #expect(!machine.bus.showsClock(physical: 0xFED0_0400, cpu))
    }

    @Test func earlierEditionsHaveNone() throws {
        let machine = try Machine(
            MachineConfiguration(memory: 4 << 20, cpus: 2, platform: .pc, edition: .second))
        #expect(read(machine, 0, size: 4) == 0xFFFF_FFFF)
        write(machine, 0x10, 3)
        #expect(read(machine, 0x10, size: 4) == 0xFFFF_FFFF)
        #expect(!machine.bus.showsClock(physical: 0xFED0_00F0, machine.cpu(0)))
        let root = machine.writeFirmwareTables()
        let list = try #require(machine.readPhysical(root + 16, count: 4))
        let size = machine.readPhysical(
            list.reversed().reduce(0) { $0 << 8 | UInt64($1) } + 4, count: 1)
        #expect(size == [44], "two tables")
    }

    /// Any accesses at any time: nothing traps, and a snapshot goes on as the original does.
    @Test(arguments: 0..<20) func anyAccessesAreSurvived(seed: UInt64) throws {
        var random = SplitMix64(seed)
        let machine = try makePC()
        machine.initialiseControllers(automaticEnd: true)
        abuse(machine, &random)
        let other = try makePC()
        try other.restore(machine.save())
        #expect(other.digest() == machine.digest())
        var again = random
        let seen = abuse(machine, &random)
        #expect(abuse(other, &again) == seen)
        #expect(other.digest() == machine.digest())
    }

    @discardableResult
    private func abuse(_ machine: Machine, _ random: inout SplitMix64) -> [UInt64] {
        var seen: [UInt64] = []
        let offsets: [UInt64] = [0x10, 0x20, 0xF0, 0xF4, 0x100, 0x108, 0x120, 0x128, 0x148]
        for _ in 0..<300 {
            let size = [1, 2, 4, 4, 8, 8][Int(random.next() % 6)]
            let isWild = random.next() % 4 == 0
            let offset =
                isWild ? random.next() % 0x400 : offsets[Int(random.next() % UInt64(offsets.count))]
            let value = random.next() >> (random.next() % 64)
            if random.next() % 3 == 0 {
                seen.append(read(machine, offset, size: size))
            } else {
                write(machine, offset, value, size: size)
            }
            // Not so far that a period of one tick would have thousands of matches.
            go(machine, to: machine.cpu(0).pointee.cycles + random.next() % 2_000)
            if let vector = machine.acknowledge() { seen.append(UInt64(vector)) }
        }
        return seen
    }

    @Test func impossibleStateIsRefused() throws {
        let machine = try makePC()
        write(machine, 0x148, 100_000)
        write(machine, 0x140, Self.enable)
        write(machine, 0x10, 1)
        let snapshot = machine.save()
        var accepted = 0
        for place in snapshot.state.indices {
            var damaged = snapshot
            damaged.state[place] ^= 0xFF
            let other = try makePC()
            do {
                try other.restore(damaged)
                _ = other.digest()
                accepted += 1
                for n in UInt64(0)..<3 { _ = read(other, 0x108 + 0x20 * n) }
            } catch MachineError.snapshot {}
        }
        #expect(accepted > 0)
    }
}
