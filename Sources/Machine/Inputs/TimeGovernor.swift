/// Who decides when timers expire, in place of their own time: for runs that are to see ticks at
/// other instants than this machine's cycles would give. What it decides is no part of snapshots
/// or digests, so a governed run is repeated by governing it again.
///
/// Both are called at instruction boundaries, between executions.
public protocol TimeGovernor: AnyObject {
    /// A vCPU's local APIC timer has come to zero at this cycle. False holds the expiry back until
    /// `Machine.expireTimer`.
    func timerExpires(cpu: Int, at cycle: UInt64, machine: Machine) -> Bool
    /// A vCPU has reached the instruction count of its alarm, which is then off.
    func alarm(cpu: Int, machine: Machine)
    /// Every vCPU waits, and nothing that is scheduled can wake one. True if the governor has
    /// made something happen that may.
    func idle(machine: Machine) -> Bool
}

extension Machine {
    /// Sets the alarm of a vCPU to an instruction count that it has not passed, in place of an
    /// earlier one. May be called by an observer.
    public func setAlarm(cpu index: Int, instructions: UInt64) {
        alarms[index] = instructions
        let cpu = cpus[index]
        if instructions < cpu.pointee.instructionDeadline {
            cpu.pointee.instructionDeadline = instructions
            cpu.pointee.attention |= Attention.leaveBlock
        }
    }

    public func clearAlarm(cpu index: Int) { alarms[index] = .max }

    /// Makes a vCPU's local APIC timer expire now, whether its expiry was held back or has not
    /// come; a periodic timer counts its period anew. False if the timer does not run.
    @discardableResult
    public func expireTimer(cpu index: Int) -> Bool {
        let cpu = cpus[index]
        let now = self.now(cpu: index)
        guard bus.isTimerPending(cpu) || heldTimers[index] else { return false }
        heldTimers[index] = false
        bus.schedule.removeTimer(cpu: index)
        bus.restartTimer(cpu, at: now)
        bus.timerExpired(cpu, at: now)
        if cpu.pointee.cycles < now && cpu.isRunnable { cpu.pointee.cycles = now }
        return true
    }

    /// The vector that a vCPU's local APIC timer signals with.
    public func timerVector(cpu index: Int) -> UInt8 { bus.timerVector(cpus[index]) }

    /// Whether the interrupt of a vCPU's local APIC timer waits to be delivered: another expiry
    /// would merge with it.
    public func isTimerInterruptPending(cpu index: Int) -> Bool {
        bus.apics[index].requested[timerVector(cpu: index)]
    }

    /// Whether an expiry of a vCPU's timer is held back.
    public func isTimerHeld(cpu index: Int) -> Bool { heldTimers[index] }

    /// Asks the governor, if there is one, whether a timer may expire.
    func holdsBack(_ event: ScheduledEvent) -> Bool {
        guard let governor, event.action == .timer else { return false }
        lastInstant = max(lastInstant, event.instant)
        if governor.timerExpires(cpu: event.cpu, at: event.instant, machine: self) {
            return false
        }
        heldTimers[event.cpu] = true
        return true
    }

    /// Tells the governor of an alarm whose count has come.
    func ringAlarm(_ cpu: CPU) {
        let index = Int(cpu.pointee.index)
        guard alarms[index] <= cpu.pointee.instructions else { return }
        alarms[index] = .max
        governor?.alarm(cpu: index, machine: self)
    }
}

extension Bus {
    /// Whether an expiry of a vCPU's timer is scheduled.
    func isTimerPending(_ cpu: CPU) -> Bool {
        schedule.events.contains { $0.cpu == Int(cpu.pointee.index) && $0.action == .timer }
    }

    /// A periodic timer begins a period at this cycle.
    func restartTimer(_ cpu: CPU, at cycle: UInt64) {
        let apic = apics + Int(cpu.pointee.index)
        guard apic.pointee.timerMode == .periodic else { return }
        apic.pointee.startTimer(apic.pointee.initialCount, at: cycle)
    }
}
