import X86

/// RCPPS, RCPSS, RSQRTPS and RSQRTSS (Intel SDM vol. 2). The manual asks for a relative error of at
/// most 1.5 x 2^-12 and leaves the bits to each processor; here they are the correctly rounded
/// double quotient (for the roots, that of 1 and the correctly rounded double root), rounded to 12
/// bits after the leading one: an error of at most 2^-13 + 2^-51. Nothing of it depends on the
/// host.
extension CPU {
    func executeApproximation(
        _ i: borrowing Instruction, scalar: Bool, root: Bool
    ) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let b = try readVector(i, i.operands.1)
        var r = xmm(o.register)
        for n in 0..<(scalar ? 1 : 4) {
            let x = Float(bits: b.element(n, 4))
            r.setElement(n, 4, (root ? CPU.inverseRoot(x) : CPU.inverse(x)).bits)
        }
        setXMM(o.register, r)
    }

    /// Denormals count as zeros of their sign, and denormal results become zeros. No exception is
    /// told.
    private static func inverse(_ x: Float) -> Float {
        if x.isNaN { return Float(bits: x.bits | 1 << 22) }
        if x.isSubnormal || x.isZero {
            return x.sign == .minus ? -Float.infinity : .infinity
        }
        return shortened(1 / Double(x))
    }

    private static func inverseRoot(_ x: Float) -> Float {
        if x.isNaN { return Float(bits: x.bits | 1 << 22) }
        if x.isSubnormal || x.isZero {
            return x.sign == .minus ? -Float.infinity : .infinity
        }
        if x.sign == .minus { return .indefinite }
        return shortened(1 / Double(x).squareRoot())
    }

    /// Rounded, ties away from zero, to 12 bits of fraction.
    private static func shortened(_ v: Double) -> Float {
        let dropped: UInt64 = 52 - 12
        let half: UInt64 = 1 &<< (dropped &- 1)
        let bits = ((v.bitPattern &+ half) &>> dropped) &<< dropped
        let r = Float(Double(bitPattern: bits))
        return r.isSubnormal ? (r.sign == .minus ? -0.0 : 0.0) : r
    }
}
