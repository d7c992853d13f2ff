/// What the event timers do to the board: their registers, their events, and the lines that they
/// drive. With legacy replacement timers 0 and 1 have ISA lines 0 and 8 for themselves, else each
/// has the I/O APIC's pin that its route names, together with what else is wired to it.
extension Bus {
    func readEventTimers(_ address: UInt64, size: Int, _ cpu: CPU) -> UInt64 {
        let offset = Int(address - EventTimers.range.lowerBound)
        return eventTimers.read(offset, size: size, at: cpu.pointee.cycles)
    }

    func writeEventTimers(_ address: UInt64, _ value: UInt64, size: Int, _ cpu: CPU) {
        let cycle = cpu.pointee.cycles
        let replaced = eventTimers.replacesLegacy
        let offset = Int(address - EventTimers.range.lowerBound)
        eventTimers.write(offset, value, size: size, at: cycle)
        if eventTimers.replacesLegacy != replaced { legacyReplacementChanged(at: cycle, by: cpu) }
        updateEventTimerLevels(at: cycle, by: cpu)
        for n in 0..<EventTimers.count { rescheduleEventTimer(n, by: cpu) }
    }

    /// Lines 0 and 8 are the timers', and low, or again the 8254's and the clock's.
    private func legacyReplacementChanged(at cycle: UInt64, by cpu: CPU) {
        if eventTimers.replacesLegacy {
            setLine(0, false, at: cycle, by: cpu)
            setLine(8, false, at: cycle, by: cpu)
        } else {
            let out = intervalTimer.channels[0].output(IntervalTimer8254.tick(cycle))
            setLine(0, out, at: cycle, by: cpu)
            setLine(8, clock.isInterrupting, at: cycle, by: cpu)
        }
        rescheduleIntervalTimer(after: cycle, by: cpu)
    }

    private func updateEventTimerLevels(at cycle: UInt64, by running: CPU?) {
        for n in 0..<EventTimers.count {
            if let line = eventTimers.line(of: n) {
                setLine(line, eventTimers.asserts(n), at: cycle, by: running)
            }
        }
        for pin in 0..<InputOutputAPIC.pinCount where EventTimers.routes >> UInt32(pin) & 1 != 0 {
            let level = eventTimers.asserts(pin: pin) || isLineHigh(ofPin: pin)
            guard level != (inputOutputAPIC.levels >> UInt32(pin) & 1 != 0) else { continue }
            setPin(pin, level, at: cycle, by: running)
        }
    }

    /// Whether the ISA line that is wired to a pin is high.
    private func isLineHigh(ofPin pin: Int) -> Bool {
        let line = pin == 2 ? 0 : pin
        return line < 16 && lines >> UInt16(line) & 1 != 0
    }

    private func rescheduleEventTimer(_ n: Int, by running: CPU?) {
        let action = ScheduledAction.eventTimer(UInt8(n))
        schedule.remove(action)
        guard let match = eventTimers.nextMatch(n) else { return }
        add(action, for: 0, at: match, by: running ?? cpu(0))
    }

    /// A timer has matched at `cycle`.
    func eventTimerMatched(_ n: Int, at cycle: UInt64) {
        if eventTimers.matched(n) {
            if let line = eventTimers.line(of: n) {
                for level in [false, true, false] { setLine(line, level, at: cycle, by: nil) }
            } else if EventTimers.routes >> UInt32(eventTimers.timers[n].pin) & 1 != 0 {
                let pin = eventTimers.timers[n].pin
                let rest = inputOutputAPIC.levels >> UInt32(pin) & 1 != 0
                for level in [false, true, rest] { setPin(pin, level, at: cycle, by: nil) }
            }
        } else {
            updateEventTimerLevels(at: cycle, by: nil)
        }
        eventTimers.pass(n, to: idleFrom(cycle))
        rescheduleEventTimer(n, by: nil)
    }

    /// Whether a match of a timer, if it came, would make a waiting vCPU run.
    func eventTimerWouldWake(_ n: Int) -> Bool {
        let timer = eventTimers.timers[n]
        guard timer.isEnabled, !eventTimers.asserts(n) else { return false }
        if let line = eventTimers.line(of: n) { return lineWouldWake(line) }
        return EventTimers.routes >> UInt32(timer.pin) & 1 != 0 && pinWouldWake(timer.pin)
    }
}
