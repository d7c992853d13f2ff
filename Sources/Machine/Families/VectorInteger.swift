import X86

/// Packed-integer operations whose lanes do not interact, by what they do to a 64-bit half, and the
/// packed shifts (Intel SDM vol. 2).
extension CPU {
    /// The lane-wise operation of one mnemonic. Only mnemonics that the dispatch sends here occur.
    func executePackedInteger(_ i: borrowing Instruction) throws(Fault) {
        switch i.mnemonic {
        case .pand, .andps, .andpd: try vectorHalves(i) { $0 & $1 }
        case .pandn, .andnps, .andnpd: try vectorHalves(i) { ~$0 & $1 }
        case .por, .orps, .orpd: try vectorHalves(i) { $0 | $1 }
        case .pxor, .xorps, .xorpd: try vectorHalves(i) { $0 ^ $1 }
        case .paddb: try lanes(i, UInt8.self) { $0 &+ $1 }
        case .paddw: try lanes(i, UInt16.self) { $0 &+ $1 }
        case .paddd: try lanes(i, UInt32.self) { $0 &+ $1 }
        case .paddq: try vectorHalves(i) { $0 &+ $1 }
        case .psubb: try lanes(i, UInt8.self) { $0 &- $1 }
        case .psubw: try lanes(i, UInt16.self) { $0 &- $1 }
        case .psubd: try lanes(i, UInt32.self) { $0 &- $1 }
        case .psubq: try vectorHalves(i) { $0 &- $1 }
        case .paddsb: try lanes(i, Int8.self) { Lanes.addSaturating($0, $1) }
        case .paddsw: try lanes(i, Int16.self) { Lanes.addSaturating($0, $1) }
        case .paddusb: try lanes(i, UInt8.self) { Lanes.addSaturating($0, $1) }
        case .paddusw: try lanes(i, UInt16.self) { Lanes.addSaturating($0, $1) }
        case .psubsb: try lanes(i, Int8.self) { Lanes.subtractSaturating($0, $1) }
        case .psubsw: try lanes(i, Int16.self) { Lanes.subtractSaturating($0, $1) }
        case .psubusb: try lanes(i, UInt8.self) { Lanes.subtractSaturating($0, $1) }
        case .psubusw: try lanes(i, UInt16.self) { Lanes.subtractSaturating($0, $1) }
        default: try executePackedComparison(i)
        }
    }

    private func executePackedComparison(_ i: borrowing Instruction) throws(Fault) {
        switch i.mnemonic {
        case .pcmpeqb: try lanes(i, UInt8.self) { Lanes.all($0 == $1) }
        case .pcmpeqw: try lanes(i, UInt16.self) { Lanes.all($0 == $1) }
        case .pcmpeqd: try lanes(i, UInt32.self) { Lanes.all($0 == $1) }
        case .pcmpeqq: try lanes(i, UInt64.self) { Lanes.all($0 == $1) }
        case .pcmpgtb: try lanes(i, Int8.self) { Lanes.all($0 > $1) }
        case .pcmpgtw: try lanes(i, Int16.self) { Lanes.all($0 > $1) }
        case .pcmpgtd: try lanes(i, Int32.self) { Lanes.all($0 > $1) }
        case .pcmpgtq: try lanes(i, Int64.self) { Lanes.all($0 > $1) }
        case .pmaxsb: try lanes(i, Int8.self) { max($0, $1) }
        case .pmaxsw: try lanes(i, Int16.self) { max($0, $1) }
        case .pmaxsd: try lanes(i, Int32.self) { max($0, $1) }
        case .pmaxub: try lanes(i, UInt8.self) { max($0, $1) }
        case .pmaxuw: try lanes(i, UInt16.self) { max($0, $1) }
        case .pmaxud: try lanes(i, UInt32.self) { max($0, $1) }
        case .pminsb: try lanes(i, Int8.self) { min($0, $1) }
        case .pminsw: try lanes(i, Int16.self) { min($0, $1) }
        case .pminsd: try lanes(i, Int32.self) { min($0, $1) }
        case .pminub: try lanes(i, UInt8.self) { min($0, $1) }
        case .pminuw: try lanes(i, UInt16.self) { min($0, $1) }
        case .pminud: try lanes(i, UInt32.self) { min($0, $1) }
        default: try executePackedProduct(i)
        }
    }

    private func executePackedProduct(_ i: borrowing Instruction) throws(Fault) {
        switch i.mnemonic {
        case .pavgb:
            try lanes(i, UInt8.self) {
                UInt8(truncatingIfNeeded: (UInt16($0) &+ UInt16($1) &+ 1) &>> 1)
            }
        case .pavgw:
            try lanes(i, UInt16.self) {
                UInt16(truncatingIfNeeded: (UInt32($0) &+ UInt32($1) &+ 1) &>> 1)
            }
        case .pmullw: try lanes(i, UInt16.self) { $0 &* $1 }
        case .pmulld: try lanes(i, UInt32.self) { $0 &* $1 }
        case .pmulhw:
            try lanes(i, Int16.self) {
                Int16(truncatingIfNeeded: (Int32($0) &* Int32($1)) &>> 16)
            }
        case .pmulhuw:
            try lanes(i, UInt16.self) {
                UInt16(truncatingIfNeeded: (UInt32($0) &* UInt32($1)) &>> 16)
            }
        case .pmulhrsw:
            try lanes(i, Int16.self) {
                Int16(truncatingIfNeeded: ((Int32($0) &* Int32($1)) &>> 14 &+ 1) &>> 1)
            }
        case .pmuludq: try vectorHalves(i) { ($0 & 0xFFFF_FFFF) &* ($1 & 0xFFFF_FFFF) }
        case .pmuldq:
            try vectorHalves(i) { ALU.signExtend($0, 4) &* ALU.signExtend($1, 4) }
        case .psignb: try lanes(i, Int8.self) { $1 == 0 ? 0 : $1 < 0 ? 0 &- $0 : $0 }
        case .psignw: try lanes(i, Int16.self) { $1 == 0 ? 0 : $1 < 0 ? 0 &- $0 : $0 }
        case .psignd: try lanes(i, Int32.self) { $1 == 0 ? 0 : $1 < 0 ? 0 &- $0 : $0 }
        case .pabsb: try lanes(i, Int8.self) { $1 < 0 ? 0 &- $1 : $1 }
        case .pabsw: try lanes(i, Int16.self) { $1 < 0 ? 0 &- $1 : $1 }
        case .pabsd: try lanes(i, Int32.self) { $1 < 0 ? 0 &- $1 : $1 }
        default: throw .notExecutable
        }
    }

    @inline(__always)
    private func lanes<T: FixedWidthInteger>(
        _ i: borrowing Instruction, _ type: T.Type, _ f: (T, T) -> T
    ) throws(Fault) {
        try vectorHalves(i) { (a, b) in Lanes.each(type, a, b, f) }
    }

    /// PMADDWD: sums of two neighbouring signed products.
    func executeMultiplyAdd(_ i: borrowing Instruction) throws(Fault) {
        try vectorBinary(i) { (a, b, bytes) in
            var r = Vector128.zero
            for n in 0..<bytes / 4 {
                let first = a.signedElement(2 * n, 2) &* b.signedElement(2 * n, 2)
                let second = a.signedElement(2 * n + 1, 2) &* b.signedElement(2 * n + 1, 2)
                r.setElement(n, 4, UInt64(bitPattern: first &+ second))
            }
            return r
        }
    }

    /// PMADDUBSW: sums, saturated, of products of unsigned and signed bytes.
    func executeMultiplyAddBytes(_ i: borrowing Instruction) throws(Fault) {
        try vectorBinary(i) { (a, b, bytes) in
            var r = Vector128.zero
            for n in 0..<bytes / 2 {
                let first = Int64(a.element(2 * n, 1)) &* b.signedElement(2 * n, 1)
                let second = Int64(a.element(2 * n + 1, 1)) &* b.signedElement(2 * n + 1, 1)
                r.setElement(n, 2, Lanes.clamp(first &+ second, Int16.self))
            }
            return r
        }
    }

    /// PSADBW: the sum of absolute differences in each half.
    func executeSumOfDifferences(_ i: borrowing Instruction) throws(Fault) {
        try vectorHalves(i) { (a, b) in
            var sum: UInt64 = 0
            for n in 0..<8 {
                let x = Int64((a &>> UInt64(8 * n)) & 0xFF)
                let y = Int64((b &>> UInt64(8 * n)) & 0xFF)
                sum &+= (x &- y).magnitude
            }
            return sum
        }
    }

    /// The shifts of packed elements: a count beyond the element's width gives zero, or the sign
    /// for arithmetic ones. The count is an immediate or the low 64 bits of a register or memory.
    func executePackedShift(
        _ i: borrowing Instruction, _ size: Int, _ kind: PackedShift
    ) throws(Fault) {
        try requireVectors(i)
        let o = i.operands.0
        let count = try readVector(i, i.operands.1).low
        let v = try readVector(i, o)
        let width = UInt64(size &* 8)
        var r = Vector128.zero
        for n in 0..<(o.kind == .mmx ? 8 : 16) / size {
            let e = v.element(n, size)
            let shifted: UInt64
            switch kind {
            case .left: shifted = count >= width ? 0 : e &<< count
            case .right: shifted = count >= width ? 0 : e &>> count
            case .arithmeticRight:
                let extended = Int64(bitPattern: ALU.signExtend(e, size))
                shifted = UInt64(bitPattern: extended &>> Int64(min(count, width &- 1)))
            }
            r.setElement(n, size, shifted)
        }
        noteMMX(i)
        try writeVector(i, o, r)
    }

    /// PSLLDQ and PSRLDQ: the register shifted by whole bytes.
    func executeByteShift(_ i: borrowing Instruction, left: Bool) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let count = Int(min(i.immediate, 16))
        let v = xmm(o.register)
        var r = Vector128.zero
        for n in 0..<16 - count {
            if left {
                r.setElement(n + count, 1, v.element(n, 1))
            } else {
                r.setElement(n, 1, v.element(n + count, 1))
            }
        }
        setXMM(o.register, r)
    }

    enum PackedShift {
        case left, right, arithmeticRight
    }
}
