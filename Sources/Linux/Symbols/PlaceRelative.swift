/// Addresses as Linux 7.2 has them in its table of symbols: each is the distance of the symbol from
/// the place of its own entry, 32 bits with a sign. They tell where in memory a symbol lies, and
/// nothing about the address that the kernel knows it by; that is found by pointers of the kernel's
/// from one of its tables to a thing with a name.
struct PlaceRelative {
    let memory: UnsafeRawBufferPointer
    /// Bytes of the kernel's addresses, 8 or 4.
    let word: Int

    /// Tables that hold a pointer from the start of the kernel or nearly so, what it points to, and
    /// how many words of the table may be looked at: of 64- and of 32-bit kernels.
    private static let pointers = [
        ("sys_call_table", "__x64_sys_read", 1),
        ("sys_call_table", "__ia32_sys_restart_syscall", 1),
        ("init_mm", "init_top_pgt", 256), ("init_mm", "swapper_pg_dir", 256),
    ]

    /// Where in memory symbols lie; nil where the entries are not such distances.
    func places(_ table: Int, _ count: Int) -> [UInt64]? {
        var places: [UInt64] = []
        places.reserveCapacity(count)
        for n in 0..<count {
            let at = table + 4 * n
            guard let distance = memory.number(at, as: Int32.self) else { return nil }
            let place = at + Int(distance)
            guard place >= 0 else { return nil }
            places.append(UInt64(place))
        }
        return Kallsyms.ascends(places) ? places : nil
    }

    /// Symbols at the addresses that the kernel knows them by, of such with places in memory.
    func symbols(_ symbols: [KernelSymbol]) -> [KernelSymbol]? {
        let names = Set(Self.pointers.flatMap { [$0.0, $0.1] })
        var places: [String: UInt64] = [:]
        for symbol in symbols where names.contains(symbol.name) {
            places[symbol.name] = symbol.address
        }
        for (table, target, words) in Self.pointers {
            guard let table = places[table], let target = places[target],
                let difference = difference(table, target, words)
            else { continue }
            return symbols.map { symbol in
                var symbol = symbol
                symbol.address &+= difference
                if word == 4 { symbol.address &= 0xFFFF_FFFF }
                return symbol
            }
        }
        return nil
    }

    /// Address minus place in memory, by the first word of a table that can point to `target`: the
    /// kernel's alignment in both spaces is at least 2 MiB.
    private func difference(_ table: UInt64, _ target: UInt64, _ words: Int) -> UInt64? {
        for n in 0..<words {
            guard let value = memory.number(Int(table) + n * word, width: word) else { return nil }
            let difference = value &- target
            if difference & 0x1F_FFFF == 0, Kallsyms.isUpper(value, word) { return difference }
        }
        return nil
    }
}
