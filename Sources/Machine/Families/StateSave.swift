import X86

/// FXSAVE and FXRSTOR: the 512-byte image of x87, MMX and SSE state (Intel SDM vol. 1, 10.5). Bytes
/// 416...511 are left alone; FCS and FDS are stored as zero, as processors with "FPU CS and DS
/// deprecated" do.
extension CPU {
    /// #NM with CR0.EM or CR0.TS set; #GP(0) for an image that is not 16-byte aligned.
    private func stateImage(_ i: borrowing Instruction, write: Bool) throws(Fault) -> UInt64 {
        if pointee.cr0 & (CR0.em | CR0.ts) != 0 { throw .deviceNotAvailable }
        try requireAlignment(i)
        return try linearAddress(i, size: 512, write: write)
    }

    /// How many 64-bit words of XMM registers the image holds now: none with CR4.OSFXSR clear,
    /// eight registers outside 64-bit mode.
    private var savedXMMWords: Int {
        if pointee.cr4 & CR4.osfxsr == 0 { return 0 }
        return in64Bit ? 32 : 16
    }

    func executeSaveState(_ i: borrowing Instruction) throws(Fault) {
        let a = try stateImage(i, write: true)
        // Both pages it may lie on are checked before the first byte is written.
        try checkWrite(a, size: 8)
        try checkWrite(advance(a, 504), size: 8)
        try saveX87Image(a, wide: i.flags.contains(.rexW))
        try saveControlImage(a)
        try saveVectorImage(a, words: savedXMMWords)
    }

    /// Bytes 0...23 and 32...159: the x87 unit.
    func saveX87Image(_ a: UInt64, wide: Bool) throws(Fault) {
        let state = vectorState
        let words = UInt64(state.pointee.controlWord) | UInt64(state.pointee.statusWord) &<< 16
        let opcode = UInt64(state.pointee.lastOpcode) &<< 48
        try writeLinear(a, words | UInt64(abridgedTags) &<< 32 | opcode, size: 8)
        let pointers = wide ? UInt64.max : 0xFFFF_FFFF
        try writeLinear(advance(a, 8), state.pointee.instructionPointer & pointers, size: 8)
        try writeLinear(advance(a, 16), state.pointee.dataPointer & pointers, size: 8)
        let top = Int(state.pointee.statusWord &>> 11) & 7
        for n in 0..<16 {
            let physical = (top &+ n / 2) & 7
            let word = x87Words[physical &* 2 &+ (n & 1)]
            try writeLinear(advance(a, 32 &+ n &* 8), word, size: 8)
        }
    }

    /// Bytes 24...31: MXCSR and its mask.
    func saveControlImage(_ a: UInt64) throws(Fault) {
        let control = UInt64(vectorState.pointee.mxcsr) | UInt64(VectorState.mxcsrMask) &<< 32
        try writeLinear(advance(a, 24), control, size: 8)
    }

    /// From byte 160: XMM registers.
    func saveVectorImage(_ a: UInt64, words: Int) throws(Fault) {
        for n in 0..<words {
            try writeLinear(advance(a, 160 &+ n &* 8), vectorWords[n], size: 8)
        }
    }

    func executeRestoreState(_ i: borrowing Instruction) throws(Fault) {
        let a = try stateImage(i, write: false)
        let control = try readLinear(advance(a, 24), size: 4)
        _ = try readLinear(advance(a, 504), size: 8)
        _ = try readLinear(a, size: 8)
        let mxcsr = UInt32(truncatingIfNeeded: control)
        if pointee.cr4 & CR4.osfxsr != 0 && mxcsr & ~VectorState.mxcsrMask != 0 {
            throw .generalProtection(0)
        }
        try restoreX87Image(a, wide: i.flags.contains(.rexW))
        if pointee.cr4 & CR4.osfxsr != 0 { vectorState.pointee.mxcsr = mxcsr }
        try restoreVectorImage(a, words: savedXMMWords)
    }

    /// The counterpart of `saveX87Image`; no byte of the image may fault.
    func restoreX87Image(_ a: UInt64, wide: Bool) throws(Fault) {
        let words = try readLinear(a, size: 8)
        let state = vectorState
        state.pointee.controlWord = UInt16(truncatingIfNeeded: words) & 0x1F3F | 0x40
        state.pointee.statusWord = UInt16(truncatingIfNeeded: words &>> 16)
        state.pointee.lastOpcode = UInt16(truncatingIfNeeded: words &>> 48) & 0x7FF
        let pointers = wide ? UInt64.max : 0xFFFF_FFFF
        state.pointee.instructionPointer = try readLinear(advance(a, 8), size: 8) & pointers
        state.pointee.dataPointer = try readLinear(advance(a, 16), size: 8) & pointers
        let top = Int(state.pointee.statusWord &>> 11) & 7
        for n in 0..<16 {
            let physical = (top &+ n / 2) & 7
            let word = try readLinear(advance(a, 32 &+ n &* 8), size: 8)
            x87Words[physical &* 2 &+ (n & 1)] = n & 1 == 0 ? word : word & 0xFFFF
        }
        setTags(abridged: UInt8(truncatingIfNeeded: words &>> 32))
        summariseX87Exceptions()
    }

    /// The counterpart of `saveVectorImage`.
    func restoreVectorImage(_ a: UInt64, words: Int) throws(Fault) {
        for n in 0..<words {
            vectorWords[n] = try readLinear(advance(a, 160 &+ n &* 8), size: 8)
        }
    }

    /// XMM0...XMM15 as 32 words.
    var vectorWords: UnsafeMutablePointer<UInt64> {
        pointee.vectors.unsafelyUnwrapped.assumingMemoryBound(to: UInt64.self)
    }

    /// One bit for each physical register: not empty.
    private var abridgedTags: UInt8 {
        var r: UInt8 = 0
        for n in 0..<8 where (vectorState.pointee.tagWord &>> UInt16(2 * n)) & 3 != 3 {
            r |= 1 &<< UInt8(n)
        }
        return r
    }

    /// Takes the abridged tags: a bit for each register that is not empty.
    private func setTags(abridged: UInt8) {
        var tags: UInt16 = 0
        for n in 0..<8 where (abridged &>> UInt8(n)) & 1 == 0 { tags |= 3 &<< UInt16(2 * n) }
        vectorState.pointee.tagWord = tags
    }
}
