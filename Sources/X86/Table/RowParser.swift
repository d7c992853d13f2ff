/// Reads the table's text into rows. A mistake in the text is a mistake of ours and stops the
/// program at the first use of the table; the tests use it.
struct RowParser {
    static let allText = [
        arithmeticRows, oneByteRows, twoByteRows, x87Rows, vectorRows, vectorThreeByteRows,
    ]

    /// Names of the sixteen conditions (Intel SDM vol. 2, B.1.4.7).
    static let conditions = [
        "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
    ]

    static func parseAll() -> [OpcodeRow] {
        var rows: [OpcodeRow] = []
        for text in allText {
            for line in text.split(separator: "\n") {
                rows += parse(String(line))
            }
        }
        return rows
    }

    /// The rows of one line: sixteen for `+cc`, else one.
    static func parse(_ line: String) -> [OpcodeRow] {
        let fields = split(line)
        precondition(fields.count == 3, "opcode table: three columns wanted: \(line)")
        var row = OpcodeRow(
            map: .oneByte, opcode: 0, opcodeCount: 1, prefix: .any, digits: 0xFF, exactModRM: nil,
            exactCount: 1, names: [], identifier: "", operands: [], attributes: [], condition: 0,
            cost: .simple, memoryCost: .simple, source: line)
        let hasConditions = parseEncoding(fields[0], into: &row)
        let body = fields[1].split(separator: " ")
        row.names = expand(String(body[0]))
        row.identifier = row.names[0]
        if body.count > 1 {
            row.operands = body[1].split(separator: ",").map { parseOperand($0, line) }
        }
        setCosts(&row)
        for attribute in fields[2].split(separator: " ") {
            parseAttribute(String(attribute), into: &row)
        }
        derive(&row)
        guard hasConditions else { return [row] }
        return (0..<16).map { condition in
            var one = row
            one.opcode = row.opcode + UInt8(condition)
            one.condition = UInt8(condition)
            one.names = row.names.map { $0.dropLast() + conditions[condition] }
            return one
        }
    }

    /// Splits at the bars outside braces.
    private static func split(_ line: String) -> [String] {
        var fields = [""]
        var depth = 0
        for character in line {
            if character == "{" { depth += 1 }
            if character == "}" { depth -= 1 }
            if character == "|" && depth == 0 {
                fields.append("")
            } else {
                fields[fields.count - 1].append(character)
            }
        }
        return fields
    }

    private static func expand(_ name: String) -> [String] {
        guard let open = name.firstIndex(of: "{"), let close = name.firstIndex(of: "}") else {
            return [name, name, name]
        }
        let choices = name[name.index(after: open)..<close].split(
            separator: "|", omittingEmptySubsequences: false)
        precondition(choices.count == 3, "opcode table: three names wanted: \(name)")
        let tail = name[name.index(after: close)...]
        return choices.map { String(name[..<open]) + $0 + tail }
    }

    /// True if the row stands for sixteen, one for each condition.
    private static func parseEncoding(_ text: String, into row: inout OpcodeRow) -> Bool {
        var tokens = text.split(separator: " ")[...]
        let prefixes: [Substring: OpcodeRow.PrefixRule] = [
            "NP": .none, "NF": .noRepeat, "66": .operandSize, "F3": .repeatF3, "F2": .repeatF2,
        ]
        if let first = tokens.first, let prefix = prefixes[first], tokens.count > 1 {
            row.prefix = prefix
            tokens.removeFirst()
        }
        if tokens.first == "0F", tokens.count > 1 {
            row.map = .twoByte
            tokens.removeFirst()
            if let map = tokens.first, tokens.count > 1, map == "38" || map == "3A" {
                row.map = map == "38" ? .threeByte38 : .threeByte3A
                tokens.removeFirst()
            }
        }
        var hasConditions = false
        let opcode = tokens.removeFirst().split(separator: "+")
        row.opcode = hex(opcode[0])
        if opcode.count > 1 {
            precondition(opcode[1] == "r" || opcode[1] == "cc", "opcode table: \(row.source)")
            hasConditions = opcode[1] == "cc"
            // 91+r begins at the second register: XCHG with rAX itself is NOP.
            if !hasConditions { row.opcodeCount = 8 - Int(row.opcode & 7) }
        }
        if hasConditions || tokens.isEmpty { return hasConditions }
        let last = tokens.removeFirst()
        precondition(tokens.isEmpty, "opcode table: too many tokens: \(row.source)")
        if last.hasPrefix("/") {
            row.digits = digitSet(last.dropFirst())
        } else {
            let parts = last.split(separator: "+")
            row.exactModRM = hex(parts[0])
            row.exactCount = parts.count > 1 ? 8 : 1
        }
        return false
    }

    private static func digitSet(_ text: Substring) -> UInt8 {
        var set: UInt8 = 0
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-").map { UInt8($0)! }
            for digit in ends[0]...ends[ends.count - 1] { set |= 1 << digit }
        }
        return set
    }

    private static func hex(_ text: Substring) -> UInt8 {
        guard text.count == 2, let value = UInt8(text, radix: 16) else {
            preconditionFailure("opcode table: not a byte: \(text)")
        }
        return value
    }
}
