import X86

/// How the block executor reaches an operation's operands. Everything here is inlined into its loop
/// and touches only the vCPU, the operation and a page that the data TLB has just vouched for.
extension UnsafeMutablePointer<CPUState> {
    @inline(__always)
    private func at(_ place: UInt8) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(self).advanced(by: Int(place))
    }

    // MARK: - Registers

    @inline(__always)
    func d8(_ op: OperationPointer) -> UInt8 {
        at(op.pointee.destination).load(as: UInt8.self)
    }
    @inline(__always)
    func d16(_ op: OperationPointer) -> UInt16 {
        at(op.pointee.destination).load(as: UInt16.self)
    }
    @inline(__always)
    func d32(_ op: OperationPointer) -> UInt32 {
        at(op.pointee.destination).load(as: UInt32.self)
    }
    @inline(__always)
    func d64(_ op: OperationPointer) -> UInt64 {
        at(op.pointee.destination).load(as: UInt64.self)
    }
    @inline(__always)
    func s8(_ op: OperationPointer) -> UInt8 { at(op.pointee.source).load(as: UInt8.self) }
    @inline(__always)
    func s16(_ op: OperationPointer) -> UInt16 { at(op.pointee.source).load(as: UInt16.self) }
    @inline(__always)
    func s32(_ op: OperationPointer) -> UInt32 { at(op.pointee.source).load(as: UInt32.self) }
    @inline(__always)
    func s64(_ op: OperationPointer) -> UInt64 { at(op.pointee.source).load(as: UInt64.self) }

    @inline(__always)
    func set8(_ op: OperationPointer, _ v: UInt8) {
        at(op.pointee.destination).storeBytes(of: v, as: UInt8.self)
    }
    @inline(__always)
    func set16(_ op: OperationPointer, _ v: UInt16) {
        at(op.pointee.destination).storeBytes(of: v, as: UInt16.self)
    }
    /// A 32-bit write clears the upper half.
    @inline(__always)
    func set32(_ op: OperationPointer, _ v: UInt32) {
        at(op.pointee.destination).storeBytes(of: UInt64(v), as: UInt64.self)
    }
    @inline(__always)
    func set64(_ op: OperationPointer, _ v: UInt64) {
        at(op.pointee.destination).storeBytes(of: v, as: UInt64.self)
    }
    @inline(__always)
    func setSource32(_ op: OperationPointer, _ v: UInt32) {
        at(op.pointee.source).storeBytes(of: UInt64(v), as: UInt64.self)
    }
    @inline(__always)
    func setSource64(_ op: OperationPointer, _ v: UInt64) {
        at(op.pointee.source).storeBytes(of: v, as: UInt64.self)
    }

    // MARK: - Memory

    /// The effective address, without the segment's base; of 32-bit code the low half counts.
    @inline(__always)
    func offset(_ op: OperationPointer) -> UInt64 {
        let base = at(op.pointee.base).load(as: UInt64.self)
        let index = at(op.pointee.index).load(as: UInt64.self)
        return base &+ (index &<< UInt64(op.pointee.shift)) &+ displacement(op)
    }

    @inline(__always)
    func base(_ op: OperationPointer) -> UInt64 { at(op.pointee.base).load(as: UInt64.self) }

    @inline(__always)
    func displacement(_ op: OperationPointer) -> UInt64 {
        UInt64(bitPattern: Int64(op.pointee.displacement))
    }

    /// The linear address: of 64 bits, or of 32 that wrap.
    @inline(__always)
    func address(_ op: OperationPointer, _ wide: Bool) -> UInt64 {
        let base = UnsafeMutableRawPointer(self).advanced(by: Int(op.pointee.segmentBase))
            .load(as: UInt64.self)
        let address = offset(op) &+ base
        return wide ? address : address & 0xFFFF_FFFF
    }

    /// Where `size` bytes at a linear address lie, if they can be read with nothing else to do. An
    /// access that is not canonical, crosses a page or is not memory never matches a tag.
    @inline(__always)
    func readable(at a: UInt64, _ size: UInt64) -> UnsafeMutableRawPointer? {
        let entry = dataEntry(a)
        let tag = ((a &+ (size &- 1)) & ~0xFFF) | pointee.tlbContext
        guard tag == entry.pointee.readTag else { return nil }
        return UnsafeMutableRawPointer(
            bitPattern: UInt(truncatingIfNeeded: a &+ entry.pointee.addend)
        ).unsafelyUnwrapped
    }

    /// The same for writes.
    @inline(__always)
    func writable(at a: UInt64, _ size: UInt64) -> UnsafeMutableRawPointer? {
        let entry = dataEntry(a)
        let tag = ((a &+ (size &- 1)) & ~0xFFF) | pointee.tlbContext
        guard tag == entry.pointee.writeTag else { return nil }
        return UnsafeMutableRawPointer(
            bitPattern: UInt(truncatingIfNeeded: a &+ entry.pointee.addend)
        ).unsafelyUnwrapped
    }

    @inline(__always)
    func readable(
        _ op: OperationPointer, _ size: UInt64, _ wide: Bool
    ) -> UnsafeMutableRawPointer? {
        readable(at: address(op, wide), size)
    }

    @inline(__always)
    func writable(
        _ op: OperationPointer, _ size: UInt64, _ wide: Bool
    ) -> UnsafeMutableRawPointer? {
        writable(at: address(op, wide), size)
    }
}

extension UnsafeMutablePointer<Operation> {
    @inline(__always) var i8: UInt8 { UInt8(truncatingIfNeeded: pointee.immediate) }
    @inline(__always) var i16: UInt16 { UInt16(truncatingIfNeeded: pointee.immediate) }
    @inline(__always) var i32: UInt32 { UInt32(truncatingIfNeeded: pointee.immediate) }
    @inline(__always) var i64: UInt64 { pointee.immediate }
    @inline(__always) var sub: UInt8 { pointee.sub }
}

/// Guest memory at any alignment.
extension UnsafeMutableRawPointer {
    /// As wide as the stack: 64 bits, or 32 zero-extended.
    @inline(__always)
    func word(_ wide: Bool) -> UInt64 { wide ? u64 : UInt64(u32) }

    @inline(__always)
    var u8: UInt8 {
        get { load(as: UInt8.self) }
        nonmutating set { storeBytes(of: newValue, as: UInt8.self) }
    }
    @inline(__always)
    var u16: UInt16 {
        get { loadUnaligned(as: UInt16.self) }
        nonmutating set { storeBytes(of: newValue, as: UInt16.self) }
    }
    @inline(__always)
    var u32: UInt32 {
        get { loadUnaligned(as: UInt32.self) }
        nonmutating set { storeBytes(of: newValue, as: UInt32.self) }
    }
    @inline(__always)
    var u64: UInt64 {
        get { loadUnaligned(as: UInt64.self) }
        nonmutating set { storeBytes(of: newValue, as: UInt64.self) }
    }
}
