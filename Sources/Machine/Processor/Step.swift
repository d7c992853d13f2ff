import X86

/// What one call of `step` did.
public enum StepResult: Sendable {
    /// One instruction retired.
    case retired
    /// A repeated string instruction did some of its iterations and waits to go on, or an
    /// instruction that reads a clock waits for its turn.
    case suspended
    /// The instruction faulted and the exception was delivered.
    case faulted
    /// A trap, NMI or interrupt was delivered at the boundary; no instruction was executed.
    case serviced
    /// The vCPU is halted, shut down or not started, and nothing wakes it.
    case waiting
    /// The instruction cannot be executed: the run ends before it.
    case stopped
}

/// Executor A: decodes and executes one instruction at every step, with nothing cached but the
/// translations. It is what the others are checked against.
extension CPU {
    /// Runs until a stop is asked for, nothing is left to do, or a deadline is reached. An
    /// instruction starts only while both counters are short of their deadlines.
    public func runStepwise() {
        while pointee.attention & Attention.stop == 0
            && pointee.cycles < pointee.cycleDeadline
            && pointee.instructions < pointee.instructionDeadline
        {
            switch step() {
            case .waiting, .stopped: return
            default: break
            }
        }
    }

    /// One instruction boundary and what follows it: an event that is due, or an instruction.
    public func step() -> StepResult {
        pointee.attention &= ~Attention.leaveBlock
        if pointee.attention != 0 && serviceAttention() { return .serviced }
        if pointee.activity != Activity.active { return .waiting }
        return stepInstruction()
    }

    /// The instruction at RIP, at a boundary where what was due has been serviced.
    @inline(__always)
    func stepInstruction() -> StepResult {
        let start = pointee.rip
        let stepped = pointee.rflags & RFLAGS.tf != 0
        var i = Instruction()
        do throws(Fault) {
            try fetch(into: &i)
            let next = start &+ UInt64(i.length)
            pointee.rip = in64Bit ? next : next & 0xFFFF_FFFF
            try execute(i)
        } catch {
            pointee.rip = start
            return settle(error, i, stepped: stepped)
        }
        retire(i, stepped: stepped)
        return .retired
    }

    /// What follows an instruction that completed: its cost, its count, the traps and the event it
    /// leaves behind.
    @inline(__always)
    func retire(_ i: borrowing Instruction, stepped: Bool) {
        charge(i.cost)
        pointee.instructions &+= 1
        let isReturn = i.mnemonic == .iret
        if pointee.rflags & RFLAGS.rf != 0 && !isReturn {
            pointee.rflags &= ~RFLAGS.rf
            updateStepping()
        }
        if stepped {
            if trapsAfter(i) { latchSingleStep() }
        }
        emitPendingEvent()
    }

    /// Whether an instruction that started with TF set is followed by the single-step trap: not
    /// after a load of SS, and not when it entered a handler that TF no longer covers (Intel SDM
    /// vol. 3, 17.3.1.4).
    private func trapsAfter(_ i: borrowing Instruction) -> Bool {
        if pointee.interruptShadow == 2 { return false }
        switch i.mnemonic {
        case .int, .int1, .int3, .into, .syscall, .sysret: return pointee.rflags & RFLAGS.tf != 0
        default: return true
        }
    }

    /// What follows an instruction that threw: `rip` is its own address again.
    @inline(never)
    func settle(
        _ fault: Fault, _ i: borrowing Instruction, stepped: Bool
    ) -> StepResult {
        pointee.eventPending = false
        if fault == .suspended {
            if stepped { latchSingleStep() }
            return .suspended
        }
        if fault == .frozen {
            charge(i.cost)
            freeze()
            return .suspended
        }
        if fault == .deferred {
            awaitTurn()
            return .suspended
        }
        if fault == .notExecutable {
            stopNotExecutable(name: "\(i.mnemonic)")
            return .stopped
        }
        deliver(fault)
        return .faulted
    }

    /// At an instruction boundary: ends the interrupt shadow and delivers the one event of highest
    /// priority that is due (Intel SDM vol. 3, table 6-2). True if something was delivered.
    @inline(never)
    public func serviceAttention() -> Bool {
        let attention = pointee.attention
        let shadow = pointee.interruptShadow
        pointee.interruptShadow = 0
        pointee.attention &= ~Attention.shadow
        if pointee.activity != Activity.active {
            if !isWaiting || !isRunnable { return false }
            if pointee.activity != Activity.halted { endMonitorWait() }
        }
        if attention & Attention.machineCheck != 0 {
            wake()
            pointee.attention &= ~Attention.machineCheck
            deliverMachineCheck()
            return true
        }
        if attention & Attention.debugTrap != 0 && shadow != 2 {
            wake()
            deliverDebugTrap()
            return true
        }
        if attention & Attention.nmi != 0 && pointee.nmiBlocked == 0 && !blocksNMI(shadow) {
            wake()
            pointee.attention &= ~Attention.nmi
            deliverNMI()
            return true
        }
        if attention & Attention.interrupt != 0 && shadow == 0
            && pointee.rflags & RFLAGS.interruptEnable != 0
        {
            wake()
            let vector = pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
                $0.acknowledgeInterrupt(self)
            }
            deliverInterrupt(vector: vector)
            return true
        }
        // Instruction breakpoints are inhibited after a load of SS (17.3.1.1): RF does it, and the
        // instruction that follows clears it.
        if shadow == 2 && attention & Attention.breakpoints != 0 {
            pointee.rflags |= RFLAGS.rf
            updateStepping()
        }
        return false
    }

    /// MOV SS and POP SS hold NMIs off, and STI does as processors do (Intel SDM vol. 2, STI:
    /// "may be blocked").
    @inline(__always)
    private func blocksNMI(_ shadow: UInt8) -> Bool {
        shadow == 2 || shadow == 1 && pointee.shared.pointee.edition >= .second
    }

    /// A halted vCPU goes on. What wakes it is still pending when the observer hears of it, so that
    /// a snapshot taken then holds it.
    func wake() {
        if !isWaiting { return }
        let from = origin()
        pointee.activity = Activity.active
        notify(.halt, from: from, number: 1)
        emitPendingEvent()
    }
}
