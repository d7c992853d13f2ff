import X86

/// The table registers, and the instructions that ask about descriptors (Intel SDM vol. 2).
extension CPU {
    /// LGDT and LIDT; `interrupts` chooses. Limit and base are accesses of their own, in this
    /// order.
    func executeLoadTable(_ i: borrowing Instruction, interrupts: Bool) throws(Fault) {
        try requireSupervisor()
        let width = in64Bit ? 8 : 4
        let (segment, offset) = (Int(i.segment), effectiveOffset(i))
        let a = try linear(segment: segment, offset: offset, size: 2, write: false)
        let limit = try readLinear(a, size: 2)
        let b = try linear(segment: segment, offset: offset &+ 2, size: width, write: false)
        var base = try readLinear(b, size: width)
        if i.operandSize == 2 { base &= 0xFF_FFFF }
        if !isCanonical(base) { throw .generalProtection(0) }
        var table = TableRegister()
        table.base = base
        table.limit = UInt16(truncatingIfNeeded: limit)
        if interrupts { pointee.idtr = table } else { pointee.gdtr = table }
        pointee.tally.tableLoads &+= 1
        notifyRegister(interrupts ? .idtr : .gdtr, base, address: limit)
    }

    /// SGDT and SIDT; `interrupts` chooses. A fault of the second part leaves the first unwritten.
    func executeStoreTable(_ i: borrowing Instruction, interrupts: Bool) throws(Fault) {
        try requireTableStore()
        let width = in64Bit ? 8 : 4
        let table = interrupts ? pointee.idtr : pointee.gdtr
        let (segment, offset) = (Int(i.segment), effectiveOffset(i))
        let a = try linear(segment: segment, offset: offset, size: 2, write: true)
        try checkWrite(a, size: 2)
        let b = try linear(segment: segment, offset: offset &+ 2, size: width, write: true)
        try checkWrite(b, size: width)
        try writeLinear(a, UInt64(table.limit), size: 2)
        try writeLinear(b, table.base, size: width)
    }

    /// SLDT and STR; `task` chooses. A register takes the zero-extended selector.
    func executeStoreSelector(_ i: borrowing Instruction, task: Bool) throws(Fault) {
        if !inProtectedMode { throw .undefinedOpcode }
        try requireTableStore()
        let selector = task ? pointee.tr.selector : pointee.ldtr.selector
        try writeOperand(i, i.operands.0, UInt64(selector))
    }

    /// LLDT: null makes the LDT unusable.
    func executeLoadLDT(_ i: borrowing Instruction) throws(Fault) {
        if !inProtectedMode { throw .undefinedOpcode }
        try requireSupervisor()
        let selector = UInt16(truncatingIfNeeded: try readOperand(i, i.operands.0))
        if selector & 0xFFFC == 0 {
            pointee.ldtr.selector = selector
            pointee.ldtr.attributes = SegmentRegister.unusable
        } else {
            pointee.ldtr = try systemSegment(selector, types: 1 << 2)
        }
        pointee.tally.tableLoads &+= 1
        notifyRegister(.ldtr, pointee.ldtr.base, address: UInt64(selector))
    }

    /// LTR: an available TSS, which becomes busy in its table.
    func executeLoadTask(_ i: borrowing Instruction) throws(Fault) {
        if !inProtectedMode { throw .undefinedOpcode }
        try requireSupervisor()
        let selector = UInt16(truncatingIfNeeded: try readOperand(i, i.operands.0))
        if selector & 0xFFFC == 0 { throw .generalProtection(0) }
        var segment = try systemSegment(
            selector, types: pointee.longMode != 0 ? 1 << 9 : 1 << 9 | 1 << 1)
        guard let address = descriptorAddress(selector) else {
            throw .generalProtection(UInt32(selector & 0xFFFC))
        }
        segment.attributes |= 2
        try writeSystem(address &+ 5, UInt64(segment.attributes & 0xFF), size: 1)
        pointee.tr = segment
        pointee.tally.tableLoads &+= 1
        notifyRegister(.tr, segment.base, address: UInt64(selector))
    }

    /// The hidden part from a system descriptor in the GDT, one of `types` (a bit for each): 16
    /// bytes long in IA-32e mode.
    private func systemSegment(
        _ selector: UInt16, types: UInt32
    ) throws(Fault) -> SegmentRegister {
        let error = UInt32(selector & 0xFFFC)
        if selector & 4 != 0 { throw .generalProtection(error) }
        let descriptor = try readDescriptor(selector)
        if descriptor.isSegment || types & (1 &<< UInt32(descriptor.type)) == 0 {
            throw .generalProtection(error)
        }
        var segment = descriptor.register(selector)
        if pointee.longMode != 0 {
            let offset = UInt64(selector & 0xFFF8)
            if offset &+ 15 > UInt64(pointee.gdtr.limit) { throw .generalProtection(error) }
            let high = try readSystem(pointee.gdtr.base &+ offset &+ 8, size: 8)
            segment.base |= high &<< 32
            if (high &>> 40) & 0x1F != 0 { throw .generalProtection(error) }
            if !isCanonical(segment.base) { throw .generalProtection(error) }
        }
        if !descriptor.present { throw .segmentNotPresent(error) }
        return segment
    }

    /// The descriptor that LAR, LSL, VERR and VERW ask about, or nil when it cannot be seen: null,
    /// beyond the table, or too privileged.
    private func visibleDescriptor(_ selector: UInt16) throws(Fault) -> Descriptor? {
        if selector & 0xFFFC == 0 { return nil }
        guard let address = descriptorAddress(selector) else { return nil }
        let descriptor = Descriptor(raw: try readSystem(address, size: 8))
        let conforming = descriptor.isCode && descriptor.isConforming
        if !conforming && descriptor.dpl < Swift.max(pointee.cpl, UInt8(selector & 3)) {
            return nil
        }
        return descriptor
    }

    @inline(__always)
    private func setZero(_ set: Bool) {
        if set { pointee.rflags |= RFLAGS.zf } else { pointee.rflags &= ~RFLAGS.zf }
    }

    /// LAR and LSL; `limit` chooses. ZF says whether the descriptor could be seen and has what is
    /// asked for; without it the destination stays.
    func executeLoadAccess(_ i: borrowing Instruction, limit: Bool) throws(Fault) {
        if !inProtectedMode { throw .undefinedOpcode }
        let selector = UInt16(truncatingIfNeeded: try readOperand(i, i.operands.1))
        // Bits by type: TSS, LDT and, for LAR, gates.
        var types: UInt32 = pointee.longMode != 0 ? 0x0A04 : 0x0A0E
        if !limit { types |= pointee.longMode != 0 ? 0x1000 : 0x1030 }
        guard let descriptor = try visibleDescriptor(selector),
            descriptor.isSegment || types & (1 &<< UInt32(descriptor.type)) != 0
        else {
            setZero(false)
            return
        }
        let value = limit ? UInt64(descriptor.limit) : (descriptor.raw &>> 32) & 0xFF_FF00
        let o = i.operands.0
        writeRegister(o.register, value, size: Int(o.size))
        setZero(true)
    }

    /// VERR and VERW; `write` chooses. ZF is the answer.
    func executeVerify(_ i: borrowing Instruction, write: Bool) throws(Fault) {
        if !inProtectedMode { throw .undefinedOpcode }
        let selector = UInt16(truncatingIfNeeded: try readOperand(i, i.operands.0))
        let descriptor = try visibleDescriptor(selector)
        setZero((write ? descriptor?.isWritableData : descriptor?.isReadable) ?? false)
    }

    /// ARPL: raises the destination's RPL to the source's.
    func executeAdjustRPL(_ i: borrowing Instruction) throws(Fault) {
        if !inProtectedMode || in64Bit { throw .undefinedOpcode }
        // A read first, a write only if it changes (measured).
        let destination = try readOperand(i, i.operands.0)
        let source = try readOperand(i, i.operands.1)
        if destination & 3 < source & 3 {
            try writeOperand(i, i.operands.0, (destination & ~3) | (source & 3))
            setZero(true)
        } else {
            setZero(false)
        }
    }
}
