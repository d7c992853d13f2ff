import X86

/// PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER and LEAVE (Intel SDM vol. 2). RSP and RBP are put
/// back whenever a later step faults, so that the instruction can restart.
extension CPU {
    /// PUSH of a register, memory or a sign-extended immediate. PUSH rSP pushes the old value.
    func executePush(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let v = o.kind == .immediate ? i.immediate : try readOperand(i, o)
        try push(v, size: Int(i.operandSize))
    }

    /// PUSH of a segment register: the selector, zero-extended.
    func executePushSegment(_ i: borrowing Instruction) throws(Fault) {
        let selector = segments[Int(i.operands.0.register)].selector
        try push(UInt64(selector), size: Int(i.operandSize))
    }

    /// POP. The address of a memory destination is formed with RSP already raised; POP rSP leaves
    /// the value popped.
    func executePop(_ i: borrowing Instruction) throws(Fault) {
        let saved = pointee.rsp
        let v = try pop(size: Int(i.operandSize))
        do {
            try writeOperand(i, i.operands.0, v)
        } catch {
            pointee.rsp = saved
            throw error
        }
    }

    func executePopSegment(_ i: borrowing Instruction) throws(Fault) {
        let saved = pointee.rsp
        let segment = i.operands.0.register
        let v = try pop(size: Int(i.operandSize))
        do {
            try loadSegment(Int(segment), selector: UInt16(truncatingIfNeeded: v))
        } catch {
            pointee.rsp = saved
            throw error
        }
        pointee.tally.segmentLoads &+= 1
        if segment == SegmentNumber.ss { beginShadow(2) }
    }

    /// PUSHA: rAX rCX rDX rBX, the rSP from before, rBP rSI rDI.
    func executePushAll(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operandSize)
        let saved = pointee.rsp
        do {
            for n in 0..<8 {
                try push(n == 4 ? saved : registers[n], size: size)
            }
        } catch {
            pointee.rsp = saved
            throw error
        }
    }

    /// POPA: the reverse; the value for rSP is skipped.
    func executePopAll(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operandSize)
        var values: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
        values.6 = try readStack(0, size: size)
        values.5 = try readStack(size, size: size)
        values.4 = try readStack(2 &* size, size: size)
        values.3 = try readStack(4 &* size, size: size)
        values.2 = try readStack(5 &* size, size: size)
        values.1 = try readStack(6 &* size, size: size)
        values.0 = try readStack(7 &* size, size: size)
        writeRegister(0, values.0, size: size)
        writeRegister(1, values.1, size: size)
        writeRegister(2, values.2, size: size)
        writeRegister(3, values.3, size: size)
        writeRegister(5, values.4, size: size)
        writeRegister(6, values.5, size: size)
        writeRegister(7, values.6, size: size)
        let top = pointee.rsp &+ UInt64(truncatingIfNeeded: 8 &* size)
        setStackPointer(top, mask: stackMask)
    }

    /// PUSHF: RF and VM are pushed as zero. #GP(0) in virtual-8086 mode with IOPL below 3.
    func executePushFlags(_ i: borrowing Instruction) throws(Fault) {
        try refuseFlagsInVirtual8086()
        let v = pointee.rflags & ~(RFLAGS.rf | RFLAGS.vm)
        try push(v, size: Int(i.operandSize))
    }

    /// POPF: IOPL changes only at CPL 0, IF only if CPL <= IOPL, silently otherwise; VM, VIF and
    /// VIP never; RF is cleared. A 16-bit form changes the low 16 bits only.
    func executePopFlags(_ i: borrowing Instruction) throws(Fault) {
        try refuseFlagsInVirtual8086()
        let size = Int(i.operandSize)
        let v = try pop(size: size)
        var mask =
            RFLAGS.arithmetic | RFLAGS.tf | RFLAGS.df | RFLAGS.nt | RFLAGS.ac | RFLAGS.id
        if pointee.cpl == 0 { mask |= RFLAGS.iopl }
        if mayChangeInterruptFlag { mask |= RFLAGS.interruptEnable }
        if size == 2 { mask &= 0xFFFF }
        let cleared = size == 2 ? 0 : RFLAGS.rf
        writeFlags((pointee.rflags & ~(mask | cleared)) | (v & mask))
    }

    func refuseFlagsInVirtual8086() throws(Fault) {
        if pointee.rflags & RFLAGS.vm != 0 && pointee.rflags & RFLAGS.iopl != RFLAGS.iopl {
            throw .generalProtection(0)
        }
    }

    /// ENTER: saves rBP, copies `level` - 1 outer frame pointers, pushes its own, and reserves the
    /// local storage; the final top of the stack must be writable. rBP has the operand's size.
    func executeEnter(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operandSize)
        let mask = stackMask
        let level = Int(i.immediate2 & 31)
        let saved = pointee.rsp
        do {
            try push(pointee.rbp, size: size)
            let frame = pointee.rsp & mask
            if level > 0 {
                var outer = pointee.rbp
                for _ in 1..<level {
                    outer = (outer &- UInt64(truncatingIfNeeded: size)) & mask
                    let a = try linear(
                        segment: Int(SegmentNumber.ss), offset: outer, size: size, write: false)
                    try push(try readLinear(a, size: size), size: size)
                }
                try push(frame, size: size)
            }
            let top = (pointee.rsp &- i.immediate) & mask
            let a = try linear(
                segment: Int(SegmentNumber.ss), offset: top, size: size, write: true)
            try checkWrite(a, size: size)
            setStackPointer(top, mask: mask)
            writeRegister(5, frame, size: size)
        } catch {
            pointee.rsp = saved
            throw error
        }
    }

    /// LEAVE: rSP := rBP in the stack's width, then rBP is popped.
    func executeLeave(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operandSize)
        let saved = pointee.rsp
        setStackPointer(pointee.rbp, mask: stackMask)
        do {
            writeRegister(5, try pop(size: size), size: size)
        } catch {
            pointee.rsp = saved
            throw error
        }
    }
}
