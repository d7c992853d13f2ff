import SeededRandom
import Testing
import X86

@testable import Machine

@Suite struct PlatformBoardTests {
    @Test func configurationSpaceHoldsTheHostBridgeAlone() throws {
        let machine = try makePC()
        let cpu = machine.cpu(0)
        var found: [UInt32] = []
        for device in UInt32(0)..<256 {
            machine.bus.writePort(0xCF8, UInt64(0x8000_0000 | device << 8), size: 4, cpu: cpu)
            let word = machine.bus.readPort(0xCFC, size: 4, cpu: cpu)
            if word != 0xFFFF_FFFF { found.append(UInt32(word)) }
        }
        #expect(found == [0x1237_8086])
        machine.bus.writePort(0xCF8, 0x8000_0000, size: 4, cpu: cpu)
        #expect(machine.bus.readPort(0xCFE, size: 2, cpu: cpu) == 0x1237)
        machine.bus.writePort(0xCF8, 0, size: 4, cpu: cpu)
        #expect(machine.bus.readPort(0xCFC, size: 4, cpu: cpu) == 0xFFFF_FFFF)
    }

    @Test(arguments: [
        (UInt16(0x604), UInt64(0x2000), 2, StopReason.poweredOff), (0xB004, 0x2000, 2, .poweredOff),
        (0xCF9, 0x06, 1, .reset(port: 0xCF9)), (0x64, 0xFE, 1, .reset(port: 0x64)),
        (0x92, 0x03, 1, .reset(port: 0x92)),
    ]) func portsEndTheRun(port: UInt16, value: UInt64, size: Int, reason: StopReason) throws {
        let machine = try makePC()
        machine.bus.writePort(port, value, size: size, cpu: machine.cpu(0))
        #expect(machine.bus.ending == reason)
        #expect(machine.run() == reason)
        let bare = try makeMachine()
        bare.bus.writePort(port, value, size: size, cpu: bare.cpu(0))
        #expect(bare.bus.ending == nil)
    }

    @Test func otherWritesToThemDoNot() throws {
        let machine = try makePC()
        let writes: [(UInt16, UInt64)] = [
            (0x604, 0x2400), (0x604, 0x0001), (0xB004, 0x2400), (0xB004, 0x0001), (0xCF9, 0x02),
            (0x64, 0xF1), (0x92, 0x02),
        ]
        for (port, value) in writes {
            machine.bus.writePort(
                port, value, size: [0x604, 0xB004].contains(port) ? 2 : 1, cpu: machine.cpu(0))
        }
        #expect(machine.bus.ending == nil)
        #expect(machine.bus.readPort(0x604, size: 2, cpu: machine.cpu(0)) & 1 == 1, "SCI_EN")
    }

    @Test func debugConsolePrints() throws {
        let machine = try makePC()
        let console = ConsoleKeeper()
        machine.observer = console
        #expect(machine.portIn(0xE9) == 0xE9)
        for byte in Array("text".utf8) { machine.portOut(0xE9, byte) }
        #expect(console.text == "text")
        machine.observer = nil
    }

    @Test func keyboardAnswersItsCommands() throws {
        let machine = try makePC()
        machine.initialiseControllers()
        func answers() -> [UInt8] {
            var bytes: [UInt8] = []
            while machine.portIn(0x64) & 1 != 0 { bytes.append(machine.portIn(0x60)) }
            return bytes
        }
        machine.portOut(0x64, 0xAA)
        #expect(machine.acknowledge() == 0x21)
        #expect(answers() == [0x55])
        machine.portOut(0x60, 0xFF)
        #expect(answers() == [0xFA, 0xAA])
        machine.portOut(0x64, 0x60)
        machine.portOut(0x60, 0x00)
        machine.portOut(0x60, 0xF2)
        #expect(answers() == [0xFA, 0xAB, 0x83])
        machine.portOut(0x60, 0xED)
        machine.portOut(0x60, 0x02)
        #expect(answers() == [0xFA, 0xFA])
        machine.portOut(0x64, 0xD4)
        machine.portOut(0x60, 0xFF)
        #expect(answers().isEmpty, "there is no auxiliary device")
        for _ in 0..<100 { machine.portOut(0x64, 0xAA) }
        #expect(answers().count == 32)
    }

    /// The serial port's line, with a byte in either direction.
    @Test func serialPortInterrupts() throws {
        let machine = try makePC()
        machine.initialiseControllers()
        machine.deliverConsole([1])
        #expect(machine.acknowledge() == nil)
        machine.portOut(0x3F9, 0x01)
        #expect(machine.acknowledge() == 0x24)
        machine.portOut(0x20, 0x20)
        #expect(machine.portIn(0x3F8) == 1)
        machine.deliverConsole([2])
        #expect(machine.acknowledge() == 0x24)
        machine.portOut(0x20, 0x20)
        #expect(machine.portIn(0x3F8) == 2)
        machine.portOut(0x3F9, 0x02)
        #expect(machine.acknowledge() == 0x24)
        machine.portOut(0x20, 0x20)
        machine.portOut(0x3F8, 65)
        #expect(machine.acknowledge() == 0x24, "each byte sent empties the transmitter again")
    }

    /// Whatever has been done to the devices, a snapshot of it continues as the original does.
    @Test(arguments: 0..<20) func snapshotsHoldEveryDevice(seed: UInt64) throws {
        var random = SplitMix64(seed)
        let machine = try makePC(cpus: 2, epoch: seed)
        machine.initialiseControllers()
        exercise(machine, &random, count: 400)
        let snapshot = machine.save()
        let other = try makePC(cpus: 2, epoch: seed)
        try other.restore(snapshot)
        #expect(other.digest() == machine.digest())
        #expect(other.save() == snapshot)
        var again = random
        let one = exercise(machine, &random, count: 400)
        #expect(exercise(other, &again, count: 400) == one)
        #expect(other.digest() == machine.digest())
    }

    @discardableResult
    private func exercise(
        _ machine: Machine, _ random: inout SplitMix64, count: Int
    ) -> [UInt64] {
        let ports: [UInt16] = [
            0x20, 0x21, 0xA0, 0xA1, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x3F8,
            0x3F9, 0x3FA, 0x3FB, 0x3FC, 0x4D0, 0x4D1, 0x510, 0x511, 0x514, 0x518, 0xCF8, 0xCFC,
            0x600, 0x602,
        ]
        let cpu = machine.cpu(0)
        var seen: [UInt64] = []
        for _ in 0..<count {
            let port = ports[Int(random.next() % UInt64(ports.count))]
            let size = [1, 1, 2, 4][Int(random.next() % 4)]
            cpu.pointee.cycles += random.next() % 3_000_000
            let register = EventTimers.range.lowerBound + random.next() % 0x180
            switch random.next() % 6 {
            case 4: seen.append(machine.bus.readPhysical(register & ~3, size: 4, cpu: cpu))
            case 5:
                machine.bus.writePhysical(register & ~3, random.next(), size: 4, cpu: cpu)
            case 0: seen.append(machine.bus.readPort(port, size: size, cpu: cpu))
            case 1:
                machine.inputOutputWrite(
                    UInt32(random.next() % 0x42), UInt32(truncatingIfNeeded: random.next()))
            default: machine.bus.writePort(port, random.next(), size: size, cpu: cpu)
            }
            while machine.bus.schedule.next <= cpu.pointee.cycles {
                guard let event = machine.bus.schedule.takeNext() else { break }
                machine.bus.perform(
                    event.action, on: machine.cpu(event.cpu), at: event.instant)
            }
            if let vector = machine.acknowledge() { seen.append(UInt64(vector)) }
            cpu.pointee.attention &= ~Attention.stop
        }
        return seen
    }
}
