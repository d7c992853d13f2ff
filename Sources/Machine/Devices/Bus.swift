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

    // What only a `pc` has; elsewhere untouched, unreachable, and in no snapshot.
    let isPC: Bool
    /// A BIOS, a screen and memory type ranges, which a `pc` has from the second edition on.
    let hasFirmware: Bool
    /// Event timers, which a `pc` has from the third edition on, and what came with them.
    let hasEventTimers: Bool
    /// The longest chain of virtio buffers with an indirect table. Until the fourth edition the
    /// descriptor that names the table took the place of a buffer.
    let longestChain: Int
    let consoleInput: ConsoleInput
    let epoch: UInt64
    var inputOutputAPIC = InputOutputAPIC()
    var intervalTimer = IntervalTimer8254()
    var eventTimers = EventTimers()
    var clock: RealTimeClock
    var keyboard = KeyboardController()
    var firmware: FirmwareConfiguration
    var pci = PCIConfiguration()
    var power = PowerManagement()
    /// What stands on the PCI bus beside the host bridge.
    var virtio: [VirtioDevice] = []
    /// By disk: what the guest has written.
    let overlays: [DiskOverlay]
    var diskSource: (any DiskSource)?
    var video = VideoAdapter()
    /// By vCPU.
    var memoryTypes: [MemoryTypeRanges]
    var testDevice = TestDevice()
    /// Port 0x61, bit 1.
    var speaker = false
    /// The 16 ISA interrupt lines, as their devices drive them.
    var lines: UInt16 = 0
    /// The primary 8259's INTR output at the last look, to find its edges.
    var interruptOutput = false

    /// By cycle.
    var schedule = Schedule()
    /// By each vCPU's count of retired instructions.
    var instructionSchedules: [Schedule]
    /// The sequence number of the next entry of any schedule.
    var nextSequence: UInt64 = 0
    /// What was written to isa-debug-exit, until the run reports it.
    var debugExit: UInt32?
    /// Another end that the guest asked for, until the run reports it.
    var ending: StopReason?

    /// isa-debug-exit (`iobase=0xf4,iosize=4`): a write of any size ends the run; reads as 0.
    static let debugExitPorts: ClosedRange<UInt16> = 0xF4...0xF7

    init(shared: UnsafeMutablePointer<SharedState>, _ configuration: MachineConfiguration) {
        self.shared = shared
        cpuCount = configuration.cpus
        isPC = configuration.platform == .pc
        hasFirmware = isPC && configuration.edition >= .second
        hasEventTimers = isPC && configuration.edition >= .third
        longestChain =
            configuration.edition >= .fourth
            ? VirtioQueue.maximumIndirect : Int(VirtioQueue.maximumSize)
        consoleInput = configuration.consoleInput
        epoch = configuration.epoch
        clock = RealTimeClock(
            memory: configuration.memory, cpus: configuration.cpus, epoch: configuration.epoch)
        firmware = FirmwareConfiguration(configuration)
        overlays = configuration.disks.map { DiskOverlay(sectors: $0.sectors) }
        virtio = VirtioDevice.devices(configuration)
        memoryTypes = Array(repeating: MemoryTypeRanges(), count: configuration.cpus)
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
        if isPC, let value = readWidePort(port, size: size, cpu) { return value }
        // The other devices are 8 bits wide: a wider access is one to each port in turn.
        var value: UInt64 = 0
        for i in 0..<size {
            value |= UInt64(readBytePort(port &+ UInt16(i), cpu)) << UInt64(8 * i)
        }
        return value
    }

    private func readBytePort(_ port: UInt16, _ cpu: CPU) -> UInt8 {
        let value: UInt8
        switch port {
        case Serial16550.firstPort...Serial16550.firstPort + 7:
            value = serial.read(Int(port & 7))
            serialChanged(at: cpu.pointee.cycles, by: cpu)
        case 0x20, 0x21:
            value = primaryController.read(Int(port & 1))
            controllersChanged(at: cpu.pointee.cycles, by: cpu)
        case 0xA0, 0xA1:
            value = secondaryController.read(Int(port & 1))
            controllersChanged(at: cpu.pointee.cycles, by: cpu)
        default: return isPC ? readPCPort(port, cpu) : 0xFF
        }
        return value
    }

    /// OUT of the low `size` (1, 2 or 4) bytes of `value`.
    func writePort(_ port: UInt16, _ value: UInt64, size: Int, cpu: CPU) {
        if Bus.debugExitPorts.contains(port) {
            debugExit = UInt32(truncatingIfNeeded: value & Bus.allOnes(size))
            cpu.pointee.attention |= Attention.stop | Attention.leaveBlock
            return
        }
        if isPC && writeWidePort(port, value, size: size, cpu) { return }
        for i in 0..<size {
            let byte = UInt8(truncatingIfNeeded: value >> UInt64(8 * i))
            writeBytePort(port &+ UInt16(i), byte, cpu)
        }
    }

    private func writeBytePort(_ port: UInt16, _ value: UInt8, _ cpu: CPU) {
        switch port {
        case Serial16550.firstPort...Serial16550.firstPort + 7:
            if let sent = serial.write(Int(port & 7), value) { print(sent, cpu) }
            // A byte that is sent empties the transmitter again: a new edge.
            if port == Serial16550.firstPort && isPC {
                setLine(4, false, at: cpu.pointee.cycles, by: cpu)
            }
            serialChanged(at: cpu.pointee.cycles, by: cpu)
        case 0x20, 0x21:
            primaryController.write(Int(port & 1), value)
            controllersChanged(at: cpu.pointee.cycles, by: cpu)
        case 0xA0, 0xA1:
            secondaryController.write(Int(port & 1), value)
            controllersChanged(at: cpu.pointee.cycles, by: cpu)
        default:
            if isPC { writePCPort(port, value, cpu) }
        }
    }

    /// A byte of console text leaves the machine.
    func print(_ byte: UInt8, _ cpu: CPU) {
        shared.pointee.machine._withUnsafeGuaranteedRef { machine in
            machine.observer?.consoleOutput(byte, cpu: cpu, machine: machine)
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
        guard let offset = apicOffset(address, cpu) else {
            if isPC && InputOutputAPIC.page.contains(address) {
                return inputOutputAPIC.read(Int(address & 0xFFF)) & Bus.allOnes(size)
            }
            if hasEventTimers && EventTimers.range.contains(address) {
                return readEventTimers(address, size: size, cpu)
            }
            if !virtio.isEmpty,
                let value = readVirtioBAR(address, ports: false, size: size, cpu)
            {
                return value
            }
            if isPC && TestDevice.memory.contains(address) {
                return testDevice.readMemory(Int(address & 0xFFFF), size: size)
            }
            return Bus.allOnes(size)
        }
        guard size == 4 && offset & 0xF == 0 else { return 0 }
        return UInt64(readAPIC(offset, cpu))
    }

    /// Whether a read of this address, which is outside RAM, shows a clock.
    func showsClock(physical address: UInt64, _ cpu: CPU) -> Bool {
        if let offset = apicOffset(address, cpu) {
            return offset & ~0xF == APICRegister.currentCount
        }
        return hasEventTimers && EventTimers.range.contains(address)
    }

    func writePhysical(_ address: UInt64, _ value: UInt64, size: Int, cpu: CPU) {
        guard let offset = apicOffset(address, cpu) else {
            if isPC && InputOutputAPIC.page.contains(address) {
                writeInputOutputAPIC(
                    Int(address & 0xFFF), UInt32(truncatingIfNeeded: value), cpu)
            } else if hasEventTimers && EventTimers.range.contains(address) {
                writeEventTimers(address, value, size: size, cpu)
            } else if writeVirtioBAR(address, ports: false, value, size: size, cpu) {
                return
            } else if isPC && TestDevice.memory.contains(address) {
                testDevice.writeMemory(Int(address & 0xFFFF), value, size: size)
            }
            return
        }
        guard size == 4 && offset & 0xF == 0 else { return }
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
        try primaryController.transfer(&stream, connected: isPC)
        try secondaryController.transfer(&stream, connected: isPC)
        if isPC { try transferPC(&stream) }
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
            for event in schedule.events {
                if case .eventTimer(let n) = event.action {
                    guard hasEventTimers, n < EventTimers.count else {
                        throw stream.damaged("an event for a timer that is not there")
                    }
                }
                guard case .virtio(let device, let queue) = event.action else { continue }
                guard Int(device) < virtio.count, Int(queue) < virtio[Int(device)].queues.count
                else { throw stream.damaged("an event for a device that is not there") }
            }
        }
    }
}
