import X86

@testable import Machine

/// A `pc` whose devices a test drives directly; vCPU 0's local APIC is as firmware leaves it.
func makePC(
    cpus: Int = 1, memory: UInt64 = 4 << 20, epoch: UInt64 = 0, executor: Executor = .stepwise
) throws -> Machine {
    let machine = try Machine(
        MachineConfiguration(
            memory: memory, cpus: cpus, vendor: .intel, costs: CostProfile(name: "unit"),
            executor: executor, inputPollCycles: 4096, platform: .pc, epoch: epoch))
    machine.bus.apics[0].leaveAsFirmware()
    machine.bus.leaveControllersAsFirmware()
    return machine
}

extension Machine {
    func initialiseControllers(automaticEnd: Bool = false) {
        for (command, data, base, cascade) in [(0x20, 0x21, 0x20, 4), (0xA0, 0xA1, 0x28, 2)] {
            portOut(UInt16(command), 0x11)
            for value in [base, cascade, automaticEnd ? 3 : 1] {
                portOut(UInt16(data), UInt8(value))
            }
            portOut(UInt16(data), 0)
        }
    }

    func line(_ number: Int, _ level: Bool) {
        bus.setLine(number, level, at: cpu(0).pointee.cycles, by: nil)
    }

    /// The vector that vCPU `n` would be interrupted with, taken; nil where it is not asked.
    func acknowledge(cpu n: Int = 0) -> UInt8? {
        guard cpu(n).pointee.attention & Attention.interrupt != 0 else { return nil }
        return bus.acknowledgeInterrupt(cpu(n))
    }

    func inputOutputWrite(_ register: UInt32, _ value: UInt32) {
        bus.writePhysical(0xFEC0_0000, UInt64(register), size: 4, cpu: cpu(0))
        bus.writePhysical(0xFEC0_0010, UInt64(value), size: 4, cpu: cpu(0))
    }

    func inputOutputRead(_ register: UInt32) -> UInt32 {
        bus.writePhysical(0xFEC0_0000, UInt64(register), size: 4, cpu: cpu(0))
        return UInt32(
            truncatingIfNeeded: bus.readPhysical(0xFEC0_0010, size: 4, cpu: cpu(0)))
    }

    func clockRead(_ register: UInt8) -> UInt8 {
        portOut(0x70, register)
        return portIn(0x71)
    }

    func clockWrite(_ register: UInt8, _ value: UInt8) {
        portOut(0x70, register)
        portOut(0x71, value)
    }
}
