/// What is wrong with an image's symbols or line numbers. Never fatal: an image without them is
/// shown by addresses.
public struct SymbolError: Error, Equatable, Sendable, CustomStringConvertible {
    /// File offset of what is wrong.
    public var offset: UInt64
    public var what: String

    public var description: String { "\(what) at file offset 0x\(String(offset, radix: 16))" }
}

/// Takes little-endian values from a range of a file, each step checked against the range's end.
struct ByteCursor {
    private let bytes: [UInt8]
    private(set) var position: Int
    let end: Int

    /// `range` is clamped to the file.
    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        let clamped = range.clamped(to: 0..<bytes.count)
        position = clamped.lowerBound
        end = clamped.upperBound
    }

    var atEnd: Bool { position >= end }
    var remaining: Int { end - position }

    func malformed(_ what: String) -> SymbolError {
        SymbolError(offset: UInt64(position), what: what)
    }

    private mutating func advance(_ count: UInt64) throws(SymbolError) -> Int {
        guard count <= UInt64(remaining) else { throw malformed("data that ends early") }
        let start = position
        position += Int(count)
        return start
    }

    mutating func skip(_ count: UInt64) throws(SymbolError) { _ = try advance(count) }

    /// A value of `size` bytes, 1...8.
    mutating func unsigned(_ size: Int) throws(SymbolError) -> UInt64 {
        let start = try advance(UInt64(size))
        var value: UInt64 = 0
        for i in 0..<size { value |= UInt64(bytes[start + i]) << UInt64(8 * i) }
        return value
    }

    mutating func byte() throws(SymbolError) -> UInt8 { UInt8(try unsigned(1)) }

    /// Unsigned LEB128 (DWARF 5, section 7.6); bits above 64 are dropped.
    mutating func unsignedLEB() throws(SymbolError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let part = try byte()
            if shift < 64 { value |= UInt64(part & 0x7f) << shift }
            shift += 7
            if part < 0x80 { return value }
        }
    }

    /// Signed LEB128.
    mutating func signedLEB() throws(SymbolError) -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let part = try byte()
            if shift < 64 { value |= UInt64(part & 0x7f) << shift }
            shift += 7
            if part < 0x80 {
                if shift < 64 && part & 0x40 != 0 { value |= ~0 << shift }
                return Int64(bitPattern: value)
            }
        }
    }

    /// Bytes up to a NUL, which is passed over. What is not UTF-8 is shown as such.
    mutating func string() throws(SymbolError) -> String {
        guard let length = bytes[position..<end].firstIndex(of: 0).map({ $0 - position }) else {
            throw malformed("a string without its end")
        }
        let start = try advance(UInt64(length) + 1)
        return String(decoding: bytes[start..<(start + length)], as: UTF8.self)
    }

    /// A cursor over the next `count` bytes, which this one passes over.
    mutating func part(_ count: UInt64) throws(SymbolError) -> ByteCursor {
        let start = try advance(count)
        return ByteCursor(bytes, start..<(start + Int(count)))
    }
}
