/// The decoded form of one instruction: what the decoder produces, and what the disassembler, the
/// single-step executor and the block predecoder read. It holds no machine state.

/// The code size that CS.L and CS.D select (Intel SDM vol. 1, 3.6). The raw value is the default
/// address size in bytes.
public enum CodeSize: UInt8, Sendable, CaseIterable {
    case bits16 = 2
    case bits32 = 4
    case bits64 = 8
}

/// What an operand names. Sizes are in `Operand.size`.
public enum OperandKind: UInt8, Sendable {
    /// No operand in this place.
    case none
    /// A general register by its number 0...15 (SPL, BPL, SIL, DIL with REX included).
    case register
    /// AH, CH, DH or BH; `register` is 0...3.
    case highByte
    /// A memory operand through ModRM, or an absolute offset (MOV moffs, XLAT and string operands
    /// included); its address comes from the instruction's base, index, scale and displacement.
    case memory
    /// An immediate; its value is `Instruction.immediate`, already extended to the operand's size.
    case immediate
    /// The second immediate of ENTER, EXTRQ and INSERTQ: `Instruction.immediate2`.
    case immediate2
    /// The constant one of the D0...D3 shift forms.
    case one
    /// A branch displacement; the target is the next instruction's address plus `immediate`.
    case relative
    /// A far pointer: offset in `immediate`, selector in `immediate2`.
    case farPointer
    /// A segment register, by its ModRM number (ES CS SS DS FS GS).
    case segment
    /// A control register CR0...CR15.
    case control
    /// A debug register DR0...DR15.
    case debug
    /// An x87 stack register ST(0)...ST(7).
    case x87
    /// An MMX register.
    case mmx
    /// An XMM register.
    case xmm
}

/// One operand of a decoded instruction.
public struct Operand: Sendable, Equatable {
    public var kind: OperandKind
    /// Width in bytes as accessed; 0 where only an address is formed (LEA, INVLPG) or the width
    /// is a matter of the instruction's (far pointers, FXSAVE areas).
    public var size: UInt8
    /// The register's number, where `kind` names a register.
    public var register: UInt8

    @inline(__always)
    public init(kind: OperandKind, size: UInt8, register: UInt8 = 0) {
        self.kind = kind
        self.size = size
        self.register = register
    }

    public static let none = Operand(kind: .none, size: 0)
}

/// Prefixes and properties that were present on an instruction.
public struct InstructionFlags: OptionSet, Sendable {
    public let rawValue: UInt16
    @inline(__always)
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// F0 was present (the decoder has already refused it where LOCK is #UD).
    public static let lock = InstructionFlags(rawValue: 1 << 0)
    /// F3 was present and is not a mandatory prefix of the row.
    public static let rep = InstructionFlags(rawValue: 1 << 1)
    /// F2 was present and is not a mandatory prefix of the row.
    public static let repne = InstructionFlags(rawValue: 1 << 2)
    /// A REX prefix was in force.
    public static let rex = InstructionFlags(rawValue: 1 << 3)
    /// REX.W was in force.
    public static let rexW = InstructionFlags(rawValue: 1 << 4)
    /// A ModRM byte was present.
    public static let modRM = InstructionFlags(rawValue: 1 << 5)
    /// The memory operand is relative to the next instruction's address.
    public static let ripRelative = InstructionFlags(rawValue: 1 << 6)
    /// 66 was present.
    public static let operandSizePrefix = InstructionFlags(rawValue: 1 << 7)
    /// 67 was present.
    public static let addressSizePrefix = InstructionFlags(rawValue: 1 << 8)
    /// A segment override was present and is in force (`segment` then names it).
    public static let segmentOverride = InstructionFlags(rawValue: 1 << 9)
}

/// Numbers of the segment registers, as ModRM encodes them; the last two are only machine state.
public enum SegmentNumber {
    public static let es: UInt8 = 0
    public static let cs: UInt8 = 1
    public static let ss: UInt8 = 2
    public static let ds: UInt8 = 3
    public static let fs: UInt8 = 4
    public static let gs: UInt8 = 5
    public static let ldtr: UInt8 = 6
    public static let tr: UInt8 = 7
}

/// One decoded instruction. Plain data; 64 bytes.
public struct Instruction: Sendable, Equatable {
    /// Register number that stands for "no register" in `base` and `index`: the zero register, so
    /// that an effective address needs no branch.
    public static let noRegister: UInt8 = 16

    /// What it does; rows of the opcode table with the same semantics share it.
    public var mnemonic: Mnemonic
    /// Index of its row in the opcode table (names, encodings, cost class).
    public var row: UInt16
    public var flags: InstructionFlags
    /// Length in bytes, 1...15.
    public var length: UInt8
    public var codeSize: CodeSize
    /// Effective operand size in bytes: 1, 2, 4 or 8.
    public var operandSize: UInt8
    /// Effective address size in bytes: 2, 4 or 8.
    public var addressSize: UInt8
    /// Segment of the memory operand after defaults and overrides (`SegmentNumber`).
    public var segment: UInt8
    /// Base register number, or `noRegister`. With `ripRelative` it is `noRegister`.
    public var base: UInt8
    /// Index register number, or `noRegister`.
    public var index: UInt8
    /// Index multiplier: 1, 2, 4 or 8.
    public var scale: UInt8
    /// The ModRM byte as read (0 without one).
    public var modRM: UInt8
    /// Condition 0...15 of Jcc, SETcc, CMOVcc (Intel SDM vol. 2, appendix B.1.4.7); else 0.
    public var condition: UInt8
    /// Cycle-cost class of the row (`CostClass`).
    public var cost: CostClass
    public var operandCount: UInt8
    /// Displacement, sign-extended; a full 64-bit offset for moffs.
    public var displacement: Int64
    /// First immediate, extended to 64 bits as the row says (sign for most, zero for IN/OUT/INT,
    /// shifts and far offsets).
    public var immediate: UInt64
    /// Second immediate: ENTER's level, or a far pointer's selector.
    public var immediate2: UInt16
    public var operands: (Operand, Operand, Operand, Operand)

    public static func == (a: Instruction, b: Instruction) -> Bool {
        a.mnemonic == b.mnemonic && a.row == b.row && a.flags == b.flags && a.length == b.length
            && a.codeSize == b.codeSize && a.operandSize == b.operandSize
            && a.addressSize == b.addressSize && a.segment == b.segment && a.base == b.base
            && a.index == b.index && a.scale == b.scale && a.modRM == b.modRM
            && a.condition == b.condition && a.displacement == b.displacement
            && a.immediate == b.immediate && a.immediate2 == b.immediate2
            && a.operands.0 == b.operands.0 && a.operands.1 == b.operands.1
            && a.operands.2 == b.operands.2 && a.operands.3 == b.operands.3
    }
}

/// Why bytes are not an instruction.
public enum DecodeFailure: UInt8, Error, Sendable {
    /// Undefined on a processor with our CPUID: #UD.
    case undefined
    /// More than 15 bytes: #GP(0).
    case tooLong
    /// The bytes given end before the instruction does; the caller fetches more or faults.
    case truncated
}
