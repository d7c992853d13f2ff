/// A name for an address of a kernel.
public struct KernelSymbol: Equatable, Sendable {
    public var address: UInt64
    /// The letter that `nm` gives: T and t for code, D, B, R and others for data, A for absolute.
    public var type: UInt8
    public var name: String

    public init(address: UInt64, type: UInt8, name: String) {
        self.address = address
        self.type = type
        self.name = name
    }

    /// Whether it is in the kernel's part of the addresses, also those of a 32-bit kernel.
    var isUpper: Bool { address >> 30 != 0 }

    public var isCode: Bool { type | 0x20 == 0x74 || type | 0x20 == 0x77 }
}

/// A kernel's symbols in the order of their addresses.
public struct KernelSymbols: Sendable {
    public private(set) var list: [KernelSymbol]
    private let byName: [String: Int]

    public init(_ symbols: [KernelSymbol]) {
        list = symbols.enumerated()
            .sorted { ($0.element.address, $0.offset) < ($1.element.address, $1.offset) }
            .map(\.element)
        var byName: [String: Int] = [:]
        byName.reserveCapacity(list.count)
        // The first of a name that comes several times.
        for (number, symbol) in list.enumerated().reversed() { byName[symbol.name] = number }
        self.byName = byName
    }

    public subscript(_ name: String) -> UInt64? { byName[name].map { list[$0].address } }

    /// The same symbols, moved.
    public func moved(by slide: UInt64) -> KernelSymbols {
        slide == 0
            ? self
            : KernelSymbols(
                list.map {
                    // Offsets in a processor's own data are no addresses of the image.
                    let isMoved = $0.isUpper
                    return KernelSymbol(
                        address: isMoved ? $0.address &+ slide : $0.address, type: $0.type,
                        name: $0.name)
                })
    }

    /// The ranges that hold the kernel's image: from `_text` to `_end`, or as much as is named.
    public var image: Range<UInt64>? {
        let upper = list.filter { $0.isUpper && $0.address < .max - 4096 }
        guard let first = self["_text"] ?? self["_stext"] ?? upper.first?.address,
            let last = self["_end"] ?? upper.last.map({ $0.address + 1 }), first < last
        else { return nil }
        return first..<last
    }
}
