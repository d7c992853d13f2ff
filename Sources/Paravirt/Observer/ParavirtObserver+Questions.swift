import Machine
import Trace

/// What an observer can be asked between events, of the machine as the last event left it.
extension ParavirtObserver {
    /// The context in which a vCPU goes on.
    public func contextNow(_ cpu: CPU) -> Context { context(cpu.pointee.cpl, cpu) }

    /// VCPU id + 1 of the guest that a vCPU runs, 0 when it runs none.
    public func guest(on cpu: CPU) -> UInt16 {
        let state = cpus[Int(cpu.pointee.index)]
        return state.vcpu == 0 ? 0 : UInt16(state.vcpuID) + 1
    }

    /// What the PDA of a vCPU names as the running task; nil where the host's note does not say
    /// where that is.
    public func currentTask(_ cpu: CPU) -> UInt64? {
        guard let layout, let offset = layout.pointee.pdaCurrent else { return nil }
        let index = UInt64(cpu.pointee.index)
        let pda = layout.pointee.pdaPhysical &+ index &* layout.pointee.pdaStride
        return PhysicalView(cpu).word(pda &+ offset)
    }

    /// Where struct guest_frame (paravirt_abi.h) has the vector.
    private static let frameVector: UInt64 = 120

    /// The vector that the running guest's kernel has just been entered with: its RIP is one of
    /// its handlers, and its RSP points to the frame that tells why. Where the host's note does not
    /// say where handlers are, RCX is looked at: by the RFC's convention it holds the handler's
    /// address. Nil where it was not entered so.
    public func enteredVector(_ cpu: CPU) -> UInt64? {
        let descriptor = cpus[Int(cpu.pointee.index)].vcpu
        guard let layout, descriptor != 0, let root = layout.pointee.vcpuRoot else { return nil }
        let view = PhysicalView(cpu)
        let rip = cpu.pointee.rip
        if let traps = handlers(cpu) {
            guard (0..<UInt64(256)).contains(where: { view.word(traps &+ $0 &* 8) == rip }) else {
                return nil
            }
        } else if cpu.pointee.rcx != rip {
            return nil
        }
        let vcpu = physical(descriptor, layout)
        let tables = GuestTables(
            memory: view.word(vcpu &+ layout.pointee.vcpuMemory),
            memorySize: view.word(vcpu &+ layout.pointee.vcpuMemorySize),
            root: view.word(vcpu &+ root))
        guard let place = tables.translate(cpu.pointee.rsp &+ Self.frameVector, view),
            place < tables.memorySize
        else { return nil }
        return view.word(tables.memory &+ place)
    }

    /// Whether the host's note says enough for `enteredVector` to know.
    public func knowsEntries(_ cpu: CPU) -> Bool {
        layout?.pointee.vcpuRoot != nil && guest(on: cpu) != 0
    }

    /// Physical address of the running guest's 256 handlers.
    private func handlers(_ cpu: CPU) -> UInt64? {
        let descriptor = cpus[Int(cpu.pointee.index)].vcpu
        guard let layout, descriptor != 0, let cpuOffset = layout.pointee.vcpuCPU,
            let trapsOffset = layout.pointee.cpuTraps
        else { return nil }
        let pointer = PhysicalView(cpu).word(physical(descriptor, layout) &+ cpuOffset)
        return pointer == 0 ? nil : physical(pointer, layout) &+ trapsOffset
    }
}
