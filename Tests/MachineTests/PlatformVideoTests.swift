import Testing
import X86

@testable import Machine

@Suite struct PlatformVideoTests {
    @Test func registersReadBack() throws {
        let machine = try makePC()
        for (index, value) in [(UInt8(0x0A), UInt8(0x20)), (0x0E, 0x03), (0x0F, 0xC8)] {
            machine.portOut(0x3D4, index)
            machine.portOut(0x3D5, value)
            #expect(machine.portIn(0x3D5) == value)
        }
        machine.portOut(0x3D4, 0x3F)
        #expect(machine.portIn(0x3D5) == 0, "no such register")
        for port in [UInt16(0x3C4), 0x3CE] {
            machine.portOut(port, 1)
            machine.portOut(port + 1, 0x5A)
            #expect(machine.portIn(port + 1) == 0x5A)
        }
        _ = machine.portIn(0x3DA)
        machine.portOut(0x3C0, 0x30)
        machine.portOut(0x3C0, 0x0C)
        _ = machine.portIn(0x3DA)
        machine.portOut(0x3C0, 0x30)
        #expect(machine.portIn(0x3C1) == 0x0C)
        machine.portOut(0x3C8, 7)
        for value in [UInt8(1), 2, 0xFF] { machine.portOut(0x3C9, value) }
        machine.portOut(0x3C7, 7)
        #expect([0, 0, 0].map { _ in machine.portIn(0x3C9) } == [1, 2, 0x3F])
    }

    @Test func timingIsProtectedAndMonochromePortsAreAway() throws {
        let machine = try makePC()
        machine.portOut(0x3D4, 0)
        machine.portOut(0x3D5, 0x11)
        #expect(machine.portIn(0x3D5) == 0x5F)
        machine.portOut(0x3D4, 0x11)
        machine.portOut(0x3D5, 0x0E)
        machine.portOut(0x3D4, 0)
        machine.portOut(0x3D5, 0x11)
        #expect(machine.portIn(0x3D5) == 0x11)
        #expect(machine.portIn(0x3B5) == 0xFF)
        machine.portOut(0x3C2, 0x66)
        #expect(machine.portIn(0x3B5) == 0x11 && machine.portIn(0x3D5) == 0xFF)
        #expect(machine.portIn(0x3CC) == 0x66)
    }

    /// 449 lines of 31,777 cycles: in one frame the beam is in vertical retrace for two of them.
    @Test func beamMoves() throws {
        let machine = try makePC()
        var retrace = 0
        var blank = 0
        for line in 0..<449 {
            machine.cpu(0).pointee.cycles = UInt64(line) * 31_777 + 100
            let status = machine.portIn(0x3DA)
            retrace += status & 8 != 0 ? 1 : 0
            blank += status & 1 != 0 ? 1 : 0
        }
        #expect(retrace == 2 && blank == 49)
        machine.cpu(0).pointee.cycles = 30_000
        #expect(machine.portIn(0x3DA) & 9 == 1, "at a line's end")
    }

    @Test func screenIsWhatTextMemoryShows() throws {
        let machine = try makePC()
        #expect(machine.textScreen == nil)
        machine.writePhysical(0xB_8000 + 160, [0x41, 7, 0xC9, 7, 0x01, 7, 0x20, 7])
        #expect(machine.textScreen == ["", "A╔☺"])
        // The screen starts a row further down.
        machine.portOut(0x3D4, 0x0D)
        machine.portOut(0x3D5, 80)
        #expect(machine.textScreen == ["A╔☺"])
        machine.portOut(0x3CE, 6)
        machine.portOut(0x3CF, 0x05)
        #expect(machine.textScreen == nil, "graphics")
        #expect(try makeMachine().textScreen == nil, "no screen")
    }

    @Test func memoryTypesAreKeptAndChecked() throws {
        let machine = try makePC(cpus: 2)
        let cpu = machine.cpu(0)
        #expect(cpu.identify(leaf: 1, subleaf: 0).edx & 1 << 12 != 0)
        #expect(try cpu.readMSR(0xFE) == 0x508)
        try cpu.writeMSR(0x2FF, 0xC06)
        try cpu.writeMSR(0x20F, 0xFF_C000_0800)
        try cpu.writeMSR(0x26F, 0x0605_0401_0000_0606)
        #expect(try cpu.readMSR(0x2FF) == 0xC06)
        #expect(try cpu.readMSR(0x20F) == 0xFF_C000_0800)
        #expect(try machine.cpu(1).readMSR(0x20F) == 0)
        let refused: [(UInt32, UInt64)] = [
            (0xFE, 0), (0x2FF, 0x02), (0x2FF, 0x1000), (0x200, 0x07), (0x201, 0x400),
            (0x201, 1 << 50), (0x250, 0x03), (0x251, 0),
        ]
        for (register, value) in refused {
            #expect(throws: Fault.generalProtection(0)) { try cpu.writeMSR(register, value) }
        }
        let copy = try makePC(cpus: 2)
        try copy.restore(machine.save())
        #expect(try copy.cpu(0).readMSR(0x26F) == 0x0605_0401_0000_0606)
        #expect(try makeMachine().cpu(0).identify(leaf: 1, subleaf: 0).edx & 1 << 12 == 0)
    }
}
