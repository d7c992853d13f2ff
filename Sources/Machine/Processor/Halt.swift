import X86

/// HLT, and what ends a run: the events themselves are the schedule's.
extension CPU {
    /// HLT: the vCPU waits for an interrupt, an NMI or a machine check.
    func executeHalt(_ i: borrowing Instruction) throws(Fault) {
        try requireSupervisor()
        var from = origin()
        from.rip = from.rip &- UInt64(i.length)
        pointee.activity = Activity.halted
        pointee.attention |= Attention.leaveBlock
        notify(.halt, from: from)
    }

    /// Ends the run: the instruction or mechanism `name` at `rip` is known and cannot be executed.
    @inline(never)
    func stopNotExecutable(name: String) {
        let place = (cpu: Int(pointee.index), rip: pointee.rip, name: name)
        pointee.attention |= Attention.stop | Attention.leaveBlock
        pointee.shared.pointee.machine._withUnsafeGuaranteedRef { $0.notExecutable = place }
    }
}
