import X86

/// IRET in all modes (Intel SDM vol. 2, IRET).
extension CPU {
    /// IRET, IRETD and IRETQ: the operand size gives the width of the words popped.
    func executeInterruptReturn(_ i: borrowing Instruction) throws(Fault) {
        var from = origin()
        from.rip = from.rip &- UInt64(i.length)
        if inProtectedMode && pointee.rflags & RFLAGS.nt != 0 {
            if pointee.longMode != 0 { throw .generalProtection(0) }
            pointee.nmiBlocked = 0
            if let fault = try returnFromTask() { deliver(fault) }
            notify(.interruptReturn, from: from)
            return
        }
        try refuseFlagsInVirtual8086()
        // NMIs are unblocked by the execution of IRET, even if it then faults.
        pointee.nmiBlocked = 0
        let size = Int(i.operandSize)
        if !inProtectedMode {
            try returnReal(size)
        } else if in64Bit {
            try return64(size)
        } else {
            try returnProtected(size)
        }
        updateStepping()
        notify(.interruptReturn, from: from)
    }

    /// From 64-bit code: RIP, CS, RFLAGS, RSP and SS are always popped.
    private func return64(_ size: Int) throws(Fault) {
        let rip = try readStack(0, size: size)
        let cs = UInt16(truncatingIfNeeded: try readStack(size, size: size))
        let flags = try readStack(size &* 2, size: size)
        let rsp = try readStack(size &* 3, size: size)
        let ss = UInt16(truncatingIfNeeded: try readStack(size &* 4, size: size))
        var code = try returnCodeSegment(cs)
        let stack = try checkedStackSegment(ss, cpl: UInt8(cs & 3), long: code.long)
        try checkTarget(rip, in: code)
        try markDescriptorAccessed(&code, cs)
        finishReturn(
            code, cs, rip: rip, flags: flags, size: size, stack: stack, rsp: rsp)
    }

    /// From 16- and 32-bit code: RSP and SS are popped only on a return to an outer privilege.
    private func returnProtected(_ size: Int) throws(Fault) {
        let rip = try readStack(0, size: size)
        let cs = UInt16(truncatingIfNeeded: try readStack(size, size: size))
        let flags = try readStack(size &* 2, size: size)
        if size == 4 && flags & RFLAGS.vm != 0 && pointee.cpl == 0 && pointee.longMode == 0 {
            return try returnToVirtual8086(rip, cs, flags)
        }
        var code = try returnCodeSegment(cs)
        if UInt8(cs & 3) == pointee.cpl {
            try checkTarget(rip, in: code)
            try markDescriptorAccessed(&code, cs)
            let mask = stackMask
            setStackPointer(pointee.rsp &+ UInt64(size &* 3), mask: mask)
            setReturnFlags(flags, size: size)
            enterSegment(code, cs, rip: rip)
            return
        }
        let rsp = try readStack(size &* 3, size: size)
        let ss = UInt16(truncatingIfNeeded: try readStack(size &* 4, size: size))
        let stack = try checkedStackSegment(
            ss, cpl: UInt8(cs & 3), long: code.long && pointee.longMode != 0)
        try checkTarget(rip, in: code)
        try markDescriptorAccessed(&code, cs)
        finishReturn(
            code, cs, rip: rip, flags: flags, size: size, stack: stack, rsp: rsp)
    }

    /// The part of a return that cannot fault. Flags change under the old privilege.
    @inline(__always)
    private func finishReturn(
        _ code: Descriptor, _ cs: UInt16, rip: UInt64, flags: UInt64, size: Int,
        stack: SegmentRegister, rsp: UInt64
    ) {
        let outward = UInt8(cs & 3) > pointee.cpl
        setReturnFlags(flags, size: size)
        enterSegment(code, cs, rip: rip)
        pointee.ss = stack
        // A 16-bit SS takes only SP: the rest of RSP is left as it was.
        setStackPointer(rsp, mask: stackMask)
        if outward { dropInnerSegments() }
    }

    /// From CPL 0 to virtual-8086 mode: nine words, and all flags as they were saved (Intel SDM
    /// vol. 3, 20.2.2).
    private func returnToVirtual8086(
        _ rip: UInt64, _ cs: UInt16, _ flags: UInt64
    ) throws(Fault) {
        var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
        words.0 = try readStack(12, size: 4)
        words.1 = try readStack(16, size: 4)
        words.2 = try readStack(20, size: 4)
        words.3 = try readStack(24, size: 4)
        words.4 = try readStack(28, size: 4)
        words.5 = try readStack(32, size: 4)
        if rip > 0xFFFF { throw .generalProtection(0) }
        setReturnFlags(flags, size: 4)
        pointee.rflags |= RFLAGS.vm
        pointee.rsp = words.0
        setCPL(3)
        let selectors = [words.2, UInt64(cs), words.1, words.3, words.4, words.5]
        for n in 0..<6 {
            loadRealModeSegment(n, selector: UInt16(truncatingIfNeeded: selectors[n]))
        }
        updateCodeSize()
        pointee.rip = rip
    }

    /// Real and virtual-8086 mode: three words.
    private func returnReal(_ size: Int) throws(Fault) {
        let rip = try readStack(0, size: size)
        let cs = UInt16(truncatingIfNeeded: try readStack(size, size: size))
        let flags = try readStack(size &* 2, size: size)
        if rip > 0xFFFF { throw .generalProtection(0) }
        setStackPointer(pointee.rsp &+ UInt64(size &* 3), mask: stackMask)
        setReturnFlags(flags, size: size)
        loadRealModeSegment(Int(SegmentNumber.cs), selector: cs)
        pointee.rip = rip
    }

    /// RFLAGS from the stack: IOPL changes only at CPL 0, VIF and VIP only there in protected mode
    /// (Intel SDM vol. 2, IRET), IF only when CPL <= IOPL. RF, which the start of the instruction
    /// cleared, stays so where the image has no place for it.
    private func setReturnFlags(_ popped: UInt64, size: Int) {
        let popped = size > 2 ? popped : popped & 0xFFFF
        var mask = RFLAGS.arithmetic | RFLAGS.tf | RFLAGS.df | RFLAGS.nt | RFLAGS.rf
        let iopl = UInt8(truncatingIfNeeded: (pointee.rflags & RFLAGS.iopl) &>> RFLAGS.ioplShift)
        let cpl = pointee.cr0 & CR0.pe != 0 ? pointee.cpl : 0
        if cpl <= iopl { mask |= RFLAGS.interruptEnable }
        if cpl == 0 { mask |= RFLAGS.iopl }
        if size > 2 {
            mask |= RFLAGS.ac | RFLAGS.id
            if cpl == 0 && pointee.cr0 & CR0.pe != 0 { mask |= RFLAGS.vif | RFLAGS.vip }
        }
        pointee.rflags = (pointee.rflags & ~mask) | (popped & mask) | RFLAGS.fixedOne
    }
}
