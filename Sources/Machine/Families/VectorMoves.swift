import X86

/// Moves between vector registers, memory and general registers (Intel SDM vol. 2).
extension CPU {
    /// MOVAPS, MOVDQA and the non-temporal stores (aligned), MOVUPS, MOVDQU and LDDQU (not), and
    /// MOVQ and MOVNTQ of MMX registers.
    func executeVectorMove(_ i: borrowing Instruction, aligned: Bool) throws(Fault) {
        try requireVectors(i)
        let o = i.operands.0
        let v = try readVector(i, i.operands.1, aligned: aligned)
        try writeVector(i, o, v, aligned: aligned)
        noteMMX(i)
    }

    /// MOVD and MOVQ: the destination beyond what is moved is zeroed, in registers.
    func executeVectorMoveLow(_ i: borrowing Instruction) throws(Fault) {
        try requireVectors(i)
        let o = i.operands.0
        let v = try readVector(i, i.operands.1)
        try writeVector(i, o, Vector128(low: v.low, high: 0))
        noteMMX(i)
    }

    /// MOVSS and MOVSD: a load zeroes the rest of the register, a register move keeps it.
    func executeScalarMove(_ i: borrowing Instruction, _ size: Int) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let source = try readVector(i, i.operands.1)
        let from = i.operands.1.kind
        if o.kind == .xmm && from == .xmm {
            var v = xmm(o.register)
            v.setElement(0, size, source.low)
            setXMM(o.register, v)
        } else {
            try writeVector(i, o, Vector128(low: source.low & ALU.mask(size), high: 0))
        }
    }

    /// MOVLPS and MOVLPD with memory, MOVHLPS with a register.
    func executeMoveToLow(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let source = try readVector(i, i.operands.1)
        if o.kind == .memory { return try writeOperand(i, o, source.low) }
        let moved = i.operands.1.kind == .xmm ? source.high : source.low
        setXMM(o.register, Vector128(low: moved, high: xmm(o.register).high))
    }

    /// MOVHPS and MOVHPD with memory, MOVLHPS with a register.
    func executeMoveToHigh(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let source = try readVector(i, i.operands.1)
        if o.kind == .memory { return try writeOperand(i, o, source.high) }
        setXMM(o.register, Vector128(low: xmm(o.register).low, high: source.low))
    }

    /// MOVDDUP.
    func executeDuplicateLow(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        let v = try readVector(i, i.operands.1).low
        setXMM(i.operands.0.register, Vector128(low: v, high: v))
    }

    /// MOVSLDUP (`odd` 0) and MOVSHDUP (1): each pair of singles becomes its even or odd one.
    func executeDuplicateSingles(_ i: borrowing Instruction, odd: Int) throws(Fault) {
        try requireSSE()
        let v = try readVector(i, i.operands.1)
        let low = v.element(odd, 4)
        let high = v.element(2 &+ odd, 4)
        setXMM(
            i.operands.0.register,
            Vector128(low: low | (low &<< 32), high: high | (high &<< 32)))
    }

    /// MOVQ2DQ and MOVDQ2Q.
    func executeMoveBetweenFiles(_ i: borrowing Instruction) throws(Fault) {
        try requireVectors(i)
        enterMMX()
        let v = try readVector(i, i.operands.1)
        try writeVector(i, i.operands.0, Vector128(low: v.low, high: 0))
    }

    /// MOVMSKPS, MOVMSKPD and PMOVMSKB: the sign bits of the elements.
    func executeMoveMask(_ i: borrowing Instruction, _ size: Int) throws(Fault) {
        try requireVectors(i)
        let o = i.operands.1
        let v = try readVector(i, o)
        let count = (o.kind == .mmx ? 8 : 16) / size
        var mask: UInt64 = 0
        for n in 0..<count { mask |= ALU.sign(v.element(n, size), size) &<< UInt64(n) }
        noteMMX(i)
        try writeOperand(i, i.operands.0, mask)
    }

    /// MASKMOVDQU and MASKMOVQ: bytes of the second operand to [rDI] where the third's sign is set.
    /// All bytes are checked for writing, those not stored too (the SDM leaves that open;
    /// measured).
    func executeMaskedStore(_ i: borrowing Instruction) throws(Fault) {
        try requireVectors(i)
        let v = try readVector(i, i.operands.1)
        let mask = try readVector(i, i.operands.2)
        let count = i.operands.1.kind == .mmx ? 8 : 16
        noteMMX(i)
        let offset = readRegister(7, size: Int(i.addressSize))
        // By halves, as alignment is checked (measured).
        let segment = Int(i.segment)
        let a = try linear(segment: segment, offset: offset, size: 8, write: true)
        if count > 8 {
            _ = try linear(segment: segment, offset: offset &+ 8, size: 8, write: true)
        }
        try checkWrite(a, size: count)
        for n in 0..<count where mask.element(n, 1) & 0x80 != 0 {
            try writeLinear(advance(a, n), v.element(n, 1), size: 1)
        }
    }

    /// PEXTRB, PEXTRW, PEXTRD, PEXTRQ and EXTRACTPS.
    func executeExtract(_ i: borrowing Instruction, _ size: Int) throws(Fault) {
        try requireVectors(i)
        let source = i.operands.1
        let v = try readVector(i, source)
        let count = (source.kind == .mmx ? 8 : 16) / size
        noteMMX(i)
        try writeOperand(i, i.operands.0, v.element(Int(i.immediate) & (count &- 1), size))
    }

    /// PINSRB, PINSRW, PINSRD and PINSRQ.
    func executeInsert(_ i: borrowing Instruction, _ size: Int) throws(Fault) {
        try requireVectors(i)
        let o = i.operands.0
        let source = try readOperand(i, i.operands.1)
        var v = try readVector(i, o)
        let count = (o.kind == .mmx ? 8 : 16) / size
        v.setElement(Int(i.immediate) & (count &- 1), size, source)
        noteMMX(i)
        try writeVector(i, o, v)
    }

    /// INSERTPS: a single from the source (chosen by bits 7-6 in a register) to the place that bits
    /// 5-4 name; bits 3-0 zero singles.
    func executeInsertSingle(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let source = try readVector(i, i.operands.1)
        let from = i.operands.1.kind == .xmm ? Int(i.immediate &>> 6) & 3 : 0
        var v = xmm(o.register)
        v.setElement(Int(i.immediate &>> 4) & 3, 4, source.element(from, 4))
        for n in 0..<4 where (i.immediate &>> UInt64(n)) & 1 != 0 { v.setElement(n, 4, 0) }
        setXMM(o.register, v)
    }

    /// The x87 side effect, where an MMX register took part.
    @inline(__always)
    func noteMMX(_ i: borrowing Instruction) {
        let kinds = (i.operands.0.kind, i.operands.1.kind, i.operands.2.kind)
        if kinds.0 == .mmx || kinds.1 == .mmx || kinds.2 == .mmx { enterMMX() }
    }
}
