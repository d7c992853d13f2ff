import X86

/// The wires of a `pc`: from a device's line through the 8259 pair to LINT0 of the local APICs, and
/// through the I/O APIC to their bus. A line's change has its effect at once, at the cycle of who
/// changed it; a vCPU other than the running one that it wakes goes on from that cycle.
extension Bus {
    func cpu(_ index: Int) -> CPU {
        shared.pointee.machine._withUnsafeGuaranteedRef { $0.cpus[index] }
    }

    /// Does something to a vCPU that may wake it. `running` is the vCPU in the middle of an
    /// instruction, nil between runs.
    private func touch(_ cpu: CPU, at cycle: UInt64, by running: CPU?, _ body: () -> Void) {
        let wasRunnable = cpu.isRunnable
        body()
        cpu.pointee.attention |= Attention.leaveBlock
        guard cpu != running, !wasRunnable, cpu.isRunnable else { return }
        cpu.pointee.cycles = max(cpu.pointee.cycles, cycle)
        guard let running else { return }
        // It must stop at its next boundary: how far it may go is decided anew.
        running.endTurn(at: running.pointee.cycles)
        running.pointee.attention |= Attention.leaveBlock
    }

    /// A device drives ISA line `line` (0...15, not 2) high or low.
    func setLine(_ line: Int, _ level: Bool, at cycle: UInt64, by running: CPU?) {
        guard isPC, lines >> UInt16(line) & 1 != (level ? 1 : 0) else { return }
        lines ^= 1 << UInt16(line)
        if line < 8 {
            primaryController.setLine(UInt8(line), level)
        } else {
            secondaryController.setLine(UInt8(line - 8), level)
        }
        controllersChanged(at: cycle, by: running)
        // The timer's line is wired to pin 2, as the MADT's source override says.
        let pin = line == 0 ? 2 : line
        setPin(pin, level || eventTimers.asserts(pin: pin), at: cycle, by: running)
    }

    func serialChanged(at cycle: UInt64, by running: CPU?) {
        guard isPC else { return }
        setLine(4, serial.isInterrupting, at: cycle, by: running)
    }

    // MARK: 8259

    /// A PC's firmware gives the pair the vectors 0x08 and 0x70. It is left masked here: whoever
    /// opens a line takes it over first.
    func leaveControllersAsFirmware() {
        primaryController.write(0, 0x11)
        secondaryController.write(0, 0x11)
        for value in [UInt8(0x08), 4, 1, 0xFF] { primaryController.write(1, value) }
        for value in [UInt8(0x70), 2, 1, 0xFF] { secondaryController.write(1, value) }
        // The lines of PCI's interrupt pins are level-triggered.
        if !virtio.isEmpty { secondaryController.levelTriggered = 0x0C }
        controllersChanged(at: 0, by: nil)
    }

    /// A BIOS handles the timer and the keyboard.
    func openLinesAsBIOS() {
        primaryController.write(1, 0xF8)
        controllersChanged(at: 0, by: nil)
    }

    /// Brings the cascade, INTR and what hangs on it up to date.
    func controllersChanged(at cycle: UInt64, by running: CPU?) {
        guard isPC else { return }
        primaryController.setCascade(secondaryController.pending != nil)
        let output = primaryController.pending != nil
        let rose = output && !interruptOutput
        guard output != interruptOutput else { return }
        interruptOutput = output
        for index in 0..<cpuCount {
            let cpu = cpu(index)
            touch(cpu, at: cycle, by: running) {
                if rose { signalLocal(cpu, at: cycle, by: running) }
                updateInterrupt(cpu)
            }
        }
    }

    /// An edge on LINT0 that is not ExtINT (Intel SDM vol. 3, 10.5.1).
    private func signalLocal(_ cpu: CPU, at cycle: UInt64, by running: CPU?) {
        let entry = apics[Int(cpu.pointee.index)].localVectors.3
        guard cpu.pointee.apicBase & APICBase.enable != 0, entry & LocalAPIC.masked == 0 else {
            return
        }
        switch entry >> 8 & 7 {
        case 0: deliver(UInt8(truncatingIfNeeded: entry), level: entry & 0x8000 != 0, to: cpu)
        case 4: cpu.pointee.attention |= Attention.nmi
        case 5: add(.initialise, for: Int(cpu.pointee.index), at: cycle, by: running ?? cpu)
        default: break
        }
    }

    /// Whether the 8259's INTR reaches the vCPU: by LINT0 as ExtINT, or straight where the local
    /// APIC is off (Intel SDM vol. 3, 10.4.3; only the bootstrap processor's pin is wired).
    private func takesExternal(_ cpu: CPU) -> Bool {
        guard isPC else { return false }
        if cpu.pointee.apicBase & APICBase.enable == 0 { return cpu.pointee.index == 0 }
        let entry = apics[Int(cpu.pointee.index)].localVectors.3
        return entry & LocalAPIC.masked == 0 && entry >> 8 & 7 == 7
    }

    func hasExternalInterrupt(_ cpu: CPU) -> Bool { interruptOutput && takesExternal(cpu) }

    /// The vCPU's acknowledge cycle: the vector that the pair answers with.
    func acknowledgeExternal(_ cpu: CPU) -> UInt8 {
        let primary = primaryController.acknowledge()
        var vector = primaryController.vectorBase | (primary ?? 7)
        if primary == 2 {
            let secondary = secondaryController.acknowledge()
            vector = secondaryController.vectorBase | (secondary ?? 7)
            primaryController.setLine(2, false)
        }
        controllersChanged(at: cpu.pointee.cycles, by: cpu)
        updateInterrupt(cpu)
        return vector
    }

    // MARK: I/O APIC

    func setPin(_ pin: Int, _ level: Bool, at cycle: UInt64, by running: CPU?) {
        let bit: UInt32 = 1 << UInt32(pin)
        let rose = level && inputOutputAPIC.levels & bit == 0
        if level {
            inputOutputAPIC.levels |= bit
        } else {
            inputOutputAPIC.levels &= ~bit
        }
        let isLevel = inputOutputAPIC.entries[pin] & InputOutputAPIC.Entry.level != 0
        if rose || isLevel { signal(pin, at: cycle, by: running) }
    }

    /// Sends a pin's message if the entry lets it: an edge that comes while it is masked is lost.
    private func signal(_ pin: Int, at cycle: UInt64, by running: CPU?) {
        let entry = inputOutputAPIC.entries[pin]
        guard entry & InputOutputAPIC.Entry.masked == 0,
            inputOutputAPIC.levels >> UInt32(pin) & 1 != 0
        else { return }
        let isLevel = entry & InputOutputAPIC.Entry.level != 0
        if isLevel {
            guard entry & InputOutputAPIC.Entry.remoteIRR == 0 else { return }
            inputOutputAPIC.entries[pin] |= InputOutputAPIC.Entry.remoteIRR
        }
        deliver(entry, level: isLevel, at: cycle, by: running)
    }

    /// Delivers what a redirection entry says to whom it addresses.
    private func deliver(_ entry: UInt64, level: Bool, at cycle: UInt64, by running: CPU?) {
        let vector = UInt8(truncatingIfNeeded: entry)
        for target in targets(of: entry) {
            let cpu = cpu(target)
            touch(cpu, at: cycle, by: running) {
                switch entry >> 8 & 7 {
                case 0, 1: deliver(vector, level: level, to: cpu)
                case 4: cpu.pointee.attention |= Attention.nmi
                case 5: add(.initialise, for: target, at: cycle, by: running ?? cpu)
                default: break  // SMI, ExtINT and reserved: nothing is wired to that
                }
            }
        }
    }

    /// A device writes an interrupt message to memory (Intel SDM vol. 3, 10.11). Elsewhere than at
    /// the local APICs' addresses it is lost. A redirection hint is heeded as lowest priority.
    func sendMessage(_ address: UInt64, _ data: UInt32, at cycle: UInt64, by running: CPU?) {
        guard address >> 20 == 0xFEE else { return }
        let isHinted = address & 8 != 0
        var entry = UInt64(data & (isHinted ? 0xFF : 0x7FF)) | (address >> 12 & 0xFF) << 56
        if isHinted { entry |= 0x100 }
        if address & 4 != 0 { entry |= InputOutputAPIC.Entry.logical }
        deliver(entry, level: false, at: cycle, by: running)
    }

    /// The vCPUs that a redirection entry addresses; one of them for lowest priority.
    private func targets(of entry: UInt64) -> [Int] {
        let destination = UInt8(truncatingIfNeeded: entry >> 56)
        let isLogical = entry & InputOutputAPIC.Entry.logical != 0
        let all = (0..<cpuCount).filter { index in
            guard cpu(index).pointee.apicBase & APICBase.enable != 0 else { return false }
            guard isLogical else {
                return destination == 0xFF || apics[index].id == UInt32(destination)
            }
            if cpu(index).pointee.apicBase & APICBase.extended == 0 {
                return apics[index].answers(logical: destination)
            }
            let mine = apics[index].logicalDestination
            return mine >> 16 == 0 && mine & UInt32(destination) != 0
        }
        guard entry >> 8 & 7 == 1 else { return all }
        return lowestPriority(among: all).map { [$0] } ?? []
    }

    /// Of several APICs the one whose processor priority is lowest, and of lowest index of those.
    func lowestPriority(among all: [Int]) -> Int? {
        let able = all.filter { apics[$0].enabled }
        return able.min { apics[$0].processorPriority < apics[$1].processorPriority }
    }

    func writeInputOutputAPIC(_ offset: Int, _ value: UInt32, _ cpu: CPU) {
        if offset == 0x40 {
            endOfInterrupt(UInt8(truncatingIfNeeded: value), cpu)
            return
        }
        guard let pin = inputOutputAPIC.write(offset, value),
            inputOutputAPIC.entries[pin] & InputOutputAPIC.Entry.level != 0
        else { return }
        signal(pin, at: cpu.pointee.cycles, by: cpu)
    }

    /// A local APIC broadcasts the end of a level-triggered interrupt: a line that is still
    /// asserted interrupts again.
    func endOfInterrupt(_ vector: UInt8, _ cpu: CPU) {
        guard isPC else { return }
        for pin in inputOutputAPIC.end(vector) { signal(pin, at: cpu.pointee.cycles, by: cpu) }
        let entry = apics[Int(cpu.pointee.index)].localVectors.3
        let isLevel = entry & (LocalAPIC.masked | 0x8700) == 0x8000
        if isLevel && interruptOutput && UInt8(truncatingIfNeeded: entry) == vector {
            deliver(vector, level: true, to: cpu)
        }
    }

    // MARK: Waking

    /// Whether an edge on a line, if it came, would make a waiting vCPU run.
    func lineWouldWake(_ line: Int) -> Bool {
        let bit: UInt8 = 1 << UInt8(line & 7)
        let controller = line < 8 ? primaryController : secondaryController
        let isOpen =
            controller.mask & bit == 0
            && (line < 8 || primaryController.mask & 4 == 0)
        if pinWouldWake(line == 0 ? 2 : line) { return true }
        for index in 0..<cpuCount {
            let cpu = cpu(index)
            let isHalted = cpu.isWaiting
            if isOpen && isHalted && takesExternal(cpu) && cpu.wakesForInterrupt { return true }
            let local = apics[index].localVectors.3
            if isOpen && isHalted && local & (LocalAPIC.masked | 0x700) == 0
                && wouldInterrupt(UInt8(truncatingIfNeeded: local), cpu)
            {
                return true
            }
        }
        return false
    }

    /// The same of a pin of the I/O APIC.
    func pinWouldWake(_ pin: Int) -> Bool {
        let entry = inputOutputAPIC.entries[pin]
        guard entry & InputOutputAPIC.Entry.masked == 0 else { return false }
        for index in targets(of: entry) {
            let cpu = cpu(index)
            let isHalted = cpu.isWaiting
            switch entry >> 8 & 7 {
            case 0, 1:
                let vector = UInt8(truncatingIfNeeded: entry)
                if isHalted && wouldInterrupt(vector, cpu) { return true }
            case 4:
                if isHalted && cpu.pointee.nmiBlocked == 0 { return true }
            case 5: return true
            default: break
            }
        }
        return false
    }
}
