/// The local APIC's timer (Intel SDM vol. 3, 10.5.4). It counts core cycles, divided by the divide
/// configuration: one count a cycle at divide-by-1. (QEMU counts nanoseconds, processors their bus
/// or crystal clock; kernels must calibrate.) Counts are computed from the cycle, never stored.
extension LocalAPIC {
    enum TimerMode {
        case oneShot, periodic, deadline
    }

    /// LVT timer bits 17-18; the reserved value 3 acts as one-shot.
    var timerMode: TimerMode {
        switch localVectors.0 >> 17 & 3 {
        case 1: .periodic
        case 2: .deadline
        default: .oneShot
        }
    }

    /// 1, 2, 4 ... 128.
    var divisor: UInt64 {
        let code = divideConfiguration & 3 | (divideConfiguration >> 1) & 4
        return code == 7 ? 1 : 2 << UInt64(code)
    }

    private var period: UInt64 { UInt64(initialCount) &* divisor }

    /// The current-count register at a cycle.
    func currentCount(at cycle: UInt64) -> UInt32 {
        guard timerMode != .deadline, countAtStart != 0 else { return 0 }
        let elapsed = (cycle > timerStart ? cycle &- timerStart : 0) / divisor
        if elapsed < UInt64(countAtStart) { return countAtStart - UInt32(elapsed) }
        guard timerMode == .periodic, initialCount != 0 else { return 0 }
        let over = (elapsed &- UInt64(countAtStart)) % UInt64(initialCount)
        return initialCount - UInt32(over)
    }

    /// A write of the initial-count register starts the timer, or with 0 stops it.
    mutating func startTimer(_ count: UInt32, at cycle: UInt64) {
        guard timerMode != .deadline else { return }
        initialCount = count
        countAtStart = count
        timerStart = cycle
    }

    /// A write of the divide configuration: the count goes on from where it is at the new rate.
    mutating func setDivide(_ value: UInt32, at cycle: UInt64) {
        let count = currentCount(at: cycle)
        divideConfiguration = value & 0xB
        countAtStart = count
        timerStart = cycle
    }

    /// A write of the LVT entry. Changing to or from deadline mode disarms the timer; between the
    /// other modes the count goes on.
    mutating func setTimerEntry(_ value: UInt32, at cycle: UInt64) {
        let count = currentCount(at: cycle)
        let before = timerMode
        localVectors.0 = value
        guard timerMode != before else { return }
        if before == .deadline || timerMode == .deadline {
            initialCount = 0
            countAtStart = 0
            deadline = 0
        } else {
            countAtStart = count
            timerStart = cycle
        }
    }

    /// The next cycle, after `cycle`, at which the timer reaches zero and signals; nil if it does
    /// not run or is masked. A deadline that has passed is due now.
    func nextExpiry(after cycle: UInt64, tscOffset: UInt64) -> UInt64? {
        guard localVectors.0 & LocalAPIC.masked == 0 else { return nil }
        if timerMode == .deadline {
            guard deadline != 0 else { return nil }
            let now = cycle &+ tscOffset
            guard deadline > now else { return cycle }
            let (expiry, overflow) = cycle.addingReportingOverflow(deadline - now)
            return overflow ? .max : expiry
        }
        guard countAtStart != 0 else { return nil }
        let first = timerStart &+ UInt64(countAtStart) &* divisor
        if first > cycle { return first }
        guard timerMode == .periodic, period != 0 else { return nil }
        return first &+ ((cycle &- first) / period &+ 1) &* period
    }
}
