/// Interprocessor interrupts: the interrupt command register (Intel SDM vol. 3, 10.6) and x2APIC
/// mode's form of the registers (10.12).
extension Bus {
    private enum DeliveryMode {
        static let fixed: UInt64 = 0
        static let lowestPriority: UInt64 = 1
        static let nmi: UInt64 = 4
        static let initialise: UInt64 = 5
        static let startup: UInt64 = 6
    }

    /// A write of ICR's low half sends the message at once. It arrives at the sender itself at
    /// once, at another vCPU at the sender's cycle, by the schedule. Lowest priority goes to the
    /// addressed APIC whose processor priority is lowest, of those to the one of lowest index. The
    /// self shorthand carries NMI too, as QEMU's does.
    func sendCommand(_ cpu: CPU) {
        let command = apics[Int(cpu.pointee.index)].command
        let vector = UInt8(truncatingIfNeeded: command)
        let action: ScheduledAction
        switch command >> 8 & 7 {
        case DeliveryMode.fixed, DeliveryMode.lowestPriority:
            guard vector >= 16 else {
                noteError(LocalAPIC.sentIllegalVector, cpu)
                return
            }
            action = .interrupt(vector: vector)
        case DeliveryMode.nmi: action = .nmi
        case DeliveryMode.initialise:
            // Level de-assert only synchronises arbitration IDs on old processors.
            guard command & (1 << 15) == 0 || command & (1 << 14) != 0 else { return }
            action = .initialise
        case DeliveryMode.startup: action = .startup(vector: vector)
        default: return  // SMI and reserved modes: there is no system management mode here
        }
        var targets = (0..<cpuCount).filter { isAddressed($0, by: command, from: cpu) }
        if command >> 8 & 7 == DeliveryMode.lowestPriority {
            targets = lowestPriority(among: targets).map { [$0] } ?? []
        }
        for target in targets { send(action, to: target, from: cpu) }
    }

    private func isAddressed(_ target: Int, by command: UInt64, from cpu: CPU) -> Bool {
        let isSelf = target == Int(cpu.pointee.index)
        switch command >> 18 & 3 {
        case 1: return isSelf
        case 2: return true
        case 3: return !isSelf
        default: break
        }
        let logical = command & (1 << 11) != 0
        if cpu.pointee.apicBase & APICBase.extended != 0 {
            let destination = UInt32(truncatingIfNeeded: command >> 32)
            if destination == .max { return true }
            guard logical else { return apics[target].id == destination }
            let mine = apics[target].logicalDestination
            return mine >> 16 == destination >> 16 && mine & destination & 0xFFFF != 0
        }
        let destination = UInt8(truncatingIfNeeded: command >> 56)
        if logical { return apics[target].answers(logical: destination) }
        return destination == 0xFF || apics[target].id == UInt32(destination)
    }

    /// INIT to oneself goes by the schedule too: it must not take effect inside an instruction.
    private func send(_ action: ScheduledAction, to target: Int, from cpu: CPU) {
        switch action {
        case .interrupt(let vector) where target == Int(cpu.pointee.index):
            deliver(vector, to: cpu)
        case .nmi where target == Int(cpu.pointee.index):
            cpu.pointee.attention |= Attention.nmi
        default: add(action, for: target, at: cpu.pointee.cycles, by: cpu)
        }
    }

    // MARK: x2APIC

    /// RDMSR of 0x800...0x8FF; nil means #GP(0) (table 10-6).
    func readX2APIC(_ register: UInt32, _ cpu: CPU) -> UInt64? {
        guard cpu.pointee.apicBase & APICBase.modeBits == APICBase.modeBits else { return nil }
        let offset = Int(register & 0xFF) << 4
        switch offset {
        case APICRegister.commandLow: return apics[Int(cpu.pointee.index)].command
        case APICRegister.commandHigh, APICRegister.destinationFormat,
            APICRegister.endOfInterrupt, APICRegister.selfInterrupt:
            return nil
        case APICRegister.id, APICRegister.version, APICRegister.taskPriority,
            APICRegister.processorPriority, APICRegister.logicalDestination,
            APICRegister.spurious...APICRegister.errorStatus,
            APICRegister.timer...APICRegister.currentCount, APICRegister.divide:
            return UInt64(readAPIC(offset, cpu))
        default: return nil
        }
    }

    /// WRMSR of 0x800...0x8FF; false means #GP(0).
    func writeX2APIC(_ register: UInt32, _ value: UInt64, _ cpu: CPU) -> Bool {
        guard cpu.pointee.apicBase & APICBase.modeBits == APICBase.modeBits else { return false }
        let offset = Int(register & 0xFF) << 4
        if offset == APICRegister.commandLow {
            guard value & 0xFFF3_3000 == 0 else { return false }
            apics[Int(cpu.pointee.index)].command = value
            sendCommand(cpu)
            return true
        }
        guard value >> 32 == 0 else { return false }
        switch offset {
        case APICRegister.selfInterrupt:
            guard value <= 0xFF else { return false }
            deliver(UInt8(truncatingIfNeeded: value), to: cpu)
            return true
        case APICRegister.endOfInterrupt, APICRegister.errorStatus:
            guard value == 0 else { return false }
        case APICRegister.taskPriority, APICRegister.spurious,
            APICRegister.timer...APICRegister.initialCount, APICRegister.divide:
            break
        default: return false
        }
        writeAPIC(offset, UInt32(truncatingIfNeeded: value), cpu)
        return true
    }
}
