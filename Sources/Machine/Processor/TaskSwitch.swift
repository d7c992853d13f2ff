import X86

/// Hardware task switches outside IA-32e mode (Intel SDM vol. 3, chapter 7): JMP and CALL to a TSS
/// or a task gate, events through a task gate, and IRET with NT set.
extension CPU {
    enum TaskSwitchCause {
        case jump, call, event, interruptReturn
    }

    /// Where the fields of a TSS lie.
    private struct TaskLayout {
        let isWide: Bool
        /// Bytes of a general field.
        var size: Int { isWide ? 4 : 2 }
        var leastLimit: UInt32 { isWide ? 0x67 : 0x2B }
        var rip: Int { isWide ? 0x20 : 0x0E }
        var flags: Int { isWide ? 0x24 : 0x10 }
        func register(_ n: Int) -> Int { (isWide ? 0x28 : 0x12) &+ n &* size }
        func segment(_ n: Int) -> Int { (isWide ? 0x48 : 0x22) &+ n &* size }
        /// How many segment registers it holds: a 16-bit one has no FS and GS.
        var segmentCount: Int { isWide ? 6 : 4 }
        var ldt: Int { isWide ? 0x60 : 0x2A }
    }

    private func taskField(_ base: UInt64, _ offset: Int) -> UInt64 {
        (base &+ UInt64(offset)) & 0xFFFF_FFFF
    }

    /// The TSS that a task gate names; `gate` is its descriptor.
    func switchThroughGate(
        _ gate: Descriptor, cause: TaskSwitchCause, ext: UInt32, flags: UInt64,
        errorCode: UInt32? = nil
    ) throws(Fault) -> Fault? {
        try switchTask(
            UInt16(truncatingIfNeeded: gate.raw &>> 16), cause: cause, ext: ext, flags: flags,
            errorCode: errorCode)
    }

    /// IRET with NT set: back to the task that the current TSS links to.
    func returnFromTask() throws(Fault) -> Fault? {
        let link = UInt16(truncatingIfNeeded: try readSystem(pointee.tr.base, size: 2))
        return try switchTask(link, cause: .interruptReturn, ext: 0, flags: pointee.rflags)
    }

    /// Switches to the task of `selector`; `flags` is RFLAGS as saved for the old one. Throws while
    /// the old task is still the current one; returns a fault that is the new task's (SDM vol. 3,
    /// 7.3: all from loading the segment registers on).
    func switchTask(
        _ selector: UInt16, cause: TaskSwitchCause, ext: UInt32, flags: UInt64,
        errorCode: UInt32? = nil
    ) throws(Fault) -> Fault? {
        let (descriptor, at) = try taskDescriptor(selector, cause: cause, ext: ext)
        let new = TaskLayout(isWide: descriptor.type & 8 != 0)
        let old = TaskLayout(isWide: pointee.tr.attributes & 8 != 0)
        let oldSelector = pointee.tr.selector
        let base = descriptor.base
        // All pages first: nothing faults between the save and the load.
        let context = supervisorContext
        try checkWriteSlow(pointee.tr.base, Int(old.leastLimit) &+ 1, context)
        try checkWriteSlow(base, Int(new.leastLimit) &+ 1, context)
        try checkWriteSlow(at, 8, context)

        if cause == .jump || cause == .interruptReturn { try setBusy(oldSelector, false) }
        let saved = cause == .interruptReturn ? flags & ~RFLAGS.nt : flags
        try saveTask(old, flags: saved)
        if cause == .call || cause == .event {
            try writeSystem(base, UInt64(oldSelector), size: 2)
        }
        if cause != .interruptReturn { try setBusy(selector, true) }
        pointee.tr = descriptor.register(selector)
        pointee.tr.attributes |= 2
        pointee.cr0 |= CR0.ts
        pointee.dr7 &= ~0x55
        updateBreakpoints()
        notifyRegister(.tr, base, address: UInt64(selector))
        do throws(Fault) {
            try loadTask(new, base, nests: cause == .call || cause == .event)
            if let errorCode { try push(UInt64(errorCode), size: new.size) }
            return nil
        } catch {
            return error
        }
    }

    /// The new task's TSS descriptor, checked, and where it lies.
    private func taskDescriptor(
        _ selector: UInt16, cause: TaskSwitchCause, ext: UInt32
    ) throws(Fault) -> (Descriptor, UInt64) {
        let error = UInt32(selector & 0xFFFC) | ext
        let isReturn = cause == .interruptReturn
        let wrong: Fault = isReturn ? .invalidTSS(error) : .generalProtection(error)
        guard selector & 4 == 0, selector & 0xFFF8 != 0,
            let address = descriptorAddress(selector)
        else { throw wrong }
        let descriptor = Descriptor(raw: try readSystem(address, size: 8))
        let wanted: UInt8 = isReturn ? 3 : 1
        if descriptor.isSegment || descriptor.type & 7 != wanted { throw wrong }
        if !descriptor.present { throw .segmentNotPresent(error) }
        let least: UInt32 = descriptor.type & 8 != 0 ? 0x67 : 0x2B
        if descriptor.limit < least { throw .invalidTSS(error) }
        return (descriptor, address)
    }

    private func setBusy(_ selector: UInt16, _ busy: Bool) throws(Fault) {
        guard let address = descriptorAddress(selector) else { return }
        let byte = try readSystem(address &+ 5, size: 1)
        try writeSystem(address &+ 5, busy ? byte | 2 : byte & ~2, size: 1)
    }

    private func saveTask(_ layout: TaskLayout, flags: UInt64) throws(Fault) {
        let base = pointee.tr.base
        try writeSystem(taskField(base, layout.rip), pointee.rip, size: layout.size)
        try writeSystem(taskField(base, layout.flags), flags, size: layout.size)
        for n in 0..<8 {
            try writeSystem(taskField(base, layout.register(n)), registers[n], size: layout.size)
        }
        for n in 0..<layout.segmentCount {
            let selector = UInt64(segments[n].selector)
            try writeSystem(taskField(base, layout.segment(n)), selector, size: 2)
        }
    }

    /// Loads the new task. What is thrown is the new task's fault: CS, SS and the rest that had not
    /// been checked by then are unusable.
    private func loadTask(
        _ layout: TaskLayout, _ base: UInt64, nests: Bool
    ) throws(Fault) {
        let size = layout.size
        let paging = layout.isWide && pointee.cr0 & CR0.pg != 0
        let root = paging ? try readSystem(taskField(base, 0x1C), size: 4) : 0
        let rip = try readSystem(taskField(base, layout.rip), size: size)
        var flags = try readSystem(taskField(base, layout.flags), size: size)
        for n in 0..<8 {
            registers[n] = try readSystem(taskField(base, layout.register(n)), size: size)
        }
        var selectors: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
        try withUnsafeMutablePointer(to: &selectors) { (p) throws(Fault) in
            let words = UnsafeMutableRawPointer(p).assumingMemoryBound(to: UInt64.self)
            for n in 0..<layout.segmentCount {
                words[n] = try readSystem(taskField(base, layout.segment(n)), size: 2)
            }
        }
        let ldt = UInt16(
            truncatingIfNeeded: try readSystem(taskField(base, layout.ldt), size: 2))
        let trap = layout.isWide ? try readSystem(taskField(base, 0x64), size: 2) & 1 : 0

        pointee.rip = rip
        let known =
            RFLAGS.arithmetic | RFLAGS.tf | RFLAGS.interruptEnable | RFLAGS.df | RFLAGS.iopl
            | RFLAGS.nt | RFLAGS.rf | RFLAGS.vm | RFLAGS.ac | RFLAGS.vif | RFLAGS.vip | RFLAGS.id
        flags = flags & known | RFLAGS.fixedOne
        pointee.rflags = nests ? flags | RFLAGS.nt : flags
        if paging { enterAddressSpace(root) }
        try loadTaskSegments(selectors, ldt: ldt)
        if pointee.rip > UInt64(pointee.cs.limit) { throw .generalProtection(0) }
        if trap != 0 {
            pointee.pendingDR6 |= UInt32(truncatingIfNeeded: DebugBits.taskSwitch)
            pointee.attention |= Attention.debugTrap
        }
    }

    /// CR3 of the new task. PDPTEs that cannot be loaded leave none present.
    private func enterAddressSpace(_ root: UInt64) {
        pointee.cr3 = root
        flushLocalTLB()
        if pointee.cr4 & CR4.pae != 0 {
            do { try loadPDPTEs(root) } catch { for n in 0..<4 { pdptes[n] = 0 } }
        }
        notifyRegister(.cr3, root)
    }

    private func loadTaskSegments(
        _ s: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64), ldt: UInt16
    ) throws(Fault) {
        let selectors = [s.0, s.1, s.2, s.3, s.4, s.5].map { UInt16(truncatingIfNeeded: $0) }
        for n in 0..<6 {
            segments[n] = SegmentRegister()
            segments[n].selector = selectors[n]
            segments[n].attributes = SegmentRegister.unusable
        }
        let isVirtual = pointee.rflags & RFLAGS.vm != 0
        setCPL(isVirtual ? 3 : UInt8(selectors[1] & 3))
        updateStepping()
        try loadTaskLDT(ldt)
        if isVirtual {
            for n in 0..<6 { loadRealModeSegment(n, selector: selectors[n]) }
            updateCodeSize()
            return
        }
        try loadTaskCode(selectors[1])
        try loadTaskStack(selectors[2])
        for n in [Int(SegmentNumber.es), Int(SegmentNumber.ds), 4, 5] {
            do throws(Fault) {
                try loadSegment(n, selector: selectors[n])
            } catch {
                // The same checks as MOV's, but for the vector.
                if error.vector != Vector.generalProtection { throw error }
                throw .invalidTSS(error.errorCode)
            }
        }
    }

    private func loadTaskLDT(_ selector: UInt16) throws(Fault) {
        pointee.ldtr = SegmentRegister()
        pointee.ldtr.selector = selector
        pointee.ldtr.attributes = SegmentRegister.unusable
        if selector & 0xFFFC == 0 { return }
        let error = UInt32(selector & 0xFFFC)
        guard selector & 4 == 0, let address = descriptorAddress(selector) else {
            throw .invalidTSS(error)
        }
        let descriptor = Descriptor(raw: try readSystem(address, size: 8))
        if descriptor.isSegment || descriptor.type != 2 || !descriptor.present {
            throw .invalidTSS(error)
        }
        pointee.ldtr = descriptor.register(selector)
    }

    private func loadTaskCode(_ selector: UInt16) throws(Fault) {
        let error = UInt32(selector & 0xFFFC)
        guard error != 0, let address = descriptorAddress(selector) else {
            throw .invalidTSS(error)
        }
        var code = Descriptor(raw: try readSystem(address, size: 8))
        let rpl = UInt8(selector & 3)
        let matches = code.isConforming ? code.dpl <= rpl : code.dpl == rpl
        if !code.isCode || !matches { throw .invalidTSS(error) }
        if !code.present { throw .segmentNotPresent(error) }
        try markDescriptorAccessed(&code, selector)
        pointee.cs = code.register(selector)
        updateCodeSize()
    }

    private func loadTaskStack(_ selector: UInt16) throws(Fault) {
        let error = UInt32(selector & 0xFFFC)
        guard error != 0, let address = descriptorAddress(selector) else {
            throw .invalidTSS(error)
        }
        var stack = Descriptor(raw: try readSystem(address, size: 8))
        if UInt8(selector & 3) != pointee.cpl || stack.dpl != pointee.cpl
            || !stack.isWritableData
        {
            throw .invalidTSS(error)
        }
        if !stack.present { throw .stackFault(error) }
        try markDescriptorAccessed(&stack, selector)
        pointee.ss = stack.register(selector)
    }
}
