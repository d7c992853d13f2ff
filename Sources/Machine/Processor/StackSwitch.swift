import X86

/// A stack being pushed to before it becomes, or without its becoming, the current one.
struct StackTarget {
    var segment: SegmentRegister
    var pointer: UInt64
    var mask: UInt64
    /// TLB tag context of the pushes: that of the new privilege.
    var context: UInt64
    /// Error code of the #SS when a push is beyond the limit.
    var errorCode: UInt32
}

extension CPU {
    /// The stack as it is, to push to without moving RSP yet.
    @inline(__always)
    func currentStack(errorCode: UInt32 = 0) -> StackTarget {
        let mask = stackMask
        return StackTarget(
            segment: pointee.ss, pointer: pointee.rsp & mask, mask: mask,
            context: pointee.tlbContext, errorCode: errorCode)
    }

    /// The TLB tag context of accesses at `cpl`.
    @inline(__always)
    func tagContext(cpl: UInt8) -> UInt64 {
        supervisorContext | (cpl == 3 ? TLB.userBit : 0)
    }

    /// Pushes to a stack with a limit (outside 64-bit mode) by its hidden part.
    func push(_ v: UInt64, size: Int, on stack: inout StackTarget) throws(Fault) {
        let top = (stack.pointer &- UInt64(truncatingIfNeeded: size)) & stack.mask
        if stack.segment.attributes & SegmentRegister.unusable != 0
            || !withinLimit(stack.segment, offset: top, size: size)
        {
            throw .stackFault(stack.errorCode)
        }
        let address = (stack.segment.base &+ top) & 0xFFFF_FFFF
        try writeSlow(address, v, size, stack.context)
        if pointee.attention & Attention.breakpoints != 0 {
            noteDataBreakpoints(address, size, write: true)
        }
        stack.pointer = top
    }

    /// The stack that the current TSS holds for `cpl`, outside IA-32e mode, with all checks of an
    /// inward transfer (Intel SDM vol. 2, INT n and CALL). `ext` is the EXT bit.
    func stackFromTSS(cpl: UInt8, ext: UInt32) throws(Fault) -> StackTarget {
        let wide = pointee.tr.attributes & 8 != 0
        let at = wide ? 4 &+ UInt64(cpl) &* 8 : 2 &+ UInt64(cpl) &* 4
        let size: UInt64 = wide ? 4 : 2
        if at &+ size &+ 1 > UInt64(pointee.tr.limit) {
            throw .invalidTSS(UInt32(pointee.tr.selector & 0xFFFC) | ext)
        }
        let base = pointee.tr.base
        let pointer = try readSystem((base &+ at) & 0xFFFF_FFFF, size: Int(size))
        let selector = UInt16(
            truncatingIfNeeded: try readSystem((base &+ at &+ size) & 0xFFFF_FFFF, size: 2))
        let code = UInt32(selector & 0xFFFC) | ext
        if selector & 0xFFFC == 0 { throw .invalidTSS(ext) }
        guard let address = descriptorAddress(selector) else { throw .invalidTSS(code) }
        var descriptor = Descriptor(raw: try readSystem(address, size: 8))
        if UInt8(selector & 3) != cpl || descriptor.dpl != cpl || !descriptor.isWritableData {
            throw .invalidTSS(code)
        }
        if !descriptor.present { throw .stackFault(code) }
        try markDescriptorAccessed(&descriptor, selector)
        let mask: UInt64 = descriptor.big ? 0xFFFF_FFFF : 0xFFFF
        return StackTarget(
            segment: descriptor.register(selector), pointer: pointer & mask, mask: mask,
            context: tagContext(cpl: cpl), errorCode: code)
    }

    /// The RSP that the 64-bit TSS holds: `slot` 0...2 for a privilege level, 4...10 for IST 1...7.
    /// #TS when it lies beyond the TSS, #SS when it is not canonical.
    @inline(__always)
    func stackPointerFromTSS(slot: UInt64, ext: UInt32) throws(Fault) -> UInt64 {
        let at = 4 &+ slot &* 8
        if at &+ 7 > UInt64(pointee.tr.limit) {
            throw .invalidTSS(UInt32(pointee.tr.selector & 0xFFFC) | ext)
        }
        let pointer = try readSystem(pointee.tr.base &+ at, size: 8)
        if !isCanonical(pointer) { throw .stackFault(ext) }
        return pointer
    }

    /// Checks that `size` bytes from `top` up can be pushed as words of 8, highest first: a #PF
    /// names the first word, from above, that has no page.
    @inline(never)
    func checkPushes(_ top: UInt64, _ size: Int, _ context: UInt64) throws(Fault) {
        let first = top &+ UInt64(truncatingIfNeeded: size &- 8)
        _ = try translateWrite(first, context: context)
        if ((first &+ 7) ^ first) & ~0xFFF != 0 {
            _ = try translateWrite(first &+ 7, context: context)
        }
        if (first ^ top) & ~0xFFF != 0 {
            _ = try translateWrite((first & ~0xFFF) &- 8, context: context)
        }
    }

    /// Makes a stack that has been pushed to the current one.
    @inline(__always)
    func adopt(_ stack: StackTarget) {
        pointee.ss = stack.segment
        setStackPointer(stack.pointer, mask: stack.mask)
    }
}
