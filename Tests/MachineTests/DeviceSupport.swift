import Testing
import X86

@testable import Machine

/// The executors that tests of whole runs compare.
let testedExecutors = Executor.allCases

/// A small machine whose devices a test drives directly.
func makeMachine(
    memory: UInt64 = 4 << 20, cpus: Int = 1, executor: Executor = .stepwise,
    vendor: Vendor = .intel, costs: CostProfile = CostProfile(name: "unit")
) throws -> Machine {
    try Machine(
        MachineConfiguration(
            memory: memory, cpus: cpus, vendor: vendor, costs: costs, executor: executor,
            inputPollCycles: 4096))
}

extension Machine {
    /// Accesses to vCPU `n`'s local APIC as its own instructions make them.
    func apicRead(_ register: Int, cpu n: Int = 0) -> UInt32 {
        UInt32(
            truncatingIfNeeded: bus.readPhysical(
                0xFEE0_0000 + UInt64(register), size: 4, cpu: cpus[n]))
    }

    func apicWrite(_ register: Int, _ value: UInt32, cpu n: Int = 0) {
        bus.writePhysical(0xFEE0_0000 + UInt64(register), UInt64(value), size: 4, cpu: cpus[n])
    }

    func portIn(_ port: UInt16) -> UInt8 {
        UInt8(truncatingIfNeeded: bus.readPort(port, size: 1, cpu: cpus[0]))
    }

    func portOut(_ port: UInt16, _ value: UInt8) {
        bus.writePort(port, UInt64(value), size: 1, cpu: cpus[0])
    }
}

/// Keeps what the machine prints.
final class ConsoleKeeper: MachineObserver {
    var bytes: [UInt8] = []
    var events = 0
    func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) { events += 1 }
    func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) { bytes.append(byte) }
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
