import X86

/// Packed operations that move elements about: unpacking, packing, shuffles, widening, horizontal
/// sums, blends and PTEST (Intel SDM vol. 2).
extension CPU {
    /// PUNPCKL* and UNPCKL*, PUNPCKH* and UNPCKH*: elements of one half, interleaved.
    func executeUnpack(_ i: borrowing Instruction, _ size: Int, high: Bool) throws(Fault) {
        try vectorBinary(i) { (a, b, bytes) in
            let count = bytes / size / 2
            let first = high ? count : 0
            var r = Vector128.zero
            for n in 0..<count {
                r.setElement(2 * n, size, a.element(first + n, size))
                r.setElement(2 * n + 1, size, b.element(first + n, size))
            }
            return r
        }
    }

    /// PACKSSWB and PACKSSDW (`T` signed), PACKUSWB and PACKUSDW: elements of twice T's width,
    /// clamped to T.
    func executePack<T: FixedWidthInteger>(
        _ i: borrowing Instruction, _ type: T.Type
    ) throws(Fault) {
        try vectorBinary(i) { (a, b, bytes) in
            let size = T.bitWidth / 8
            let count = bytes / size / 2
            var r = Vector128.zero
            for n in 0..<count {
                r.setElement(n, size, Lanes.clamp(a.signedElement(n, 2 * size), type))
                r.setElement(count + n, size, Lanes.clamp(b.signedElement(n, 2 * size), type))
            }
            return r
        }
    }

    /// PSHUFD, PSHUFW, PSHUFLW and PSHUFHW: four elements from `first` on, chosen two bits each.
    func executeShuffle(_ i: borrowing Instruction, _ size: Int, first: Int) throws(Fault) {
        let control = i.immediate
        try vectorBinary(i) { (_, b, _) in
            var r = b
            for n in 0..<4 {
                let from = Int((control &>> UInt64(2 * n)) & 3)
                r.setElement(first + n, size, b.element(first + from, size))
            }
            return r
        }
    }

    /// SHUFPS.
    func executeShuffleSingles(_ i: borrowing Instruction) throws(Fault) {
        let control = i.immediate
        try vectorBinary(i) { (a, b, _) in
            var r = Vector128.zero
            for n in 0..<4 {
                let from = Int((control &>> UInt64(2 * n)) & 3)
                r.setElement(n, 4, (n < 2 ? a : b).element(from, 4))
            }
            return r
        }
    }

    /// SHUFPD.
    func executeShuffleDoubles(_ i: borrowing Instruction) throws(Fault) {
        let control = i.immediate
        try vectorBinary(i) { (a, b, _) in
            Vector128(
                low: control & 1 != 0 ? a.high : a.low, high: control & 2 != 0 ? b.high : b.low)
        }
    }

    /// PSHUFB: a control byte with its top bit set gives zero.
    func executeShuffleBytes(_ i: borrowing Instruction) throws(Fault) {
        try vectorBinary(i) { (a, b, bytes) in
            var r = Vector128.zero
            for n in 0..<bytes {
                let control = b.element(n, 1)
                if control & 0x80 == 0 {
                    r.setElement(n, 1, a.element(Int(control) & (bytes - 1), 1))
                }
            }
            return r
        }
    }

    /// PALIGNR: the two operands as one, shifted right by bytes.
    func executeAlign(_ i: borrowing Instruction) throws(Fault) {
        let shift = Int(i.immediate)
        try vectorBinary(i) { (a, b, bytes) in
            var r = Vector128.zero
            for n in 0..<bytes {
                let from = n + shift
                if from < bytes {
                    r.setElement(n, 1, b.element(from, 1))
                } else if from < 2 * bytes {
                    r.setElement(n, 1, a.element(from - bytes, 1))
                }
            }
            return r
        }
    }

    /// PHADDW, PHADDD, PHSUBW, PHSUBD and their saturating forms: neighbours combined.
    func executeHorizontal<T: FixedWidthInteger>(
        _ i: borrowing Instruction, _ type: T.Type, _ f: (T, T) -> T
    ) throws(Fault) {
        try vectorBinary(i) { (a, b, bytes) in
            let size = T.bitWidth / 8
            let count = bytes / size / 2
            var r = Vector128.zero
            for n in 0..<2 * count {
                let from = n < count ? a : b
                let at = 2 * (n < count ? n : n - count)
                let v = f(
                    T(truncatingIfNeeded: from.element(at, size)),
                    T(truncatingIfNeeded: from.element(at + 1, size)))
                r.setElement(n, size, UInt64(truncatingIfNeeded: v))
            }
            return r
        }
    }

    /// PMOVSX* and PMOVZX*: the low elements of `from` bytes, widened to `to`.
    func executeWiden(
        _ i: borrowing Instruction, from: Int, to: Int, signed: Bool
    ) throws(Fault) {
        try vectorBinary(i) { (_, b, _) in
            var r = Vector128.zero
            for n in 0..<16 / to {
                let e = b.element(n, from)
                r.setElement(n, to, signed ? ALU.signExtend(e, from) : e)
            }
            return r
        }
    }

    /// BLENDPS, BLENDPD and PBLENDW: elements of the source where the immediate's bit is set.
    func executeBlend(_ i: borrowing Instruction, _ size: Int) throws(Fault) {
        let control = i.immediate
        try vectorBinary(i) { (a, b, _) in
            var r = a
            for n in 0..<16 / size where (control &>> UInt64(n)) & 1 != 0 {
                r.setElement(n, size, b.element(n, size))
            }
            return r
        }
    }

    /// BLENDVPS, BLENDVPD and PBLENDVB: where the element's sign in XMM0 is set.
    func executeBlendVariable(_ i: borrowing Instruction, _ size: Int) throws(Fault) {
        let mask = xmm(0)
        try vectorBinary(i) { (a, b, _) in
            var r = a
            for n in 0..<16 / size where ALU.sign(mask.element(n, size), size) != 0 {
                r.setElement(n, size, b.element(n, size))
            }
            return r
        }
    }

    /// PTEST: ZF for no common bit, CF for no bit of the source outside the destination.
    func executeVectorTest(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        let b = try readVector(i, i.operands.1)
        let a = xmm(i.operands.0.register)
        let common = (a.low & b.low) | (a.high & b.high)
        let outside = (~a.low & b.low) | (~a.high & b.high)
        setArithmeticFlags((common == 0 ? RFLAGS.zf : 0) | (outside == 0 ? RFLAGS.cf : 0))
    }

    /// PHMINPOSUW: the least word and its place.
    func executeHorizontalMinimum(_ i: borrowing Instruction) throws(Fault) {
        try vectorBinary(i) { (_, b, _) in
            var least = b.element(0, 2)
            var place = 0
            for n in 1..<8 where b.element(n, 2) < least {
                least = b.element(n, 2)
                place = n
            }
            return Vector128(low: least | (UInt64(place) &<< 16), high: 0)
        }
    }

    /// MPSADBW: eight sums of absolute differences between four bytes of the source (bits 1-0) and
    /// successive fours of the destination (bit 2).
    func executeMultipleSums(_ i: borrowing Instruction) throws(Fault) {
        let control = i.immediate
        try vectorBinary(i) { (a, b, _) in
            let from = Int(control & 3) * 4
            let first = Int((control &>> 2) & 1) * 4
            var r = Vector128.zero
            for n in 0..<8 {
                var sum: UInt64 = 0
                for k in 0..<4 {
                    let x = Int64(a.element(first + n + k, 1))
                    let y = Int64(b.element(from + k, 1))
                    sum &+= (x &- y).magnitude
                }
                r.setElement(n, 2, sum)
            }
            return r
        }
    }
}
