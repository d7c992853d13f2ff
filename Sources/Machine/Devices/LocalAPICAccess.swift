import X86

/// The local APICs as software reaches them, and what their registers do to the machine.
extension Bus {
    private func apic(_ cpu: CPU) -> UnsafeMutablePointer<LocalAPIC> {
        apics + Int(cpu.pointee.index)
    }

    /// Makes `Attention.interrupt` say whether there is a vector to deliver.
    func updateInterrupt(_ cpu: CPU) {
        if apic(cpu).pointee.deliverable != nil || hasExternalInterrupt(cpu) {
            cpu.pointee.attention |= Attention.interrupt
        } else {
            cpu.pointee.attention &= ~Attention.interrupt
        }
    }

    /// Puts the timer's next expiry on the schedule, in place of an earlier one.
    func rescheduleTimer(_ cpu: CPU, after cycle: UInt64) {
        schedule.removeTimer(cpu: Int(cpu.pointee.index))
        guard
            let expiry = apic(cpu).pointee.nextExpiry(
                after: cycle, tscOffset: cpu.pointee.tscOffset)
        else { return }
        add(.timer, for: Int(cpu.pointee.index), at: expiry, by: cpu)
    }

    /// Adds to the schedule. `running` is the vCPU that executes now: it stops in time for it.
    func add(_ action: ScheduledAction, for target: Int, at cycle: UInt64, by running: CPU) {
        schedule.insert(
            ScheduledEvent(instant: cycle, sequence: nextSequence, cpu: target, action: action))
        nextSequence &+= 1
        running.endTurn(at: cycle)
        running.pointee.attention |= Attention.leaveBlock
    }

    // MARK: What the processor does

    /// The processor accepts an interrupt (`Attention.interrupt` was set, IF is 1): the vector of
    /// highest priority moves from requested to in service, and `Attention.interrupt` is brought
    /// up to date. The spurious vector if nothing can be delivered any more.
    func acknowledgeInterrupt(_ cpu: CPU) -> UInt8 {
        let apic = apic(cpu)
        guard let vector = apic.pointee.deliverable else {
            if hasExternalInterrupt(cpu) { return acknowledgeExternal(cpu) }
            updateInterrupt(cpu)
            return UInt8(truncatingIfNeeded: apic.pointee.spurious)
        }
        apic.pointee.requested[vector] = false
        apic.pointee.inService[vector] = true
        updateInterrupt(cpu)
        return vector
    }

    /// MOV CR8 has changed `cpu.pointee.cr8` (bits 0-3 of it): the task priority follows.
    func taskPriorityChanged(_ cpu: CPU) {
        apic(cpu).pointee.taskPriority = UInt8(truncatingIfNeeded: (cpu.pointee.cr8 & 0xF) << 4)
        updateInterrupt(cpu)
    }

    /// WRMSR has changed `cpu.pointee.apicBase`. Entering x2APIC mode derives the logical ID
    /// (10.12.10.2); switching the APIC off resets it (10.4.3).
    func apicBaseChanged(_ cpu: CPU) {
        let apic = apic(cpu)
        switch cpu.pointee.apicBase & APICBase.modeBits {
        case APICBase.modeBits:
            // Whatever software wrote to the xAPIC's ID register is gone (10.12.5.1).
            let id = UInt32(cpu.pointee.index)
            apic.pointee.id = id
            apic.pointee.logicalDestination = (id >> 4) << 16 | 1 << (id & 15)
        case APICBase.enable: break
        default:
            resetAPIC(cpu)
            apic.pointee.id = UInt32(cpu.pointee.index)
        }
        updateInterrupt(cpu)
    }

    /// WRMSR of the time-stamp counter has changed `cpu.pointee.tscOffset`.
    func timeStampChanged(_ cpu: CPU) {
        if apic(cpu).pointee.timerMode == .deadline {
            rescheduleTimer(cpu, after: cpu.pointee.cycles)
        }
    }

    func resetAPIC(_ cpu: CPU) {
        let id = apic(cpu).pointee.id
        apic(cpu).pointee.reset(index: Int(cpu.pointee.index))
        if cpu.pointee.apicBase & APICBase.modeBits == APICBase.modeBits {
            apic(cpu).pointee.logicalDestination = (id >> 4) << 16 | 1 << (id & 15)
        }
        cpu.pointee.cr8 = 0
        schedule.removeTimer(cpu: Int(cpu.pointee.index))
        updateInterrupt(cpu)
    }

    /// IA32_TSC_DEADLINE reads 0 unless the timer is in deadline mode and armed.
    func readDeadline(_ cpu: CPU) -> UInt64 { apic(cpu).pointee.deadline }

    func writeDeadline(_ value: UInt64, _ cpu: CPU) {
        guard apic(cpu).pointee.timerMode == .deadline else { return }
        apic(cpu).pointee.deadline = value
        rescheduleTimer(cpu, after: cpu.pointee.cycles)
    }

    // MARK: Registers

    /// Notes an error, and raises the error interrupt if it is open.
    func noteError(_ bits: UInt32, _ cpu: CPU) {
        let apic = apic(cpu)
        apic.pointee.errors |= bits
        let entry = apic.pointee.localVectors.5
        guard entry & LocalAPIC.masked == 0 else { return }
        let vector = UInt8(truncatingIfNeeded: entry)
        if apic.pointee.accept(vector) { updateInterrupt(cpu) }
    }

    func readAPIC(_ offset: Int, _ cpu: CPU) -> UInt32 {
        let apic = apic(cpu)
        switch offset {
        case APICRegister.id:
            return cpu.pointee.apicBase & APICBase.extended == 0
                ? apic.pointee.id << 24 : apic.pointee.id
        case APICRegister.version: return LocalAPIC.version
        case APICRegister.taskPriority: return UInt32(apic.pointee.taskPriority)
        case APICRegister.processorPriority: return UInt32(apic.pointee.processorPriority)
        case APICRegister.logicalDestination: return apic.pointee.logicalDestination
        case APICRegister.destinationFormat: return apic.pointee.destinationFormat
        case APICRegister.spurious: return apic.pointee.spurious
        case APICRegister.inService..<APICRegister.triggerMode:
            return apic.pointee.inService.register((offset - APICRegister.inService) >> 4)
        case APICRegister.triggerMode..<APICRegister.requested:
            return apic.pointee.triggerMode.register((offset - APICRegister.triggerMode) >> 4)
        case APICRegister.requested..<APICRegister.errorStatus:
            return apic.pointee.requested.register((offset - APICRegister.requested) >> 4)
        case APICRegister.errorStatus: return apic.pointee.errorStatus
        case APICRegister.commandLow: return UInt32(truncatingIfNeeded: apic.pointee.command)
        case APICRegister.commandHigh: return UInt32(truncatingIfNeeded: apic.pointee.command >> 32)
        case APICRegister.timer...APICRegister.error:
            return apic.pointee[localVector: (offset - APICRegister.timer) >> 4]
        case APICRegister.initialCount: return apic.pointee.initialCount
        case APICRegister.currentCount: return apic.pointee.currentCount(at: cpu.pointee.cycles)
        case APICRegister.divide: return apic.pointee.divideConfiguration
        default:
            noteError(LocalAPIC.illegalRegister, cpu)
            return 0
        }
    }

    func writeAPIC(_ offset: Int, _ value: UInt32, _ cpu: CPU) {
        let apic = apic(cpu)
        switch offset {
        case APICRegister.id: apic.pointee.id = value >> 24
        case APICRegister.taskPriority:
            apic.pointee.taskPriority = UInt8(truncatingIfNeeded: value)
            cpu.pointee.cr8 = UInt64(value >> 4) & 0xF
            updateInterrupt(cpu)
        case APICRegister.endOfInterrupt:
            let vector = apic.pointee.inService.highest
            if vector != 0 {
                apic.pointee.inService[vector] = false
                if apic.pointee.triggerMode[vector] { endOfInterrupt(vector, cpu) }
            }
            updateInterrupt(cpu)
        case APICRegister.logicalDestination:
            apic.pointee.logicalDestination = value & 0xFF00_0000
        case APICRegister.destinationFormat:
            apic.pointee.destinationFormat = value | 0x0FFF_FFFF
        case APICRegister.spurious: writeSpurious(value, cpu)
        case APICRegister.errorStatus:
            apic.pointee.errorStatus = apic.pointee.errors
            apic.pointee.errors = 0
        case APICRegister.commandLow:
            apic.pointee.command =
                apic.pointee.command & 0xFFFF_FFFF_0000_0000 | UInt64(value & 0x000C_CFFF)
            sendCommand(cpu)
        case APICRegister.commandHigh:
            apic.pointee.command =
                apic.pointee.command & 0xFFFF_FFFF | UInt64(value & 0xFF00_0000) << 32
        case APICRegister.timer...APICRegister.error:
            writeLocalVector((offset - APICRegister.timer) >> 4, value, cpu)
        case APICRegister.initialCount:
            apic.pointee.startTimer(value, at: cpu.pointee.cycles)
            rescheduleTimer(cpu, after: cpu.pointee.cycles)
        case APICRegister.divide:
            apic.pointee.setDivide(value, at: cpu.pointee.cycles)
            rescheduleTimer(cpu, after: cpu.pointee.cycles)
        case APICRegister.version, APICRegister.processorPriority, APICRegister.currentCount,
            APICRegister.inService..<APICRegister.errorStatus:
            break  // read-only
        default: noteError(LocalAPIC.illegalRegister, cpu)
        }
    }

    /// SVR: switching the APIC off masks every local vector (10.4.7.2).
    private func writeSpurious(_ value: UInt32, _ cpu: CPU) {
        let apic = apic(cpu)
        apic.pointee.spurious = value & 0x3FF
        guard !apic.pointee.enabled else { return }
        for n in 0..<6 { apic.pointee[localVector: n] |= LocalAPIC.masked }
        updateInterrupt(cpu)
        rescheduleTimer(cpu, after: cpu.pointee.cycles)
    }

    private func writeLocalVector(_ n: Int, _ value: UInt32, _ cpu: CPU) {
        let apic = apic(cpu)
        var entry = value & LocalAPIC.writableBits(localVector: n)
        if !apic.pointee.enabled { entry |= LocalAPIC.masked }
        guard n == 0 else {
            apic.pointee[localVector: n] = entry
            updateInterrupt(cpu)
            return
        }
        apic.pointee.setTimerEntry(entry, at: cpu.pointee.cycles)
        rescheduleTimer(cpu, after: cpu.pointee.cycles)
    }

    func timerVector(_ cpu: CPU) -> UInt8 {
        UInt8(truncatingIfNeeded: apic(cpu).pointee.localVectors.0)
    }

    /// Whether a fixed interrupt that arrived now would be delivered as things are.
    func wouldInterrupt(_ vector: UInt8, _ cpu: CPU) -> Bool {
        let apic = apic(cpu)
        return cpu.wakesForInterrupt
            && cpu.pointee.apicBase & APICBase.enable != 0 && apic.pointee.enabled && vector >= 16
            && vector >> 4 > apic.pointee.processorPriority >> 4
    }

    /// The timer's expiry at `cycle` has come.
    func timerExpired(_ cpu: CPU, at cycle: UInt64) {
        let apic = apic(cpu)
        if apic.pointee.timerMode == .deadline {
            apic.pointee.deadline = 0
        } else if apic.pointee.timerMode == .oneShot {
            apic.pointee.countAtStart = 0
        }
        deliver(UInt8(truncatingIfNeeded: apic.pointee.localVectors.0), to: cpu)
        // Expiries that the last instruction ran past have merged into this one, and so do those
        // that come while the vCPU is halted and this one does not wake it: until something else
        // happens nothing can. A guest that halts so with a short period must not cost us hours.
        var after = max(cycle, cpu.pointee.cycles)
        if cpu.isWaiting && !cpu.isRunnable && schedule.next != .max {
            after = max(after, isPC ? idleFrom(after) : schedule.next)
        }
        rescheduleTimer(cpu, after: after)
    }

    /// A fixed interrupt reaches a local APIC; false if it is refused.
    @discardableResult
    func deliver(_ vector: UInt8, level: Bool = false, to cpu: CPU) -> Bool {
        let apic = apic(cpu)
        guard cpu.pointee.apicBase & APICBase.enable != 0 else { return false }
        if apic.pointee.enabled && vector < 16 {
            noteError(LocalAPIC.receivedIllegalVector, cpu)
            return false
        }
        guard apic.pointee.accept(vector, level: level) else { return false }
        updateInterrupt(cpu)
        return true
    }
}
