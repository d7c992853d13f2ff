/// The ports that only a `pc` decodes, and the events of its timers.
extension Bus {
    private enum Port {
        static let debugConsole: UInt16 = 0xE9
        static let systemControlA: UInt16 = 0x92
        static let systemControlB: UInt16 = 0x61
        static let resetControl: UInt16 = 0xCF9
    }

    /// Ends the run at the next boundary.
    private func end(_ reason: StopReason, _ cpu: CPU) {
        ending = reason
        cpu.pointee.attention |= Attention.stop | Attention.leaveBlock
    }

    // MARK: Registers wider than a byte

    func readWidePort(_ port: UInt16, size: Int, _ cpu: CPU) -> UInt64? {
        if port == PCIConfiguration.addressPort && size == 4 { return UInt64(pci.address) }
        if port == PowerManagement.timerPort && size == 4 {
            return UInt64(PowerManagement.timer(cpu.pointee.cycles))
        }
        // fw_cfg's selector and data are a word and a byte, and of no other size.
        if firmware.isComplete && size > 1
            && (port == FirmwareConfiguration.selectPort || port == FirmwareConfiguration.dataPort)
        {
            return 0
        }
        if virtio.isEmpty { return nil }
        if PCIConfiguration.dataPorts.contains(port) {
            return readVirtioConfiguration(port, size: size, cpu)
        }
        return readVirtioBAR(UInt64(port), ports: true, size: size, cpu)
    }

    func writeWidePort(_ port: UInt16, _ value: UInt64, size: Int, _ cpu: CPU) -> Bool {
        if port == PCIConfiguration.addressPort && size == 4 {
            pci.address = UInt32(truncatingIfNeeded: value) & 0x80FF_FFFC
            return true
        }
        if port == FirmwareConfiguration.selectPort && size == 2 {
            firmware.select(UInt16(truncatingIfNeeded: value))
            return true
        }
        let dmaPorts = FirmwareConfiguration.dmaPorts
        if firmware.isComplete && size == 4 && dmaPorts.contains(port) && port & 3 == 0 {
            firmware.writeAddress(port, UInt32(truncatingIfNeeded: value), GuestMemory(cpu))
            return true
        }
        if virtio.isEmpty { return false }
        if PCIConfiguration.dataPorts.contains(port) {
            return writeVirtioConfiguration(port, value, size: size, cpu)
        }
        return writeVirtioBAR(UInt64(port), ports: true, value, size: size, cpu)
    }

    // MARK: Bytes

    func readPCPort(_ port: UInt16, _ cpu: CPU) -> UInt8 {
        let cycle = cpu.pointee.cycles
        switch port {
        case 0x40...0x43: return intervalTimer.read(Int(port & 3), at: cycle)
        case 0x60:
            let value = keyboard.readData()
            // The next byte, if there is one, comes with an edge of its own.
            setLine(1, false, at: cycle, by: cpu)
            setLine(1, keyboard.isInterrupting, at: cycle, by: cpu)
            return value
        case Port.systemControlB: return readSystemControl(cycle)
        case 0x64: return keyboard.status
        case 0x71:
            let value = clock.read(at: cycle)
            clockChanged(at: cycle, by: cpu)
            return value
        case Port.systemControlA: return 0x02  // A20 is always on
        case Port.debugConsole: return 0xE9
        case 0x4D0: return primaryController.levelTriggered
        case 0x4D1: return secondaryController.levelTriggered
        case FirmwareConfiguration.dataPort: return firmware.read()
        case FirmwareConfiguration.dmaPorts where firmware.isComplete:
            return firmware.readAddress(port)
        case PowerManagement.ports: return power.read(port, at: cycle)
        case VideoAdapter.ports where hasFirmware: return video.read(port, at: cycle)
        case PCIConfiguration.dataPorts:
            return UInt8(truncatingIfNeeded: pci.word >> UInt32(8 * (port & 3)))
        default: return testDevice.read(port)
        }
    }

    func writePCPort(_ port: UInt16, _ value: UInt8, _ cpu: CPU) {
        let cycle = cpu.pointee.cycles
        switch port {
        case 0x40...0x43: writeTimer(Int(port & 3), value, cpu)
        case 0x60:
            if keyboard.writeData(value) == .reset { end(.reset(port: 0x64), cpu) }
            setLine(1, keyboard.isInterrupting, at: cycle, by: cpu)
        case Port.systemControlB: writeSystemControl(value, cycle)
        case 0x64:
            if keyboard.writeCommand(value) == .reset { end(.reset(port: 0x64), cpu) }
            setLine(1, keyboard.isInterrupting, at: cycle, by: cpu)
        case 0x70: clock.select = value
        case 0x71:
            clock.write(value, at: cycle)
            clockChanged(at: cycle, by: cpu)
        case Port.systemControlA:
            if value & 1 != 0 { end(.reset(port: port), cpu) }
        case Port.debugConsole: print(value, cpu)
        case 0x4D0:
            primaryController.levelTriggered = value & 0xF8
            controllersChanged(at: cycle, by: cpu)
        case 0x4D1:
            secondaryController.levelTriggered = value & 0xDE
            controllersChanged(at: cycle, by: cpu)
        case PowerManagement.ports:
            if power.write(port, value) { end(.poweredOff, cpu) }
        case PowerManagement.formerControlPorts where hasEventTimers:
            let place = port & 1 | PowerManagement.controlPort
            if power.write(place, value) { end(.poweredOff, cpu) }
        case VideoAdapter.ports where hasFirmware: video.write(port, value)
        case Port.resetControl:
            // Bit 2 going high resets; bit 1 says how hard.
            if value & 4 != 0 { end(.reset(port: port), cpu) }
        case NumericError.clearPort: clearNumericError(at: cycle, by: cpu)
        case TestDevice.linePorts: driveLine(port, value != 0, cpu)
        default: testDevice.write(port, value)
        }
    }

    // MARK: Port 0x61

    /// Bits 0 and 1: counter 2's gate and the speaker, as written; 4: the refresh clock of about
    /// 15 microseconds; 5: counter 2's output.
    private func readSystemControl(_ cycle: UInt64) -> UInt8 {
        let out = intervalTimer.channels[2].output(IntervalTimer8254.tick(cycle))
        let gate: UInt8 = intervalTimer.channels[2].gate ? 1 : 0
        let refresh = UInt8(truncatingIfNeeded: cycle / 15_085) & 1
        return gate | (speaker ? 2 : 0) | refresh << 4 | (out ? 0x20 : 0)
    }

    private func writeSystemControl(_ value: UInt8, _ cycle: UInt64) {
        intervalTimer.channels[2].setGate(value & 1 != 0, at: IntervalTimer8254.tick(cycle))
        speaker = value & 2 != 0
    }

    // MARK: Timers

    private func writeTimer(_ register: Int, _ value: UInt8, _ cpu: CPU) {
        let cycle = cpu.pointee.cycles
        intervalTimer.write(register, value, at: cycle)
        guard register == 0 || register == 3 else { return }
        if !eventTimers.replacesLegacy {
            let out = intervalTimer.channels[0].output(IntervalTimer8254.tick(cycle))
            setLine(0, out, at: cycle, by: cpu)
        }
        rescheduleIntervalTimer(after: cycle, by: cpu)
    }

    /// Puts counter 0's next rising edge on the schedule, in place of an earlier one; none where
    /// nobody hears of it.
    func rescheduleIntervalTimer(after cycle: UInt64, by running: CPU?) {
        schedule.remove(.intervalTimer)
        if eventTimers.replacesLegacy { return }
        let tick = IntervalTimer8254.tick(cycle)
        guard let rise = intervalTimer.channels[0].nextRise(after: tick) else { return }
        add(.intervalTimer, for: 0, at: IntervalTimer8254.cycle(rise), by: running ?? cpu(0))
    }

    /// Counter 0's output has risen at `cycle`. Rises since then have merged into this one; see
    /// `timerExpired` for those while everybody waits.
    func intervalTimerRose(at cycle: UInt64) {
        setLine(0, false, at: cycle, by: nil)
        setLine(0, true, at: cycle, by: nil)
        rescheduleIntervalTimer(after: idleFrom(cycle), by: nil)
    }

    private func clockChanged(at cycle: UInt64, by running: CPU?) {
        if !eventTimers.replacesLegacy {
            setLine(8, clock.isInterrupting, at: cycle, by: running)
        }
        schedule.remove(.clock)
        guard let next = clock.nextEvent(after: cycle) else { return }
        add(.clock, for: 0, at: next, by: running ?? cpu(0))
    }

    func clockAdvanced(at cycle: UInt64) {
        clock.advance(to: cycle)
        clockChanged(at: idleFrom(cycle), by: nil)
    }

    /// From when on a device's repeated events matter again: while every vCPU waits, what does not
    /// wake one changes nothing until something else happens.
    func idleFrom(_ cycle: UInt64) -> UInt64 {
        for index in 0..<cpuCount where cpu(index).isRunnable { return cycle }
        let poll = shared.pointee.machine._withUnsafeGuaranteedRef { $0.nextPoll }
        return max(cycle, min(schedule.next, poll))
    }

    // MARK: Snapshots

    func transferPC(_ stream: inout StateStream) throws(MachineError) {
        try stream.expect(epoch, "it is of a machine whose clock starts elsewhere")
        try inputOutputAPIC.transfer(&stream)
        try intervalTimer.transfer(&stream)
        if hasEventTimers { try eventTimers.transfer(&stream) }
        try clock.transfer(&stream)
        try keyboard.transfer(&stream)
        try firmware.transfer(&stream)
        try pci.transfer(&stream)
        try power.transfer(&stream)
        if hasFirmware {
            try video.transfer(&stream)
            for n in 0..<cpuCount { try memoryTypes[n].transfer(&stream) }
        }
        try stream.field(&lines)
        try stream.field(&speaker)
        for n in virtio.indices { try virtio[n].transfer(&stream) }
        if stream.reading { interruptOutput = primaryController.pending != nil }
    }
}
