import X86

/// Shifts, rotates and products on lazy flags. Counts are masked and not zero. What the manuals
/// leave undefined is as `UndefinedFlags` says.
extension LazyFlags {
    @inline(__always)
    private func top<T: Width>(_ v: T) -> UInt64 { v.extended & LazyFlags.signBit }

    /// OF is the result's sign xor CF, so OF xor CF is the sign.
    @inline(__always)
    mutating func shl<T: Width>(_ a: T, _ count: UInt8) -> T {
        let n = T(truncatingIfNeeded: count)
        let r = a &<< n
        carry = UInt64(truncatingIfNeeded: (a &>> (0 &- n)) & 1)
        result = r.extended
        aux = top(r)
        return r
    }

    /// OF is the xor of the result's two top bits.
    @inline(__always)
    mutating func shr<T: Width>(_ a: T, _ count: UInt8) -> T {
        let n = T(truncatingIfNeeded: count)
        let r = a &>> n
        carry = UInt64(truncatingIfNeeded: (a &>> (n &- 1)) & 1)
        result = r.extended
        aux = top(r ^ (r &<< 1)) ^ (carry &<< 63)
        return r
    }

    /// OF is 0. `a` is sign-extended.
    @inline(__always)
    mutating func sar<T: Width>(_ a: T, _ count: UInt8) -> T {
        let wide = Int64(bitPattern: a.extended)
        let n = Int64(count)
        let r = T(truncatingIfNeeded: wide &>> n)
        carry = UInt64(bitPattern: wide &>> (n &- 1)) & 1
        result = r.extended
        aux = carry &<< 63
        return r
    }

    @inline(__always)
    mutating func rol<T: Width>(_ a: T, _ count: UInt8) -> T {
        let n = T(truncatingIfNeeded: count)
        let r = (a &<< n) | (a &>> (0 &- n))
        let c = UInt64(truncatingIfNeeded: r & 1)
        setCarryOverflow(c, (r.extended &>> 63) ^ c)
        return r
    }

    @inline(__always)
    mutating func ror<T: Width>(_ a: T, _ count: UInt8) -> T {
        let n = T(truncatingIfNeeded: count)
        let r = (a &>> n) | (a &<< (0 &- n))
        setCarryOverflow(r.extended &>> 63, (r ^ (r &<< 1)).extended &>> 63)
        return r
    }

    /// The flags of a product: CF and OF say whether the upper half matters.
    @inline(__always)
    mutating func product<T: Width>(_ low: T, overflow: Bool) {
        result = low.extended
        carry = overflow ? 1 : 0
        aux = 0
    }

    /// IMUL with two or three operands.
    @inline(__always)
    mutating func imul(_ a: UInt32, _ b: UInt32) -> UInt32 {
        let (r, overflow) = Int32(bitPattern: a).multipliedReportingOverflow(
            by: Int32(bitPattern: b))
        let low = UInt32(bitPattern: r)
        product(low, overflow: overflow)
        return low
    }

    @inline(__always)
    mutating func imul(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (r, overflow) = Int64(bitPattern: a).multipliedReportingOverflow(
            by: Int64(bitPattern: b))
        let low = UInt64(bitPattern: r)
        product(low, overflow: overflow)
        return low
    }
}
