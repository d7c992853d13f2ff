/// What lies outside RAM: the ports and the physical addresses that devices answer, the devices,
/// and what is scheduled. Ranges are fixed and dispatch is concrete. Every access happens at the
/// cycle in `cpu.pointee.cycles`, which executors keep at the accessing instruction's start.
public final class Bus {
    let shared: UnsafeMutablePointer<SharedState>
    /// One for each vCPU, by index.
    let apics: UnsafeMutablePointer<LocalAPIC>
    let cpuCount: Int
    var serial = Serial16550()
    var primaryController = InterruptController8259()
    var secondaryController = InterruptController8259()

    /// By cycle.
    var schedule = Schedule()
    /// By each vCPU's count of retired instructions.
    var instructionSchedules: [Schedule]
    /// The sequence number of the next entry of any schedule.
    var nextSequence: UInt64 = 0
    /// What was written to isa-debug-exit, until the run reports it.
    var debugExit: UInt32?

    /// isa-debug-exit (`iobase=0xf4,iosize=4`): a write of any size ends the run; reads as 0.
    static let debugExitPorts: ClosedRange<UInt16> = 0xF4...0xF7

    init(shared: UnsafeMutablePointer<SharedState>, cpuCount: Int) {
        self.shared = shared
        self.cpuCount = cpuCount
        apics = .allocate(capacity: cpuCount)
        for n in 0..<cpuCount { (apics + n).initialize(to: LocalAPIC(index: n)) }
        instructionSchedules = Array(repeating: Schedule(), count: cpuCount)
    }

    deinit { apics.deallocate() }

    private static func allOnes(_ size: Int) -> UInt64 { .max >> UInt64(64 &- size &* 8) }

    // MARK: Ports

    /// IN: a read of `size` (1, 2 or 4) bytes, zero-extended. What is not decoded reads all ones.
    func readPort(_ port: UInt16, size: Int, cpu: CPU) -> UInt64 {
        if Bus.debugExitPorts.contains(port) { return 0 }
        // The other devices are 8 bits wide: a wider access is one to each port in turn.
        var value: UInt64 = 0
        for i in 0..<size {
            value |= UInt64(readBytePort(port &+ UInt16(i))) << UInt64(8 * i)
        }
        return value
    }

    private func readBytePort(_ port: UInt16) -> UInt8 {
        switch port {
        case Serial16550.firstPort...Serial16550.firstPort + 7: serial.read(Int(port & 7))
        case 0x20, 0x21: primaryController.read(Int(port & 1))
        case 0xA0, 0xA1: secondaryController.read(Int(port & 1))
        default: 0xFF
        }
    }

    /// OUT of the low `size` (1, 2 or 4) bytes of `value`.
    func writePort(_ port: UInt16, _ value: UInt64, size: Int, cpu: CPU) {
        if Bus.debugExitPorts.contains(port) {
            debugExit = UInt32(truncatingIfNeeded: value & Bus.allOnes(size))
            cpu.pointee.attention |= Attention.stop | Attention.leaveBlock
            return
        }
        for i in 0..<size {
            let byte = UInt8(truncatingIfNeeded: value >> UInt64(8 * i))
            writeBytePort(port &+ UInt16(i), byte, cpu)
        }
    }

    private func writeBytePort(_ port: UInt16, _ value: UInt8, _ cpu: CPU) {
        switch port {
        case Serial16550.firstPort...Serial16550.firstPort + 7:
            if let sent = serial.write(Int(port & 7), value) {
                shared.pointee.machine._withUnsafeGuaranteedRef { machine in
                    machine.observer?.consoleOutput(sent, cpu: cpu, machine: machine)
                }
            }
        case 0x20, 0x21: primaryController.write(Int(port & 1), value)
        case 0xA0, 0xA1: secondaryController.write(Int(port & 1), value)
        default: break
        }
    }

    // MARK: Memory-mapped registers

    /// The offset in the vCPU's own local APIC page, if the address lies there and the page is on.
    private func apicOffset(_ address: UInt64, _ cpu: CPU) -> Int? {
        let base = cpu.pointee.apicBase
        guard base & APICBase.modeBits == APICBase.enable else { return nil }
        guard (address ^ base) & APICBase.address == 0 else { return nil }
        return Int(address & 0xFFF)
    }

    /// A read of `size` (1, 2, 4 or 8) bytes of a physical address outside RAM, zero-extended. The
    /// local APIC's registers are 32 bits at multiples of 16; elsewhere in its page, and in any
    /// other width, reads are 0 (Intel SDM vol. 3, 10.4.1 leaves them undefined).
    func readPhysical(_ address: UInt64, size: Int, cpu: CPU) -> UInt64 {
        guard let offset = apicOffset(address, cpu) else { return Bus.allOnes(size) }
        guard size == 4 && offset & 0xF == 0 else { return 0 }
        return UInt64(readAPIC(offset, cpu))
    }

    func writePhysical(_ address: UInt64, _ value: UInt64, size: Int, cpu: CPU) {
        guard let offset = apicOffset(address, cpu), size == 4 && offset & 0xF == 0 else { return }
        writeAPIC(offset, UInt32(truncatingIfNeeded: value), cpu)
    }
}

/// Bits of IA32_APIC_BASE (Intel SDM vol. 3, 10.4.4).
enum APICBase {
    static let bootstrap: UInt64 = 1 << 8
    static let extended: UInt64 = 1 << 10
    static let enable: UInt64 = 1 << 11
    static let modeBits = enable | extended
    static let address: UInt64 = 0xF_FFFF_F000
}

extension Bus: Snapshottable {
    func transfer(_ stream: inout StateStream) throws(MachineError) {
        for n in 0..<cpuCount { try apics[n].transfer(&stream) }
        try serial.transfer(&stream)
        try primaryController.transfer(&stream)
        try secondaryController.transfer(&stream)
        try schedule.transfer(&stream)
        for n in 0..<cpuCount { try instructionSchedules[n].transfer(&stream) }
        if stream.reading {
            let counts = ([schedule] + instructionSchedules).map(\.events.count)
            nextSequence = UInt64(counts.max() ?? 0)
        }
        for schedule in [schedule] + instructionSchedules {
            for event in schedule.events where event.cpu >= cpuCount {
                throw stream.damaged("an event for a vCPU that is not there")
            }
        }
    }
}
