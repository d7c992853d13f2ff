import Testing

@testable import Machine

@Suite struct DevicePortTests {
    @Test func unknownPortsReadAllOnesAndIgnoreWrites() throws {
        let machine = try makeMachine()
        let cpu = machine.cpu(0)
        let before = machine.digest()
        for port: UInt16 in [0x60, 0x80, 0x2F8, 0xCF8, 0xFFFF] {
            #expect(machine.bus.readPort(port, size: 1, cpu: cpu) == 0xFF)
            #expect(machine.bus.readPort(port, size: 2, cpu: cpu) == 0xFFFF)
            #expect(machine.bus.readPort(port, size: 4, cpu: cpu) == 0xFFFF_FFFF)
            machine.bus.writePort(port, 0x1234_5678, size: 4, cpu: cpu)
        }
        #expect(machine.digest() == before)
    }

    @Test func debugExitStopsWithTheValueWritten() throws {
        let machine = try makeMachine()
        machine.bus.writePort(0xF4, 0xAABB_CCDD, size: 2, cpu: machine.cpu(0))
        #expect(machine.cpu(0).pointee.attention & Attention.stop != 0)
        #expect(machine.bus.debugExit == 0xCCDD)
        #expect(machine.bus.readPort(0xF4, size: 4, cpu: machine.cpu(0)) == 0)
    }

    @Test func interruptControllersKeepTheirMasks() throws {
        let machine = try makeMachine()
        for (command, data, base) in [(0x20, 0x21, 0x20), (0xA0, 0xA1, 0x28)] {
            for value in [0x11, base, 4, 1] {
                machine.portOut(
                    UInt16(value == 0x11 ? command : data), UInt8(truncatingIfNeeded: value))
            }
            machine.portOut(UInt16(data), 0xFB)
            machine.portOut(UInt16(command), 0x0B)
            #expect(machine.portIn(UInt16(data)) == 0xFB)
            #expect(machine.portIn(UInt16(command)) == 0)
        }
        #expect(machine.bus.primaryController.vectorBase == 0x20)
        #expect(machine.bus.secondaryController.vectorBase == 0x28)
    }
}

@Suite struct DeviceSerialTests {
    @Test func bytesWrittenAreSentAtOnce() throws {
        let machine = try makeMachine()
        let console = ConsoleKeeper()
        machine.observer = console
        for byte in Array("hi\n".utf8) {
            #expect(machine.portIn(0x3FD) & 0x20 != 0)
            machine.portOut(0x3F8, byte)
        }
        #expect(console.text == "hi\n")
        // With the divisor latch open the same port is the divisor.
        machine.portOut(0x3FB, 0x83)
        machine.portOut(0x3F8, 0x01)
        machine.portOut(0x3F9, 0x02)
        #expect(machine.bus.readPort(0x3F8, size: 2, cpu: machine.cpu(0)) == 0x0201)
        machine.portOut(0x3FB, 0x03)
        #expect(console.text == "hi\n")
        #expect(machine.portIn(0x3F9) == 0)
        machine.observer = nil
    }

    @Test func inputWaitsForRoom() throws {
        let machine = try makeMachine()
        let input = (0..<50).map { UInt8($0) }
        machine.deliverConsole(input)
        #expect(machine.bus.serial.received.count == 1, "no FIFO after reset")
        #expect(machine.consoleBacklog == 50)
        machine.portOut(0x3FA, 0x01)
        #expect(machine.bus.serial.received.count == 16)
        var read: [UInt8] = []
        while machine.portIn(0x3FD) & 1 != 0 { read.append(machine.portIn(0x3F8)) }
        #expect(read == input, "emptying the FIFO loses no input")
        #expect(machine.portIn(0x3F8) == 0)
        #expect(machine.consoleBacklog == 0)
    }

    @Test func loopbackReturnsBytesAndModemLines() throws {
        let machine = try makeMachine()
        let console = ConsoleKeeper()
        machine.observer = console
        #expect(machine.portIn(0x3FE) & 0xF0 == 0xB0)
        machine.portOut(0x3FC, 0x1A)
        #expect(machine.portIn(0x3FE) & 0xF0 == 0x90)
        machine.portOut(0x3F8, 0x5A)
        machine.portOut(0x3F8, 0xA5)
        #expect(machine.portIn(0x3FD) == 0x63, "the second byte overran")
        #expect(machine.portIn(0x3FD) == 0x61, "reading LSR clears the overrun")
        #expect(machine.portIn(0x3F8) == 0x5A)
        machine.deliverConsole([1])
        #expect(machine.portIn(0x3FD) & 1 == 0, "the line is cut off in loopback")
        machine.portOut(0x3FC, 0x03)
        #expect(machine.portIn(0x3F8) == 1)
        #expect(console.bytes.isEmpty)
        machine.observer = nil
    }

    @Test func interruptIdentificationFollowsPriorities() throws {
        let machine = try makeMachine()
        #expect(machine.portIn(0x3FA) == 0x01)
        machine.portOut(0x3FA, 0x41)
        #expect(machine.portIn(0x3FA) == 0xC1)
        machine.portOut(0x3F9, 0x03)
        #expect(machine.portIn(0x3FA) == 0xC2)
        #expect(machine.portIn(0x3FA) == 0xC1, "reading it acknowledges the transmitter")
        machine.deliverConsole([1, 2, 3])
        #expect(machine.portIn(0x3FA) == 0xCC, "below the trigger level of 4")
        machine.deliverConsole([4])
        #expect(machine.portIn(0x3FA) == 0xC4)
        machine.portOut(0x3FF, 0x77)
        #expect(machine.portIn(0x3FF) == 0x77)
    }
}
