import X86

/// Availability, alignment and operand access of MMX and SSE instructions (Intel SDM vol. 1, 9.5
/// and 11.6; vol. 3, 2.5 and 13.1).
extension CPU {
    /// #UD with CR0.EM set or CR4.OSFXSR clear, #NM with CR0.TS set.
    func requireSSE() throws(Fault) {
        if pointee.cr0 & CR0.em != 0 || pointee.cr4 & CR4.osfxsr == 0 { throw .undefinedOpcode }
        if pointee.cr0 & CR0.ts != 0 { throw .deviceNotAvailable }
    }

    /// #UD with CR0.EM set, #NM with CR0.TS set, #MF with an unmasked x87 exception pending.
    func requireMMX() throws(Fault) {
        if pointee.cr0 & CR0.em != 0 { throw .undefinedOpcode }
        if pointee.cr0 & CR0.ts != 0 { throw .deviceNotAvailable }
        try checkX87Exception()
    }

    /// An instruction with an XMM operand obeys SSE's rules; one that touches an MMX register obeys
    /// MMX's as well, and switches the x87 unit to MMX use: TOP 0 and all registers valid.
    func requireVectors(_ i: borrowing Instruction) throws(Fault) {
        let kinds = (i.operands.0.kind, i.operands.1.kind, i.operands.2.kind)
        let mmx = kinds.0 == .mmx || kinds.1 == .mmx || kinds.2 == .mmx
        let xmm = kinds.0 == .xmm || kinds.1 == .xmm || kinds.2 == .xmm
        if xmm || !mmx { try requireSSE() }
        if mmx { try requireMMX() }
    }

    /// The x87 side effect of an MMX instruction that has passed all its checks.
    func enterMMX() {
        vectorState.pointee.statusWord &= ~0x3800
        vectorState.pointee.tagWord = 0
    }

    /// #GP(0) for a memory operand that is not 16-byte aligned, whatever else is wrong with its
    /// address (measured: a misaligned non-canonical one is #GP even in SS).
    func requireAlignment(_ i: borrowing Instruction) throws(Fault) {
        let hasBase = !in64Bit ? true : i.segment >= SegmentNumber.fs
        let base = hasBase ? segments[Int(i.segment)].base : 0
        if (base &+ effectiveOffset(i)) & 15 != 0 { throw .generalProtection(0) }
    }

    /// Reads an operand of 1...16 bytes, zero-extended; a register's whole contents. A 16-byte
    /// memory operand must be aligned unless the instruction says otherwise: #GP(0).
    func readVector(
        _ i: borrowing Instruction, _ o: Operand, aligned: Bool = true
    ) throws(Fault) -> Vector128 {
        switch o.kind {
        case .xmm: return xmm(o.register)
        case .mmx: return Vector128(low: mmx(o.register), high: 0)
        case .memory where o.size == 16:
            if aligned { try requireAlignment(i) }
            let a = try linearAddress(i, size: 16, write: false)
            let low = try readLinear(a, size: 8)
            return Vector128(low: low, high: try readLinear(advance(a, 8), size: 8))
        default: return Vector128(low: try readOperand(i, o), high: 0)
        }
    }

    /// Writes an operand: a whole XMM or MMX register, or as many bytes of memory or of a general
    /// register as it has.
    func writeVector(
        _ i: borrowing Instruction, _ o: Operand, _ v: Vector128, aligned: Bool = true
    ) throws(Fault) {
        switch o.kind {
        case .xmm: setXMM(o.register, v)
        case .mmx: setMMX(o.register, v.low)
        case .memory where o.size == 16:
            if aligned { try requireAlignment(i) }
            let a = try linearAddress(i, size: 16, write: true)
            try checkWrite(a, size: 16)
            try writeLinear(a, v.low, size: 8)
            try writeLinear(advance(a, 8), v.high, size: 8)
        default: try writeOperand(i, o, v.low)
        }
    }

    /// MMX register `n`: the low word of physical x87 register `n`.
    @inline(__always)
    func mmx(_ n: UInt8) -> UInt64 { x87Words[Int(n & 7) &* 2] }

    /// Writing an MMX register sets the exponent and sign bits of its x87 register.
    @inline(__always)
    func setMMX(_ n: UInt8, _ v: UInt64) {
        x87Words[Int(n & 7) &* 2] = v
        x87Words[Int(n & 7) &* 2 &+ 1] = 0xFFFF
    }

    /// The x87 registers as pairs of words: significand, then exponent and sign.
    @inline(__always)
    var x87Words: UnsafeMutablePointer<UInt64> {
        pointee.vectors.unsafelyUnwrapped.advanced(by: VectorState.x87Offset)
            .assumingMemoryBound(to: UInt64.self)
    }

    /// destination := operation(destination, source), on whole registers. `bytes` is 8 for MMX.
    @inline(__always)
    func vectorBinary(
        _ i: borrowing Instruction,
        _ operation: (_ a: Vector128, _ b: Vector128, _ bytes: Int) -> Vector128
    ) throws(Fault) {
        try requireVectors(i)
        let o = i.operands.0
        let b = try readVector(i, i.operands.1)
        let r = operation(try readVector(i, o), b, o.kind == .mmx ? 8 : 16)
        if o.kind == .mmx { enterMMX() }
        try writeVector(i, o, r)
    }

    /// The same for an operation that works on each 64-bit half alone.
    @inline(__always)
    func vectorHalves(
        _ i: borrowing Instruction, _ operation: (UInt64, UInt64) -> UInt64
    ) throws(Fault) {
        try vectorBinary(i) { (a, b, _) in
            Vector128(low: operation(a.low, b.low), high: operation(a.high, b.high))
        }
    }
}

extension Vector128 {
    /// Element `n` of `size` bytes, zero-extended.
    @inline(__always)
    func element(_ n: Int, _ size: Int) -> UInt64 {
        let at = n &* size
        let word = at < 8 ? low : high
        return (word &>> UInt64((at & 7) &* 8)) & ALU.mask(size)
    }

    /// Element `n` of `size` bytes, sign-extended.
    @inline(__always)
    func signedElement(_ n: Int, _ size: Int) -> Int64 {
        Int64(bitPattern: ALU.signExtend(element(n, size), size))
    }

    @inline(__always)
    mutating func setElement(_ n: Int, _ size: Int, _ v: UInt64) {
        let at = n &* size
        let shift = UInt64((at & 7) &* 8)
        let mask = ALU.mask(size) &<< shift
        let bits = (v &<< shift) & mask
        if at < 8 {
            low = (low & ~mask) | bits
        } else {
            high = (high & ~mask) | bits
        }
    }
}

/// Integer lanes packed in a 64-bit word.
enum Lanes {
    /// Applies `f` to each pair of lanes of type `T`.
    @inline(__always)
    static func each<T: FixedWidthInteger>(
        _ type: T.Type, _ a: UInt64, _ b: UInt64, _ f: (T, T) -> T
    ) -> UInt64 {
        var r: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            let v = f(T(truncatingIfNeeded: a &>> shift), T(truncatingIfNeeded: b &>> shift))
            r |= (UInt64(truncatingIfNeeded: v) & ALU.mask(T.bitWidth / 8)) &<< shift
            shift = shift &+ UInt64(T.bitWidth)
        }
        return r
    }

    @inline(__always)
    static func addSaturating<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
        let (v, overflow) = a.addingReportingOverflow(b)
        return overflow ? (T.isSigned && a < 0 ? .min : .max) : v
    }

    @inline(__always)
    static func subtractSaturating<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
        let (v, overflow) = a.subtractingReportingOverflow(b)
        return overflow ? (T.isSigned && a >= 0 ? .max : .min) : v
    }

    /// All ones for true.
    @inline(__always)
    static func all<T: FixedWidthInteger>(_ condition: Bool) -> T { condition ? ~0 : 0 }

    /// `v` brought into the range of `T`.
    @inline(__always)
    static func clamp<T: FixedWidthInteger>(_ v: Int64, _ type: T.Type) -> UInt64 {
        UInt64(truncatingIfNeeded: T(clamping: v))
    }
}
