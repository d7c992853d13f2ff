import X86

/// MOV to and from control registers, LMSW, SMSW, CLTS (Intel SDM vol. 3, 2.5; vol. 2, MOV).
extension CPU {
    /// CR4 bits that exist here. All others are reserved: #GP(0).
    static var supportedCR4: UInt64 {
        CR4.tsd | CR4.de | CR4.pse | CR4.pae | CR4.mce | CR4.pge | CR4.pce | CR4.osfxsr
            | CR4.osxmmexcpt | CR4.umip | CR4.fsgsbase | CR4.pcide | CR4.osxsave | CR4.smep
            | CR4.smap
    }
    private static var writableCR0: UInt64 {
        CR0.pe | CR0.mp | CR0.em | CR0.ts | CR0.ne | CR0.wp | CR0.am | CR0.nw | CR0.cd | CR0.pg
    }

    /// #GP(0) unless at CPL 0. Real mode's CPL is 0.
    @inline(__always)
    func requireSupervisor() throws(Fault) {
        if pointee.cpl != 0 { throw .generalProtection(0) }
    }

    /// #GP(0) above CPL 0 while CR4.UMIP is set (SGDT, SIDT, SLDT, STR, SMSW).
    @inline(__always)
    func requireTableStore() throws(Fault) {
        if pointee.cpl != 0 && pointee.cr4 & CR4.umip != 0 { throw .generalProtection(0) }
    }

    /// MOV between a control and a general register, 8 bytes in 64-bit mode and 4 elsewhere.
    func executeMoveControl(_ i: borrowing Instruction) throws(Fault) {
        try requireSupervisor()
        if i.operands.0.kind == .control {
            let value = registers[Int(i.operands.1.register)] & sizeMask(Int(i.operands.1.size))
            try writeControl(i.operands.0.register, value)
        } else {
            let value = readControl(i.operands.1.register)
            writeRegister(i.operands.0.register, value, size: Int(i.operands.0.size))
        }
    }

    private func readControl(_ n: UInt8) -> UInt64 {
        switch n {
        case 0: pointee.cr0
        case 2: pointee.cr2
        case 3: pointee.cr3
        case 4: pointee.cr4
        default: pointee.cr8
        }
    }

    private func writeControl(_ n: UInt8, _ value: UInt64) throws(Fault) {
        switch n {
        case 0: try writeCR0(value)
        case 2: pointee.cr2 = value
        case 3: try writeCR3(value)
        case 4: try writeCR4(value)
        default:
            if value & ~0xF != 0 { throw .generalProtection(0) }
            pointee.cr8 = value
            pointee.attention |= Attention.leaveBlock
            pointee.shared.pointee.bus._withUnsafeGuaranteedRef { $0.taskPriorityChanged(self) }
        }
    }

    /// MOV to CR3: forgets all translations but global pages'. Bits from MAXPHYADDR up are
    /// reserved.
    @inline(__always)
    func writeCR3(_ loaded: UInt64) throws(Fault) {
        let value = contextRoot(loaded)
        if value &>> PageEntry.physicalBits != 0 { throw .generalProtection(0) }
        if pointee.longMode == 0 && pointee.cr0 & CR0.pg != 0 && pointee.cr4 & CR4.pae != 0 {
            try loadPDPTEs(value)
        }
        pointee.cr3 = value
        flushLocalTLB()
        chargeFlush()
        pointee.tally.controlLoads &+= 1
        notifyRegister(.cr3, value)
    }

    /// Loads the four PDPTE registers, or faults on reserved bits and changes none.
    func loadPDPTEs(_ cr3: UInt64) throws(Fault) {
        let table = cr3 & 0xFFFF_FFE0
        for n in 0..<4 {
            let entry = loadTable(table &+ UInt64(n) &* 8)
            if entry & PageEntry.present != 0 && entry & PageEntry.reservedPDPTE != 0 {
                throw .generalProtection(0)
            }
        }
        for n in 0..<4 { pdptes[n] = loadTable(table &+ UInt64(n) &* 8) }
    }

    /// MOV to CR0, and the mode switches that it makes.
    func writeCR0(_ value: UInt64) throws(Fault) {
        let new = value & Self.writableCR0 | CR0.et
        let old = pointee.cr0
        let paging = new & CR0.pg != 0
        if value &>> 32 != 0 || paging && new & CR0.pe == 0
            || new & CR0.nw != 0 && new & CR0.cd == 0
        {
            throw .generalProtection(0)
        }
        let turnsOn = paging && old & CR0.pg == 0
        let turnsOff = !paging && old & CR0.pg != 0
        if turnsOff && pointee.cr4 & CR4.pcide != 0 { throw .generalProtection(0) }
        if turnsOn && pointee.efer & EFER.lme != 0 {
            // Nor with a 16-bit TSS in TR, available or busy.
            if pointee.cr4 & CR4.pae == 0 || pointee.cs.attributes & SegmentRegister.long != 0
                || pointee.tr.attributes & 0xD == 1
            {
                throw .generalProtection(0)
            }
            pointee.efer |= EFER.lma
            pointee.longMode = 1
        } else if turnsOn && pointee.cr4 & CR4.pae != 0 {
            try loadPDPTEs(pointee.cr3)
        } else if turnsOff && pointee.longMode != 0 {
            if in64Bit { throw .generalProtection(0) }
            pointee.efer &= ~EFER.lma
            pointee.longMode = 0
        }
        pointee.cr0 = new
        if (old ^ new) & (CR0.pg | CR0.wp | CR0.pe) != 0 {
            flushTLB()
            chargeFlush()
        }
        updateCodeSize()
        notifyRegister(.cr0, new)
    }

    /// MOV to CR4.
    func writeCR4(_ value: UInt64) throws(Fault) {
        let changed = value ^ pointee.cr4
        if value & ~Self.supportedCR4 != 0 { throw .generalProtection(0) }
        if pointee.longMode != 0 && value & CR4.pae == 0 { throw .generalProtection(0) }
        if changed & value & CR4.pcide != 0
            && (pointee.longMode == 0 || pointee.cr3 & CPU.contextMask != 0)
        {
            throw .generalProtection(0)
        }
        let paging = CR4.pae | CR4.pge | CR4.pse | CR4.smep | CR4.smap | CR4.pcide
        if changed & paging != 0 {
            let legacy = pointee.longMode == 0 && pointee.cr0 & CR0.pg != 0
            if legacy && value & CR4.pae != 0 { try loadPDPTEs(pointee.cr3) }
            flushTLB()
            chargeFlush()
        }
        pointee.cr4 = value
        pointee.tally.controlLoads &+= 1
        notifyRegister(.cr4, value)
    }

    /// SMSW: CR0's low word to memory, as much of CR0 as fits to a register.
    func executeStoreMachineStatus(_ i: borrowing Instruction) throws(Fault) {
        try requireTableStore()
        try writeOperand(i, i.operands.0, pointee.cr0)
    }

    /// LMSW: CR0's low four bits; PE can be set and not cleared.
    func executeLoadMachineStatus(_ i: borrowing Instruction) throws(Fault) {
        try requireSupervisor()
        let word = try readOperand(i, i.operands.0)
        let kept = pointee.cr0 & ~0xE
        try writeCR0(kept | (word & 0xF))
    }

    /// CLTS.
    func executeClearTaskSwitched(_ i: borrowing Instruction) throws(Fault) {
        try requireSupervisor()
        pointee.cr0 &= ~CR0.ts
    }

    /// INVLPG: one page, for both privileges; a non-canonical address does nothing.
    func executeInvalidatePage(_ i: borrowing Instruction) throws(Fault) {
        try requireSupervisor()
        let offset = effectiveOffset(i)
        let segment = i.segment
        let flat = in64Bit && segment < SegmentNumber.fs
        let base = flat ? 0 : segments[Int(segment)].base
        let address = in64Bit ? base &+ offset : (base &+ offset) & 0xFFFF_FFFF
        invalidatePage(address)
        notifyRegister(.invlpg, address)
    }

    /// INVD and WBINVD: caches are not modelled.
    func executeCacheFlush(_ i: borrowing Instruction) throws(Fault) {
        try requireSupervisor()
    }
}
