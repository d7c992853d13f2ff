/// Operands and attributes of a row.
extension RowParser {
    private static let fixed: [Substring: (OperandMethod, OperandWidth)] = [
        "AL": (.fixedAccumulator, .byte), "AX": (.fixedAccumulator, .word),
        "rAX": (.fixedAccumulator, .operand), "zAX": (.fixedAccumulator, .atMost32),
        "CL": (.fixedCL, .byte), "DX": (.fixedDX, .word), "XMM0": (.fixedXMM0, .sixteen),
        "ES": (.fixedES, .word), "CS": (.fixedCS, .word), "SS": (.fixedSS, .word),
        "DS": (.fixedDS, .word), "FS": (.fixedFS, .word), "GS": (.fixedGS, .word),
        "1": (.one, .byte), "ST": (.x87Top, .ten), "Ti": (.x87Register, .ten),
        "Ib": (.immediateSigned8, .operand), "Iub": (.immediateUnsigned8, .byte),
        "Iuw": (.immediateUnsigned16, .word), "Iz": (.immediateSigned, .operand),
        "Iv": (.immediateFull, .operand), "I2b": (.secondImmediate8, .byte),
        "Jb": (.relative8, .operand), "Jz": (.relative, .operand), "Ap": (.farPointer, .unsized),
        "Lb": (.translation, .byte),
    ]
    private static let letters: [Character: OperandMethod] = [
        "E": .registerOrMemory, "G": .register, "M": .memoryOnly, "R": .registerOnly,
        "Z": .opcodeRegister, "O": .absoluteOffset, "X": .stringSource, "Y": .stringDestination,
        "B": .maskedStore, "S": .segmentRegister, "C": .controlRegister, "D": .debugRegister,
        "P": .mmx, "Q": .mmxOrMemory, "N": .mmxOnly, "V": .xmm, "W": .xmmOrMemory, "U": .xmmOnly,
    ]
    private static let widths: [Substring: OperandWidth] = [
        "": .unsized, "b": .byte, "w": .word, "d": .double, "q": .quad, "t": .ten, "x": .sixteen,
        "v": .operand, "z": .atMost32, "y": .wide, "n": .native, "s": .unsized, "p": .unsized,
    ]

    static func parseOperand(_ text: Substring, _ line: String) -> OperandSpec {
        var rest = text
        var access = OperandAccess.read
        let marks: [Character: OperandAccess] = ["=": .write, "+": .readWrite, ".": .none]
        if let mark = rest.first.flatMap({ marks[$0] }) {
            access = mark
            rest.removeFirst()
        }
        let hidden = rest.first == "~"
        if hidden { rest.removeFirst() }
        if let (method, size) = fixed[rest] {
            return OperandSpec(method: method, size: size, access: access, hidden: hidden)
        }
        guard let method = rest.first.flatMap({ letters[$0] }), let size = widths[rest.dropFirst()]
        else { preconditionFailure("opcode table: operand \(text) in \(line)") }
        return OperandSpec(method: method, size: size, access: access, hidden: hidden)
    }

    /// Costs from the operands, before the attributes replace them.
    static func setCosts(_ row: inout OpcodeRow) {
        if row.operands.contains(where: { $0.method.isVector }) {
            row.cost = .vector
            row.memoryCost = .vector
            return
        }
        for operand in row.operands where operand.method.mayBeMemory {
            switch operand.access {
            case .none: break
            case .read: row.memoryCost = .load
            case .write: row.memoryCost = .store
            case .readWrite: row.memoryCost = .readModifyWrite
            }
        }
    }

    private static let flags: [String: RowAttributes] = [
        "i64": .invalidIn64, "o64": .onlyIn64, "d64": .default64, "f64": .forced64,
        "f32": .forced32, "lock": .lockable, "any-mod": .anyMod, "size=b": .byteSize,
        "size=z": .atMost32, "named-by-address-size": .namedByAddressSize,
    ]

    static func parseAttribute(_ text: String, into row: inout OpcodeRow) {
        if let flag = flags[text] {
            row.attributes.insert(flag)
            return
        }
        let parts = text.split(separator: "=")
        precondition(parts.count == 2, "opcode table: attribute \(text) in \(row.source)")
        switch parts[0] {
        case "id": row.identifier = String(parts[1])
        case "cond": row.condition = UInt8(parts[1])!
        case "c":
            row.cost = costClass(parts[1], row)
            row.memoryCost = row.cost
        case "cm": row.memoryCost = costClass(parts[1], row)
        default: preconditionFailure("opcode table: attribute \(text) in \(row.source)")
        }
    }

    private static let costClasses = Dictionary(
        uniqueKeysWithValues: CostClass.allCases.map { ("\($0)", $0) })

    private static func costClass(_ name: Substring, _ row: OpcodeRow) -> CostClass {
        guard let cost = costClasses[String(name)] else {
            preconditionFailure("opcode table: cost class \(name) in \(row.source)")
        }
        return cost
    }

    /// Attributes that follow from the rest.
    static func derive(_ row: inout OpcodeRow) {
        switch row.prefix {
        case .operandSize: row.attributes.insert(.mandatory66)
        case .repeatF3, .repeatF2: row.attributes.insert(.mandatoryRepeat)
        case .any, .none, .noRepeat: break
        }
        if let first = row.operands.first {
            switch first.method {
            case .registerOrMemory, .register, .opcodeRegister, .fixedAccumulator, .absoluteOffset,
                .stringSource, .stringDestination:
                if first.size == .byte { row.attributes.insert(.byteSize) }
                if first.size == .atMost32 { row.attributes.insert(.atMost32) }
            default: break
            }
        }
        // MOV to or from an absolute offset has no ModRM byte to tell its memory form by.
        if row.operands.contains(where: { $0.method == .absoluteOffset }) {
            row.attributes.insert(.alwaysMemory)
        }
    }
}
