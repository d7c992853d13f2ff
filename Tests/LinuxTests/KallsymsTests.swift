import Testing

@testable import Linux

/// Symbol tables as Linux's scripts/kallsyms.c lays them out, made here in the forms that kernels
/// have had, somewhere in memory that holds other things.
@Suite struct KallsymsTests {
    enum Form: CaseIterable {
        /// Offsets before the names, those of a processor's own data absolute (Linux 4.20 to 6.3).
        case offsetsBefore
        /// The same with the symbols' order by name before the tokens (Linux 6.2 and 6.3).
        case orderBeforeTokens
        /// The same after the index of tokens (since Linux 6.4).
        case offsetsAfter
        /// All offsets count up from the base.
        case plainOffsets
        /// 64-bit addresses, and markers of 64 bits (before Linux 4.6).
        case absolute
        /// A 32-bit kernel's: offsets that count up, all aligned to 4 bytes.
        case narrow
        /// Each counts from its own place, all aligned to 4 bytes (Linux 7.2).
        case placeRelative
        /// The same of a 32-bit kernel.
        case narrowPlaceRelative

        var isNarrow: Bool { self == .narrow || self == .narrowPlaceRelative }
        var isPlaceRelative: Bool { self == .placeRelative || self == .narrowPlaceRelative }
        var word: Int { isNarrow ? 4 : 8 }
        var alignment: Int { isNarrow || isPlaceRelative ? 4 : 8 }
    }

    static let base: UInt64 = 0xFFFF_FFFF_8B00_0000

    /// 700 symbols: more than two markers' worth, one with a name of more than 127 tokens.
    static let symbols: [KernelSymbol] = (0..<700).map { n in
        var name = "symbol_\(n)"
        if n == 300 { name = String(repeating: "n", count: 200) }
        if n == 640 { name = "sys_call_table" }
        if n == 2 { name = "__x64_sys_read" }
        if n == 0 { return KernelSymbol(address: 0x1000, type: 0x41, name: "percpu") }
        return KernelSymbol(
            address: base + UInt64(n) * 0x40, type: n % 2 == 0 ? 0x54 : 0x64, name: name)
    }

    struct Writer {
        let alignment: Int
        var bytes: [UInt8] = []
        mutating func align() { while bytes.count % alignment != 0 { bytes.append(0) } }
        mutating func put(_ value: UInt64, _ size: Int) {
            for n in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * n))) }
        }
    }

    /// Token 0x80 is "symbol_"; every other is its own character.
    static func tokens() -> [[UInt8]] {
        var tokens: [[UInt8]] = []
        for n in 0..<256 {
            if n == 0x80 {
                tokens.append(Array("symbol_".utf8))
            } else {
                tokens.append(n == 0 || n > 0x80 ? [0x7E] : [UInt8(n)])
            }
        }
        return tokens
    }

    static func packed(_ symbol: KernelSymbol) -> [UInt8] {
        var text = [symbol.type] + Array(symbol.name.utf8)
        if symbol.name.hasPrefix("symbol_") { text.replaceSubrange(1..<8, with: [0x80]) }
        return text
    }

    static func table(_ symbols: [KernelSymbol], _ form: Form) -> [UInt8] {
        var w = Writer(alignment: form.alignment)
        let offsets = {
            if form.isPlaceRelative {
                for symbol in symbols {
                    w.put(
                        symbol.address &- difference(form) &- UInt64(tableStart + w.bytes.count), 4)
                }
                return
            }
            for symbol in symbols {
                let isAbsolute = symbol.address < 1 << 32
                let offset =
                    form == .plainOffsets || form == .narrow
                    ? symbol.address &- symbols[0].address
                    : isAbsolute ? symbol.address : base &- 1 &- symbol.address
                w.put(offset, 4)
            }
            w.align()
            w.put(form == .narrow ? symbols[0].address : base, form.word)
        }
        switch form {
        case .offsetsBefore, .plainOffsets, .orderBeforeTokens, .narrow: offsets()
        case .absolute: for symbol in symbols { w.put(symbol.address, 8) }
        case .offsetsAfter, .placeRelative, .narrowPlaceRelative: break
        }
        w.put(UInt64(symbols.count), form.alignment)
        let names = w.bytes.count
        var markers: [Int] = []
        for (n, symbol) in symbols.enumerated() {
            if n % 256 == 0 { markers.append(w.bytes.count - names) }
            let text = packed(symbol)
            if text.count < 0x80 {
                w.put(UInt64(text.count), 1)
            } else {
                w.put(UInt64(text.count & 0x7F | 0x80), 1)
                w.put(UInt64(text.count >> 7), 1)
            }
            w.bytes += text
        }
        w.align()
        for marker in markers { w.put(UInt64(marker), form == .absolute ? 8 : 4) }
        w.align()
        if form == .orderBeforeTokens {
            for n in symbols.indices { w.bytes += [0, UInt8(n >> 8), UInt8(n & 255)] }
            w.align()
        }
        let start = w.bytes.count
        var index: [Int] = []
        for token in tokens() {
            index.append(w.bytes.count - start)
            w.bytes += token + [0]
        }
        w.align()
        for offset in index { w.put(UInt64(offset), 2) }
        if form == .offsetsAfter || form.isPlaceRelative { offsets() }
        return w.bytes
    }

    static func find(_ bytes: [UInt8]) -> [KernelSymbol]? {
        bytes.withUnsafeBytes { Kallsyms.find(in: $0) }
    }

    /// Where `memory` puts a table, and where in it the kernel's first page lies.
    static let tableStart = 4096 + 4
    static let imageStart = 1 << 21

    /// Address minus place in memory.
    static func difference(_ form: Form) -> UInt64 {
        (form.isNarrow ? 0xC100_0000 : base) &- UInt64(imageStart)
    }

    /// A kernel's memory, with the pointer in its table of system calls.
    static func image(_ table: [UInt8], _ symbols: [KernelSymbol], _ form: Form) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: tableStart) + table
        bytes += [UInt8](repeating: 0, count: imageStart + (1 << 17) - bytes.count)
        let calls = Int(symbols[640].address &- difference(form))
        for n in 0..<form.word {
            bytes[calls + n] = UInt8(truncatingIfNeeded: symbols[2].address >> UInt64(8 * n))
        }
        return bytes
    }

    static func memory(_ table: [UInt8]) -> [UInt8] {
        // Digits that are no token table come before.
        var bytes = [UInt8](repeating: 0, count: 4096)
        for n in 0..<10 { bytes[1000 + 2 * n] = 0x30 + UInt8(n) }
        return bytes + table + [UInt8](repeating: 0xCC, count: 4096)
    }

    @Test(arguments: Form.allCases)
    func itIsFoundInEveryForm(_ form: Form) throws {
        var symbols = Self.symbols
        // Without CONFIG_KALLSYMS_ABSOLUTE_PERCPU there is nothing below the base.
        if form == .plainOffsets || form == .absolute || form == .placeRelative {
            symbols[0].address = Self.base
        }
        if form.isNarrow {
            for n in symbols.indices { symbols[n].address = 0xC100_0000 + UInt64(n) * 0x40 }
        }
        let table = Self.table(symbols, form)
        let memory = form.isPlaceRelative ? Self.image(table, symbols, form) : Self.memory(table)
        let found = try #require(Self.find(memory))
        #expect(found == symbols)
    }

    /// Distances say where in memory a symbol lies; without a pointer no address is known.
    @Test func withoutAPointerNoAddressIsKnown() {
        var symbols = Self.symbols
        symbols[0].address = Self.base
        let table = Self.table(symbols, .placeRelative)
        var memory = Self.image(table, symbols, .placeRelative)
        #expect(Self.find(memory)?.count == symbols.count)
        memory.replaceSubrange(Self.imageStart..., with: [UInt8](repeating: 0, count: 1 << 17))
        #expect(Self.find(memory)?.count == nil)
    }

    /// Whatever is changed in it, nothing is read beyond the memory, and names that do not agree
    /// with the tables around them are not taken.
    @Test func damageIsNoCrash() {
        let table = Self.table(Self.symbols, .offsetsBefore)
        var state: UInt64 = 1
        var found = 0
        for _ in 0..<400 {
            var bytes = table
            for _ in 0..<4 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
            }
            state = state &* 6_364_136_223_846_793_005 &+ 1
            let end = bytes.count - Int(state >> 60) * 100
            if Self.find(Array(bytes[..<end])) != nil { found += 1 }
        }
        #expect(found < 400)
        #expect(Self.find([]) == nil)
    }

    @Test func symbolsAreFoundByNameAndMoved() {
        let symbols = KernelSymbols([
            KernelSymbol(address: 0xFFFF_FFFF_8100_0000, type: 0x54, name: "_text"),
            KernelSymbol(address: 0x1400, type: 0x41, name: "current_task"),
            KernelSymbol(address: 0xFFFF_FFFF_8200_0000, type: 0x42, name: "_end"),
        ])
        #expect(symbols.image == 0xFFFF_FFFF_8100_0000..<0xFFFF_FFFF_8200_0000)
        let moved = symbols.moved(by: 0xA00_0000)
        #expect(moved["_text"] == 0xFFFF_FFFF_8B00_0000)
        #expect(moved["current_task"] == 0x1400)
    }

    @Test func aSystemMapIsRead() throws {
        let text = "ffffffff81000000 T _text\nffffffff81000010 t _stext\nnonsense\n"
        let symbols = try #require(SystemMap.symbols(Array(text.utf8)))
        #expect(symbols.list.map(\.name) == ["_text", "_stext"])
        // Debian's placeholder.
        let none = "ffffffffffffffff B The real System.map is in the linux-image-6.1-dbg package"
        #expect(SystemMap.symbols(Array(none.utf8)) == nil)
    }
}
