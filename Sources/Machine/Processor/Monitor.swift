import X86

/// MONITOR and MWAIT (Intel SDM vol. 2; vol. 3, 8.10). A line is 64 bytes of guest-physical memory.
/// Any store to it triggers it, whoever stores; where no line is armed MWAIT does not wait.
extension CPU {
    /// MONITOR and MWAIT are there, and CPL is 0 or, on AMD's processors, HWCR lets it be more.
    private func requireMonitor() throws(Fault) {
        let isAMD = pointee.shared.pointee.vendor == .amd
        let forUsers = isAMD && pointee.miscEnable & HardwareConfiguration.monitorsForUsers != 0
        if !hasMonitor || pointee.cpl != 0 && !forUsers { throw .undefinedOpcode }
    }

    /// CPUID promises them, and neither IA32_MISC_ENABLE nor HWCR has taken them away.
    var hasMonitor: Bool {
        let shared = pointee.shared
        if shared.pointee.edition < .second { return false }
        return shared.pointee.vendor == .amd
            ? pointee.miscEnable & HardwareConfiguration.disablesMonitor == 0
            : pointee.miscEnable & MiscEnable.monitor != 0
    }

    /// MONITOR: checks its address as the load of a byte would be. There are no extensions (RCX).
    func executeMonitor(_ i: borrowing Instruction) throws(Fault) {
        try requireMonitor()
        if monitorHints(i) != 0 { throw .generalProtection(0) }
        let overridden = i.flags.contains(.segmentOverride)
        let linear = try linear(
            segment: overridden ? Int(i.segment) : Int(SegmentNumber.ds),
            offset: readRegister(0, size: Int(i.addressSize)), size: 1, write: false)
        let physical = try translateRead(linear, context: pointee.tlbContext)
        pointee.attention &= ~Attention.monitorHit
        pointee.monitoredLine = CPUState.noMonitor
        guard isMemory(physical) else { return }
        pointee.monitoredLine = physical &>> 6
        pointee.shared.watchLine(at: physical)
        pointee.attention |= Attention.leaveBlock
    }

    /// MWAIT: waits unless the line has been stored to since MONITOR. RCX bit 0 lets interrupts end
    /// the wait though IF is 0; hints are taken for C1.
    func executeMonitorWait(_ i: borrowing Instruction) throws(Fault) {
        try requireMonitor()
        let extensions = monitorHints(i)
        if extensions & ~1 != 0 { throw .generalProtection(0) }
        if pointee.monitoredLine == CPUState.noMonitor { return }
        var from = origin()
        from.rip = from.rip &- UInt64(i.length)
        pointee.activity =
            extensions & 1 == 0 ? Activity.monitorWait : Activity.monitorWaitUnmasked
        pointee.attention |= Attention.leaveBlock
        notify(.halt, from: from)
    }

    private func monitorHints(_ i: borrowing Instruction) -> UInt64 {
        in64Bit ? pointee.rcx : pointee.rcx & 0xFFFF_FFFF
    }

    /// MWAIT ends: by the store, or by an event that is due and may yet be masked.
    func endMonitorWait() {
        wake()
        pointee.attention &= ~Attention.monitorHit
        pointee.monitoredLine = CPUState.noMonitor
    }

    /// Bytes of a page flagged `PageFlag.monitored` are about to change, by whatever writes memory;
    /// they lie within one page. A vCPU that monitors them goes on from the cycle of the store, and
    /// whoever runs stops at the next boundary: how far it may go is decided anew.
    @inline(never)
    func monitoredPageWritten(physical: UInt64, size: Int) {
        let last = (physical &+ UInt64(size) &- 1) &>> 6
        let lines = physical &>> 6...last
        pointee.shared.pointee.machine._withUnsafeGuaranteedRef { machine in
            var others = false
            for cpu in machine.cpus {
                let line = cpu.pointee.monitoredLine
                guard lines.contains(line) else {
                    others = others || line &>> 6 == physical &>> 12
                    continue
                }
                cpu.pointee.monitoredLine = CPUState.noMonitor
                if cpu.isWaiting { machine.storeWakes(cpu, at: pointee.cycles) }
            }
            if !others {
                let flags = pointee.shared.pointee.pageFlags
                flags[Int(truncatingIfNeeded: physical &>> 12)] &= ~PageFlag.monitored
            }
        }
    }
}

extension Machine {
    func storeWakes(_ sleeper: CPU, at cycle: UInt64) {
        guard sleeper.pointee.activity != Activity.halted else { return }
        let wasRunnable = sleeper.isRunnable
        sleeper.pointee.attention |= Attention.monitorHit
        if !wasRunnable {
            sleeper.pointee.cycles = max(sleeper.pointee.cycles, cycle, lastInstant)
        }
        for cpu in cpus {
            cpu.endTurn(at: cpu.pointee.cycles)
            cpu.pointee.attention |= Attention.leaveBlock
        }
    }

    /// After memory and the vCPUs have been replaced.
    func watchMonitoredLines() {
        for cpu in cpus where cpu.pointee.monitoredLine != CPUState.noMonitor {
            shared.watchLine(at: cpu.pointee.monitoredLine << 6)
        }
    }
}

extension UnsafeMutablePointer<SharedState> {
    /// Makes every write to the page of a line come by `monitoredPageWritten`.
    func watchLine(at physical: UInt64) {
        let flags = pointee.pageFlags + Int(truncatingIfNeeded: physical &>> 12)
        if flags.pointee & PageFlag.monitored != 0 { return }
        flags.pointee |= PageFlag.monitored
        pointee.machine._withUnsafeGuaranteedRef { machine in
            for cpu in machine.cpus { cpu.withholdWrites(physicalPage: physical) }
        }
    }
}
