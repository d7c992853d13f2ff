import X86

/// IN and OUT, and the permission that their string forms need too (Intel SDM vol. 1, 18.5).
extension CPU {
    /// #GP(0) unless CPL <= IOPL or the TSS's I/O permission bitmap has a zero for every port
    /// accessed. The bitmap is read as the processor reads it: two bytes, both within the limit.
    func checkPort(_ port: UInt16, size: Int) throws(Fault) {
        if mayChangeInterruptFlag && pointee.rflags & RFLAGS.vm == 0 { return }
        let task = pointee.tr
        let type = task.attributes & SegmentRegister.typeMask
        let isWideTSS = type & 0xD == 9 && task.attributes & SegmentRegister.present != 0
        if !isWideTSS || task.limit < 0x67 { throw .generalProtection(0) }
        let start = try readSystem(task.base &+ 0x66, size: 2)
        let offset = start &+ UInt64(port &>> 3)
        if offset &+ 1 > UInt64(task.limit) { throw .generalProtection(0) }
        let bits = try readSystem(task.base &+ offset, size: 2) &>> UInt64(port & 7)
        if bits & ((1 &<< UInt64(size)) &- 1) != 0 { throw .generalProtection(0) }
    }

    /// Reads a port whose permission has been checked.
    func readPort(_ port: UInt16, size: Int) -> UInt64 {
        notePortBreakpoints(port, size)
        let v = pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
            $0.readPort(port, size: size, cpu: self)
        }
        pointee.attention |= Attention.leaveBlock
        return v
    }

    /// Writes a port whose permission has been checked.
    func writePort(_ port: UInt16, _ v: UInt64, size: Int) {
        notePortBreakpoints(port, size)
        pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
            $0.writePort(port, v, size: size, cpu: self)
        }
        pointee.attention |= Attention.leaveBlock
    }

    func executeIn(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let port = UInt16(truncatingIfNeeded: try readOperand(i, i.operands.1))
        try checkPort(port, size: Int(o.size))
        try readsClock(port: port)
        try writeOperand(i, o, readPort(port, size: Int(o.size)))
    }

    func executeOut(_ i: borrowing Instruction) throws(Fault) {
        let source = i.operands.1
        let port = UInt16(truncatingIfNeeded: try readOperand(i, i.operands.0))
        try checkPort(port, size: Int(source.size))
        writePort(port, try readOperand(i, source), size: Int(source.size))
    }
}
