/// A `System.map`: one line for each symbol, `address type name`, as `nm` prints them.
public enum SystemMap {
    /// The symbols of a file, or nil where it has no line of that form for an address that a kernel
    /// can have. (Debian's linux-image packages come with a placeholder; the real one is in -dbg.)
    public static func symbols(_ bytes: [UInt8]) -> KernelSymbols? {
        var symbols: [KernelSymbol] = []
        for line in bytes.split(separator: 0x0A) {
            let words = line.split(separator: 0x20, maxSplits: 3)
            guard words.count == 3, words[1].count == 1, words[0].count <= 16,
                let address = UInt64(String(decoding: words[0], as: UTF8.self), radix: 16)
            else { continue }
            symbols.append(
                KernelSymbol(
                    address: address, type: words[1].first!,
                    name: String(decoding: words[2], as: UTF8.self)))
        }
        return symbols.contains { $0.isCode } ? KernelSymbols(symbols) : nil
    }
}
