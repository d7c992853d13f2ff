import Testing
import X86

@testable import Machine

@Suite struct PlatformTimerTests {
    private func at(_ tick: UInt64, _ machine: Machine) {
        machine.cpu(0).pointee.cycles = IntervalTimer8254.cycle(tick)
    }

    private func count(_ channel: UInt8, _ machine: Machine) -> UInt16 {
        machine.portOut(0x43, channel << 6)
        let low = machine.portIn(0x40 + UInt16(channel))
        return UInt16(machine.portIn(0x40 + UInt16(channel))) << 8 | UInt16(low)
    }

    @Test func ticksAndCyclesAreInverses() {
        for tick in (0..<2000).map({ UInt64($0 * 7919) }) + [1 << 40, 1 << 50] {
            let cycle = IntervalTimer8254.cycle(tick)
            #expect(IntervalTimer8254.tick(cycle) == tick)
            #expect(cycle == 0 || IntervalTimer8254.tick(cycle - 1) == tick - 1)
        }
    }

    @Test func modeZeroCountsDownOnceAndGoesOn() throws {
        let machine = try makePC()
        at(100, machine)
        machine.portOut(0x61, 1)
        machine.portOut(0x43, 0xB0)
        #expect(machine.portIn(0x61) & 0x20 == 0)
        machine.portOut(0x42, 0xE8)
        machine.portOut(0x42, 0x03)
        at(600, machine)
        #expect(count(2, machine) == 500)
        at(1099, machine)
        #expect(machine.portIn(0x61) & 0x20 == 0)
        at(1100, machine)
        #expect(machine.portIn(0x61) & 0x20 != 0)
        at(1102, machine)
        #expect(count(2, machine) == 0xFFFE)
    }

    @Test func theGateStopsAndTriggers() throws {
        let machine = try makePC()
        machine.portOut(0x61, 1)
        machine.portOut(0x43, 0xB0)
        machine.portOut(0x42, 100)
        machine.portOut(0x42, 0)
        at(40, machine)
        machine.portOut(0x61, 0)
        at(400, machine)
        #expect(count(2, machine) == 60)
        machine.portOut(0x61, 1)
        at(459, machine)
        #expect(machine.portIn(0x61) & 0x20 == 0)
        at(460, machine)
        #expect(machine.portIn(0x61) & 0x20 != 0)
        // Mode 1: a pulse of 50 ticks from the gate's rise.
        machine.portOut(0x43, 0xB2)
        machine.portOut(0x42, 50)
        machine.portOut(0x42, 0)
        #expect(machine.portIn(0x61) & 0x20 != 0)
        machine.portOut(0x61, 0)
        at(500, machine)
        machine.portOut(0x61, 1)
        #expect(machine.portIn(0x61) & 0x20 == 0)
        at(550, machine)
        #expect(machine.portIn(0x61) & 0x20 != 0)
    }

    @Test func periodicModesRepeatAndTakeNewCountsAtTheEnd() throws {
        let machine = try makePC()
        machine.portOut(0x61, 1)
        machine.portOut(0x43, 0xB6)  // a square wave
        machine.portOut(0x42, 10)
        machine.portOut(0x42, 0)
        let wave = (0..<20).map { tick in
            at(UInt64(tick), machine)
            return machine.portIn(0x61) & 0x20 != 0
        }
        let half = [Bool](repeating: true, count: 5) + [Bool](repeating: false, count: 5)
        #expect(wave == half + half)
        machine.portOut(0x43, 0xB4)  // a rate
        machine.portOut(0x42, 10)
        machine.portOut(0x42, 0)
        at(23, machine)
        #expect(count(2, machine) == 6)
        machine.portOut(0x42, 4)
        machine.portOut(0x42, 0)
        at(28, machine)
        #expect(count(2, machine) == 1, "the old count goes to its end")
        at(31, machine)
        #expect(count(2, machine) == 2)
    }

    @Test func latchesStatusAndDecimals() throws {
        let machine = try makePC()
        machine.portOut(0x61, 1)
        machine.portOut(0x43, 0xB1)  // mode 0, BCD
        machine.portOut(0x43, 0xE8)
        #expect(machine.portIn(0x42) == 0x71, "null count, both bytes, mode 0, BCD, low")
        machine.portOut(0x42, 0x00)
        machine.portOut(0x42, 0x10)
        at(1, machine)
        machine.portOut(0x43, 0xC8)
        at(500, machine)
        #expect(machine.portIn(0x42) == 0x31)
        #expect(machine.portIn(0x42) == 0x99)
        #expect(machine.portIn(0x42) == 0x09)
        #expect(count(2, machine) == 0x0500)
        machine.portOut(0x43, 0x90)  // low byte only
        machine.portOut(0x42, 77)
        #expect(machine.portIn(0x42) == 77)
    }

    /// Counter 0's rises are interrupts of line 0, at their exact ticks.
    @Test func counterZeroInterrupts() throws {
        let machine = try makePC()
        machine.portOut(0x43, 0x34)
        machine.portOut(0x40, 0xE8)
        machine.portOut(0x40, 0x03)
        #expect(machine.bus.schedule.next == IntervalTimer8254.cycle(1000))
        machine.portOut(0x43, 0x30)
        machine.portOut(0x40, 10)
        machine.portOut(0x40, 0)
        machine.initialiseControllers()
        #expect(machine.acknowledge() == nil)
        let next = machine.bus.schedule.takeNext()
        let event = try #require(next)
        #expect(event.instant == IntervalTimer8254.cycle(10))
        machine.bus.perform(event.action, on: machine.cpu(0), at: event.instant)
        #expect(machine.acknowledge() == 0x20)
    }
}

@Suite struct PlatformClockTests {
    @Test func civilDatesAreInverses() {
        for day in (0..<40000).map({ UInt64($0 * 3) }) {
            #expect(CalendarDay(day: day).days == day)
        }
        #expect(CalendarDay(day: 11016) == CalendarDay(year: 2000, month: 2, day: 29))
    }

    @Test func timeFollowsTheEpochAndCycles() throws {
        let machine = try makePC(epoch: 1_167_609_600)
        let cpu = machine.cpu(0)
        let year = { [machine.clockRead(0x32), machine.clockRead(9)] }
        #expect(year() == [0x20, 0x07])
        #expect((0...8).map { machine.clockRead($0) } == [0, 0, 0, 0, 0, 0, 2, 1, 1])
        cpu.pointee.cycles = Machine.cyclesPerSecond * 59 + 5
        #expect(machine.clockRead(0) == 0x59)
        machine.clockWrite(0x0B, 0x06)
        #expect(machine.clockRead(0) == 59)
        machine.clockWrite(0x0B, 0x00)
        #expect(machine.clockRead(4) == 0x12, "midnight by a 12-hour clock")
        machine.clockWrite(4, 0x81)
        machine.clockWrite(0x0B, 0x02)
        #expect(machine.clockRead(4) == 0x13)
    }

    @Test func setHoldsTheRegisters() throws {
        let machine = try makePC(epoch: 1000)
        machine.clockWrite(0x0B, 0x82)
        let values: [(UInt8, UInt8)] = [
            (0, 0x59), (2, 0x59), (4, 0x23), (7, 0x28), (8, 0x02), (9, 0x24), (0x32, 0x20),
        ]
        for (register, value) in values { machine.clockWrite(register, value) }
        machine.cpu(0).pointee.cycles += 5 * Machine.cyclesPerSecond
        #expect(machine.clockRead(0) == 0x59)
        machine.clockWrite(0x0B, 0x02)
        machine.cpu(0).pointee.cycles += Machine.cyclesPerSecond
        #expect(machine.clockRead(7) == 0x29, "2024 is a leap year")
        #expect(machine.clockRead(6) == 5, "a Thursday")
    }

    @Test func flagsInterruptAndAreReadOnce() throws {
        let machine = try makePC()
        let cpu = machine.cpu(0)
        machine.initialiseControllers()
        machine.clockWrite(0x0A, 0x26)
        machine.clockWrite(0x0B, 0x42)
        let event = try #require(machine.bus.schedule.events.last { $0.action == .clock })
        #expect(event.instant == 976_563, "1024 Hz")
        cpu.pointee.cycles = event.instant
        machine.bus.perform(.clock, on: cpu, at: event.instant)
        #expect(machine.acknowledge() == 0x28)
        #expect(machine.clockRead(0x0C) == 0xC0)
        #expect(machine.clockRead(0x0C) == 0)
        machine.clockWrite(1, 0x02)
        machine.clockWrite(3, 0xFF)
        machine.clockWrite(5, 0xFF)
        cpu.pointee.cycles = 3 * Machine.cyclesPerSecond
        #expect(machine.clockRead(0x0C) & 0x30 == 0x30, "an alarm at second 2")
    }

    @Test func memorySizesAreInItsRAM() throws {
        let machine = try makePC(memory: 64 << 20)
        #expect(machine.clockRead(0x15) == 0x80 && machine.clockRead(0x16) == 0x02)
        #expect(machine.clockRead(0x17) == 0x00 && machine.clockRead(0x18) == 0xFC)
        #expect(machine.clockRead(0x34) == 0x00 && machine.clockRead(0x35) == 0x03)
    }
}
