import X86

/// PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM (Intel SDM vol. 1, 12.3; vol. 2, 4.1).
///
/// The strings that one of them compares, and how: bits 1-0 of the control are the elements' kind,
/// 3-2 the comparison, 5-4 the polarity, 6 the form of the answer.
struct StringComparison {
    let first: Vector128
    let second: Vector128
    let firstLength: Int
    let secondLength: Int
    let control: UInt64

    var isWide: Bool { control & 1 != 0 }
    var isSigned: Bool { control & 2 != 0 }
    var count: Int { isWide ? 8 : 16 }

    private func element(_ v: Vector128, _ n: Int) -> Int64 {
        let size = isWide ? 2 : 1
        return isSigned ? v.signedElement(n, size) : Int64(v.element(n, size))
    }

    /// A bit for each element of the second string.
    var result: UInt64 {
        var r: UInt64 = 0
        for j in 0..<count where holds(at: j) { r |= 1 &<< UInt64(j) }
        let all = (UInt64(1) &<< UInt64(count)) &- 1
        switch (control &>> 4) & 3 {
        case 1: return r ^ all
        case 3: return r ^ ((UInt64(1) &<< UInt64(secondLength)) &- 1)
        default: return r
        }
    }

    private func holds(at j: Int) -> Bool {
        switch (control &>> 2) & 3 {
        case 0:
            if j >= secondLength { return false }
            return (0..<firstLength).contains { element(first, $0) == element(second, j) }
        case 1:
            if j >= secondLength { return false }
            let v = element(second, j)
            return stride(from: 0, to: firstLength &- 1, by: 2).contains {
                v >= element(first, $0) && v <= element(first, $0 &+ 1)
            }
        case 2:
            if j >= firstLength || j >= secondLength {
                return j >= firstLength && j >= secondLength
            }
            return element(first, j) == element(second, j)
        default:
            // The first string, as far as it fits into the register from here on.
            for k in 0..<min(firstLength, count &- j) {
                if j &+ k >= secondLength { return false }
                if element(first, k) != element(second, j &+ k) { return false }
            }
            return true
        }
    }
}

extension CPU {
    /// `explicit`: the lengths are in rAX and rDX, else the strings end with a zero. `mask`: the
    /// answer goes to XMM0, else an index goes to rCX. The memory operand need not be aligned.
    func executeStringCompare(
        _ i: borrowing Instruction, explicit: Bool, mask: Bool
    ) throws(Fault) {
        try requireSSE()
        let second = try readVector(i, i.operands.1, aligned: false)
        let first = xmm(i.operands.0.register)
        let control = i.immediate
        let size = control & 1 != 0 ? 2 : 1
        let wide = i.flags.contains(.rexW)
        let comparison = StringComparison(
            first: first, second: second,
            firstLength: explicit
                ? explicitLength(pointee.rax, wide, 16 / size) : implicitLength(first, size),
            secondLength: explicit
                ? explicitLength(pointee.rdx, wide, 16 / size) : implicitLength(second, size),
            control: control)
        let r = comparison.result
        let count = comparison.count
        if mask {
            setXMM(0, maskOfResult(r, size, expanded: control & 0x40 != 0))
        } else {
            let highest = 63 &- r.leadingZeroBitCount
            let index =
                r == 0 ? count : control & 0x40 != 0 ? highest : r.trailingZeroBitCount
            writeRegister(1, UInt64(index), size: 4)
        }
        var flags: UInt64 = r != 0 ? RFLAGS.cf : 0
        if comparison.secondLength < count { flags |= RFLAGS.zf }
        if comparison.firstLength < count { flags |= RFLAGS.sf }
        if r & 1 != 0 { flags |= RFLAGS.of }
        setArithmeticFlags(flags)
    }

    /// The magnitude of a length register, at most a register's worth of elements.
    private func explicitLength(_ v: UInt64, _ wide: Bool, _ count: Int) -> Int {
        let signed = Int64(bitPattern: wide ? v : ALU.signExtend(v & 0xFFFF_FFFF, 4))
        return Int(min(signed.magnitude, UInt64(count)))
    }

    /// The elements before the first zero.
    private func implicitLength(_ v: Vector128, _ size: Int) -> Int {
        for n in 0..<16 / size where v.element(n, size) == 0 { return n }
        return 16 / size
    }

    private func maskOfResult(_ r: UInt64, _ size: Int, expanded: Bool) -> Vector128 {
        if !expanded { return Vector128(low: r, high: 0) }
        var v = Vector128.zero
        for n in 0..<16 / size where (r &>> UInt64(n)) & 1 != 0 { v.setElement(n, size, .max) }
        return v
    }
}
