import X86

/// 32-bit code whose segments all begin at 0 and span 4 GiB, as nearly every 32-bit kernel and its
/// programs have them: no access can leave a limit, and linear addresses are offsets. Blocks of
/// such code have specialised memory operands, stack and branches; what makes it flat is in their
/// key, beside the code size, and nothing in a block can change it: what loads a segment register
/// ends a block.
enum FlatCode {
    /// In the key, above all values of `CodeSize`.
    static let lowest: UInt8 = 16
    /// FS, and GS, may have any base, with a limit of 4 GiB: blocks may use them.
    static let fs: UInt8 = 1
    static let gs: UInt8 = 2
}

extension UnsafeMutablePointer<CPUState> {
    /// What a block's key says beside the address: `CodeSize`, or how flat 32-bit code is.
    @inline(__always)
    var blockMode: UInt8 {
        pointee.codeSize == CodeSize.bits32.rawValue ? flatMode : pointee.codeSize
    }

    private var flatMode: UInt8 {
        let hasCode = pointee.cs.base == 0 && pointee.cs.limit == .max
        let isFlat =
            hasCode && Self.spansAll(pointee.ss) && pointee.ss.base == 0
            && pointee.ss.attributes & SegmentRegister.big != 0 && Self.spansAll(pointee.ds)
            && pointee.ds.base == 0 && Self.spansAll(pointee.es) && pointee.es.base == 0
        guard isFlat else { return pointee.codeSize }
        return FlatCode.lowest | (Self.spansAll(pointee.fs) ? FlatCode.fs : 0)
            | (Self.spansAll(pointee.gs) ? FlatCode.gs : 0)
    }

    /// Whether a segment may be read and written at every offset: present, data, expand-up,
    /// writable, with the largest limit (`linearWithLimit` then throws nothing).
    private static func spansAll(_ s: SegmentRegister) -> Bool {
        let looked = SegmentRegister.unusable | SegmentRegister.present | 0b1110
        return s.attributes & looked == SegmentRegister.present | 0b0010 && s.limit == .max
    }
}
