import X86

/// The place and privilege that an event leaves.
struct EventOrigin {
    var rip: UInt64
    var rsp: UInt64
    var rflags: UInt64
    var cs: UInt16
    var cpl: UInt8
    var cycles: UInt64
    var misses: UInt64
}

/// Telling the observer. Where there is none, each of these is one branch.
///
/// An event made while an instruction executes waits in the vCPU until whoever runs the instruction
/// has retired and charged it, and calls `emitPendingEvent`: the observer then sees the state and
/// the counters of the boundary. An instruction makes at most one event.
extension CPU {
    @inline(__always)
    var isObserved: Bool { pointee.shared.pointee.observer != nil }

    /// The current place, to be taken before an event changes it.
    @inline(__always)
    func origin() -> EventOrigin {
        EventOrigin(
            rip: pointee.rip, rsp: pointee.rsp, rflags: pointee.rflags,
            cs: pointee.cs.selector, cpl: pointee.cpl, cycles: pointee.cycles,
            misses: pointee.tally.tlbMisses)
    }

    /// Prepares the event of a transfer of control that has just been made.
    @inline(__always)
    func notify(
        _ kind: MachineEvent.Kind, from origin: EventOrigin, number: UInt32 = 0,
        errorCode: UInt32? = nil, address: UInt64 = 0
    ) {
        if isObserved {
            recordTransfer(kind, origin, number, errorCode, address)
        }
    }

    @inline(never)
    private func recordTransfer(
        _ kind: MachineEvent.Kind, _ origin: EventOrigin, _ number: UInt32, _ errorCode: UInt32?,
        _ address: UInt64
    ) {
        pointee.event.kind = kind
        pointee.event.oldCPL = origin.cpl
        pointee.event.oldCS = origin.cs
        pointee.event.oldRIP = origin.rip
        pointee.event.oldRSP = origin.rsp
        pointee.event.oldRFLAGS = origin.rflags
        pointee.event.startCycles = origin.cycles
        pointee.event.startMisses = origin.misses
        pointee.event.number = number
        pointee.event.hasErrorCode = errorCode != nil
        pointee.event.errorCode = errorCode ?? 0
        pointee.event.address = address
        pointee.event.value = 0
        pointee.eventPending = true
    }

    /// Prepares the event of a system register's write; `value` is what was written, `address` an
    /// MSR's number.
    @inline(__always)
    func notifyRegister(
        _ register: MachineEvent.SystemRegister, _ value: UInt64, address: UInt64 = 0
    ) {
        if pointee.shared.pointee.observesRegisters {
            recordTransfer(.systemRegister, origin(), register.rawValue, nil, address)
            pointee.event.value = value
        }
    }

    /// Calls the observer with the prepared event, if there is one. To be called at the boundary,
    /// when `rip`, `cycles` and `instructions` are final.
    @inline(__always)
    func emitPendingEvent() {
        if pointee.eventPending { emitEvent() }
    }

    @inline(never)
    private func emitEvent() {
        pointee.eventPending = false
        pointee.event.cpu = pointee.index
        pointee.event.newCPL = pointee.cpl
        pointee.event.newCS = pointee.cs.selector
        pointee.event.newRIP = pointee.rip
        pointee.event.newRSP = pointee.rsp
        pointee.event.cycles = pointee.cycles
        pointee.event.instructions = pointee.instructions
        guard let link = pointee.shared.pointee.observer else { return }
        // The observer reads the vCPU, and never the event through it.
        let event = UnsafeRawPointer(self).advanced(by: CPULayout.event)
            .assumingMemoryBound(to: MachineEvent.self)
        pointee.shared.pointee.machine._withUnsafeGuaranteedRef { machine in
            link._withUnsafeGuaranteedRef {
                $0.observer.observe(event, cpu: self, machine: machine)
            }
        }
    }

    /// Charges one of the classes that the machine, not a row of the opcode table, charges.
    @inline(__always)
    func charge(_ cost: CostClass) {
        pointee.cycles &+= UInt64(pointee.shared.pointee.costs[Int(cost.rawValue)])
    }
}
