import X86

/// The run loop. Who goes next is a function of the machine's state alone, so that a run in pieces,
/// a run from a snapshot and a run at one go are the same run.
///
/// A barrier is an instant that no vCPU passes before all have reached it: the next scheduled
/// event, the next poll and, while several vCPUs run, the end of the current slot of
/// `Machine.quantum` cycles. The vCPU of lowest index that is short of the next barrier runs up to
/// it; when all have reached it, what is scheduled for it happens. A vCPU stops at the first
/// instruction boundary at or past a barrier, and before an instruction that reads a clock which
/// others have yet to reach (`ClockOrder.swift`): its cycle is a barrier, too.
///
/// A turn that a limit interrupts is part of the state: the vCPU goes on with it, up to the barrier
/// that the turn began with, though what made that barrier (a timer, say) may be gone. What happens
/// at a count of instructions ends the turn.
extension Machine {
    private enum Turn {
        case cpu(CPU, barrier: UInt64)
        case event(at: UInt64)
        case poll(at: UInt64)
        case idle
    }

    /// Runs until a limit is reached or something stops the machine.
    public func run(_ limits: RunLimits = .unlimited) -> StopReason {
        clearStops()
        defer { clearStops() }
        while true {
            if let reason = takeStopReason() { return reason }
            switch nextTurn() {
            case .idle:
                if let governor, governor.idle(machine: self) { continue }
                guard consoleWouldWake, let inputs, inputs.awaitsInput(machine: self) else {
                    return .idle
                }
                if min(nextPoll, bus.schedule.next) >= limits.cycles { return reachedLimit(limits) }
                if nextPoll <= bus.schedule.next { poll(at: nextPoll) } else { performNextEvent() }
            case .poll(let cycle):
                if cycle >= limits.cycles { return reachedLimit(limits) }
                poll(at: cycle)
                if inputs == nil { skipPolls(limits) }
            case .event(let cycle):
                if cycle >= limits.cycles { return reachedLimit(limits) }
                performNextEvent()
            case .cpu(let cpu, let barrier):
                let total = instructions
                if cpu.pointee.cycles >= limits.cycles { return .cycleLimit }
                if total >= limits.instructions { return .instructionLimit }
                // What happens to it may schedule something before the barrier, or wake another.
                if performInstructionStimuli(cpu) { continue }
                if governor != nil { ringAlarm(cpu) }
                cpu.pointee.attention &= ~Attention.awaitsTurn
                cpu.pointee.timeHorizon = timeHorizon(for: cpu)
                let due = nextDue(cpu)
                let room = limits.instructions - total
                let (end, overflow) = cpu.pointee.instructions.addingReportingOverflow(room)
                cpu.pointee.turnBarrier = barrier
                cpu.pointee.cycleDeadline = min(barrier, limits.cycles)
                let limit = overflow ? .max : end
                cpu.pointee.instructionDeadline = min(limit, due)
                turn = Int(cpu.pointee.index)
                execute(cpu)
                // A deadline short of the limit was somebody's who waited, and may wait no more.
                let deadline = cpu.pointee.instructionDeadline
                let wait = min(deadline < limit ? deadline : .max, due, nextDue(cpu))
                if !isShort(cpu) || cpu.pointee.instructions >= wait { turn = nil }
            }
        }
    }

    /// The count of the vCPU's instructions at which something waits for it, which ends its turn.
    private func nextDue(_ cpu: CPU) -> UInt64 {
        let index = Int(cpu.pointee.index)
        return min(bus.instructionSchedules[index].next, alarms[index])
    }

    /// Whether a vCPU's turn has not come to its end.
    private func isShort(_ cpu: CPU) -> Bool {
        cpu.isRunnable && cpu.pointee.cycles < cpu.pointee.turnBarrier
    }

    /// While all vCPUs wait, time has come as far as the limit.
    private func reachedLimit(_ limits: RunLimits) -> StopReason {
        if !cpus.contains(where: \.isRunnable) { lastInstant = max(lastInstant, limits.cycles) }
        return .cycleLimit
    }

    private func nextTurn() -> Turn {
        if let turn, isShort(cpus[turn]) {
            return .cpu(cpus[turn], barrier: cpus[turn].pointee.turnBarrier)
        }
        return newTurn()
    }

    /// The turn that was interrupted, where it is not the one that would begin now.
    var unfinishedTurn: (index: Int, barrier: UInt64)? {
        guard let turn, isShort(cpus[turn]) else { return nil }
        let barrier = cpus[turn].pointee.turnBarrier
        if case .cpu(let next, barrier) = newTurn(), next == cpus[turn] { return nil }
        return (turn, barrier)
    }

    private func newTurn() -> Turn {
        var running = 0
        var earliest = UInt64.max
        for cpu in cpus where cpu.isRunnable {
            running += 1
            earliest = min(earliest, cpu.pointee.cycles)
        }
        let event = bus.schedule.next
        let poll = nextPoll
        if running == 0 && !canWake { return .idle }
        if poll <= event && (running == 0 || poll <= earliest) { return .poll(at: poll) }
        if running == 0 || event <= earliest { return .event(at: event) }
        var barrier = min(event, poll)
        if running > 1 {
            let slot = earliest / Machine.quantum
            barrier = min(barrier, (slot &+ 1) &* Machine.quantum)
            for cpu in cpus where cpu.isRunnable && cpu.mustAwait(earliest) {
                barrier = min(barrier, cpu.pointee.cycles)
            }
        }
        for cpu in cpus where cpu.isRunnable && cpu.pointee.cycles < barrier {
            return .cpu(cpu, barrier: barrier)
        }
        preconditionFailure("no vCPU is short of a barrier after the earliest")
    }

    /// Whether anything scheduled can make a waiting vCPU run. Console input can where the serial
    /// port's interrupt is open, which only a `pc` has.
    private var canWake: Bool {
        bus.schedule.events.contains { event in
            let cpu = cpus[event.cpu]
            let isHalted = cpu.isWaiting
            switch event.action {
            case .console: return consoleWouldWake
            case .virtio: return true
            case .intervalTimer: return bus.lineWouldWake(0)
            case .clock: return !bus.eventTimers.replacesLegacy && bus.lineWouldWake(8)
            case .eventTimer(let n): return bus.eventTimerWouldWake(Int(n))
            case .initialise, .startup: return true
            case .nmi: return isHalted && cpu.pointee.nmiBlocked == 0
            case .machineCheck: return isHalted
            case .timer:
                return isHalted && bus.wouldInterrupt(bus.timerVector(cpu), cpu)
            case .interrupt(let vector): return isHalted && bus.wouldInterrupt(vector, cpu)
            }
        }
    }

    /// Whether a byte that was typed would make a halted vCPU run.
    private var consoleWouldWake: Bool {
        if configuration.consoleInput == .virtio { return true }
        return bus.isPC && bus.serial.wouldInterrupt && bus.lineWouldWake(4)
    }

    private func execute(_ cpu: CPU) {
        let (cycle, activity) = (cpu.pointee.cycles, cpu.pointee.activity)
        switch configuration.executor {
        case .stepwise: cpu.runStepwise()
        case .blocks: cpu.runBlocks()
        }
        // Whatever is executed or delivered costs at least a cycle.
        let isStuck = cpu.pointee.cycles == cycle && cpu.pointee.activity == activity
        idleTurns = isStuck ? idleTurns + 1 : 0
        precondition(idleTurns < 100, "a runnable vCPU does not run")
    }

    /// The bits by which a run is stopped do not outlive it.
    private func clearStops() {
        stopRequested = false
        for cpu in cpus { cpu.pointee.attention &= ~(Attention.stop | Attention.leaveBlock) }
    }

    private func takeStopReason() -> StopReason? {
        if let value = bus.debugExit {
            bus.debugExit = nil
            return .debugExit(value)
        }
        if let reason = bus.ending {
            bus.ending = nil
            return reason
        }
        if let place = notExecutable {
            notExecutable = nil
            return .notExecutable(cpu: place.cpu, rip: place.rip, name: place.name)
        }
        for cpu in cpus where cpu.pointee.activity == Activity.shutdown {
            return .shutdown(cpu: Int(cpu.pointee.index))
        }
        return stopRequested ? .requested : nil
    }

    /// Polls come and go with or without a source, so that having one cannot be seen.
    private func poll(at cycle: UInt64) {
        nextPoll = cycle &+ pollInterval
        lastInstant = cycle
        guard let inputs else { return }
        let bytes = inputs.poll(at: cycle, machine: self)
        if !bytes.isEmpty { deliverConsole(bytes, at: cycle) }
    }

    /// Polls that nobody answers pass at one go, as far as single ones would have gone by now.
    private func skipPolls(_ limits: RunLimits) {
        let running = cpus.filter(\.isRunnable).map(\.pointee.cycles).min()
        let reached = min(bus.schedule.next, running ?? .max, limits.cycles &- 1)
        guard reached != .max, reached >= nextPoll else { return }
        lastInstant = reached / pollInterval * pollInterval
        nextPoll = lastInstant &+ pollInterval
    }

    private func performNextEvent() {
        guard let event = bus.schedule.takeNext(), !holdsBack(event) else { return }
        let cpu = cpus[event.cpu]
        lastInstant = max(lastInstant, event.instant)
        bus.perform(event.action, on: cpu, at: event.instant)
        // Idle time ends: a vCPU that wakes goes on from the event's instant.
        if cpu.pointee.cycles < event.instant && cpu.isRunnable {
            cpu.pointee.cycles = event.instant
        }
    }

    /// Stimuli that were set for an instruction count which the vCPU has now reached; true if there
    /// were some.
    private func performInstructionStimuli(_ cpu: CPU) -> Bool {
        let index = Int(cpu.pointee.index)
        var performed = false
        while bus.instructionSchedules[index].next <= cpu.pointee.instructions {
            guard let event = bus.instructionSchedules[index].takeNext() else { break }
            bus.perform(event.action, on: cpu, at: cpu.pointee.cycles)
            performed = true
        }
        return performed
    }
}

extension CPU {
    /// Ends the turn at a cycle at the latest.
    @inline(__always)
    func endTurn(at cycle: UInt64) {
        pointee.cycleDeadline = min(pointee.cycleDeadline, cycle)
        pointee.turnBarrier = min(pointee.turnBarrier, cycle)
    }
}

extension Bus {
    /// Makes something scheduled happen to a vCPU, which is at an instruction boundary.
    func perform(_ action: ScheduledAction, on cpu: CPU, at cycle: UInt64) {
        switch action {
        case .timer: timerExpired(cpu, at: cycle)
        case .interrupt(let vector): deliver(vector, to: cpu)
        case .nmi: cpu.pointee.attention |= Attention.nmi
        case .machineCheck: cpu.pointee.attention |= Attention.machineCheck
        case .initialise:
            cpu.initialise()
            resetAPIC(cpu)
        case .startup(let vector): cpu.start(vector: vector)
        case .console(let bytes):
            receiveConsole(bytes, at: cycle)
        case .virtio(let device, let queue):
            workVirtio(Int(device), Int(queue), on: cpu, at: cycle)
        case .intervalTimer: intervalTimerRose(at: cycle)
        case .clock: clockAdvanced(at: cycle)
        case .eventTimer(let n): eventTimerMatched(Int(n), at: cycle)
        }
    }
}
