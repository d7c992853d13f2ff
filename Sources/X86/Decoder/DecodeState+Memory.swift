/// ModRM and SIB addressing (Intel SDM vol. 2, tables 2-1 to 2-3).
extension DecodeState {
    /// Reads SIB and displacement and sets address fields and the default segment.
    @inline(__always)
    mutating func readMemoryOperand(_ i: inout Instruction) -> DecodeFailure? {
        if i.addressSize == 2 { return readMemoryOperand16(&i) }
        let mod = modRM >> 6
        var base = rm
        var hasBase = true
        if base == 4 {
            guard has(1) else { return shortage }
            let sib = bytes[position]
            position &+= 1
            let index = (sib >> 3) & 7 | rexX
            // Index 4 is none; with REX.X it is R12.
            if index != 4 {
                i.index = index
                i.scale = 1 << (sib >> 6)
            }
            base = sib & 7
            hasBase = !(base == 5 && mod == 0)
        } else if base == 5 && mod == 0 {
            hasBase = false
            if is64 { flags.insert(.ripRelative) }
        }
        if hasBase {
            i.base = base | rexB
            // RSP and RBP, not R12 and R13, go with SS.
            if (i.base == 4 || i.base == 5) && override == 0xFF { i.segment = SegmentNumber.ss }
        }
        if mod == 1 { return readDisplacement8(&i) }
        if mod == 2 || !hasBase {
            guard has(4) else { return shortage }
            i.displacement = Int64(
                UnsafeRawPointer(bytes + position).loadUnaligned(as: Int32.self))
            position &+= 4
        }
        return nil
    }

    /// The eight pairs of 16-bit addressing.
    private mutating func readMemoryOperand16(_ i: inout Instruction) -> DecodeFailure? {
        let mod = modRM >> 6
        let bx: UInt8 = 3
        let bp: UInt8 = 5
        let si: UInt8 = 6
        let di: UInt8 = 7
        switch rm {
        case 0: (i.base, i.index) = (bx, si)
        case 1: (i.base, i.index) = (bx, di)
        case 2: (i.base, i.index) = (bp, si)
        case 3: (i.base, i.index) = (bp, di)
        case 4: i.base = si
        case 5: i.base = di
        case 6: if mod != 0 { i.base = bp }
        default: i.base = bx
        }
        if i.base == bp && override == 0xFF { i.segment = SegmentNumber.ss }
        if mod == 1 { return readDisplacement8(&i) }
        if mod == 2 || (mod == 0 && rm == 6) {
            guard has(2) else { return shortage }
            i.displacement = Int64(
                UnsafeRawPointer(bytes + position).loadUnaligned(as: Int16.self))
            position &+= 2
        }
        return nil
    }

    @inline(__always)
    private mutating func readDisplacement8(_ i: inout Instruction) -> DecodeFailure? {
        guard has(1) else { return shortage }
        i.displacement = Int64(Int8(bitPattern: bytes[position]))
        position &+= 1
        return nil
    }
}
