#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension UnsafeRawBufferPointer {
    /// Where `bytes` first lie at or after `start`; nil where they do not, or are none.
    func firstPlace(of bytes: [UInt8], from start: Int) -> Int? {
        guard let base = baseAddress, let first = bytes.first, start >= 0 else { return nil }
        var at = start
        while at <= count - bytes.count {
            let room = count - bytes.count + 1 - at
            guard let hit = memchr(base + at, Int32(first), room) else { return nil }
            let place = UnsafeRawPointer(hit) - base
            if memcmp(base + place, bytes, bytes.count) == 0 { return place }
            at = place + 1
        }
        return nil
    }

    /// A little-endian number; nil where it does not lie within.
    func number<T: FixedWidthInteger>(_ at: Int, as type: T.Type) -> T? {
        guard at >= 0, at <= count - MemoryLayout<T>.size else { return nil }
        return T(littleEndian: loadUnaligned(fromByteOffset: at, as: T.self))
    }

    /// One of 8 bytes, or else of 4.
    func number(_ at: Int, width: Int) -> UInt64? {
        width == 8 ? number(at, as: UInt64.self) : number(at, as: UInt32.self).map { UInt64($0) }
    }
}
