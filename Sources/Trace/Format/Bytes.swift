import CXXHash

/// Little-endian stores and loads at byte offsets, the same on any processor.
extension UnsafeMutableRawPointer {
    @inline(__always)
    func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
}

extension UnsafeRawPointer {
    @inline(__always)
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}

/// XXH3, 64 bits, seed 0, of `count` bytes.
@inline(__always)
func checksum(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
    XXH3_64bits(bytes, count)
}

/// Appends little-endian integers, for the small blocks.
struct ByteBuilder {
    private(set) var bytes: [UInt8] = []

    mutating func append<T: FixedWidthInteger>(_ value: T) {
        for i in 0..<(T.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: i * 8)))
        }
    }

    mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }
}

/// Takes little-endian integers from a small block, checking each step against its end.
struct ByteParser {
    private let bytes: [UInt8]
    private let end: Int
    private var position: Int
    private let base: UInt64

    /// `base` is the file offset of the first of `bytes`, for errors; `from` is where to begin.
    init(_ bytes: [UInt8], from: Int = 0, base: UInt64) {
        self.bytes = bytes
        self.base = base
        end = bytes.count
        position = from
    }

    var remaining: Int { end - position }
    var offset: UInt64 { base &+ UInt64(position) }

    mutating func take<T: FixedWidthInteger>(
        _ type: T.Type, _ what: StaticString
    ) throws(TraceError) -> T {
        let size = T.bitWidth / 8
        guard remaining >= size else { throw .malformed(offset: offset, what: "\(what) is cut") }
        var value: T = 0
        for i in 0..<size {
            value |= T(truncatingIfNeeded: bytes[position + i]) << T(truncatingIfNeeded: i * 8)
        }
        position += size
        return value
    }

    mutating func take(_ count: Int, _ what: StaticString) throws(TraceError) -> [UInt8] {
        guard count >= 0, remaining >= count else {
            throw .malformed(offset: offset, what: "\(what) is cut")
        }
        defer { position += count }
        return Array(bytes[position..<(position + count)])
    }

    mutating func string(_ count: Int, _ what: StaticString) throws(TraceError) -> String {
        let start = offset
        let taken = try take(count, what)
        guard let text = String(validating: taken, as: UTF8.self) else {
            throw .malformed(offset: start, what: "\(what) is not UTF-8")
        }
        return text
    }
}
