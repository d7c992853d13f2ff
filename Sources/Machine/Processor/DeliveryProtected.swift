import X86

/// IDT delivery in IA-32e mode and in 16- and 32-bit protected mode (Intel SDM vol. 3, 6.12 and
/// 6.14; vol. 2, INT n). Checks come in the manual's order; nothing changes until the last has
/// passed, except accessed bits and the words pushed.
extension CPU {
    /// IA-32e mode: 16-byte gates, always to 64-bit code.
    func enter64(_ event: Delivery) throws(Fault) {
        let at = UInt64(event.vector) &<< 4
        if at | 15 > UInt64(pointee.idtr.limit) { throw .generalProtection(event.gateError) }
        let low = try readSystem(pointee.idtr.base &+ at, size: 8)
        let high = try readSystem(pointee.idtr.base &+ at &+ 8, size: 8)
        let type = (low &>> 40) & 0x1F
        if type & 0x1E != 0xE { throw .generalProtection(event.gateError) }
        let gate = Descriptor(raw: low)
        if event.software && gate.dpl < pointee.cpl { throw .generalProtection(event.gateError) }
        if !gate.present { throw .segmentNotPresent(event.gateError) }

        let selector = UInt16(truncatingIfNeeded: low &>> 16)
        let code = try handlerSegment(selector, ext: event.ext, long: true)
        let cpl = code.isConforming ? pointee.cpl : code.dpl
        let target = (low & 0xFFFF) | ((low &>> 32) & 0xFFFF_0000) | (high &<< 32)
        if !isCanonical(target) { throw .generalProtection(event.ext) }

        let ist = (low &>> 32) & 7
        var pointer = pointee.rsp
        if ist != 0 {
            pointer = try stackPointerFromTSS(slot: ist &+ 3, ext: event.ext)
        } else if cpl < pointee.cpl {
            pointer = try stackPointerFromTSS(slot: UInt64(cpl), ext: event.ext)
        }
        let top = try pushFrame64(event, pointer, cpl: cpl)

        pointee.rsp = top
        if cpl < pointee.cpl { pointee.ss = nullStackSegment(UInt16(cpl), cpl: cpl) }
        pointee.cs = code.register((selector & 0xFFFC) | UInt16(cpl))
        setCPL(cpl)
        pointee.codeSize = CodeSize.bits64.rawValue
        pointee.rip = target
        enterFlags(clearIF: type == 0xE)
    }

    /// The code segment a gate names, after the checks that gates of both forms share.
    @inline(__always)
    private func handlerSegment(
        _ selector: UInt16, ext: UInt32, long: Bool
    ) throws(Fault) -> Descriptor {
        if selector & 0xFFFC == 0 { throw .generalProtection(ext) }
        let error = UInt32(selector & 0xFFFC) | ext
        var code = try readDescriptor(selector, ext: ext)
        if !code.isCode || code.dpl > pointee.cpl { throw .generalProtection(error) }
        if !code.present { throw .segmentNotPresent(error) }
        if long && (!code.long || code.big) { throw .generalProtection(error) }
        try markDescriptorAccessed(&code, selector)
        return code
    }

    /// Pushes SS, RSP, RFLAGS, CS, RIP and the error code, if any, below `pointer` aligned to 16,
    /// with the privilege of the handler. Returns the new RSP.
    @inline(__always)
    private func pushFrame64(
        _ event: Delivery, _ pointer: UInt64, cpl: UInt8
    ) throws(Fault) -> UInt64 {
        let size = event.hasErrorCode ? 48 : 40
        let top = (pointer & ~15) &- UInt64(size)
        let context = tagContext(cpl: cpl)
        let entry = dataEntry(top)
        let last = top &+ UInt64(size &- 1)
        if (last & ~0xFFF) | context != entry.pointee.writeTag {
            if !isCanonical(top) || !isCanonical(last) { throw .stackFault(event.ext) }
            try checkPushes(top, size, context)
        }
        var at = top
        if event.hasErrorCode {
            try writeFrameWord(at, UInt64(event.errorCode), context)
            at = at &+ 8
        }
        try writeFrameWord(at, pointee.rip, context)
        try writeFrameWord(at &+ 8, UInt64(pointee.cs.selector), context)
        try writeFrameWord(at &+ 16, event.savedRFLAGS, context)
        try writeFrameWord(at &+ 24, pointee.rsp, context)
        try writeFrameWord(at &+ 32, UInt64(pointee.ss.selector), context)
        if pointee.attention & Attention.breakpoints != 0 {
            noteDataBreakpoints(top, size, write: true)
        }
        return top
    }

    @inline(__always)
    private func writeFrameWord(_ a: UInt64, _ v: UInt64, _ context: UInt64) throws(Fault) {
        let entry = dataEntry(a)
        if ((a &+ 7) & ~0xFFF) | context == entry.pointee.writeTag {
            UnsafeMutableRawPointer(
                bitPattern: UInt(truncatingIfNeeded: a &+ entry.pointee.addend)
            ).unsafelyUnwrapped.storeBytes(of: v, as: UInt64.self)
            return
        }
        try writeSlow(a, v, 8, context)
    }

    /// 16- and 32-bit protected mode, and virtual-8086 mode: 8-byte gates. The latter's segments
    /// are pushed first and become null, and only code at CPL 0 can be entered from it (Intel SDM
    /// vol. 3, 20.3.1).
    func enterProtected(_ event: Delivery) throws(Fault) {
        let at = UInt64(event.vector) &<< 3
        if at | 7 > UInt64(pointee.idtr.limit) { throw .generalProtection(event.gateError) }
        let raw = try readSystem((pointee.idtr.base &+ at) & 0xFFFF_FFFF, size: 8)
        let gate = Descriptor(raw: raw)
        let type = (raw &>> 40) & 0x1F
        switch type {
        case 5, 6, 7, 14, 15: break
        default: throw .generalProtection(event.gateError)
        }
        if event.software && gate.dpl < pointee.cpl { throw .generalProtection(event.gateError) }
        if !gate.present { throw .segmentNotPresent(event.gateError) }
        if type == 5 { return try enterTask(gate, event) }

        let selector = UInt16(truncatingIfNeeded: raw &>> 16)
        let code = try handlerSegment(selector, ext: event.ext, long: false)
        let cpl = code.isConforming ? pointee.cpl : code.dpl
        let wasVirtual = pointee.rflags & RFLAGS.vm != 0
        if wasVirtual && cpl != 0 {
            throw .generalProtection(UInt32(selector & 0xFFFC) | event.ext)
        }
        let wide = type & 8 != 0
        let size = wide ? 4 : 2
        let target = wide ? (raw & 0xFFFF) | ((raw &>> 32) & 0xFFFF_0000) : raw & 0xFFFF

        let switches = cpl < pointee.cpl
        var stack =
            switches
            ? try stackFromTSS(cpl: cpl, ext: event.ext) : currentStack(errorCode: event.ext)
        if wasVirtual {
            for n in [5, 4, 3, 0] {
                try push(UInt64(segments[n].selector), size: size, on: &stack)
            }
        }
        if switches {
            try push(UInt64(pointee.ss.selector), size: size, on: &stack)
            try push(pointee.rsp, size: size, on: &stack)
        }
        try push(event.savedRFLAGS, size: size, on: &stack)
        try push(UInt64(pointee.cs.selector), size: size, on: &stack)
        try push(pointee.rip, size: size, on: &stack)
        if event.hasErrorCode { try push(UInt64(event.errorCode), size: size, on: &stack) }
        if target > UInt64(code.limit) { throw .generalProtection(event.ext) }

        adopt(stack)
        pointee.cs = code.register((selector & 0xFFFC) | UInt16(cpl))
        setCPL(cpl)
        updateCodeSize()
        pointee.rip = target
        enterFlags(clearIF: type & 1 == 0)
        if wasVirtual {
            for n in [0, 3, 4, 5] { loadNull(n, selector: 0) }
        }
    }

    /// Through a task gate. A fault in the new task is the instruction's successor's when an
    /// instruction asked for the switch; else it meets the event on its way, as any nested fault.
    private func enterTask(_ gate: Descriptor, _ event: Delivery) throws(Fault) {
        let fault = try switchThroughGate(
            gate, cause: .event, ext: event.ext, flags: event.savedRFLAGS,
            errorCode: event.hasErrorCode ? event.errorCode : nil)
        guard let fault else { return }
        if !event.isInstruction { throw fault }
        deliver(fault)
    }
}
