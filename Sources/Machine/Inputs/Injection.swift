/// What the world does to the machine. All of it can be called between runs, by an observer during
/// one, and by an input source.
extension Machine {
    /// Makes a stimulus happen now: at the next instruction boundary of the vCPU. False if it is
    /// refused: a fixed interrupt whose vector is below 16 or whose local APIC is switched off.
    @discardableResult
    public func inject(_ stimulus: Stimulus, cpu index: Int) -> Bool {
        turn = nil
        let cpu = cpus[index]
        let wasRunnable = cpu.isRunnable
        let now = self.now(cpu: index)
        switch stimulus {
        case .interrupt(let vector):
            guard bus.deliver(vector, to: cpu) else { return false }
        case .nmi: cpu.pointee.attention |= Attention.nmi
        case .machineCheck: cpu.pointee.attention |= Attention.machineCheck
        case .console(let bytes): deliverConsole(bytes, at: now)
        }
        cpu.pointee.attention |= Attention.leaveBlock
        if !wasRunnable && cpu.isRunnable { cpu.pointee.cycles = max(cpu.pointee.cycles, now) }
        return true
    }

    /// Makes a stimulus happen at an instant; one that is past means at once. It is part of the
    /// machine's state from here on, and of its snapshots and digest.
    public func schedule(_ stimulus: Stimulus, cpu index: Int, at instant: Instant) {
        let action: ScheduledAction =
            switch stimulus {
            case .interrupt(let vector): .interrupt(vector: vector)
            case .nmi: .nmi
            case .machineCheck: .machineCheck
            case .console(let bytes): .console(bytes)
            }
        var event = ScheduledEvent(
            instant: 0, sequence: bus.nextSequence, cpu: index, action: action)
        bus.nextSequence &+= 1
        // A vCPU that is running now, if an observer calls, must stop in time.
        switch instant {
        case .cycle(let cycle):
            event.instant = cycle
            bus.schedule.insert(event)
            for cpu in cpus {
                cpu.endTurn(at: cycle)
                cpu.pointee.attention |= Attention.leaveBlock
            }
        case .instruction(let count):
            event.instant = count
            bus.instructionSchedules[index].insert(event)
            let cpu = cpus[index]
            cpu.pointee.instructionDeadline = min(cpu.pointee.instructionDeadline, count)
            cpu.pointee.attention |= Attention.leaveBlock
        }
    }

    /// Bytes reach the serial port's receiver; what its FIFO has no room for waits its turn.
    public func deliverConsole(_ bytes: [UInt8]) {
        turn = nil
        deliverConsole(bytes, at: cycles)
    }

    func deliverConsole(_ bytes: [UInt8], at cycle: UInt64) {
        bus.receiveConsole(bytes, at: cycle)
    }

    /// Console bytes that have arrived and that the guest has not read.
    public var consoleBacklog: Int {
        bus.serial.backlog + (bus.virtioConsole.map { bus.virtio[$0].typed.count } ?? 0)
    }
}

extension Bus {
    /// Typed bytes reach the console that the machine has them reach.
    func receiveConsole(_ bytes: [UInt8], at cycle: UInt64) {
        if consoleInput == .virtio {
            type(bytes, at: cycle)
        } else {
            serial.receive(bytes)
            serialChanged(at: cycle, by: nil)
        }
    }
}
