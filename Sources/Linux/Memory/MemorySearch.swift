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
}
