import X86

/// The stack: its pointer's width follows the code size and SS.B (Intel SDM vol. 1, 6.2.3).
extension CPU {
    /// Ones in the bits of RSP that stack accesses use now.
    @inline(__always)
    var stackMask: UInt64 {
        if in64Bit { return .max }
        return pointee.ss.attributes & SegmentRegister.big != 0 ? 0xFFFF_FFFF : 0xFFFF
    }

    /// Writes the part of RSP that the stack's width covers. A 32-bit stack clears the upper half,
    /// as any 32-bit register write does; a 16-bit one keeps the rest.
    @inline(__always)
    func setStackPointer(_ v: UInt64, mask: UInt64) {
        if mask == 0xFFFF {
            pointee.rsp = (pointee.rsp & ~0xFFFF) | (v & 0xFFFF)
        } else {
            pointee.rsp = v & mask
        }
    }

    /// Pushes the low `size` bytes of `v`. RSP changes only when the write succeeded.
    @inline(__always)
    func push(_ v: UInt64, size: Int) throws(Fault) {
        let mask = stackMask
        let top = (pointee.rsp &- UInt64(truncatingIfNeeded: size)) & mask
        let a = try linear(segment: Int(SegmentNumber.ss), offset: top, size: size, write: true)
        try writeLinear(a, v, size: size)
        setStackPointer(top, mask: mask)
    }

    /// Pops `size` bytes, zero-extended. RSP changes only when the read succeeded.
    @inline(__always)
    func pop(size: Int) throws(Fault) -> UInt64 {
        let mask = stackMask
        let value = try readStack(0, size: size)
        setStackPointer(pointee.rsp &+ UInt64(truncatingIfNeeded: size), mask: mask)
        return value
    }

    /// Reads `size` bytes at `offset` bytes above the top of the stack; RSP stays.
    @inline(__always)
    func readStack(_ offset: Int, size: Int) throws(Fault) -> UInt64 {
        let at = (pointee.rsp &+ UInt64(truncatingIfNeeded: offset)) & stackMask
        let a = try linear(segment: Int(SegmentNumber.ss), offset: at, size: size, write: false)
        return try readLinear(a, size: size)
    }
}
