/// Text that came from a guest or a trace, made safe to show: what would steer a terminal is
/// written as C escapes.
enum TerminalText {
    /// Bytes of a console. What is not printable ASCII, a line's end or a tab is escaped: a guest
    /// may print anything.
    static func safe(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(where: { !isPlain($0) }) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 16)
        for (n, byte) in bytes.enumerated() {
            if isPlain(byte) || byte == 0x0D && endsLine(bytes, after: n) {
                result.append(byte)
            } else {
                result += Array(escape(UInt32(byte)).utf8)
            }
        }
        return result
    }

    /// A carriage return before a newline, or last of what is there.
    private static func endsLine(_ bytes: [UInt8], after n: Int) -> Bool {
        n + 1 == bytes.count || bytes[n + 1] == 0x0A || bytes[n + 1] == 0x0D
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        0x20...0x7E ~= byte || byte == 0x0A || byte == 0x09
    }

    /// Text of ours, into which names and command lines of a trace may have come: controls but line
    /// ends and tabs are escaped.
    static func safe(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isControl(scalar) {
                result += escape(scalar.value)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A, 0x09: false
        case 0..<0x20, 0x7F..<0xA0: true
        // Marks that turn the direction of what follows.
        case 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    private static func escape(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        let isWide = digits.count > 2
        return (isWide ? "\\u" : "\\x")
            + String(repeating: "0", count: (isWide ? 4 : 2) - digits.count) + digits
    }
}
