/// What lies outside RAM: the ports, and the physical addresses that devices answer. Ranges are
/// fixed and dispatch is concrete. Every access happens at the cycle in `cpu.pointee.cycles`,
/// which executors keep at the accessing instruction's start.
public final class Bus {
    let shared: UnsafeMutablePointer<SharedState>

    init(shared: UnsafeMutablePointer<SharedState>) {
        self.shared = shared
    }

    /// IN: a read of `size` (1, 2 or 4) bytes, zero-extended. What is not decoded reads all ones.
    func readPort(_ port: UInt16, size: Int, cpu: CPU) -> UInt64 {
        UInt64.max >> UInt64(64 - size * 8)
    }

    /// OUT.
    func writePort(_ port: UInt16, _ value: UInt64, size: Int, cpu: CPU) {}

    /// A read of `size` (1, 2, 4 or 8) bytes of a physical address outside RAM, zero-extended.
    func readPhysical(_ address: UInt64, size: Int, cpu: CPU) -> UInt64 {
        UInt64.max >> UInt64(64 - size * 8)
    }

    func writePhysical(_ address: UInt64, _ value: UInt64, size: Int, cpu: CPU) {}

    /// The processor accepts an interrupt (`Attention.interrupt` was set, IF is 1): the vector of
    /// highest priority moves from requested to in service, and `Attention.interrupt` is brought
    /// up to date. The spurious vector if nothing can be delivered any more.
    func acknowledgeInterrupt(_ cpu: CPU) -> UInt8 { 0xFF }

    /// MOV CR8 has changed `cpu.pointee.cr8` (bits 0-3 of it): the task priority follows.
    func taskPriorityChanged(_ cpu: CPU) {}

    /// WRMSR has changed `cpu.pointee.apicBase`.
    func apicBaseChanged(_ cpu: CPU) {}

    /// IA32_TSC_DEADLINE.
    func readDeadline(_ cpu: CPU) -> UInt64 { 0 }
    func writeDeadline(_ value: UInt64, _ cpu: CPU) {}

    /// RDMSR of 0x800...0x8FF; nil means #GP(0).
    func readX2APIC(_ register: UInt32, _ cpu: CPU) -> UInt64? { nil }

    /// WRMSR of 0x800...0x8FF; false means #GP(0).
    func writeX2APIC(_ register: UInt32, _ value: UInt64, _ cpu: CPU) -> Bool { false }
}
