/// What a row says about one operand: how it is encoded, how wide it is, what is done with it.
struct OperandSpec: Sendable {
    var method: OperandMethod
    var size: OperandWidth
    var access: OperandAccess
    /// Not written in assembly language.
    var hidden: Bool
}

/// What an instruction does with an operand.
public enum OperandAccess: UInt8, Sendable {
    /// Nothing: only an address or a hint.
    case none
    case read
    case write
    case readWrite
}

/// How an operand is encoded; the letters are explained at `OpcodeRow`.
enum OperandMethod: UInt8, Sendable {
    case none
    case registerOrMemory  // E
    case register  // G
    case memoryOnly  // M
    case registerOnly  // R
    case opcodeRegister  // Z
    case immediateSigned8  // Ib
    case immediateUnsigned8  // Iub
    case immediateUnsigned16  // Iuw
    case immediateSigned  // Iz
    case immediateFull  // Iv
    case secondImmediate8  // I2b
    case relative8  // Jb
    case relative  // Jz
    case farPointer  // A
    case absoluteOffset  // O
    case stringSource  // X
    case stringDestination  // Y
    case maskedStore  // B
    case translation  // L
    case segmentRegister  // S
    case controlRegister  // C
    case debugRegister  // D
    case mmx  // P
    case mmxOrMemory  // Q
    case mmxOnly  // N
    case xmm  // V
    case xmmOrMemory  // W
    case xmmOnly  // U
    case x87Register  // T
    case x87Top  // ST
    case fixedAccumulator  // AL AX rAX zAX
    case fixedCL
    case fixedDX
    case fixedXMM0
    case fixedES
    case fixedCS
    case fixedSS
    case fixedDS
    case fixedFS
    case fixedGS
    case one

    var usesModRM: Bool {
        switch self {
        case .registerOrMemory, .register, .memoryOnly, .registerOnly, .segmentRegister,
            .controlRegister, .debugRegister, .mmx, .mmxOrMemory, .mmxOnly, .xmm, .xmmOrMemory,
            .xmmOnly, .x87Register:
            true
        default: false
        }
    }

    /// True where the operand is in memory, or is with mod != 3.
    var mayBeMemory: Bool {
        switch self {
        case .registerOrMemory, .memoryOnly, .absoluteOffset, .stringSource, .stringDestination,
            .maskedStore, .translation, .mmxOrMemory, .xmmOrMemory:
            true
        default: false
        }
    }

    var isVector: Bool {
        switch self {
        case .mmx, .mmxOrMemory, .mmxOnly, .xmm, .xmmOrMemory, .xmmOnly: true
        default: false
        }
    }
}

/// How wide an operand is.
enum OperandWidth: UInt8, Sendable {
    case unsized
    case byte
    case word
    case double
    case quad
    case ten
    case sixteen
    case operand  // v
    case atMost32  // z
    case wide  // y
    case native  // n
}
