import X86

/// From an instruction's memory operand to a linear address (Intel SDM vol. 1, 3.7.5; vol. 3, 3.4
/// and chapter 5).
///
/// While an instruction executes, `rip` is already the address of the next one: a branch writes its
/// target there, and whoever runs the instruction puts back the instruction's own address when it
/// throws. RIP-relative operands are therefore relative to `rip` as it stands.
extension CPU {
    /// Whether bits 63...47 of a linear address are all equal.
    @inline(__always)
    func isCanonical(_ a: UInt64) -> Bool {
        UInt64(bitPattern: (Int64(bitPattern: a &<< 16)) &>> 16) == a
    }

    /// Whether 64-bit code runs now.
    @inline(__always)
    var in64Bit: Bool { pointee.codeSize == CodeSize.bits64.rawValue }

    /// CR0.PE is set and RFLAGS.VM is clear.
    @inline(__always)
    var inProtectedMode: Bool {
        pointee.cr0 & CR0.pe != 0 && pointee.rflags & RFLAGS.vm == 0
    }

    /// The offset of the memory operand, masked to the address size; no checks (LEA).
    @inline(__always)
    func effectiveOffset(_ i: borrowing Instruction) -> UInt64 {
        var offset = registers[Int(i.base)]
        offset = offset &+ registers[Int(i.index)] &* UInt64(i.scale)
        offset = offset &+ UInt64(bitPattern: i.displacement)
        if i.flags.contains(.ripRelative) { offset = offset &+ pointee.rip }
        switch i.addressSize {
        case 8: return offset
        case 4: return offset & 0xFFFF_FFFF
        default: return offset & 0xFFFF
        }
    }

    /// The linear address of the memory operand for an access of `size` bytes, with every check
    /// that comes before paging.
    @inline(__always)
    func linearAddress(
        _ i: borrowing Instruction, size: Int, write: Bool
    ) throws(Fault) -> UInt64 {
        try linear(
            segment: Int(i.segment), offset: effectiveOffset(i), size: size, write: write)
    }

    /// The linear address of `offset` in a segment for an access of `size` bytes. In 64-bit mode
    /// only FS and GS have a base and both ends must be canonical; elsewhere the segment's type and
    /// limit are checked. Violations are #GP(0), in SS #SS(0).
    @inline(__always)
    func linear(
        segment: Int, offset: UInt64, size: Int, write: Bool
    ) throws(Fault) -> UInt64 {
        if in64Bit {
            var address = offset
            if segment >= Int(SegmentNumber.fs) { address = address &+ segments[segment].base }
            let last = address &+ UInt64(truncatingIfNeeded: size &- 1)
            if isCanonical(address) && (isCanonical(last) || size == 0) {
                if pointee.attention & (Attention.alignment | Attention.breakpoints) != 0 {
                    try checkAccess(address, size, write: write)
                }
                return address
            }
            throw segmentFault(segment)
        }
        return try linearWithLimit(segment: segment, offset: offset, size: size, write: write)
    }

    /// #AC(0) for a misaligned access while alignment is checked (Intel SDM vol. 3, 6.15, vector
    /// 17 and table 6-7). It comes before paging here. And data breakpoints, whose trap follows the
    /// instruction.
    @inline(never)
    private func checkAccess(_ address: UInt64, _ size: Int, write: Bool) throws(Fault) {
        if pointee.attention & Attention.breakpoints != 0 {
            noteDataBreakpoints(address, size, write: write)
        }
        if pointee.attention & Attention.alignment == 0 { return }
        let alignment: UInt64
        switch size {
        case 2, 4, 8: alignment = UInt64(truncatingIfNeeded: size)
        // An extended number; x87 environments and images, of 16-bit words or of 32-bit ones.
        case 10: alignment = 8
        case 14, 94: alignment = 2
        case 28, 108: alignment = 4
        // Of vectors that need not be aligned Intel leaves it open; AMD's processors check them.
        case 16 where pointee.shared.pointee.vendor == .amd: alignment = 16
        default: return
        }
        if address & (alignment &- 1) != 0 {
            throw Fault(vector: Vector.alignmentCheck, hasErrorCode: true, errorCode: 0)
        }
    }

    /// #GP(0), or #SS(0) when the segment is SS.
    @inline(__always)
    func segmentFault(_ segment: Int) -> Fault {
        segment == Int(SegmentNumber.ss) ? .stackFault(0) : .generalProtection(0)
    }

    /// The checks outside 64-bit mode: null, type, and limit, in the segment's hidden part.
    @inline(never)
    func linearWithLimit(
        segment: Int, offset: UInt64, size: Int, write: Bool
    ) throws(Fault) -> UInt64 {
        let hidden = segments[segment]
        if inProtectedMode {
            if hidden.attributes & (SegmentRegister.unusable | SegmentRegister.present)
                != SegmentRegister.present
            {
                throw segmentFault(segment)
            }
            let type = hidden.attributes & SegmentRegister.typeMask
            let isCode = type & 8 != 0
            let allowed = write ? !isCode && type & 2 != 0 : !isCode || type & 2 != 0
            if !allowed { throw segmentFault(segment) }
        }
        if !withinLimit(hidden, offset: offset, size: size) { throw segmentFault(segment) }
        let address = (hidden.base &+ offset) & 0xFFFF_FFFF
        if pointee.attention & (Attention.alignment | Attention.breakpoints) != 0 {
            try checkAccess(address, size, write: write)
        }
        return address
    }

    /// Whether `size` bytes at `offset` lie within a segment's limit, expand-down segments included
    /// (Intel SDM vol. 3, 5.3).
    @inline(__always)
    func withinLimit(_ hidden: SegmentRegister, offset: UInt64, size: Int) -> Bool {
        let last = offset &+ UInt64(truncatingIfNeeded: max(size, 1) &- 1)
        if hidden.attributes & 0xC == 4 {
            let top: UInt64 = hidden.attributes & SegmentRegister.big != 0 ? 0xFFFF_FFFF : 0xFFFF
            return offset > UInt64(hidden.limit) && last <= top
        }
        return last <= UInt64(hidden.limit)
    }
}
