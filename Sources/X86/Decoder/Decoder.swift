/// From bytes to `Instruction` (Intel SDM vol. 2, chapter 2): prefixes, opcode, ModRM, SIB,
/// displacement, immediates, in the order they stand.
///
/// Where processors differ, Intel's way is taken: in 64-bit mode near branches ignore 66 (AMD's
/// truncate RIP to 16 bits), and LOCK MOV CR0 is undefined (AMD's names CR8).

public struct Decoder {
    /// Decodes the instruction at `bytes` into `instruction`, of which nothing is kept.
    ///
    /// - Parameters:
    ///   - count: how many bytes may be read; 15 always suffice.
    /// - Returns: nil when decoded, or why not; `instruction` is then meaningless.
    public static func decode(
        _ bytes: UnsafePointer<UInt8>, count: Int, codeSize: CodeSize,
        into instruction: inout Instruction
    ) -> DecodeFailure? {
        var state = DecodeState(bytes: bytes, count: count, codeSize: codeSize)
        return state.decode(into: &instruction)
    }
}

/// What a byte is before the opcode.
enum PrefixClass {
    static let opcode: UInt8 = 0
    static let segment: UInt8 = 1
    static let operandSize: UInt8 = 2
    static let addressSize: UInt8 = 3
    static let lock: UInt8 = 4
    static let repeated: UInt8 = 5
    /// REX in 64-bit mode; an opcode elsewhere.
    static let rex: UInt8 = 6

    /// The classes by byte; never freed.
    static func makeTable() -> UnsafePointer<UInt8> {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        table.initialize(repeating: opcode, count: 256)
        for byte in [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65] { table[byte] = segment }
        table[0x66] = operandSize
        table[0x67] = addressSize
        table[0xF0] = lock
        table[0xF2] = repeated
        table[0xF3] = repeated
        for byte in 0x40...0x4F { table[byte] = rex }
        return UnsafePointer(table)
    }
}

/// The decoder's working state: a cursor over the bytes and what the prefixes said.
struct DecodeState {
    let bytes: UnsafePointer<UInt8>
    /// At most 15.
    let limit: Int
    let codeSize: CodeSize
    let is64: Bool
    var position = 0
    var rex: UInt8 = 0
    /// F3, F2 or 0: the last one present.
    var repeated: UInt8 = 0
    /// Segment override in force, or 0xFF.
    var override: UInt8 = 0xFF
    var flags: InstructionFlags = []
    var modRM: UInt8 = 0
    var opcode: UInt8 = 0

    @inline(__always)
    init(bytes: UnsafePointer<UInt8>, count: Int, codeSize: CodeSize) {
        self.bytes = bytes
        limit = count < 15 ? count : 15
        self.codeSize = codeSize
        is64 = codeSize == .bits64
    }

    /// The failure for wanting a byte beyond `limit`.
    @inline(__always)
    var shortage: DecodeFailure { limit == 15 ? .tooLong : .truncated }

    @inline(__always)
    func has(_ count: Int) -> Bool { position &+ count <= limit }

    @inline(__always)
    var isMemory: Bool { modRM < 0xC0 }

    @inline(__always)
    var reg: UInt8 { (modRM >> 3) & 7 }

    @inline(__always)
    var rm: UInt8 { modRM & 7 }

    /// REX.R, REX.X and REX.B as bit 3 of a register number.
    @inline(__always)
    var rexR: UInt8 { (rex & 4) << 1 }

    @inline(__always)
    var rexX: UInt8 { (rex & 2) << 2 }

    @inline(__always)
    var rexB: UInt8 { (rex & 1) << 3 }

    mutating func decode(into i: inout Instruction) -> DecodeFailure? {
        let tables = LookupTables.shared
        if let failure = readPrefixes(tables.prefixClasses) { return failure }
        var map = 0
        if opcode == 0x0F {
            guard has(1) else { return shortage }
            opcode = bytes[position]
            position &+= 1
            map = 1
            if opcode == 0x38 || opcode == 0x3A {
                map = opcode == 0x38 ? 2 : 3
                guard has(1) else { return shortage }
                opcode = bytes[position]
                position &+= 1
            }
        }
        // 90 with REX.B is XCHG R8, rAX: it takes the row of 91.
        let lookup = map == 0 && opcode == 0x90 && rex & 1 != 0 ? 0x91 : Int(opcode)
        let entry = tables.entries[(is64 ? 1024 : 0) | map << 8 | lookup]
        var slot = Int(entry.base)
        if entry.prefixStride != 0 { slot &+= prefixIndex &* Int(entry.prefixStride) }
        switch entry.shape {
        case .undefined: return .undefined
        case .plain: break
        case .modRM, .digits, .whole:
            guard has(1) else { return shortage }
            modRM = bytes[position]
            position &+= 1
            flags.insert(.modRM)
            if entry.shape == .digits {
                slot &+= Int(reg) &+ (isMemory ? 0 : 8)
            } else if entry.shape == .whole {
                slot &+= isMemory ? Int(reg) : Int(modRM & 63) &+ 8
            }
        }
        let row = tables.slots[slot]
        if row == LookupTables.noRow { return .undefined }
        return finish(row, tables.rows + Int(row), &i)
    }

    /// 0 for none, 1 for 66, 2 for F3, 3 for F2.
    @inline(__always)
    private var prefixIndex: Int {
        if repeated != 0 { return repeated == 0xF3 ? 2 : 3 }
        return flags.contains(.operandSizePrefix) ? 1 : 0
    }

    /// Reads up to the first opcode byte. REX counts only directly before it.
    @inline(__always)
    private mutating func readPrefixes(_ classes: UnsafePointer<UInt8>) -> DecodeFailure? {
        while true {
            guard has(1) else { return shortage }
            let byte = bytes[position]
            position &+= 1
            let kind = classes[Int(byte)]
            if kind == PrefixClass.opcode || (kind == PrefixClass.rex && !is64) {
                opcode = byte
                if rex != 0 {
                    flags.insert(.rex)
                    if rex & 8 != 0 { flags.insert(.rexW) }
                }
                return nil
            }
            if kind == PrefixClass.rex {
                rex = byte
                continue
            }
            rex = 0
            switch kind {
            case PrefixClass.segment: noteSegment(byte)
            case PrefixClass.operandSize: flags.insert(.operandSizePrefix)
            case PrefixClass.addressSize: flags.insert(.addressSizePrefix)
            case PrefixClass.lock: flags.insert(.lock)
            default: repeated = byte
            }
        }
    }

    /// In 64-bit mode CS, DS, ES and SS prefixes have no effect, not even on an earlier FS or GS
    /// (Intel SDM vol. 1, 3.3.7.1; AMD APM vol. 3, 1.2.4).
    @inline(__always)
    private mutating func noteSegment(_ byte: UInt8) {
        if byte >= 0x64 {
            override = byte &- 0x60
        } else if !is64 {
            override = (byte >> 3) & 3
        } else {
            return
        }
        flags.insert(.segmentOverride)
    }
}
