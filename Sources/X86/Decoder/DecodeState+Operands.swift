/// Operands by their encoding method, immediates among them.
extension DecodeState {
    /// Width in bytes under the instruction's operand size.
    @inline(__always)
    private func bytesOf(_ width: OperandWidth, _ i: borrowing Instruction) -> UInt8 {
        switch width {
        case .unsized: 0
        case .byte: 1
        case .word: 2
        case .double: 4
        case .quad: 8
        case .ten: 10
        case .sixteen: 16
        case .operand: i.operandSize
        case .atMost32: i.operandSize == 8 ? 4 : i.operandSize
        case .wide: flags.contains(.rexW) ? 8 : 4
        case .native: is64 ? 8 : 4
        }
    }

    /// A general register; without REX the byte registers 4...7 are AH, CH, DH and BH.
    @inline(__always)
    private func general(_ number: UInt8, _ size: UInt8) -> Operand {
        if size == 1 && number >= 4 && number < 8 && !flags.contains(.rex) {
            return Operand(kind: .highByte, size: 1, register: number &- 4)
        }
        return Operand(kind: .register, size: size, register: number)
    }

    mutating func readOperand(
        _ method: OperandMethod, _ width: OperandWidth, _ operand: inout Operand,
        _ i: inout Instruction
    ) -> DecodeFailure? {
        let size = bytesOf(width, i)
        switch method {
        case .none: break
        case .registerOrMemory, .registerOnly, .memoryOnly:
            operand =
                isMemory && method != .registerOnly
                ? Operand(kind: .memory, size: size) : general(rm | rexB, size)
        case .register: operand = general(reg | rexR, size)
        case .opcodeRegister: operand = general(opcode & 7 | rexB, size)
        case .mmx: operand = Operand(kind: .mmx, size: size, register: reg)
        case .mmxOrMemory, .mmxOnly:
            operand =
                isMemory
                ? Operand(kind: .memory, size: size)
                : Operand(kind: .mmx, size: size, register: rm)
        case .xmm: operand = Operand(kind: .xmm, size: size, register: reg | rexR)
        case .xmmOrMemory, .xmmOnly:
            operand =
                isMemory
                ? Operand(kind: .memory, size: size)
                : Operand(kind: .xmm, size: size, register: rm | rexB)
        case .immediateSigned8, .immediateUnsigned8, .immediateUnsigned16, .immediateSigned,
            .immediateFull, .secondImmediate8, .relative8, .relative, .farPointer:
            return readImmediate(method, size, &operand, &i)
        case .segmentRegister, .controlRegister, .debugRegister:
            return readSystemRegister(method, size, &operand)
        case .absoluteOffset:
            operand = Operand(kind: .memory, size: size)
            return readOffset(&i)
        case .stringSource, .stringDestination, .maskedStore, .translation:
            operand = Operand(kind: .memory, size: size)
            setImplicitAddress(method, &i)
        default: operand = fixed(method, size)
        }
        return nil
    }

    private func fixed(_ method: OperandMethod, _ size: UInt8) -> Operand {
        switch method {
        case .fixedAccumulator: Operand(kind: .register, size: size, register: 0)
        case .fixedCL: Operand(kind: .register, size: 1, register: 1)
        case .fixedDX: Operand(kind: .register, size: 2, register: 2)
        case .fixedXMM0: Operand(kind: .xmm, size: 16, register: 0)
        case .x87Top: Operand(kind: .x87, size: 10, register: 0)
        case .x87Register: Operand(kind: .x87, size: 10, register: rm)
        case .one: Operand(kind: .one, size: 1)
        case .fixedES: Operand(kind: .segment, size: 2, register: SegmentNumber.es)
        case .fixedCS: Operand(kind: .segment, size: 2, register: SegmentNumber.cs)
        case .fixedSS: Operand(kind: .segment, size: 2, register: SegmentNumber.ss)
        case .fixedDS: Operand(kind: .segment, size: 2, register: SegmentNumber.ds)
        case .fixedFS: Operand(kind: .segment, size: 2, register: SegmentNumber.fs)
        default: Operand(kind: .segment, size: 2, register: SegmentNumber.gs)
        }
    }

    /// Only CR0, CR2, CR3, CR4 and CR8, and DR0 to DR7 exist; REX.R does not reach segment
    /// registers (Intel SDM vol. 2, MOV).
    private func readSystemRegister(
        _ method: OperandMethod, _ size: UInt8, _ operand: inout Operand
    ) -> DecodeFailure? {
        let number = reg | rexR
        switch method {
        case .segmentRegister:
            operand = Operand(kind: .segment, size: 2, register: reg)
        case .controlRegister:
            // Bits 0, 2, 3, 4 and 8.
            guard (0b1_0001_1101 as UInt16) & (1 << UInt16(number)) != 0 else { return .undefined }
            operand = Operand(kind: .control, size: size, register: number)
        default:
            guard number < 8 else { return .undefined }
            operand = Operand(kind: .debug, size: size, register: number)
        }
        return nil
    }

    private func setImplicitAddress(_ method: OperandMethod, _ i: inout Instruction) {
        switch method {
        case .stringSource:
            // MOVS and CMPS have two memory operands; the fields describe this one, since the
            // other is always ES:[rDI].
            i.base = 6
            i.segment = override == 0xFF ? SegmentNumber.ds : override
        case .stringDestination:
            if i.base == Instruction.noRegister {
                i.base = 7
                i.segment = SegmentNumber.es
            }
        case .maskedStore: i.base = 7
        default: i.base = 3
        }
    }

    /// The offset of MOV to or from an absolute address: as wide as an address, zero-extended.
    private mutating func readOffset(_ i: inout Instruction) -> DecodeFailure? {
        let count = Int(i.addressSize)
        guard has(count) else { return shortage }
        i.displacement = Int64(bitPattern: unsigned(count))
        position &+= count
        return nil
    }

    /// The next `count` bytes, zero-extended.
    @inline(__always)
    private func unsigned(_ count: Int) -> UInt64 {
        let pointer = UnsafeRawPointer(bytes + position)
        switch count {
        case 1: return UInt64(bytes[position])
        case 2: return UInt64(pointer.loadUnaligned(as: UInt16.self))
        case 4: return UInt64(pointer.loadUnaligned(as: UInt32.self))
        default: return pointer.loadUnaligned(as: UInt64.self)
        }
    }

    /// The next `count` bytes, sign-extended.
    @inline(__always)
    private func signed(_ count: Int) -> UInt64 {
        let unused = UInt64(64 &- 8 &* count)
        let value = Int64(bitPattern: unsigned(count) &<< unused)
        return UInt64(bitPattern: value &>> Int64(unused))
    }

    private mutating func readImmediate(
        _ method: OperandMethod, _ size: UInt8, _ operand: inout Operand,
        _ i: inout Instruction
    ) -> DecodeFailure? {
        let full = Int(i.operandSize)
        var count = 1
        switch method {
        case .immediateUnsigned16: count = 2
        case .immediateSigned, .relative: count = full == 8 ? 4 : full
        case .immediateFull: count = full
        case .farPointer: count = full &+ 2
        default: break
        }
        guard has(count) else { return shortage }
        operand = Operand(kind: .immediate, size: size)
        switch method {
        case .immediateUnsigned8, .immediateUnsigned16: i.immediate = unsigned(count)
        case .secondImmediate8:
            operand.kind = .immediate2
            i.immediate2 = UInt16(bytes[position])
        case .relative8, .relative:
            operand.kind = .relative
            i.immediate = signed(count)
        case .farPointer:
            operand.kind = .farPointer
            i.immediate = unsigned(full)
            i.immediate2 = UnsafeRawPointer(bytes + position + full)
                .loadUnaligned(as: UInt16.self)
        default: i.immediate = signed(count)
        }
        position &+= count
        return nil
    }
}
