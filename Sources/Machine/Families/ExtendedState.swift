import X86

/// XGETBV, XSETBV and the XSAVE family in its standard form, for the x87 and SSE components (Intel
/// SDM vol. 1, chapter 13). The compacted form and supervisor states are not promised by CPUID.
extension CPU {
    /// Bits of XCR0 that exist here: x87 and SSE.
    static var supportedStates: UInt64 { 3 }
    private static var x87State: UInt64 { 1 }
    private static var sseState: UInt64 { 2 }
    /// Bytes of an image: the legacy region and the header.
    static var extendedImageSize: Int { 576 }

    var xcr0: UInt64 { UInt64(vectorState.pointee.enabledStates) | CPU.x87State }

    /// #UD with CR4.OSXSAVE clear.
    private func requireExtendedStates() throws(Fault) {
        if pointee.cr4 & CR4.osxsave == 0 { throw .undefinedOpcode }
    }

    /// XGETBV: ECX can only be 0.
    func executeReadExtendedControl(_ i: borrowing Instruction) throws(Fault) {
        try requireExtendedStates()
        if pointee.rcx & 0xFFFF_FFFF != 0 { throw .generalProtection(0) }
        pointee.rax = xcr0
        pointee.rdx = 0
    }

    /// XSETBV: x87 cannot be left out.
    func executeWriteExtendedControl(_ i: borrowing Instruction) throws(Fault) {
        try requireExtendedStates()
        try requireSupervisor()
        let value = (pointee.rdx &<< 32) | (pointee.rax & 0xFFFF_FFFF)
        if pointee.rcx & 0xFFFF_FFFF != 0 || value & CPU.x87State == 0
            || value & ~CPU.supportedStates != 0
        {
            throw .generalProtection(0)
        }
        vectorState.pointee.enabledStates = UInt32(truncatingIfNeeded: value & ~CPU.x87State)
    }

    /// The image's linear address and the components asked for: #GP(0) unless 64-byte aligned.
    private func extendedImage(
        _ i: borrowing Instruction, write: Bool
    ) throws(Fault) -> (address: UInt64, states: UInt64) {
        try requireExtendedStates()
        if pointee.cr0 & CR0.ts != 0 { throw .deviceNotAvailable }
        let hasBase = !in64Bit ? true : i.segment >= SegmentNumber.fs
        let base = hasBase ? segments[Int(i.segment)].base : 0
        if (base &+ effectiveOffset(i)) & 63 != 0 { throw .generalProtection(0) }
        let asked = (pointee.rdx &<< 32) | (pointee.rax & 0xFFFF_FFFF)
        let a = try linearAddress(i, size: CPU.extendedImageSize, write: write)
        return (a, asked & xcr0)
    }

    private var xmmWordCount: Int { in64Bit ? 32 : 16 }

    /// The components that are not in their initial configuration.
    private var statesInUse: UInt64 {
        var used: UInt64 = 0
        for n in 0..<32 where vectorWords[n] != 0 { used = CPU.sseState }
        let state = vectorState.pointee
        var registers: UInt64 = 0
        for n in 0..<16 { registers |= x87Words[n] }
        let pointers =
            state.instructionPointer | state.dataPointer | UInt64(state.lastOpcode)
            | UInt64(state.statusWord) | UInt64(~state.tagWord)
        if registers | pointers != 0 || state.controlWord != 0x037F { used |= CPU.x87State }
        return used
    }

    /// XSAVE and, with `optimised`, XSAVEOPT, which leaves out components in their initial
    /// configuration.
    func executeExtendedSave(_ i: borrowing Instruction, optimised: Bool) throws(Fault) {
        let (a, states) = try extendedImage(i, write: true)
        try checkWrite(a, size: 8)
        try checkWrite(advance(a, CPU.extendedImageSize &- 8), size: 8)
        let used = statesInUse
        let header = advance(a, 512)
        let old = try readLinear(header, size: 8)
        let saved = optimised ? states & used : states
        if saved & CPU.x87State != 0 { try saveX87Image(a, wide: i.flags.contains(.rexW)) }
        if states & CPU.sseState != 0 { try saveControlImage(a) }
        if saved & CPU.sseState != 0 { try saveVectorImage(a, words: xmmWordCount) }
        try writeLinear(header, (old & ~states) | (used & states), size: 8)
    }

    /// XRSTOR: components that the header says are absent take their initial configuration.
    func executeExtendedRestore(_ i: borrowing Instruction) throws(Fault) {
        let (a, states) = try extendedImage(i, write: false)
        _ = try readLinear(a, size: 8)
        let header = advance(a, 512)
        let present = try readLinear(header, size: 8)
        var reserved = present & ~xcr0
        for n in 1..<3 { reserved |= try readLinear(advance(header, n &* 8), size: 8) }
        _ = try readLinear(advance(header, 56), size: 8)
        if reserved != 0 { throw .generalProtection(0) }
        let mxcsr = UInt32(truncatingIfNeeded: try readLinear(advance(a, 24), size: 4))
        if states & CPU.sseState != 0 && mxcsr & ~VectorState.mxcsrMask != 0 {
            throw .generalProtection(0)
        }
        if states & CPU.x87State != 0 {
            if present & CPU.x87State != 0 {
                try restoreX87Image(a, wide: i.flags.contains(.rexW))
            } else {
                vectorState.pointee.initialiseX87()
                for n in 0..<16 { x87Words[n] = 0 }
            }
        }
        if states & CPU.sseState != 0 {
            vectorState.pointee.mxcsr = mxcsr
            if present & CPU.sseState != 0 {
                try restoreVectorImage(a, words: xmmWordCount)
            } else {
                for n in 0..<xmmWordCount { vectorWords[n] = 0 }
            }
        }
    }
}
