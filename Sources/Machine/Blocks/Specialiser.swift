import X86

/// Turns one decoded instruction into an operation. What has no specialised kind stays `.single`
/// (or `.singleLast`), which the instruction families execute: a missing rule costs speed, never
/// meaning.
///
/// Rules for memory operands, the stack and near branches hold in 64-bit code, where segments have
/// no limits and the stack pointer and branch targets are 64 bits wide, and in flat 32-bit code,
/// where limits cannot be exceeded and all of that is 32 bits wide.
struct Specialiser {
    var operation: Operation
    let mnemonic: Mnemonic
    let long: Bool
    /// How flat 32-bit code is; 0 for other code.
    let flat: UInt8
    let operandSize: UInt8
    let addressSize: UInt8
    /// Bits of an operation's width: 8, 16, 32, 64 as 0...3.
    var width: UInt8 = 0

    /// `operation` has its `offset`, `length` and `end` set.
    init(_ i: borrowing Instruction, _ operation: Operation, flat: UInt8) {
        self.operation = operation
        self.flat = flat
        mnemonic = i.mnemonic
        long = i.codeSize == .bits64
        operandSize = i.operandSize
        addressSize = i.addressSize
    }

    /// The operation for an instruction that starts `operation.offset` bytes into its block.
    static func specialise(
        _ i: borrowing Instruction, _ operation: Operation, flat: UInt8
    ) -> Operation {
        var s = Specialiser(i, operation, flat: flat)
        if let kind = s.kind(i) {
            s.operation.kind = kind
            return s.operation
        }
        var plain = operation
        plain.kind = mayContinue(i) ? .single : .singleLast
        return plain
    }

    /// Whether a block may go on after an instruction that has no specialised kind: it charges a
    /// cost known beforehand and leaves control flow, mode, IF, attention and paging alone.
    static func mayContinue(_ i: borrowing Instruction) -> Bool {
        switch i.mnemonic {
        case .clc, .stc, .cmc, .cld, .std, .rdtsc, .rdtscp: return true
        case .ud0, .ud1, .ud2, .int, .int1, .int3, .into, .hlt, .mwait, .rsm, .sti, .cli, .popf,
            .movSegment, .popSegment, .lss, .lds, .les, .lfs, .lgs:
            return false
        default: break
        }
        switch i.cost {
        case .simple, .load, .store, .readModifyWrite, .multiply, .divide, .push, .pop, .atomic,
            .vector, .x87, .fence, .pause:
            return true
        default: return false
        }
    }

    // MARK: - Operands

    /// The register offset of a general or high-byte register operand.
    static func place(_ o: Operand) -> UInt8? {
        switch o.kind {
        case .register: return o.register &* 8
        case .highByte: return o.register &* 8 &+ 1
        default: return nil
        }
    }

    /// Fills in the memory operand's address; false when it needs the general path.
    mutating func setAddress(_ i: borrowing Instruction) -> Bool {
        guard hasWideAddress else { return false }
        var displacement = i.displacement
        operation.base = i.base &* 8
        operation.index = i.index &* 8
        operation.shift = UInt8(truncatingIfNeeded: i.scale.trailingZeroBitCount)
        if i.flags.contains(.ripRelative) {
            operation.base = Place.rip
            displacement = displacement &+ Int64(operation.end)
        }
        guard
            let short = long
                ? Int32(exactly: displacement) : Int32(truncatingIfNeeded: displacement)
        else { return false }
        operation.displacement = short
        switch i.segment {
        case SegmentNumber.cs where !long: return false
        case SegmentNumber.fs where !long && flat & FlatCode.fs == 0: return false
        case SegmentNumber.gs where !long && flat & FlatCode.gs == 0: return false
        case SegmentNumber.fs, SegmentNumber.gs:
            operation.segmentBase = UInt16(CPULayout.es) &+ UInt16(i.segment) &* 16
        default: operation.segmentBase = UInt16(Place.none)
        }
        return true
    }

    /// Whether addresses are as wide as 64-bit or flat code has them.
    private var hasWideAddress: Bool {
        long ? addressSize == 8 : flat != 0 && addressSize == 4
    }

    /// Bytes of what the stack and branches take in 64-bit or flat code.
    var stackSize: UInt8 { long ? 8 : 4 }

    /// The number 0...3 of an operand size of 1, 2, 4 or 8 bytes.
    static func widthNumber(_ size: UInt8) -> UInt8? {
        switch size {
        case 1: return 0
        case 2: return 1
        case 4: return 2
        case 8: return 3
        default: return nil
        }
    }

    /// How the two operands of an instruction lie.
    enum Form: UInt8 {
        case registerRegister, registerImmediate, registerMemory, memoryRegister, memoryImmediate
    }

    /// Recognises the two-operand forms and fills in their places, `width` and `immediate`.
    mutating func setForm(_ i: borrowing Instruction) -> Form? {
        let a = i.operands.0
        let b = i.operands.1
        guard let width = Specialiser.widthNumber(a.size) else { return nil }
        self.width = width
        if let destination = Specialiser.place(a) {
            operation.destination = destination
            if let source = Specialiser.place(b) {
                operation.source = source
                return a.size == b.size ? .registerRegister : nil
            }
            if b.kind == .immediate {
                operation.immediate = i.immediate
                return .registerImmediate
            }
            guard b.kind == .memory, b.size == a.size, setAddress(i) else { return nil }
            return .registerMemory
        }
        guard a.kind == .memory, setAddress(i) else { return nil }
        if let source = Specialiser.place(b) {
            operation.source = source
            return a.size == b.size ? .memoryRegister : nil
        }
        guard b.kind == .immediate else { return nil }
        operation.immediate = i.immediate
        return .memoryImmediate
    }

    // MARK: - Kinds

    /// The specialised kind, or nil.
    private mutating func kind(_ i: borrowing Instruction) -> OperationKind? {
        switch mnemonic {
        case .mov: return move(i)
        case .movzx, .movsx, .movsxd: return extend(i)
        case .lea: return loadAddress(i)
        case .add: return arithmetic(i, 0)
        case .or: return arithmetic(i, 1)
        case .adc: return arithmetic(i, 2)
        case .sbb: return arithmetic(i, 3)
        case .and: return arithmetic(i, 4)
        case .sub: return arithmetic(i, 5)
        case .xor: return arithmetic(i, 6)
        case .cmp: return arithmetic(i, 7)
        case .test: return test(i)
        case .inc: return unary(i, .incR32, .incM32)
        case .dec: return unary(i, .decR32, .decM32)
        case .neg: return unary(i, .negR32, nil)
        case .not: return unary(i, .notR32, nil)
        case .shl: return shift(i, .shlRI32, .shlRC32)
        case .shr: return shift(i, .shrRI32, .shrRC32)
        case .sar: return shift(i, .sarRI32, .sarRC32)
        case .rol: return shift(i, .rolRI32, nil)
        case .ror: return shift(i, .rorRI32, nil)
        case .imul: return signedMultiply(i)
        case .mul: return wideMultiply(i)
        case .xchg: return exchange(i)
        case .bswap: return byteSwap(i)
        case .cbw, .cwd: return widen(i)
        case .setcc: return setCondition(i)
        case .cmovcc: return conditionalMove(i)
        case .bt: return bitTest(i)
        case .nop: return .nop
        default: return long || flat != 0 ? stackKind(i) : nil
        }
    }

    /// A kind a number of places after another of the table.
    static func after(_ kind: OperationKind, _ n: UInt8) -> OperationKind {
        OperationKind(rawValue: kind.rawValue &+ n).unsafelyUnwrapped
    }

    private mutating func move(_ i: borrowing Instruction) -> OperationKind? {
        guard let form = setForm(i) else { return nil }
        switch form {
        case .registerRegister: return Specialiser.after(.movRR8, width)
        case .registerImmediate:
            switch width {
            case 0: return .movRI8
            case 1: return .movRI16
            case 2: operation.immediate &= 0xFFFF_FFFF
            default: break
            }
            return .movRI64
        case .registerMemory: return Specialiser.after(.movRM8, width)
        case .memoryRegister: return Specialiser.after(.movMR8, width)
        case .memoryImmediate: return Specialiser.after(.movMI8, width)
        }
    }

    private mutating func extend(_ i: borrowing Instruction) -> OperationKind? {
        let a = i.operands.0
        let b = i.operands.1
        guard a.kind == .register, a.size >= 4, b.size < a.size else { return nil }
        operation.destination = a.register &* 8
        let fromRegister: Bool
        if let source = Specialiser.place(b) {
            operation.source = source
            fromRegister = true
        } else {
            guard b.kind == .memory, setAddress(i) else { return nil }
            fromRegister = false
        }
        if mnemonic == .movzx {
            if b.size == 4 { return nil }
            return Specialiser.after(fromRegister ? .movzxR8 : .movzxM8, b.size &- 1)
        }
        let base: OperationKind = fromRegister ? .movsxR8to32 : .movsxM8to32
        switch (b.size, a.size) {
        case (1, 4): return base
        case (1, 8): return Specialiser.after(base, 1)
        case (2, 4): return Specialiser.after(base, 2)
        case (2, 8): return Specialiser.after(base, 3)
        case (4, 8): return Specialiser.after(base, 4)
        default: return nil
        }
    }

    /// LEA: no access, so an address size of 32 bits only truncates.
    private mutating func loadAddress(_ i: borrowing Instruction) -> OperationKind? {
        let a = i.operands.0
        guard a.kind == .register, a.size >= 4, setAddress(i) else {
            return nil
        }
        operation.segmentBase = UInt16(Place.none)
        operation.destination = a.register &* 8
        if a.size == 4 { return .lea32 }
        return operation.index == Place.none ? .leaBase64 : .lea64
    }

    private mutating func arithmetic(
        _ i: borrowing Instruction, _ number: UInt8
    ) -> OperationKind? {
        guard let form = setForm(i) else { return nil }
        if width >= 2 {
            let rows: UInt8 = form.rawValue &* 16 &+ (width &- 2) &* 8
            return Specialiser.after(.addRR32, rows &+ number)
        }
        operation.sub = number
        if number == 7 {
            if width == 0 { return Specialiser.after(.cmpRR8, form.rawValue) }
            if form == .memoryRegister { return .cmpMR16 }
            if form == .memoryImmediate { return .cmpMI16 }
        }
        return Specialiser.after(.aluRR8, width &* 5 &+ form.rawValue)
    }

    private mutating func test(_ i: borrowing Instruction) -> OperationKind? {
        guard let form = setForm(i), width != 1 else { return nil }
        let base: OperationKind = width == 0 ? .testRR8 : width == 2 ? .testRR32 : .testRR64
        switch form {
        case .registerRegister: return base
        case .registerImmediate: return Specialiser.after(base, 1)
        case .memoryRegister: return Specialiser.after(base, 2)
        case .memoryImmediate: return Specialiser.after(base, 3)
        case .registerMemory: return nil
        }
    }

    /// INC, DEC, NEG, NOT: the 64-bit kind follows the 32-bit one.
    private mutating func unary(
        _ i: borrowing Instruction, _ register: OperationKind, _ memory: OperationKind?
    ) -> OperationKind? {
        let a = i.operands.0
        guard a.size >= 4 else { return nil }
        let wide: UInt8 = a.size == 8 ? 1 : 0
        if let destination = Specialiser.place(a) {
            operation.destination = destination
            return Specialiser.after(register, wide)
        }
        guard let memory, a.kind == .memory, setAddress(i) else { return nil }
        return Specialiser.after(memory, wide)
    }

    /// Shifts of a register; a count of 0 only clears the upper half, which the families do.
    private mutating func shift(
        _ i: borrowing Instruction, _ immediate: OperationKind, _ variable: OperationKind?
    ) -> OperationKind? {
        let a = i.operands.0
        let b = i.operands.1
        guard a.kind == .register, a.size >= 4 else { return nil }
        operation.destination = a.register &* 8
        let wide: UInt8 = a.size == 8 ? 1 : 0
        switch b.kind {
        case .immediate, .one:
            let count = b.kind == .one ? 1 : i.immediate & (a.size == 8 ? 63 : 31)
            if count == 0 { return nil }
            operation.sub = UInt8(truncatingIfNeeded: count)
            return Specialiser.after(immediate, wide)
        case .register:
            guard let variable else { return nil }
            return Specialiser.after(variable, wide)
        default: return nil
        }
    }
}
