extension Instruction {
    /// A blank instruction to decode into: NOP of no length, no operands.
    @inline(__always)
    public init() {
        mnemonic = .nop
        row = 0
        flags = []
        length = 0
        codeSize = .bits64
        operandSize = 0
        addressSize = 0
        segment = SegmentNumber.ds
        base = Instruction.noRegister
        index = Instruction.noRegister
        scale = 1
        modRM = 0
        condition = 0
        cost = .simple
        operandCount = 0
        displacement = 0
        immediate = 0
        immediate2 = 0
        operands = (.none, .none, .none, .none)
    }
}
