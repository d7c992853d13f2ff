import X86

/// Reading and writing the operands of a decoded instruction, of any kind a general-purpose
/// instruction can have. Vector operands are the vector families' own.
extension CPU {
    /// General register `n` (0...16), zero-extended from `size` bytes.
    @inline(__always)
    func readRegister(_ n: UInt8, size: Int) -> UInt64 {
        registers[Int(n)] & sizeMask(size)
    }

    /// Writes the low `size` bytes of general register `n`: 4-byte writes clear the upper half,
    /// shorter ones keep the rest (Intel SDM vol. 1, 3.4.1.1).
    @inline(__always)
    func writeRegister(_ n: UInt8, _ v: UInt64, size: Int) {
        switch size {
        case 8: registers[Int(n)] = v
        case 4: registers[Int(n)] = v & 0xFFFF_FFFF
        case 2: registers[Int(n)] = (registers[Int(n)] & ~0xFFFF) | (v & 0xFFFF)
        default: registers[Int(n)] = (registers[Int(n)] & ~0xFF) | (v & 0xFF)
        }
    }

    /// Ones in the low `size` bytes.
    @inline(__always)
    func sizeMask(_ size: Int) -> UInt64 {
        UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- size &* 8)
    }

    /// Reads an operand, zero-extended.
    func readOperand(_ i: borrowing Instruction, _ o: Operand) throws(Fault) -> UInt64 {
        switch o.kind {
        case .memory:
            let a = try linearAddress(i, size: Int(o.size), write: false)
            return try readLinear(a, size: Int(o.size))
        default:
            return readPlainOperand(i, o)
        }
    }

    /// Reads the destination of a read-modify-write: a memory operand faults as a write, so that
    /// the write that follows cannot.
    func readOperandForWrite(_ i: borrowing Instruction, _ o: Operand) throws(Fault) -> UInt64 {
        switch o.kind {
        case .memory:
            let a = try linearAddress(i, size: Int(o.size), write: true)
            return try readLinearForWrite(a, size: Int(o.size))
        default:
            return readPlainOperand(i, o)
        }
    }

    /// Writes an operand. Segment registers are loaded with all their checks.
    func writeOperand(_ i: borrowing Instruction, _ o: Operand, _ v: UInt64) throws(Fault) {
        switch o.kind {
        case .register:
            writeRegister(o.register, v, size: Int(o.size))
        case .highByte:
            let n = Int(o.register)
            registers[n] = (registers[n] & ~0xFF00) | ((v & 0xFF) &<< 8)
        case .memory:
            let a = try linearAddress(i, size: Int(o.size), write: true)
            try writeLinear(a, v, size: Int(o.size))
        case .segment:
            try loadSegment(Int(o.register), selector: UInt16(truncatingIfNeeded: v))
        default:
            throw .notExecutable
        }
    }

    /// An operand that is not in memory.
    @inline(__always)
    private func readPlainOperand(_ i: borrowing Instruction, _ o: Operand) -> UInt64 {
        switch o.kind {
        case .register: return readRegister(o.register, size: Int(o.size))
        case .highByte: return (registers[Int(o.register)] &>> 8) & 0xFF
        case .immediate: return i.immediate & sizeMask(Int(max(o.size, 1)))
        case .immediate2: return UInt64(i.immediate2)
        case .one: return 1
        case .segment: return UInt64(segments[Int(o.register)].selector)
        default: return 0
        }
    }

    /// A near branch: `target`, truncated to the operand size, becomes RIP. #GP(0) when it is not
    /// canonical or beyond the CS limit, with RIP still that of the next instruction.
    @inline(__always)
    func branch(to target: UInt64, _ i: borrowing Instruction) throws(Fault) {
        let rip = target & sizeMask(Int(i.operandSize))
        if in64Bit ? !isCanonical(rip) : rip > UInt64(pointee.cs.limit) {
            throw .generalProtection(0)
        }
        pointee.rip = rip
    }
}
