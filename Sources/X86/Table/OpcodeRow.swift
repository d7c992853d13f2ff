/// One row of the opcode table and the notation it is written in.
///
/// A row is one line: `encoding | name operands | attributes`.
///
/// Encoding. An optional prefix condition, the map's escape bytes, the opcode, and what the ModRM
/// byte must hold:
///
///     (none)      66, F3 and F2 are taken as operand size, REP and REPNE
///     NP          none of 66, F3 and F2 may be present
///     NF          neither F3 nor F2; 66 is an operand-size prefix
///     66 F3 F2    that prefix selects the row (F3 and F2 go before 66; the last of those two)
///     50+r        eight opcodes; the low three bits with REX.B are a register
///     70+cc       sixteen opcodes; the low four bits are a condition
///     /2  /0,2-5  values of the reg field
///     C1  C0+i    the whole ModRM byte, or eight of them (mod = 3)
///
/// Name. `{a|b|c}` picks by operand size (16, 32, 64 bits), or by address size with the attribute
/// `named-by-address-size`; `*` is the condition.
///
/// Operands, separated by commas, in the letters of the SDM (vol. 2, appendix A.2), after a mark
/// for what the instruction does with them: `=` writes, `+` reads and writes, `.` touches nothing
/// (an address, a hint), none reads; `~` (after the mark) keeps the operand out of the disassembly.
///
///     E  r/m, general register or memory     P  reg, MMX            S  reg, segment register
///     G  reg, general register               Q  r/m, MMX or memory  C  reg, control register
///     M  r/m, memory only                    N  r/m, MMX only       D  reg, debug register
///     R  r/m, general register only          V  reg, XMM            O  absolute offset
///     Z  register in the opcode              W  r/m, XMM or memory  X  [rSI]; Y  ES:[rDI]
///     A  far pointer                         U  r/m, XMM only       B  DS:[rDI]; L  [rBX + AL]
///     I  immediate: b and z sign-extended, v as large as the operand, ub and uw zero-extended,
///        2b the second immediate             J  branch displacement
///     T  r/m, x87 register; ST its top
///     AL CL AX DX rAX zAX XMM0 ES CS SS DS FS GS 1: themselves
///
/// Sizes: b w d q t x are 1, 2, 4, 8, 10 and 16 bytes; v the operand size; z the same but 4 for 8;
/// y 8 with REX.W, else 4; n 8 in 64-bit mode, else 4; s and p table registers and far
/// pointers, and none: a matter of the instruction.
///
/// Attributes: `id=` the mnemonic where it is not the name; `i64` undefined in 64-bit mode, `o64`
/// only there; `d64` 64-bit operands by default there (66 makes 16), `f64` always; `f32` 32-bit
/// operands always outside it; `size=b` 8-bit operation, `size=z` never 64 bits; `lock` LOCK is
/// allowed with a memory destination; `any-mod` mod is taken as 3; `cond=` the condition; `c=` the
/// cost class and `cm=` that of the memory form (by default from the operands).
struct OpcodeRow: Sendable {
    /// Opcode maps, in the order of the lookup tables.
    enum Map: UInt8, Sendable {
        case oneByte, twoByte, threeByte38, threeByte3A
    }

    /// Which of the prefixes 66, F3 and F2 select the row.
    enum PrefixRule: UInt8, Sendable {
        case any, none, noRepeat, operandSize, repeatF3, repeatF2
    }

    var map: Map
    var opcode: UInt8
    /// How many successive opcodes the row covers: 1, or 8 for `+r`.
    var opcodeCount: Int
    var prefix: PrefixRule
    /// Bit n set: reg field n is the row's.
    var digits: UInt8
    /// First whole ModRM byte, where the row names one, and how many follow on.
    var exactModRM: UInt8?
    var exactCount: Int
    /// Display names by operand (or address) size 2, 4, 8.
    var names: [String]
    var identifier: String
    var operands: [OperandSpec]
    var attributes: RowAttributes
    var condition: UInt8
    var cost: CostClass
    var memoryCost: CostClass
    /// The row as written, for messages and listings.
    var source: String

    /// What mod must be.
    enum ModRule { case any, register, memory }

    var modRule: ModRule {
        if attributes.contains(.anyMod) { return .any }
        if exactModRM != nil { return .register }
        for operand in operands {
            switch operand.method {
            case .memoryOnly: return .memory
            case .registerOnly, .mmxOnly, .xmmOnly: return .register
            default: break
            }
        }
        return .any
    }

    var hasModRM: Bool {
        exactModRM != nil || digits != 0xFF || operands.contains { $0.method.usesModRM }
    }
}

/// Properties of a row that the decoder acts on.
struct RowAttributes: OptionSet, Sendable {
    let rawValue: UInt16
    static let invalidIn64 = RowAttributes(rawValue: 1 << 0)
    static let onlyIn64 = RowAttributes(rawValue: 1 << 1)
    static let default64 = RowAttributes(rawValue: 1 << 2)
    static let forced64 = RowAttributes(rawValue: 1 << 3)
    static let forced32 = RowAttributes(rawValue: 1 << 4)
    static let byteSize = RowAttributes(rawValue: 1 << 5)
    static let atMost32 = RowAttributes(rawValue: 1 << 6)
    static let lockable = RowAttributes(rawValue: 1 << 7)
    static let anyMod = RowAttributes(rawValue: 1 << 8)
    static let namedByAddressSize = RowAttributes(rawValue: 1 << 9)
    /// Derived: 66 selects the row and is no operand-size prefix.
    static let mandatory66 = RowAttributes(rawValue: 1 << 10)
    /// Derived: F3 or F2 selects the row and is no REP prefix.
    static let mandatoryRepeat = RowAttributes(rawValue: 1 << 11)
    /// Derived: the memory form's cost applies whatever ModRM says.
    static let alwaysMemory = RowAttributes(rawValue: 1 << 12)
}
