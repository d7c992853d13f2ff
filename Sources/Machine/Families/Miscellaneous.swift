import X86

/// BOUND, software interrupts and CLFLUSH (Intel SDM vol. 2).
extension CPU {
    /// BOUND: #BR unless lower <= index <= upper, signed; the bounds lie one after the other.
    func executeBound(_ i: borrowing Instruction) throws(Fault) {
        let size = Int(i.operandSize)
        let segment = Int(i.segment)
        let offset = effectiveOffset(i)
        let a = try linear(segment: segment, offset: offset, size: size, write: false)
        let b = try linear(
            segment: segment, offset: offset &+ UInt64(size), size: size, write: false)
        let index = ALU.signExtend(try readOperand(i, i.operands.0), size)
        let lower = ALU.signExtend(try readLinear(a, size: size), size)
        let upper = ALU.signExtend(try readLinear(b, size: size), size)
        let value = Int64(bitPattern: index)
        if value < Int64(bitPattern: lower) || value > Int64(bitPattern: upper) {
            throw .boundRange
        }
    }

    /// INT n: #GP(0) in virtual-8086 mode with IOPL below 3 (CR4.VME is not offered).
    func executeInterrupt(_ i: borrowing Instruction) throws(Fault) {
        try refuseFlagsInVirtual8086()
        try softwareInterrupt(vector: UInt8(truncatingIfNeeded: i.immediate))
    }

    func executeInterruptOnOverflow(_ i: borrowing Instruction) throws(Fault) {
        if pointee.rflags & RFLAGS.of != 0 {
            try softwareInterrupt(vector: Vector.overflow)
        }
    }

    /// CLFLUSH: there is no cache to flush, but the address is checked as for a byte load.
    func executeCacheLineFlush(_ i: borrowing Instruction) throws(Fault) {
        let a = try linearAddress(i, size: 1, write: false)
        _ = try readLinear(a, size: 1)
    }
}
