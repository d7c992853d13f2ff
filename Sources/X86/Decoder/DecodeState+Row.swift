/// What follows once the row is known: sizes, LOCK, the memory operand, the operands.
extension DecodeState {
    mutating func finish(
        _ number: UInt16, _ row: UnsafePointer<DecodeRow>, _ i: inout Instruction
    ) -> DecodeFailure? {
        let attributes = row.pointee.attributes
        let hasMemory =
            flags.contains(.modRM) && isMemory && !attributes.contains(.anyMod)
        if flags.contains(.lock) && !(hasMemory && attributes.contains(.lockable)) {
            return .undefined
        }
        if repeated != 0 && !attributes.contains(.mandatoryRepeat) {
            flags.insert(repeated == 0xF3 ? .rep : .repne)
        }
        i.mnemonic = row.pointee.mnemonic
        i.row = number
        i.codeSize = codeSize
        i.operandSize = operandSize(attributes)
        i.addressSize = addressSize
        i.segment = override == 0xFF ? SegmentNumber.ds : override
        i.base = Instruction.noRegister
        i.index = Instruction.noRegister
        i.scale = 1
        i.modRM = modRM
        i.condition = row.pointee.condition
        i.operandCount = row.pointee.operandCount
        i.displacement = 0
        i.immediate = 0
        i.immediate2 = 0
        i.operands = (.none, .none, .none, .none)
        i.cost = row.pointee.cost
        if hasMemory {
            if let failure = readMemoryOperand(&i) { return failure }
            i.cost = row.pointee.memoryCost
        } else if attributes.contains(.alwaysMemory) {
            i.cost = row.pointee.memoryCost
        }
        if flags.contains(.lock) { i.cost = .atomic }
        if let failure = readOperands(row, &i) { return failure }
        i.flags = flags
        i.length = UInt8(truncatingIfNeeded: position)
        return nil
    }

    @inline(__always)
    private mutating func readOperands(
        _ row: UnsafePointer<DecodeRow>, _ i: inout Instruction
    ) -> DecodeFailure? {
        let count = row.pointee.operandCount
        if count == 0 { return nil }
        var operand = Operand.none
        if let failure = readOperand(row.pointee.method0, row.pointee.width0, &operand, &i) {
            return failure
        }
        i.operands.0 = operand
        if count == 1 { return nil }
        operand = .none
        if let failure = readOperand(row.pointee.method1, row.pointee.width1, &operand, &i) {
            return failure
        }
        i.operands.1 = operand
        if count == 2 { return nil }
        operand = .none
        if let failure = readOperand(row.pointee.method2, row.pointee.width2, &operand, &i) {
            return failure
        }
        i.operands.2 = operand
        if count == 3 { return nil }
        operand = .none
        if let failure = readOperand(row.pointee.method3, row.pointee.width3, &operand, &i) {
            return failure
        }
        i.operands.3 = operand
        return nil
    }

    /// Effective operand size in bytes (Intel SDM vol. 1, 3.6; vol. 2, 2.2.1.2).
    @inline(__always)
    private func operandSize(_ attributes: RowAttributes) -> UInt8 {
        if attributes.contains(.byteSize) { return 1 }
        let has66 =
            flags.contains(.operandSizePrefix) && !attributes.contains(.mandatory66)
        if !is64 {
            if attributes.contains(.forced32) { return 4 }
            return (codeSize == .bits16) != has66 ? 2 : 4
        }
        if attributes.contains(.forced64) { return 8 }
        if flags.contains(.rexW) { return attributes.contains(.atMost32) ? 4 : 8 }
        if has66 { return 2 }
        return attributes.contains(.default64) ? 8 : 4
    }

    @inline(__always)
    private var addressSize: UInt8 {
        if !flags.contains(.addressSizePrefix) { return codeSize.rawValue }
        return codeSize == .bits32 ? 2 : 4
    }
}
