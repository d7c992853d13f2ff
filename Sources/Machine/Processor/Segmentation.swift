import X86

/// A segment or gate descriptor as its 8 bytes in a table (Intel SDM vol. 3, 3.4.5 and 3.5).
struct Descriptor {
    var raw: UInt64

    @inline(__always)
    var type: UInt8 { UInt8(truncatingIfNeeded: raw &>> 40) & 0xF }
    /// S is set: a code or data segment, not a system descriptor.
    @inline(__always)
    var isSegment: Bool { raw & (1 << 44) != 0 }
    @inline(__always)
    var dpl: UInt8 { UInt8(truncatingIfNeeded: raw &>> 45) & 3 }
    @inline(__always)
    var present: Bool { raw & (1 << 47) != 0 }
    @inline(__always)
    var accessed: Bool { raw & (1 << 40) != 0 }
    @inline(__always)
    var isCode: Bool { raw & (3 << 43) == 3 << 43 }
    @inline(__always)
    var isWritableData: Bool { isSegment && type & 0xA == 2 }
    @inline(__always)
    var isReadable: Bool { isSegment && (type & 8 == 0 || type & 2 != 0) }
    @inline(__always)
    var isConforming: Bool { type & 4 != 0 }
    @inline(__always)
    var long: Bool { raw & (1 << 53) != 0 }
    @inline(__always)
    var big: Bool { raw & (1 << 54) != 0 }
    /// Bits 31...0 of the base; system descriptors of IA-32e mode add another 32.
    @inline(__always)
    var base: UInt64 { ((raw &>> 16) & 0xFF_FFFF) | ((raw &>> 32) & 0xFF00_0000) }
    /// The limit in bytes, granularity applied.
    @inline(__always)
    var limit: UInt32 {
        let field = UInt32(truncatingIfNeeded: (raw & 0xFFFF) | ((raw &>> 32) & 0xF_0000))
        return raw & (1 << 55) != 0 ? (field &<< 12) | 0xFFF : field
    }

    /// The hidden part that loading this descriptor gives.
    @inline(__always)
    func register(_ selector: UInt16) -> SegmentRegister {
        var segment = SegmentRegister()
        segment.base = base
        segment.limit = limit
        segment.attributes = UInt16(truncatingIfNeeded: raw &>> 40) & 0xF0FF
        segment.selector = selector
        return segment
    }
}

/// Loading segment registers from the tables in memory. Table reads and the accessed-bit writes
/// are implicit supervisor accesses.
extension CPU {
    /// Linear address of a selector's descriptor, or nil when any of its 8 bytes lies beyond the
    /// table, or the table is a null LDT.
    @inline(__always)
    func descriptorAddress(_ selector: UInt16) -> UInt64? {
        let offset = UInt64(selector & 0xFFF8)
        let base: UInt64
        let limit: UInt64
        if selector & 4 == 0 {
            base = pointee.gdtr.base
            limit = UInt64(pointee.gdtr.limit)
        } else {
            if pointee.ldtr.attributes & SegmentRegister.unusable != 0 { return nil }
            base = pointee.ldtr.base
            limit = UInt64(pointee.ldtr.limit)
        }
        if offset | 7 > limit { return nil }
        let address = base &+ offset
        return pointee.longMode != 0 ? address : address & 0xFFFF_FFFF
    }

    /// The descriptor a selector names; #GP(selector) when it is beyond the table. `ext` is the EXT
    /// bit of error codes.
    @inline(__always)
    func readDescriptor(_ selector: UInt16, ext: UInt32 = 0) throws(Fault) -> Descriptor {
        guard let address = descriptorAddress(selector) else {
            throw .generalProtection(UInt32(selector & 0xFFFC) | ext)
        }
        return Descriptor(raw: try readSystem(address, size: 8))
    }

    /// Sets the accessed bit in the table if it is clear.
    @inline(__always)
    func markDescriptorAccessed(
        _ descriptor: inout Descriptor, _ selector: UInt16
    ) throws(Fault) {
        if descriptor.accessed { return }
        guard let address = descriptorAddress(selector) else { return }
        let byte = (descriptor.raw &>> 40) & 0xFF | 1
        try writeSystem(address &+ 5, byte, size: 1)
        descriptor.raw |= 1 << 40
    }

    /// Loads ES, SS, DS, FS or GS as MOV, POP and the far-pointer loads do (Intel SDM vol. 2, MOV).
    /// Interrupt shadows are the caller's.
    func loadSegment(_ n: Int, selector: UInt16) throws(Fault) {
        guard inProtectedMode else {
            loadRealModeSegment(n, selector: selector)
            return
        }
        if n == Int(SegmentNumber.ss) {
            pointee.ss = try checkedStackSegment(selector, cpl: pointee.cpl, long: in64Bit)
            return
        }
        let code = UInt32(selector & 0xFFFC)
        if code == 0 {
            loadNull(n, selector: selector)
            return
        }
        var descriptor = try readDescriptor(selector)
        if !descriptor.isReadable { throw .generalProtection(code) }
        let dpl = descriptor.dpl
        let conforming = descriptor.type & 0xC == 0xC
        if !conforming && (UInt8(selector & 3) > dpl || pointee.cpl > dpl) {
            throw .generalProtection(code)
        }
        if !descriptor.present { throw .segmentNotPresent(code) }
        try markDescriptorAccessed(&descriptor, selector)
        segments[n] = descriptor.register(selector)
    }

    /// Real and virtual-8086 mode: the base is 16 times the selector. In real mode the limit and
    /// the attributes stay as they are; in virtual-8086 mode they are fixed.
    func loadRealModeSegment(_ n: Int, selector: UInt16) {
        segments[n].selector = selector
        segments[n].base = UInt64(selector) &<< 4
        if pointee.rflags & RFLAGS.vm != 0 {
            segments[n].limit = 0xFFFF
            segments[n].attributes = 0xF3
        } else {
            segments[n].attributes &= ~SegmentRegister.unusable
            segments[n].attributes |= SegmentRegister.present
        }
    }

    /// A null selector in ES, DS, FS or GS: unusable. Intel's processors clear the base, AMD's keep
    /// base and limit.
    @inline(__always)
    func loadNull(_ n: Int, selector: UInt16) {
        segments[n].selector = selector
        if pointee.shared.pointee.vendor == .intel {
            segments[n].base = 0
            segments[n].limit = 0
        }
        segments[n].attributes = SegmentRegister.unusable
    }

    /// SS in 64-bit mode with a null selector: usable there, with the DPL of `cpl`.
    @inline(__always)
    func nullStackSegment(_ selector: UInt16, cpl: UInt8) -> SegmentRegister {
        var segment = SegmentRegister()
        segment.selector = selector
        segment.attributes = SegmentRegister.unusable | UInt16(cpl) &<< SegmentRegister.dplShift
        return segment
    }

    /// The hidden part for SS after the checks of MOV SS; `long` allows a null selector below CPL 3.
    func checkedStackSegment(
        _ selector: UInt16, cpl: UInt8, long: Bool
    ) throws(Fault) -> SegmentRegister {
        let code = UInt32(selector & 0xFFFC)
        if code == 0 {
            if long && cpl < 3 && UInt8(selector & 3) == cpl {
                return nullStackSegment(selector, cpl: cpl)
            }
            throw .generalProtection(0)
        }
        var descriptor = try readDescriptor(selector)
        if UInt8(selector & 3) != cpl || !descriptor.isWritableData || descriptor.dpl != cpl {
            throw .generalProtection(code)
        }
        if !descriptor.present { throw .stackFault(code) }
        try markDescriptorAccessed(&descriptor, selector)
        return descriptor.register(selector)
    }

    /// Makes `codeSize` agree with CS and EFER.LMA; to be called wherever either changes.
    @inline(__always)
    func updateCodeSize() {
        let attributes = pointee.cs.attributes
        if pointee.longMode != 0 && attributes & SegmentRegister.long != 0 {
            pointee.codeSize = CodeSize.bits64.rawValue
        } else {
            pointee.codeSize =
                attributes & SegmentRegister.big != 0
                ? CodeSize.bits32.rawValue : CodeSize.bits16.rawValue
        }
    }

    /// An interrupt shadow covers the next instruction: 1 for STI, 2 for MOV SS and POP SS (see
    /// `CPUState.interruptShadow`).
    @inline(__always)
    func beginShadow(_ kind: UInt8) {
        pointee.interruptShadow = kind
        pointee.attention |= Attention.shadow
    }
}
