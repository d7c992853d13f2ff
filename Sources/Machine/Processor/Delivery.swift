import X86

/// One event on its way through the IDT.
struct Delivery {
    var vector: UInt8
    var hasErrorCode = false
    var errorCode: UInt32 = 0
    /// INT n, INT3 or INTO: the gate's DPL is checked.
    var software = false
    /// Bit EXT of error codes raised by the delivery itself: 0 for INT n, INT3 and INTO, else 1.
    var ext: UInt32 = 1
    /// Part of an instruction: what faults in a task that it has entered is delivered there.
    var isInstruction = false
    /// RFLAGS as pushed: with RF set for faults.
    var savedRFLAGS: UInt64

    /// Error code for the gate itself: the vector's place in the IDT.
    @inline(__always)
    var gateError: UInt32 { UInt32(vector) &<< 3 | 2 | ext }
}

/// Exceptions and interrupts (Intel SDM vol. 3, chapter 6).
extension CPU {
    /// Delivers an exception at the boundary: `rip` is the value to save. Nested faults follow
    /// the double-fault rules (table 6-5); a fault while delivering #DF is shutdown. A debug
    /// exception clears DR7.GD, so that its handler may use the registers (17.2.4).
    func deliver(_ fault: Fault) {
        dropHeldDebugTrap()
        var current = fault
        while true {
            if current.vector == Vector.pageFault { pointee.cr2 = current.address }
            if current.vector == Vector.debug { pointee.dr7 &= ~DebugBits.generalDetect }
            let origin = origin()
            do throws(Fault) {
                try enter(delivery(of: current))
                charge(.exceptionDelivery)
                notify(
                    .exception, from: origin, number: UInt32(current.vector),
                    errorCode: current.hasErrorCode ? current.errorCode : nil,
                    address: current.vector == Vector.pageFault ? current.address : 0)
                emitPendingEvent()
                return
            } catch {
                guard let next = combine(current, error) else {
                    shutDown()
                    return
                }
                current = next
            }
        }
    }

    /// What an exception is delivered as: the error code of a fault, RF in the saved RFLAGS of
    /// faults (Intel SDM vol. 3, 17.3.1.1), and not of traps and aborts.
    @inline(__always)
    private func delivery(of fault: Fault) -> Delivery {
        var saved = pointee.rflags
        let isTrap =
            fault.vector == Vector.debug || fault.vector == Vector.doubleFault
            || fault.vector == Vector.machineCheck
        if !isTrap { saved |= RFLAGS.rf }
        return Delivery(
            vector: fault.vector, hasErrorCode: fault.hasErrorCode, errorCode: fault.errorCode,
            savedRFLAGS: saved)
    }

    /// Table 6-5: what to deliver when `second` was raised while delivering `first`; nil is
    /// shutdown.
    func combine(_ first: Fault, _ second: Fault) -> Fault? {
        if second.vector == Vector.pageFault { pointee.cr2 = second.address }
        let serious = isContributory(second.vector) || second.vector == Vector.pageFault
        if first.vector == Vector.doubleFault { return serious ? nil : second }
        let doubles =
            isContributory(first.vector) && isContributory(second.vector)
            || first.vector == Vector.pageFault && serious
        if doubles {
            return Fault(vector: Vector.doubleFault, hasErrorCode: true, errorCode: 0)
        }
        return second
    }

    @inline(__always)
    private func isContributory(_ vector: UInt8) -> Bool {
        switch vector {
        case Vector.divideError, Vector.invalidTSS, Vector.segmentNotPresent, Vector.stackFault,
            Vector.generalProtection:
            true
        default: false
        }
    }

    /// A fault on the instruction under a MOV SS shadow loses the #DB that the shadow held back.
    @inline(__always)
    private func dropHeldDebugTrap() {
        if pointee.attention & Attention.debugTrap != 0 {
            pointee.attention &= ~Attention.debugTrap
            pointee.pendingDR6 = 0
        }
    }

    /// An external interrupt at the boundary. Faults on the way are delivered in its place.
    func deliverInterrupt(vector: UInt8) {
        deliverEvent(vector, kind: .interrupt, cost: .interruptDelivery)
    }

    /// A latched NMI at the boundary; blocks further NMIs until an IRET.
    func deliverNMI() {
        pointee.nmiBlocked = 1
        deliverEvent(Vector.nmi, kind: .nmi, cost: .interruptDelivery)
    }

    /// A latched machine check at the boundary. With CR4.MCE clear it is shutdown.
    func deliverMachineCheck() {
        if pointee.cr4 & CR4.mce == 0 {
            shutDown()
            return
        }
        deliverEvent(Vector.machineCheck, kind: .machineCheck, cost: .exceptionDelivery)
    }

    private func deliverEvent(_ vector: UInt8, kind: MachineEvent.Kind, cost: CostClass) {
        let origin = origin()
        do throws(Fault) {
            try enter(Delivery(vector: vector, savedRFLAGS: pointee.rflags))
        } catch {
            deliver(error)
            return
        }
        charge(cost)
        notify(kind, from: origin, number: UInt32(vector))
        emitPendingEvent()
    }

    /// INT n, INT3, INTO, and INT1 with `checked` false: part of the instruction, so its faults are
    /// the instruction's. `rip` is that of the next instruction, and RF, which an IRET may have
    /// left for this one, is pushed as 0 (Intel SDM vol. 3, 17.3.1.1).
    func softwareInterrupt(vector: UInt8, checked: Bool = true) throws(Fault) {
        let origin = origin()
        try enter(
            Delivery(
                vector: vector, software: checked, ext: checked ? 0 : 1, isInstruction: true,
                savedRFLAGS: pointee.rflags & ~RFLAGS.rf))
        charge(.softwareInterrupt)
        notify(.softwareInterrupt, from: origin, number: UInt32(vector))
    }

    /// Shutdown (Intel SDM vol. 3, 6.15, #DF): the machine stops.
    func shutDown() {
        let origin = origin()
        pointee.activity = Activity.shutdown
        pointee.attention |= Attention.stop
        notify(.tripleFault, from: origin)
        emitPendingEvent()
    }

    /// Takes the event through the IDT of the current mode. Throws before any state has changed.
    @inline(__always)
    func enter(_ event: Delivery) throws(Fault) {
        if pointee.longMode != 0 {
            try enter64(event)
        } else if pointee.cr0 & CR0.pe != 0 {
            try enterProtected(event)
        } else {
            try enterReal(event)
        }
    }

    /// What entering a handler does to RFLAGS: TF, NT, RF and VM are cleared, and IF for an
    /// interrupt gate. Step-by-step execution follows, and alignment checking the new CPL.
    @inline(__always)
    func enterFlags(clearIF: Bool) {
        var cleared = RFLAGS.tf | RFLAGS.nt | RFLAGS.rf | RFLAGS.vm
        if clearIF { cleared |= RFLAGS.interruptEnable }
        pointee.rflags &= ~cleared
        updateStepping()
    }

    /// Real mode (Intel SDM vol. 3, 20.1.4): a vector of 4 bytes, three words pushed, no error
    /// code.
    private func enterReal(_ event: Delivery) throws(Fault) {
        let at = UInt64(event.vector) &<< 2
        if at | 3 > UInt64(pointee.idtr.limit) { throw .generalProtection(event.gateError) }
        let entry = try readSystem((pointee.idtr.base &+ at) & 0xFFFF_FFFF, size: 4)
        var stack = currentStack()
        try push(event.savedRFLAGS & ~RFLAGS.rf, size: 2, on: &stack)
        try push(UInt64(pointee.cs.selector), size: 2, on: &stack)
        try push(pointee.rip, size: 2, on: &stack)
        setStackPointer(stack.pointer, mask: stack.mask)
        // NT stays (Intel SDM vol. 2, INT n, real-address mode).
        pointee.rflags &= ~(RFLAGS.tf | RFLAGS.interruptEnable | RFLAGS.rf | RFLAGS.ac)
        updateStepping()
        loadRealModeSegment(
            Int(SegmentNumber.cs), selector: UInt16(truncatingIfNeeded: entry &>> 16))
        pointee.rip = entry & 0xFFFF
    }
}
