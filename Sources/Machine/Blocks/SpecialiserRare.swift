import X86

/// The less common integer instructions, the stack and branches.
extension Specialiser {
    mutating func signedMultiply(_ i: borrowing Instruction) -> OperationKind? {
        let a = i.operands.0
        let b = i.operands.1
        guard i.operandCount >= 2, a.kind == .register, a.size >= 4 else { return nil }
        let wide: UInt8 = a.size == 8 ? 1 : 0
        operation.destination = a.register &* 8
        let memory: Bool
        if let source = Specialiser.place(b) {
            operation.source = source
            memory = false
        } else {
            guard b.kind == .memory, setAddress(i) else { return nil }
            memory = true
        }
        if i.operandCount == 2 {
            return Specialiser.after(memory ? .imulRM32 : .imulRR32, wide)
        }
        guard i.operands.2.kind == .immediate else { return nil }
        operation.immediate = i.immediate
        return Specialiser.after(memory ? .imulRMI32 : .imulRRI32, wide)
    }

    mutating func wideMultiply(_ i: borrowing Instruction) -> OperationKind? {
        guard let source = explicitRegister(i) else { return nil }
        operation.source = source
        return operandSize == 8 ? .mulR64 : operandSize == 4 ? .mulR32 : nil
    }

    /// The register that ModRM.rm names in an instruction whose other operands are implied.
    private func explicitRegister(_ i: borrowing Instruction) -> UInt8? {
        for o in [i.operands.0, i.operands.1, i.operands.2] where o.kind == .memory { return nil }
        guard i.flags.contains(.modRM), i.modRM >= 0xC0 else { return nil }
        let a = i.operands.0
        return i.operandCount == 1 && a.kind == .register ? a.register &* 8 : nil
    }

    mutating func exchange(_ i: borrowing Instruction) -> OperationKind? {
        guard setForm(i) == .registerRegister, width >= 2 else { return nil }
        return width == 3 ? .xchgRR64 : .xchgRR32
    }

    mutating func byteSwap(_ i: borrowing Instruction) -> OperationKind? {
        let a = i.operands.0
        guard a.kind == .register, a.size >= 4 else { return nil }
        operation.destination = a.register &* 8
        return a.size == 8 ? .bswap64 : .bswap32
    }

    func widen(_ i: borrowing Instruction) -> OperationKind? {
        switch (mnemonic, operandSize) {
        case (.cbw, 4): return .cwde
        case (.cbw, 8): return .cdqe
        case (.cwd, 4): return .cdq
        case (.cwd, 8): return .cqo
        default: return nil
        }
    }

    mutating func setCondition(_ i: borrowing Instruction) -> OperationKind? {
        operation.sub = i.condition
        if let destination = Specialiser.place(i.operands.0) {
            operation.destination = destination
            return .setR
        }
        return setAddress(i) ? .setM : nil
    }

    mutating func conditionalMove(_ i: borrowing Instruction) -> OperationKind? {
        guard let form = setForm(i), width >= 2 else { return nil }
        operation.sub = i.condition
        switch form {
        case .registerRegister: return width == 3 ? .cmovRR64 : .cmovRR32
        case .registerMemory: return width == 3 ? .cmovRM64 : .cmovRM32
        default: return nil
        }
    }

    mutating func bitTest(_ i: borrowing Instruction) -> OperationKind? {
        let form: Form?
        if i.operands.1.kind == .immediate {
            guard let destination = Specialiser.place(i.operands.0) else { return nil }
            operation.destination = destination
            operation.immediate = i.immediate
            width = i.operands.0.size == 8 ? 3 : i.operands.0.size == 4 ? 2 : 0
            form = .registerImmediate
        } else {
            form = setForm(i)
        }
        guard width >= 2 else { return nil }
        switch form {
        case .registerRegister: return width == 3 ? .btRR64 : .btRR32
        case .registerImmediate: return width == 3 ? .btRI64 : .btRI32
        default: return nil
        }
    }

    /// The stack and near branches of 64-bit and flat code, where neither has a limit.
    mutating func stackKind(_ i: borrowing Instruction) -> OperationKind? {
        switch mnemonic {
        case .push: return push(i)
        case .pop:
            guard i.operands.0.kind == .register, i.operands.0.size == stackSize else { return nil }
            operation.destination = i.operands.0.register &* 8
            return .popR
        case .leave: return operandSize == stackSize ? .leave : nil
        case .jcc:
            guard setTarget(i) else { return nil }
            return Specialiser.after(.jo, i.condition)
        case .jmp:
            return setTarget(i) ? .jmp : indirect(i, .jmpR, .jmpM)
        case .call:
            return setTarget(i) ? .call : indirect(i, .callR, .callM)
        case .ret:
            guard operandSize == stackSize else { return nil }
            if i.operandCount == 0 { return .ret }
            guard i.operands.0.kind == .immediate else { return nil }
            operation.immediate = i.immediate & 0xFFFF
            return .retI
        default: return nil
        }
    }

    private mutating func push(_ i: borrowing Instruction) -> OperationKind? {
        guard operandSize == stackSize else { return nil }
        let a = i.operands.0
        switch a.kind {
        case .register:
            operation.source = a.register &* 8
            return .pushR
        case .immediate:
            operation.immediate = i.immediate
            return .pushI
        case .memory:
            guard a.size == stackSize, setAddress(i) else { return nil }
            return .pushM
        default: return nil
        }
    }

    /// A relative branch: the target goes into `immediate`, from the block's start.
    private mutating func setTarget(_ i: borrowing Instruction) -> Bool {
        guard i.operands.0.kind == .relative, operandSize != 2 else { return false }
        operation.immediate = UInt64(operation.end) &+ i.immediate
        return true
    }

    private mutating func indirect(
        _ i: borrowing Instruction, _ register: OperationKind, _ memory: OperationKind
    ) -> OperationKind? {
        let a = i.operands.0
        guard a.size == stackSize else { return nil }
        if a.kind == .register {
            operation.source = a.register &* 8
            return register
        }
        guard a.kind == .memory, setAddress(i) else { return nil }
        return memory
    }
}
