import Testing
import X86

@testable import Machine

@Suite struct PlatformControllerTests {
    @Test func linesAreServedByPriorityAndNest() throws {
        let machine = try makePC()
        machine.initialiseControllers()
        machine.line(5, true)
        machine.line(3, true)
        #expect(machine.acknowledge() == 0x23)
        #expect(machine.acknowledge() == nil, "line 5 waits for line 3's end")
        machine.line(1, true)
        #expect(machine.acknowledge() == 0x21, "a higher line comes in between")
        machine.portOut(0x20, 0x0B)
        #expect(machine.portIn(0x20) == 0x0A)
        machine.portOut(0x20, 0x20)
        machine.portOut(0x20, 0x20)
        #expect(machine.acknowledge() == 0x25)
        machine.portOut(0x20, 0x65)
        #expect(machine.acknowledge() == nil, "an edge is one interrupt")
        machine.line(5, false)
        machine.line(5, true)
        #expect(machine.acknowledge() == 0x25)
    }

    @Test func theSecondOneHangsOnLineTwo() throws {
        let machine = try makePC()
        machine.initialiseControllers()
        machine.line(12, true)
        machine.line(8, true)
        #expect(machine.acknowledge() == 0x28)
        machine.portOut(0xA0, 0x20)
        #expect(machine.acknowledge() == nil, "line 2 is in service")
        machine.portOut(0x20, 0x62)
        #expect(machine.acknowledge() == 0x2C)
        machine.portOut(0x20, 0x20)
        machine.line(3, true)
        #expect(machine.acknowledge() == 0x23, "lower than the cascade")
    }

    @Test func masksHoldAndReleaseWithoutLoss() throws {
        let machine = try makePC()
        machine.initialiseControllers()
        machine.portOut(0x21, 0x08)
        machine.line(3, true)
        #expect(machine.acknowledge() == nil)
        machine.portOut(0x20, 0x0A)
        #expect(machine.portIn(0x20) == 0x08)
        machine.portOut(0x21, 0x00)
        #expect(machine.acknowledge() == 0x23)
    }

    @Test func whatIsWithdrawnIsSpurious() throws {
        let machine = try makePC()
        machine.initialiseControllers()
        machine.portOut(0x4D0, 0x08)
        machine.line(3, true)
        machine.line(3, false)
        #expect(machine.bus.acknowledgeExternal(machine.cpu(0)) == 0x27)
        machine.portOut(0x20, 0x0B)
        #expect(machine.portIn(0x20) == 0, "a spurious interrupt is not in service")
    }

    @Test func rotationSpecialMaskPollAndAutomaticEnd() throws {
        let machine = try makePC()
        machine.initialiseControllers()
        machine.portOut(0x20, 0xC3)  // line 3 lowest: 4 is highest
        machine.line(1, true)
        machine.line(4, true)
        #expect(machine.acknowledge() == 0x24)
        machine.portOut(0x21, 0x10)
        #expect(machine.acknowledge() == nil)
        machine.portOut(0x20, 0x68)
        #expect(machine.acknowledge() == 0x21, "a masked line in service inhibits nobody")
        machine.portOut(0x20, 0x48)
        machine.portOut(0x20, 0xA0)
        machine.initialiseControllers(automaticEnd: true)
        machine.line(6, true)
        #expect(machine.acknowledge() == 0x26)
        machine.portOut(0x20, 0x0B)
        #expect(machine.portIn(0x20) == 0)
        machine.line(7, true)
        machine.portOut(0x20, 0x0C)
        #expect(machine.portIn(0x20) == 0x87)
        machine.portOut(0x20, 0x0C)
        #expect(machine.portIn(0x20) == 0)
    }

    @Test func localAPICDecidesWhetherINTRComesThrough() throws {
        let machine = try makePC(cpus: 2)
        machine.initialiseControllers()
        machine.line(3, true)
        machine.apicWrite(APICRegister.lint0, 0x1_0700)
        #expect(machine.acknowledge() == nil)
        machine.apicWrite(APICRegister.lint0, 0x0700)
        #expect(machine.acknowledge(cpu: 1) == nil)
        #expect(machine.acknowledge() == 0x23)
        machine.portOut(0x20, 0x20)
        machine.apicWrite(APICRegister.lint0, 0x0041)
        machine.line(4, true)
        #expect(machine.acknowledge() == 0x41, "LINT0 as an ordinary interrupt")
        machine.cpu(0).pointee.apicBase &= ~APICBase.enable
        machine.bus.apicBaseChanged(machine.cpu(0))
        #expect(machine.acknowledge() == 0x24, "with the local APIC off the pin is the processor's")
    }
}

@Suite struct PlatformInputOutputAPICTests {
    @Test func registersKeepWhatCanBeWritten() throws {
        let machine = try makePC()
        #expect(machine.inputOutputRead(1) == 0x0017_0020)
        #expect(machine.inputOutputRead(0x10) == 0x1_0000)
        machine.inputOutputWrite(0x3E, 0xFFFF_FFFF)
        machine.inputOutputWrite(0x3F, 0xFFFF_FFFF)
        #expect(machine.inputOutputRead(0x3E) == 0x1_AFFF)
        #expect(machine.inputOutputRead(0x3F) == 0xFF00_0000)
        machine.inputOutputWrite(0, 0xFFFF_FFFF)
        #expect(machine.inputOutputRead(0) == 0x0F00_0000)
        #expect(machine.inputOutputRead(0x40) == 0)
    }

    @Test func edgesAreSentOnceAndLostWhileMasked() throws {
        let machine = try makePC()
        machine.line(4, true)
        machine.inputOutputWrite(0x18, 0x0044)
        #expect(machine.acknowledge() == nil)
        machine.line(4, false)
        machine.line(4, true)
        #expect(machine.acknowledge() == 0x44)
        machine.apicWrite(APICRegister.endOfInterrupt, 0)
        #expect(machine.acknowledge() == nil)
    }

    @Test func levelsComeAgainUntilTheyFall() throws {
        let machine = try makePC()
        machine.inputOutputWrite(0x1A, 0x8055)
        machine.line(5, true)
        #expect(machine.inputOutputRead(0x1A) == 0xC055, "remote IRR")
        #expect(machine.acknowledge() == 0x55)
        #expect(machine.apicRead(APICRegister.triggerMode + 0x20) == 1 << 21)
        machine.line(5, false)
        machine.line(5, true)
        #expect(machine.acknowledge() == nil)
        machine.apicWrite(APICRegister.endOfInterrupt, 0)
        #expect(machine.acknowledge() == 0x55)
        machine.line(5, false)
        machine.apicWrite(APICRegister.endOfInterrupt, 0)
        #expect(machine.acknowledge() == nil)
        #expect(machine.inputOutputRead(0x1A) == 0x8055)
    }

    @Test func destinationsArePhysicalLogicalAndLowestPriority() throws {
        let machine = try makePC(cpus: 4)
        for n in 0..<4 {
            machine.apicWrite(APICRegister.spurious, 0x1FF, cpu: n)
            machine.apicWrite(APICRegister.logicalDestination, 1 << UInt32(24 + n), cpu: n)
        }
        func pulse(_ low: UInt32, _ high: UInt32) -> [Int] {
            machine.inputOutputWrite(0x1D, high)
            machine.inputOutputWrite(0x1C, low)
            machine.line(6, true)
            machine.line(6, false)
            return (0..<4).filter { machine.acknowledge(cpu: $0) != nil }
        }
        func finish() {
            for n in 0..<4 { machine.apicWrite(APICRegister.endOfInterrupt, 0, cpu: n) }
        }
        #expect(pulse(0x0060, 2 << 24) == [2])
        finish()
        #expect(pulse(0x0061, 0xFF << 24) == [0, 1, 2, 3])
        finish()
        #expect(pulse(0x0860, 0xA << 24) == [1, 3])
        finish()
        machine.apicWrite(APICRegister.taskPriority, 0x20, cpu: 1)
        #expect(pulse(0x0960, 0xA << 24) == [3], "vCPU 1's priority is higher")
        finish()
        #expect(pulse(0x0400, 1 << 24).isEmpty)
        #expect(machine.cpu(1).pointee.attention & Attention.nmi != 0)
    }
}
