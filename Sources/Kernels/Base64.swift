/// The decoder for the images' text (RFC 4648, section 4). They are text in the executable because
/// a literal of bytes takes the compiler a hundred times as long.
enum Base64 {
    /// The bytes of a well-formed text, padding included; the text comes from our own build, so
    /// anything else is a mistake of ours.
    static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        precondition(text.count % 4 == 0, "a base64 text comes in fours")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        for start in stride(from: 0, to: text.count, by: 4) {
            var group: UInt32 = 0
            var padding = 0
            for at in start..<start + 4 {
                let character = text[at]
                padding += character == UInt8(ascii: "=") ? 1 : 0
                group = group << 6 | value(character)
            }
            for byte in 0..<3 - padding {
                bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * byte)))
            }
        }
        return bytes
    }

    private static func value(_ character: UInt8) -> UInt32 {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character) - 97 + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character) - 48 + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        case UInt8(ascii: "="): 0
        default: preconditionFailure("not base64")
        }
    }
}
