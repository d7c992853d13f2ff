import X86

/// BT, BTS, BTR, BTC, BSF, BSR, POPCNT and CRC32 (Intel SDM vol. 2).
extension CPU {
    /// What a bit test does to the bit it has copied to CF.
    enum BitChange {
        case none, set, reset, complement
    }

    /// A register bit number reaches beyond a memory operand: it is signed and selects the operand-
    /// sized unit as well as the bit in it. An immediate one, or any for a register, is taken
    /// modulo the operand's width.
    func executeBitTest(_ i: borrowing Instruction, _ change: BitChange) throws(Fault) {
        let o = i.operands.0
        let size = Int(o.size)
        let number = try readOperand(i, i.operands.1)
        let width = UInt64(size &* 8)
        let bit = UInt64(1) &<< (number & (width &- 1))
        if o.kind != .memory {
            let v = try readOperand(i, o)
            if change != .none { try writeOperand(i, o, changed(v, bit, change)) }
            setFlags(v & bit != 0 ? RFLAGS.cf : 0, in: RFLAGS.cf)
            return
        }
        var offset = effectiveOffset(i)
        if i.operands.1.kind == .register {
            let signed = Int64(bitPattern: ALU.signExtend(number, size))
            let units = signed &>> Int64(width.trailingZeroBitCount)
            offset = offset &+ UInt64(bitPattern: units &* Int64(size))
            offset &= sizeMask(Int(i.addressSize))
        }
        let write = change != .none
        let a = try linear(segment: Int(i.segment), offset: offset, size: size, write: write)
        let v = try write ? readLinearForWrite(a, size: size) : readLinear(a, size: size)
        if write { try writeLinear(a, changed(v, bit, change), size: size) }
        setFlags(v & bit != 0 ? RFLAGS.cf : 0, in: RFLAGS.cf)
    }

    @inline(__always)
    private func changed(_ v: UInt64, _ bit: UInt64, _ change: BitChange) -> UInt64 {
        switch change {
        case .none: return v
        case .set: return v | bit
        case .reset: return v & ~bit
        case .complement: return v ^ bit
        }
    }

    func executeBitScan(_ i: borrowing Instruction, reverse: Bool) throws(Fault) {
        let v = try readOperand(i, i.operands.1)
        var index: UInt64 = 0
        if v != 0 {
            index = UInt64(reverse ? 63 &- v.leadingZeroBitCount : v.trailingZeroBitCount)
            try writeOperand(i, i.operands.0, index)
        }
        setArithmeticFlags(UndefinedFlags.bitScan(source: v, index: index))
    }

    /// POPCNT: ZF for a zero source, all other flags clear.
    func executePopulationCount(_ i: borrowing Instruction) throws(Fault) {
        let v = try readOperand(i, i.operands.1)
        try writeOperand(i, i.operands.0, UInt64(v.nonzeroBitCount))
        setArithmeticFlags(v == 0 ? RFLAGS.zf : 0)
    }

    /// CRC32: the Castagnoli polynomial, reflected; no inversion before or after.
    func executeCRC32(_ i: borrowing Instruction) throws(Fault) {
        let source = i.operands.1
        var data = try readOperand(i, source)
        var crc = readRegister(i.operands.0.register, size: 4)
        for _ in 0..<Int(source.size) {
            crc ^= data & 0xFF
            data = data &>> 8
            for _ in 0..<8 {
                crc = (crc &>> 1) ^ (0x82F6_3B78 & (0 &- (crc & 1)))
            }
        }
        try writeOperand(i, i.operands.0, crc)
    }
}
