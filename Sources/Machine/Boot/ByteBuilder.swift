/// Little-endian words one after the other.
struct ByteBuilder {
    var bytes: [UInt8] = []

    mutating func add8(_ value: UInt8) { bytes.append(value) }
    mutating func add16(_ value: UInt16) {
        add8(UInt8(truncatingIfNeeded: value))
        add8(UInt8(truncatingIfNeeded: value >> 8))
    }
    mutating func add32(_ value: UInt32) {
        for n in 0..<4 { add8(UInt8(truncatingIfNeeded: value >> UInt32(8 * n))) }
    }
    mutating func add64(_ value: UInt64) {
        add32(UInt32(truncatingIfNeeded: value))
        add32(UInt32(truncatingIfNeeded: value >> 32))
    }
    mutating func add(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }
    mutating func pad(to size: Int) {
        while bytes.count < size { bytes.append(0) }
    }

    /// Makes the bytes of a range sum up to 0 by the byte at `place`, which is in it.
    mutating func setChecksum(at place: Int, over range: Range<Int>) {
        bytes[place] = 0
        bytes[place] = 0 &- bytes[range].reduce(0, &+)
    }
    mutating func set32(_ value: UInt32, at place: Int) {
        for n in 0..<4 { bytes[place + n] = UInt8(truncatingIfNeeded: value >> UInt32(8 * n)) }
    }
    mutating func set64(_ value: UInt64, at place: Int) {
        set32(UInt32(truncatingIfNeeded: value), at: place)
        set32(UInt32(truncatingIfNeeded: value >> 32), at: place + 4)
    }
}

/// `0x` and lower-case digits.
func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
