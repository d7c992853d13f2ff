/// Clocks are read in the order of cycles, though vCPUs take turns of `Machine.quantum` cycles: an
/// instruction that reads one is executed only when no running vCPU is behind its own. So what one
/// vCPU has read, and handed on by whatever means, another never finds ahead of a clock of its own.
///
/// A vCPU that must wait stands before the instruction with `Attention.awaitsTurn` set, and no
/// other passes its cycle before it has gone on.
extension CPU {
    /// To be called by an instruction that reads a clock before it changes anything.
    @inline(__always)
    func readsClock() throws(Fault) {
        if pointee.cycles > pointee.timeHorizon { throw .deferred }
    }

    /// An instruction has thrown `Fault.deferred`: the turn ends before it.
    @inline(never)
    func awaitTurn() {
        pointee.attention |= Attention.awaitsTurn | Attention.leaveBlock
        endTurn(at: pointee.cycles)
    }

    /// Whether the vCPU stands before a clock that another has yet to reach.
    @inline(__always)
    func mustAwait(_ earliest: UInt64) -> Bool {
        pointee.attention & Attention.awaitsTurn != 0 && pointee.cycles > earliest
    }

    /// Throws where a port that an instruction is about to read shows a clock.
    @inline(__always)
    func readsClock(port: UInt16) throws(Fault) {
        if pointee.timeHorizon != .max && Bus.showsClock(port: port) { try readsClock() }
    }

    /// Throws where an address outside memory that an instruction is about to read shows a clock.
    @inline(never)
    func readsClock(physical: UInt64) throws(Fault) {
        guard pointee.timeHorizon != .max else { return }
        let isClock = pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
            $0.showsClock(physical: physical, self)
        }
        if isClock { try readsClock() }
    }
}

extension Bus {
    /// The interval timer, port 0x61, the real-time clock and the power-management timer.
    static func showsClock(port: UInt16) -> Bool {
        switch port {
        case 0x40...0x43, 0x61, 0x71, PowerManagement.timerPort...PowerManagement.timerPort + 3:
            true
        default: false
        }
    }
}

extension Machine {
    /// The least cycle of the vCPUs that run beside this one, or `UInt64.max`.
    func timeHorizon(for cpu: CPU) -> UInt64 {
        guard configuration.edition >= .second, cpus.count > 1 else { return .max }
        var horizon = UInt64.max
        for other in cpus where other != cpu && other.isRunnable {
            horizon = min(horizon, other.pointee.cycles)
        }
        return horizon
    }
}
