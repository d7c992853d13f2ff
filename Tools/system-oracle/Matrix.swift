/// The paging matrix: every combination of one entry's bits, the control bits that matter, and a
/// kind of access, by number. All other entries allow everything.
enum Matrix {
    /// The entry under test: paging form and slot.
    static let targets: [(paging: PagingForm, slot: Int)] = [
        (.fourLevel, 0), (.fourLevel, 1), (.fourLevel, 2), (.fourLevel, 3), (.pae, 1), (.pae, 2),
        (.pae, 3), (.entries32, 2), (.entries32, 3),
    ]
    /// P, RW, US, PWT with PCD, A, D, PS, G.
    static let entryBits = 8
    /// Bit 63, and one of: none, bits 40, 51, 13 (reserved in large pages), 52 and 9.
    static let special: [UInt64] = [
        0, 1 << 63, 1 << 40, 1 << 51, 1 << 13, 1 << 52, 1 << 9, 1 << 63 | 1 << 45,
    ]
    /// CR0.WP, EFER.NXE (CR4.PSE in 32-bit paging), CR4.SMEP, CR4.SMAP, RFLAGS.AC.
    static let environmentBits = 5
    enum Access: Int, CaseIterable {
        case userRead, userWrite, userFetch, read, write, fetch, userLoad, load
        var isUser: Bool {
            self == .userRead || self == .userWrite || self == .userFetch
                || self == .userLoad
        }
    }

    static let count =
        targets.count << entryBits * special.count << environmentBits
        * Access.allCases.count

    /// A permutation of the numbers, so that any run of them is a sample of the whole.
    static func spread(_ number: Int) -> Int { number % count * 1_000_003 % count }
}

extension CaseBuilder {
    mutating func writeMatrix(_ number: Int) {
        var rest = Matrix.spread(number)
        func take(_ n: Int) -> Int {
            defer { rest /= n }
            return rest % n
        }
        let target = Matrix.targets[take(Matrix.targets.count)]
        let attributes = UInt64(take(1 << Matrix.entryBits))
        let special = Matrix.special[take(Matrix.special.count)]
        let environment = take(1 << Matrix.environmentBits)
        let access = Matrix.Access.allCases[take(Matrix.Access.allCases.count)]

        paging = target.paging
        world = paging == .fourLevel ? .long : .protected
        bits = paging == .fourLevel ? 64 : 32
        cpl = access.isUser ? 3 : 0
        writeQuietState(environment)
        writeTables(quiet: true)
        writeSlots()
        slot(target.slot, matrixEntry(target.slot, attributes, special))
        let base = paging == .fourLevel ? Layout.highWindow : UInt64(Layout.window)
        write(access, base)
    }

    private func matrixEntry(_ n: Int, _ attributes: UInt64, _ special: UInt64) -> UInt64 {
        let old = UnsafeRawPointer(record).word(Field.slots + n * 8, 8)
        var entry = attributes & 7
        if attributes & 8 != 0 { entry |= 0x18 }
        entry |= (attributes >> 4) << 5
        // A large page is the identity's; a table is where it was.
        let isTable = n < 3
        let pse = record.assumedWord(Field.cr4) & 0x10 != 0
        let isLarge = isTable && n > 0 && entry & 0x80 != 0 && (paging != .entries32 || pse)
        entry |= isLarge ? 0 : old & 0xFF_FFFF_F000
        let wide = paging == .entries32 ? special & 0xFFFF_FFFF : special
        if wide == 1 << 13 && !isLarge { return entry | 1 << 10 }
        // Bit 13 is an address bit of a 4 MiB page (PSE-36); bit 21 is reserved.
        if wide == 1 << 13 && paging == .entries32 { return entry | 1 << 21 }
        return entry | wide
    }

    /// Control registers, frame and segments without any chance in them.
    private mutating func writeQuietState(_ environment: Int) {
        var cr0 = 0x8000_0031
        if environment & 1 != 0 { cr0 |= 1 << 16 }
        var cr4 = paging == .entries32 ? 0 : 0x20
        var efer = world == .long ? 0x100 : 0
        if environment & 2 != 0 {
            if paging == .entries32 { cr4 |= 0x10 } else { efer |= 0x800 }
        }
        if environment & 4 != 0 { cr4 |= 1 << 20 }
        if environment & 8 != 0 { cr4 |= 1 << 21 }
        cr4 |= 0x80
        record.put32(Field.cr0, cr0)
        record.put32(Field.cr4, cr4)
        record.put32(Field.efer, efer)
        let tables = [0, 0x7000, 0x6000, 0]
        record.put32(Field.cr3, Layout.tables + tables[paging.rawValue])
        record.put32(Field.dr7, 0x400)
        record.put32(Field.dr6, 0xFFFF_0FF0)
        let flags: UInt64 = environment & 16 != 0 ? 0x40002 : 2
        let codes = bits == 64 ? Selector.code64 : Selector.code32
        stack = (cpl == 0 ? Layout.kernelStack : Layout.data) + 0x240
        let frame = [
            UInt64(Layout.code), UInt64(codes[cpl]), flags, UInt64(stack),
            UInt64(Selector.data32[cpl]),
        ]
        for (n, value) in frame.enumerated() { record.put64(Field.frame + n * 8, value) }
        record.put32(Field.form, cpl == 0 ? 0 : 1)
        record.put32(Field.mode, world == .long ? 1 : 0)
        for n in 0..<4 { record.put32(Field.segments + n * 4, Selector.data32[cpl]) }
    }

    private mutating func write(_ access: Matrix.Access, _ base: UInt64) {
        switch access {
        case .userRead, .read:
            set(3, base + 0x3010)
            emit([0x8A, 0x03])
        case .userWrite, .write:
            set(3, base + 0x3010)
            emit([0x88, 0x03])
        case .userFetch, .fetch:
            set(3, base + 0x3010)
            // The data page begins with INT3s for this.
            emit([0xFF, 0xE3])
        case .userLoad, .load:
            // A descriptor of an LDT in the window: read, and marked accessed.
            put(
                Layout.data + 0x20,
                CaseBuilder.descriptor(
                    base: 0, limit: 0xFFFFF, access: 0xF2, flags: 0xC), size: 8)
            putLocalTable(base + 0x3000)
            set(0, 0x27)
            emit([0x8E, 0xC0])
        }
        put(Layout.data + 0x10, 0xCCCC_CCCC, size: 4)
        emit([0xCC])
    }

    private func putLocalTable(_ base: UInt64) {
        let low = CaseBuilder.descriptor(
            base: Int(base & 0xFFFF_FFFF), limit: 0x3F, access: 0x82, flags: 0)
        put(Layout.gdt + Selector.localTable, low, size: 8)
        if world == .long { put(Layout.gdt + Selector.localTable + 8, base >> 32, size: 8) }
    }
}
