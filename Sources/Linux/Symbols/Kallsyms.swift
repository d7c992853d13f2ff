/// The symbols that a Linux kernel carries for itself (CONFIG_KALLSYMS), found in memory by the
/// tables' own shape: nothing names their place. Linux's scripts/kallsyms.c writes them, in the
/// order of addresses:
///
/// - names, each a length and that many tokens, the first of which begins with the symbol's type;
/// - markers, the offset in them of every 256th name;
/// - in some versions (6.2, 6.3, later ones of 6.1) a number of three bytes for each symbol;
/// - 256 tokens, each text that ends with NUL; a digit's token is the digit;
/// - an index of the tokens' offsets, 16 bits each.
///
/// Each is aligned to the size of an address. The number of symbols lies before the names; their
/// addresses before it, or since Linux 6.4 after the index. Linux 7.2 aligns to 4 bytes, and counts
/// each address from where it stands in the table (`PlaceRelative`).
///
/// All of it is checked, so that nothing else in memory can be taken for it, and every read stays
/// in bounds: a guest's memory may hold anything.
struct Kallsyms {
    private let memory: UnsafeRawBufferPointer
    /// Bytes of the kernel's addresses, 8 or 4.
    private let word: Int
    /// What all parts are aligned to.
    private let alignment: Int
    private var tokens: [[UInt8]] = []
    private var tokenTable = 0
    private var tokenIndexEnd = 0
    private var names = 0
    private var count = 0

    /// More than any kernel has.
    private static let limit = 4_000_000

    /// The symbols of the first kernel in `memory` (its image must be in one piece), or nil.
    static func find(in memory: UnsafeRawBufferPointer) -> [KernelSymbol]? {
        let digits = (UInt8(0x30)...0x39).flatMap { [$0, 0] as [UInt8] }
        var start = 0
        while let hit = memory.firstPlace(of: digits, from: start) {
            start = hit + 2
            for (word, alignment) in [(8, 8), (8, 4), (4, 4)] {
                var tables = Kallsyms(memory: memory, word: word, alignment: alignment)
                if tables.readTokens(digitZero: hit), tables.findNames(),
                    let symbols = tables.symbols()
                {
                    return symbols
                }
            }
        }
        return nil
    }

    private init(memory: UnsafeRawBufferPointer, word: Int, alignment: Int) {
        self.memory = memory
        self.word = word
        self.alignment = alignment
    }

    private func byte(_ at: Int) -> UInt8? { memory.indices.contains(at) ? memory[at] : nil }

    private func aligned(_ value: Int) -> Int { (value + alignment - 1) & ~(alignment - 1) }

    /// Whether an address is in the half of the kernel: of 4 GiB it may have three quarters, never
    /// less than a quarter (CONFIG_VMSPLIT).
    private func isUpper(_ address: UInt64) -> Bool {
        Self.isUpper(address, word)
    }

    static func isUpper(_ address: UInt64, _ word: Int) -> Bool {
        word == 8 ? address >> 47 == 0x1FFFF : address >> 30 != 0
    }

    // MARK: Tokens

    /// Reads the token table around the token of digit 0, and compares it with its index.
    private mutating func readTokens(digitZero: Int) -> Bool {
        var start = digitZero
        for _ in 0..<0x30 {
            guard start >= 2, byte(start - 1) == 0 else { return false }
            var at = start - 1
            while at > 0, memory[at - 1] != 0, start - at < 256 { at -= 1 }
            start = at
        }
        guard start & (alignment - 1) == 0 else { return false }
        tokenTable = start
        var at = start
        var offsets: [UInt16] = []
        for _ in 0..<256 {
            offsets.append(UInt16(truncatingIfNeeded: at - start))
            var token: [UInt8] = []
            while let next = byte(at), next != 0, token.count < 256 {
                token.append(next)
                at += 1
            }
            guard byte(at) == 0 else { return false }
            at += 1
            tokens.append(token)
        }
        let index = aligned(at)
        for n in 0..<256 where memory.number(index + 2 * n, as: UInt16.self) != offsets[n] {
            return false
        }
        tokenIndexEnd = index + 512
        return true
    }

    // MARK: Names

    private mutating func findNames() -> Bool {
        // Offsets have been 32 bits wide since Linux 4.20, before that 64.
        for width in [4, 8] {
            let markers = markers(before: tokenTable, width)
            if let last = markers.last, markers.first == 0,
                findNames(markers, last, width, tokenTable)
            {
                return true
            }
        }
        return findNamesBeforeOrder()
    }

    /// The same where the symbols' order by name, three bytes each, comes before the tokens: then
    /// the number of symbols decides where the markers are, and most numbers do not fit at once.
    private mutating func findNamesBeforeOrder() -> Bool {
        for count in 257..<min(Self.limit, tokenTable / 3) {
            let end = tokenTable - aligned(3 * count)
            let start = end - aligned(4 * ((count + 255) / 256))
            guard start >= 16, memory.number(start, as: UInt32.self) == 0,
                let second = memory.number(start + 4, as: UInt32.self), 512...(256 * 256) ~= second
            else { continue }
            let markers = markers(before: end, 4)
            if let last = markers.last, markers.count == (count + 255) / 256,
                findNames(markers, last, 4, end), self.count == count
            {
                return true
            }
        }
        return false
    }

    /// The ascending numbers, the first of them 0, that end at `end`.
    private func markers(before end: Int, _ width: Int) -> [Int] {
        var at = end - width
        if number(at, width) == 0 { at -= width }
        var markers: [Int] = []
        while let value = number(at, width), value < markers.last ?? 1 << 28 {
            markers.append(value)
            if value == 0 { break }
            at -= width
        }
        return markers.reversed()
    }

    private func number(_ at: Int, _ width: Int) -> Int? {
        memory.number(at, width: width).flatMap { Int(exactly: $0) }
    }

    /// Looks for the names before the markers, whose own place is not known exactly: padding may
    /// follow either.
    private mutating func findNames(
        _ markers: [Int], _ last: Int, _ width: Int, _ markersEnd: Int
    ) -> Bool {
        let bytes = markers.count * width
        for end in [markersEnd - bytes, markersEnd - bytes - width] where end > last {
            var start = (end - last) & ~(alignment - 1)
            // The last names are at most 256, of some tens of bytes each.
            let lowest = max(16, end - last - 256 * 130)
            while start >= lowest {
                if let number = memory.number(start - alignment, width: alignment),
                    let count = Int(exactly: number), count > 256, count < Self.limit,
                    (count + 255) / 256 == markers.count, agree(markers, start, count)
                {
                    names = start
                    self.count = count
                    return true
                }
                start -= alignment
            }
        }
        return false
    }

    /// Whether names that begin at `start` have every 256th of them where the markers say.
    private func agree(_ markers: [Int], _ start: Int, _ count: Int) -> Bool {
        var at = start
        for n in 0..<count {
            if n & 255 == 0, at - start != markers[n >> 8] { return false }
            guard let (length, begin) = length(at), at < tokenTable else { return false }
            at = begin + length
        }
        return at <= tokenTable
    }

    /// Tokens of the name at `at`, and their place. A length may take two bytes since Linux 6.1.
    private func length(_ at: Int) -> (length: Int, begin: Int)? {
        guard let low = byte(at), let high = byte(at + 1) else { return nil }
        return low < 0x80
            ? (Int(low), at + 1) : (Int(low & 0x7F) | Int(high) << 7, at + 2)
    }

    // MARK: Addresses

    private func symbols() -> [KernelSymbol]? {
        if alignment == word, let addresses = addresses(), let symbols = named(addresses) {
            return symbols
        }
        guard alignment == 4 else { return nil }
        let relative = PlaceRelative(memory: memory, word: word)
        return relative.places(tokenIndexEnd, count).flatMap(named).flatMap(relative.symbols)
    }

    private func named(_ addresses: [UInt64]) -> [KernelSymbol]? {
        var symbols: [KernelSymbol] = []
        symbols.reserveCapacity(count)
        var at = names
        var text: [UInt8] = []
        for address in addresses {
            guard let (length, begin) = length(at) else { return nil }
            text.removeAll(keepingCapacity: true)
            for n in begin..<(begin + length) {
                guard let token = byte(n) else { return nil }
                text += tokens[Int(token)]
            }
            at = begin + length
            guard let type = text.first else { continue }
            symbols.append(
                KernelSymbol(
                    address: address, type: type,
                    name: String(decoding: text.dropFirst(), as: UTF8.self)))
        }
        return symbols
    }

    private func addresses() -> [UInt64]? {
        let offsets = aligned(4 * count)
        let before = names - 2 * word
        if let base = memory.number(before, width: word),
            let found = relative(before - offsets, base)
        {
            return found
        }
        if let base = memory.number(tokenIndexEnd + offsets, width: word),
            let found = relative(tokenIndexEnd, base)
        {
            return found
        }
        return absolute(names - word - aligned(word * count))
    }

    /// Offsets from a base (CONFIG_KALLSYMS_BASE_RELATIVE). Where the kernel has data of each
    /// processor, those that are not negative are absolute, the others count down from the base.
    private func relative(_ start: Int, _ base: UInt64) -> [UInt64]? {
        guard isUpper(base) else { return nil }
        var offsets: [Int32] = []
        offsets.reserveCapacity(count)
        for n in 0..<count {
            guard let offset = memory.number(start + 4 * n, as: Int32.self) else { return nil }
            offsets.append(offset)
        }
        let mixed = offsets.map { offset in
            offset >= 0
                ? UInt64(offset)
                : base &- 1 &- UInt64(bitPattern: Int64(offset))
        }
        if Self.ascends(mixed), (mixed.last ?? 0) >= base { return mixed }
        let plain = offsets.map { base &+ UInt64(UInt32(bitPattern: $0)) }
        return Self.ascends(plain) ? plain : nil
    }

    private func absolute(_ start: Int) -> [UInt64]? {
        var addresses: [UInt64] = []
        for n in 0..<count {
            guard let address = memory.number(start + word * n, width: word) else { return nil }
            addresses.append(address)
        }
        guard Self.ascends(addresses), isUpper(addresses.last ?? 0),
            addresses.first != addresses.last
        else { return nil }
        return addresses
    }

    static func ascends(_ addresses: [UInt64]) -> Bool {
        zip(addresses, addresses.dropFirst()).allSatisfy { $0 <= $1 }
    }
}
