import X86

/// MOV in its general forms, extensions, exchanges, addresses, conditional moves, segment loads and
/// far-pointer loads (Intel SDM vol. 2).
extension CPU {
    /// MOV, MOVNTI and MOVZX: the source, zero-extended.
    func executeMove(_ i: borrowing Instruction) throws(Fault) {
        let v = try readOperand(i, i.operands.1)
        try writeOperand(i, i.operands.0, v)
    }

    /// MOVSX and MOVSXD.
    func executeMoveSignExtended(_ i: borrowing Instruction) throws(Fault) {
        let source = i.operands.1
        let v = ALU.signExtend(try readOperand(i, source), Int(source.size))
        try writeOperand(i, i.operands.0, v)
    }

    func executeMoveByteSwapped(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operands.0.size)
        let v = try readOperand(i, i.operands.1)
        try writeOperand(i, i.operands.0, v.byteSwapped &>> UInt64(64 &- size &* 8))
    }

    func executeByteSwap(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let v = try readOperand(i, o)
        let swapped = o.size == 2 ? 0 : v.byteSwapped &>> UInt64(64 &- Int(o.size) &* 8)
        try writeOperand(i, o, swapped)
    }

    func executeLoadAddress(_ i: borrowing Instruction) throws(Fault) {
        try writeOperand(i, i.operands.0, effectiveOffset(i))
    }

    /// CMOVcc: the source is always read, and a 32-bit destination always loses its upper half.
    func executeConditionalMove(_ i: borrowing Instruction) throws(Fault) {
        let v = try readOperand(i, i.operands.1)
        let old = try readOperand(i, i.operands.0)
        try writeOperand(i, i.operands.0, condition(i.condition) ? v : old)
    }

    func executeSetOnCondition(_ i: borrowing Instruction) throws(Fault) {
        try writeOperand(i, i.operands.0, condition(i.condition) ? 1 : 0)
    }

    /// XLAT: AL := the byte at segment:[rBX + AL].
    func executeTranslate(_ i: borrowing Instruction) throws(Fault) {
        let offset = (pointee.rbx &+ (pointee.rax & 0xFF)) & sizeMask(Int(i.addressSize))
        let a = try linear(segment: Int(i.segment), offset: offset, size: 1, write: false)
        writeRegister(0, try readLinear(a, size: 1), size: 1)
    }

    /// MOV to and from a segment register. Loading SS holds off interrupts and debug traps until
    /// after the next instruction (Intel SDM vol. 3, 6.8.3); loading CS is #UD in the decoder.
    func executeMoveSegment(_ i: borrowing Instruction) throws(Fault) {
        let destination = i.operands.0
        let v = try readOperand(i, i.operands.1)
        try writeOperand(i, destination, v)
        if destination.kind == .segment {
            pointee.tally.segmentLoads &+= 1
            if destination.register == SegmentNumber.ss { beginShadow(2) }
        }
    }

    /// LDS, LES, LFS, LGS and LSS: the offset lies below the selector. No shadow for LSS.
    func executeLoadFarPointer(_ i: borrowing Instruction, segment: UInt8) throws(Fault) {
        let (offset, selector) = try readFarPointer(i)
        try loadSegment(Int(segment), selector: selector)
        try writeOperand(i, i.operands.0, offset)
        pointee.tally.segmentLoads &+= 1
    }

    /// The far pointer in memory of LDS to LSS and of far JMP and CALL. AMD's processors have none
    /// with an offset of 64 bits (APM vol. 3, LFS, JMP far); with REX.W they read one of 32 and
    /// keep the size for the register and the stack, as measured on one. The two parts are accesses
    /// of their own, the offset first: so is seen where the address space ends between them.
    func readFarPointer(
        _ i: borrowing Instruction
    ) throws(Fault) -> (offset: UInt64, selector: UInt16) {
        let size = isAMD ? min(Int(i.operandSize), 4) : Int(i.operandSize)
        let (segment, place) = (Int(i.segment), effectiveOffset(i))
        let a = try linear(segment: segment, offset: place, size: size, write: false)
        let offset = try readLinear(a, size: size)
        let b = try linear(
            segment: segment, offset: place &+ UInt64(size), size: 2, write: false)
        let selector = try readLinear(b, size: 2)
        return (offset, UInt16(truncatingIfNeeded: selector))
    }
}
