import X86

/// Far JMP, CALL and RET (Intel SDM vol. 2, JMP, CALL, RET; vol. 3, 5.8). Task gates and TSS
/// descriptors switch tasks outside IA-32e mode and are #GP in it.
extension CPU {
    /// JMP ptr16:16/32 and JMP m16:16/32/64.
    func executeJumpFar(_ i: borrowing Instruction) throws(Fault) {
        try farTransfer(i, isCall: false)
    }

    /// CALL ptr16:16/32 and CALL m16:16/32/64.
    func executeCallFar(_ i: borrowing Instruction) throws(Fault) {
        try farTransfer(i, isCall: true)
    }

    private func farTransfer(_ i: borrowing Instruction, isCall: Bool) throws(Fault) {
        var from = origin()
        from.rip = from.rip &- UInt64(i.length)
        let size = Int(i.operandSize)
        var offset = i.immediate & sizeMask(size)
        var selector = i.immediate2
        if i.operands.0.kind == .memory {
            (offset, selector) = try readFarPointer(i)
        }
        if !inProtectedMode {
            try farReal(offset, selector, size: size, isCall: isCall)
        } else {
            try farProtected(offset, selector, size: size, isCall: isCall)
        }
        notify(.farTransfer, from: from)
    }

    private func farReal(
        _ offset: UInt64, _ selector: UInt16, size: Int, isCall: Bool
    ) throws(Fault) {
        if offset > UInt64(pointee.cs.limit) { throw .generalProtection(0) }
        if isCall {
            var stack = currentStack()
            try push(UInt64(pointee.cs.selector), size: size, on: &stack)
            try push(pointee.rip, size: size, on: &stack)
            adopt(stack)
        }
        loadRealModeSegment(Int(SegmentNumber.cs), selector: selector)
        pointee.rip = offset
    }

    private func farProtected(
        _ offset: UInt64, _ selector: UInt16, size: Int, isCall: Bool
    ) throws(Fault) {
        let error = UInt32(selector & 0xFFFC)
        if error == 0 { throw .generalProtection(0) }
        var descriptor = try readDescriptor(selector)
        let rpl = UInt8(selector & 3)
        if !descriptor.isSegment {
            try farSystem(descriptor, selector, isCall: isCall)
            return
        }
        let allowed =
            descriptor.isConforming
            ? descriptor.dpl <= pointee.cpl : rpl <= pointee.cpl && descriptor.dpl == pointee.cpl
        if !descriptor.isCode || !allowed { throw .generalProtection(error) }
        if pointee.longMode != 0 && descriptor.long && descriptor.big {
            throw .generalProtection(error)
        }
        if !descriptor.present { throw .segmentNotPresent(error) }
        try checkTarget(offset, in: descriptor)
        if isCall { try pushFarReturn(size: size) }
        try markDescriptorAccessed(&descriptor, selector)
        enterSegment(descriptor, (selector & 0xFFFC) | UInt16(pointee.cpl), rip: offset)
    }

    /// Pushes CS and RIP on the current stack; RSP changes only when both fit.
    private func pushFarReturn(size: Int) throws(Fault) {
        let mask = stackMask
        let top = (pointee.rsp &- UInt64(size &* 2)) & mask
        let ss = Int(SegmentNumber.ss)
        let high = (top &+ UInt64(size)) & mask
        let csAt = try linear(segment: ss, offset: high, size: size, write: true)
        let ripAt = try linear(segment: ss, offset: top, size: size, write: true)
        try checkWrite(csAt, size: size)
        try checkWrite(ripAt, size: size)
        try writeLinear(csAt, UInt64(pointee.cs.selector), size: size)
        try writeLinear(ripAt, pointee.rip, size: size)
        setStackPointer(top, mask: mask)
    }

    /// A far transfer through a system descriptor: call gates; all others end here.
    private func farSystem(
        _ gate: Descriptor, _ selector: UInt16, isCall: Bool
    ) throws(Fault) {
        let error = UInt32(selector & 0xFFFC)
        let long = pointee.longMode != 0
        switch gate.type {
        case 0xC: break
        case 4 where !long: break
        case 1, 5, 9:
            if long { throw .generalProtection(error) }
            return try farTask(gate, selector, isCall: isCall)
        default: throw .generalProtection(error)
        }
        if gate.dpl < pointee.cpl || gate.dpl < UInt8(selector & 3) {
            throw .generalProtection(error)
        }
        if !gate.present { throw .segmentNotPresent(error) }
        if long {
            try callGate64(gate, selector, isCall: isCall)
        } else {
            try callGate(gate, isCall: isCall)
        }
    }

    /// JMP or CALL to a TSS or through a task gate. A fault in the new task follows the
    /// instruction.
    private func farTask(
        _ descriptor: Descriptor, _ selector: UInt16, isCall: Bool
    ) throws(Fault) {
        let error = UInt32(selector & 0xFFFC)
        if descriptor.dpl < pointee.cpl || descriptor.dpl < UInt8(selector & 3) {
            throw .generalProtection(error)
        }
        let cause: TaskSwitchCause = isCall ? .call : .jump
        let fault: Fault?
        if descriptor.type == 5 {
            if !descriptor.present { throw .segmentNotPresent(error) }
            fault = try switchThroughGate(
                descriptor, cause: cause, ext: 0, flags: pointee.rflags)
        } else {
            fault = try switchTask(selector, cause: cause, ext: 0, flags: pointee.rflags)
        }
        if let fault { deliver(fault) }
    }

    /// The code segment a call gate names, with its checks.
    private func gateSegment(_ selector: UInt16, isCall: Bool) throws(Fault) -> Descriptor {
        let error = UInt32(selector & 0xFFFC)
        if error == 0 { throw .generalProtection(0) }
        var code = try readDescriptor(selector)
        let allowed =
            code.isConforming || isCall ? code.dpl <= pointee.cpl : code.dpl == pointee.cpl
        if !code.isCode || !allowed { throw .generalProtection(error) }
        if pointee.longMode != 0 && (!code.long || code.big) { throw .generalProtection(error) }
        if !code.present { throw .segmentNotPresent(error) }
        try markDescriptorAccessed(&code, selector)
        return code
    }

    /// IA-32e mode: 16-byte gates to 64-bit code, words of 8 bytes, no parameters.
    private func callGate64(
        _ gate: Descriptor, _ gateSelector: UInt16, isCall: Bool
    ) throws(Fault) {
        let error = UInt32(gateSelector & 0xFFFC)
        guard let address = descriptorAddress(gateSelector &+ 8),
            gateSelector & 0xFFF8 != 0xFFF8
        else { throw .generalProtection(error) }
        let high = try readSystem(address, size: 8)
        if (high &>> 40) & 0x1F != 0 { throw .generalProtection(error) }
        let selector = UInt16(truncatingIfNeeded: gate.raw &>> 16)
        let code = try gateSegment(selector, isCall: isCall)
        let target =
            (gate.raw & 0xFFFF) | ((gate.raw &>> 32) & 0xFFFF_0000) | (high &<< 32)
        if !isCanonical(target) { throw .generalProtection(0) }
        let inward = isCall && !code.isConforming && code.dpl < pointee.cpl
        let cpl = inward ? code.dpl : pointee.cpl
        if isCall {
            let base =
                inward ? try stackPointerFromTSS(slot: UInt64(cpl), ext: 0) : pointee.rsp
            let words = inward ? 4 : 2
            let top = base &- UInt64(words &* 8)
            if !isCanonical(top) || !isCanonical(base &- 1) { throw .stackFault(0) }
            let context = tagContext(cpl: cpl)
            try checkPushes(top, words &* 8, context)
            try writeSlow(top, pointee.rip, 8, context)
            try writeSlow(top &+ 8, UInt64(pointee.cs.selector), 8, context)
            if inward {
                try writeSlow(top &+ 16, pointee.rsp, 8, context)
                try writeSlow(top &+ 24, UInt64(pointee.ss.selector), 8, context)
                pointee.ss = nullStackSegment(UInt16(cpl), cpl: cpl)
            }
            pointee.rsp = top
        }
        enterSegment(code, (selector & 0xFFFC) | UInt16(cpl), rip: target)
    }

    /// 16- and 32-bit call gates, with up to 31 parameters copied to an inner stack.
    private func callGate(_ gate: Descriptor, isCall: Bool) throws(Fault) {
        let selector = UInt16(truncatingIfNeeded: gate.raw &>> 16)
        let code = try gateSegment(selector, isCall: isCall)
        let wide = gate.type == 0xC
        let size = wide ? 4 : 2
        var target = gate.raw & 0xFFFF
        if wide { target |= (gate.raw &>> 32) & 0xFFFF_0000 }
        let inward = isCall && !code.isConforming && code.dpl < pointee.cpl
        let cpl = inward ? code.dpl : pointee.cpl
        if isCall {
            var stack = inward ? try stackFromTSS(cpl: cpl, ext: 0) : currentStack()
            if inward {
                try push(UInt64(pointee.ss.selector), size: size, on: &stack)
                try push(pointee.rsp, size: size, on: &stack)
                var count = Int(truncatingIfNeeded: (gate.raw &>> 32) & 31)
                while count > 0 {
                    count &-= 1
                    try push(try readStack(count &* size, size: size), size: size, on: &stack)
                }
            }
            try push(UInt64(pointee.cs.selector), size: size, on: &stack)
            try push(pointee.rip, size: size, on: &stack)
            try checkTarget(target, in: code)
            adopt(stack)
        } else {
            try checkTarget(target, in: code)
        }
        enterSegment(code, (selector & 0xFFFC) | UInt16(cpl), rip: target)
    }

    /// RET far, releasing `immediate` bytes of parameters.
    func executeReturnFar(_ i: borrowing Instruction) throws(Fault) {
        var from = origin()
        from.rip = from.rip &- UInt64(i.length)
        let size = Int(i.operandSize)
        let released = i.operandCount > 0 ? Int(truncatingIfNeeded: i.immediate & 0xFFFF) : 0
        let rip = try readStack(0, size: size)
        let cs = UInt16(truncatingIfNeeded: try readStack(size, size: size))
        let mask = stackMask
        let used = UInt64(size &* 2 &+ released)
        if !inProtectedMode {
            if rip > UInt64(pointee.cs.limit) { throw .generalProtection(0) }
            setStackPointer(pointee.rsp &+ used, mask: mask)
            loadRealModeSegment(Int(SegmentNumber.cs), selector: cs)
            pointee.rip = rip
            notify(.farTransfer, from: from)
            return
        }
        var code = try returnCodeSegment(cs)
        if UInt8(cs & 3) == pointee.cpl {
            try checkTarget(rip, in: code)
            try markDescriptorAccessed(&code, cs)
            setStackPointer(pointee.rsp &+ used, mask: mask)
            enterSegment(code, cs, rip: rip)
        } else {
            let rsp = try readStack(size &* 2 &+ released, size: size)
            let ss = UInt16(
                truncatingIfNeeded: try readStack(size &* 3 &+ released, size: size))
            let stack = try checkedStackSegment(
                ss, cpl: UInt8(cs & 3), long: code.long && pointee.longMode != 0)
            try checkTarget(rip, in: code)
            try markDescriptorAccessed(&code, cs)
            enterSegment(code, cs, rip: rip)
            pointee.ss = stack
            setStackPointer(rsp &+ UInt64(released), mask: stackMask)
            dropInnerSegments()
        }
        notify(.farTransfer, from: from)
    }
}
