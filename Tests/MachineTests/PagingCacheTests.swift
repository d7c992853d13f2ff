import Testing
import X86

@testable import Machine

@Suite("Translation caches")
struct PagingCacheTests {
    static let rights = PageEntry.present | PageEntry.writable | PageEntry.user
    /// Page tables for 4 KiB pages at this linear address.
    static let linear: UInt64 = 0x4000_0000
    static let leaf: UInt64 = 0x9_4000

    /// A bench with `linear` on 4 KiB pages whose entries are at `leaf`.
    private func bench(cpl: UInt8 = 0) throws -> Bench {
        let bench = try Bench(cpl: cpl)
        bench.write(0x2000 + 8, 0x9_3000 | Self.rights)
        bench.write(0x9_3000, Self.leaf | Self.rights)
        for n in 0..<8 as Range<UInt64> {
            bench.write(Self.leaf + n * 8, 0x10_0000 + n << 12 | Self.rights)
        }
        return bench
    }

    @Test("a translation stays until INVLPG or a CR3 load, and no longer")
    func staleness() throws {
        let bench = try bench()
        let cpu = bench.cpu
        bench.write(0x10_0000, 1)
        bench.write(0x10_1000, 2)
        #expect(try cpu.readLinear64(Self.linear) == 1)
        bench.write(Self.leaf, 0x10_1000 | Self.rights)
        #expect(try cpu.readLinear64(Self.linear) == 1)
        cpu.pointee.rax = Self.linear
        bench.assemble([0x0F, 0x01, 0x38])
        #expect(bench.step() == .retired)
        #expect(try cpu.readLinear64(Self.linear) == 2)
        bench.write(Self.leaf, 0x10_0000 | Self.rights)
        #expect(try cpu.readLinear64(Self.linear) == 2)
        cpu.pointee.rax = Bench.pml4
        bench.assemble([0x0F, 0x22, 0xD8])
        #expect(bench.step() == .retired)
        #expect(try cpu.readLinear64(Self.linear) == 1)
    }

    @Test("a fault drops the stale translation")
    func faultInvalidates() throws {
        let bench = try bench()
        let cpu = bench.cpu
        bench.write(Self.leaf, 0x10_0000 | PageEntry.present | PageEntry.user)
        #expect(try cpu.readLinear64(Self.linear) == 0)
        #expect(throws: Fault.pageFault(Self.linear, 3)) {
            try cpu.writeLinear64(Self.linear, 1)
        }
        bench.write(Self.leaf, 0)
        #expect(throws: Fault.pageFault(Self.linear, 0)) {
            _ = try cpu.readLinear64(Self.linear)
        }
    }

    @Test("the flush generations wrap without reviving anything")
    func generations() throws {
        let bench = try bench()
        let cpu = bench.cpu
        for n in 0..<5000 as Range<UInt64> {
            let page = 0x10_0000 + (n & 1) << 12
            bench.write(page, n)
            bench.write(Self.leaf, page | Self.rights)
            #expect(try cpu.readLinear64(Self.linear) == n)
            cpu.flushTLB()
        }
    }

    @Test("user and supervisor entries of one page do not stand in for each other")
    func privilege() throws {
        let bench = try bench()
        let cpu = bench.cpu
        bench.write(Self.leaf, 0x10_0000 | PageEntry.present | PageEntry.writable)
        #expect(try cpu.readLinear64(Self.linear) == 0)
        cpu.setCPL(3)
        #expect(throws: Fault.pageFault(Self.linear, 5)) {
            _ = try cpu.readLinear64(Self.linear)
        }
        #expect(try cpu.readSystem(Self.linear, size: 8) == 0)
        #expect(throws: Fault.pageFault(Self.linear, 5)) {
            _ = try cpu.readLinear64(Self.linear)
        }
    }

    @Test("a global page survives a CR3 load, and not INVLPG or a change of CR4.PGE")
    func globalPages() throws {
        let bench = try bench()
        let cpu = bench.cpu
        try cpu.writeCR4(cpu.pointee.cr4 | CR4.pge)
        for n in 0..<4 as Range<UInt64> { bench.write(0x10_0000 + n << 12, n + 1) }
        func map(_ frame: UInt64, _ bits: UInt64 = PageEntry.global) {
            bench.write(Self.leaf, 0x10_0000 + frame << 12 | Self.rights | bits)
        }
        func read() throws -> UInt64 { try cpu.readLinear64(Self.linear) }
        map(0)
        // With D set, so that the write below needs no walk.
        try cpu.writeLinear64(Self.linear, 1)
        map(1)
        for _ in 0..<3 { try cpu.writeCR3(Bench.pml4) }
        #expect(try read() == 1)
        try cpu.writeLinear64(Self.linear, 9)
        #expect(bench.read(0x10_0000) == 9)
        #expect(bench.read(0x10_1000) == 2)
        // The other privilege has its own entry.
        cpu.setCPL(3)
        #expect(try read() == 2)
        cpu.setCPL(0)
        cpu.invalidatePage(Self.linear)
        #expect(try read() == 2)
        map(2)
        try cpu.writeCR3(Bench.pml4)
        #expect(try read() == 2)
        try cpu.writeCR4(cpu.pointee.cr4 & ~CR4.pge)
        #expect(try read() == 3)
        map(3)
        try cpu.writeCR3(Bench.pml4)
        #expect(try read() == 4)
    }

    @Test("INVLPG forgets every piece of a large page")
    func largePieces() throws {
        let bench = try bench()
        let cpu = bench.cpu
        let entry: UInt64 = 0x9_3000 + 8
        let region = Self.linear + 0x20_0000
        bench.write(entry, 0x20_0000 | Self.rights | PageEntry.large)
        for n in stride(from: 0 as UInt64, to: 0x20_0000, by: 0x1_1000) {
            #expect(try cpu.readLinear64(region + n) == 0)
            bench.write(0x40_0000 + n, n + 1)
        }
        bench.write(entry, 0x40_0000 | Self.rights | PageEntry.large)
        #expect(try cpu.readLinear64(region + 0x1_1000) == 0)
        cpu.invalidatePage(region + 0x12_3456)
        for n in stride(from: 0 as UInt64, to: 0x20_0000, by: 0x1_1000) {
            #expect(try cpu.readLinear64(region + n) == n + 1)
        }
    }

    @Test("CR0.WP decides for supervisors at once")
    func writeProtect() throws {
        let bench = try bench()
        let cpu = bench.cpu
        bench.write(Self.leaf, 0x10_0000 | PageEntry.present | PageEntry.user)
        cpu.pointee.rax = cpu.pointee.cr0 & ~CR0.wp
        bench.assemble([0x0F, 0x22, 0xC0])
        #expect(bench.step() == .retired)
        try cpu.writeLinear64(Self.linear, 7)
        cpu.pointee.rax = cpu.pointee.cr0 | CR0.wp
        bench.assemble([0x0F, 0x22, 0xC0])
        #expect(bench.step() == .retired)
        #expect(throws: Fault.pageFault(Self.linear, 3)) {
            try cpu.writeLinear64(Self.linear, 8)
        }
        #expect(bench.read(0x10_0000) == 7)
    }

    @Test("accesses across pages touch neither page unless both allow it", arguments: 1..<8)
    func crossing(tail: Int) throws {
        let bench = try bench(cpl: 3)
        let cpu = bench.cpu
        let address = Self.linear + 0x1000 - 8 + UInt64(tail)
        try cpu.writeLinear64(address, 0x0807_0605_0403_0201)
        #expect(try cpu.readLinear64(address) == 0x0807_0605_0403_0201)
        #expect(bench.read(0x10_1000, size: 1) == UInt64(9 - tail))
        bench.write(Self.leaf + 8, 0x10_1000 | PageEntry.present | PageEntry.user)
        cpu.flushTLB()
        #expect(throws: Fault.pageFault(Self.linear + 0x1000, 7)) {
            try cpu.writeLinear64(address, 0)
        }
        #expect(try cpu.readLinear64(address) == 0x0807_0605_0403_0201)
        #expect(throws: Fault.pageFault(Self.linear + 0x1000, 7)) {
            _ = try cpu.readLinearForWrite(address, size: 8)
        }
        bench.write(Self.leaf + 8, 0)
        cpu.flushTLB()
        #expect(throws: Fault.pageFault(Self.linear + 0x1000, 4)) {
            _ = try cpu.readLinear64(address)
        }
    }

    /// A page's flags decide whether a write tag is given, not whether a walk is made.
    @Test("a write to a page with decoded code is seen, and walks no tables again")
    func codePages() throws {
        let bench = try bench()
        let cpu = bench.cpu
        try cpu.writeLinear64(Self.linear, 1)
        let page = 0x10_0000 >> 12
        let flags = cpu.pointee.shared.pointee.pageFlags
        #expect(flags[page] == PageFlag.dirty | PageFlag.used)
        flags[page] |= PageFlag.code
        cpu.withholdWrites(physicalPage: 0x10_0000)
        bench.write(Self.leaf, 0)
        try cpu.writeLinear64(Self.linear, 2)
        #expect(flags[page] & PageFlag.code == 0)
        #expect(bench.read(0x10_0000) == 2)
    }

    @Test("writes after the dirty map is cleared mark it again")
    func dirtyMap() throws {
        let bench = try bench()
        let cpu = bench.cpu
        let flags = cpu.pointee.shared.pointee.pageFlags
        try cpu.writeLinear8(Self.linear, 1)
        flags[0x100] &= ~PageFlag.dirty
        cpu.withholdAllWrites()
        _ = try cpu.readLinear8(Self.linear)
        #expect(flags[0x100] & PageFlag.dirty == 0)
        try cpu.writeLinear8(Self.linear, 2)
        #expect(flags[0x100] & PageFlag.dirty != 0)
    }

    @Test("device pages are never cached")
    func devices() throws {
        let bench = try bench()
        bench.write(Self.leaf, 0xFEE0_0000 | Self.rights)
        let version = try bench.cpu.readLinear32(Self.linear + 0x30)
        #expect(version != 0 && version != 0xFFFF_FFFF)
        #expect(bench.cpu.dataEntry(Self.linear).pointee.readTag >> 12 != Self.linear >> 12)
    }

    @Test("tables outside memory fault with RSVD")
    func tablesOutside() throws {
        let bench = try bench()
        bench.cpu.pointee.cr3 = 0x80_0000_0000
        bench.cpu.flushTLB()
        #expect(throws: Fault.pageFault(0, 9)) { _ = try bench.cpu.readLinear64(0) }
    }
}

@Suite("Legacy page walks")
struct PagingLegacyTests {
    private func walk(
        _ bench: Bench, _ linear: UInt64, write: Bool = false, user: Bool = false
    ) -> Result<UInt64, Fault> {
        do throws(Fault) {
            let page = try bench.cpu.walk(
                linear, PageAccess(write: write, fetch: false, user: user))
            return .success(page & ~0xFFF)
        } catch {
            return .failure(error)
        }
    }

    private func bench(cr4: UInt64) throws -> Bench {
        let bench = try Bench()
        bench.cpu.pointee.efer = 0
        bench.cpu.pointee.longMode = 0
        bench.cpu.pointee.cr4 = cr4
        bench.cpu.pointee.cr3 = 0x10_0000
        return bench
    }

    @Test("32-bit paging: 4 KiB pages, rights, A and D")
    func pages32() throws {
        let bench = try bench(cr4: 0)
        let linear: UInt64 = 0xC012_3456
        let pde = 0x10_0000 + linear >> 22 * 4
        let pte = 0x10_1000 + (linear >> 12 & 1023) * 4
        for bits in 0..<64 as Range<UInt64> {
            for access in 0..<4 {
                let user = access & 1 != 0
                let write = access & 2 != 0
                bench.write(pde, 0x10_1000 | bits & 7, size: 4)
                bench.write(pte, 0x0012_3000 | bits >> 3, size: 4)
                let both = bits & bits >> 3
                var code: UInt32? = nil
                if both & 1 == 0 {
                    code = 0
                } else if user && (both & 4 == 0 || write && both & 2 == 0)
                    || write && both & 2 == 0
                {
                    code = 1
                }
                code = code.map { $0 | (write ? 2 : 0) | (user ? 4 : 0) }
                switch walk(bench, linear, write: write, user: user) {
                case .success(let page):
                    #expect(code == nil && page == 0x12_3000)
                    #expect(bench.read(pde, size: 1) & 0x20 != 0)
                    #expect(bench.read(pte, size: 1) & 0x60 == (write ? 0x60 : 0x20))
                case .failure(let fault): #expect(fault.errorCode == code)
                }
            }
        }
    }

    @Test("32-bit paging: 4 MiB pages with PSE-36, bit 21 reserved")
    func pages4M() throws {
        let bench = try bench(cr4: CR4.pse)
        let linear: UInt64 = 0x0040_0000 * 5 + 0x12_3456
        let pde: UInt64 = 0x10_0000 + 5 * 4
        bench.write(pde, 0x0080_0000 | 0x87 | 0x3 << 13, size: 4)
        #expect(walk(bench, linear) == .success(0x3_0080_0000 + 0x12_3000))
        bench.write(pde, 0x0080_0000 | 0x87 | 1 << 21, size: 4)
        #expect(walk(bench, linear) == .failure(.pageFault(linear, 9)))
        bench.cpu.pointee.cr4 = 0
        bench.write(pde, 0x0080_0087, size: 4)
        bench.write(0x80_0000 + (linear >> 12 & 1023) * 4, 0x7007, size: 4)
        #expect(walk(bench, linear) == .success(0x7000))
    }

    @Test("PAE paging goes through the loaded PDPTEs; reserved bits in them are #GP")
    func pae() throws {
        let bench = try bench(cr4: CR4.pae)
        let cpu = bench.cpu
        let linear: UInt64 = 0xC020_3456
        bench.write(0x10_0018, 0x10_2001)
        bench.write(0x10_2008, 0x10_3007)
        bench.write(0x10_3018, 0x4007)
        #expect(walk(bench, linear) == .failure(.pageFault(linear, 0)))
        try cpu.writeCR3(0x10_0000)
        #expect(walk(bench, linear) == .success(0x4000))
        bench.write(0x10_0018, 0)
        #expect(walk(bench, linear) == .success(0x4000))
        bench.write(0x10_2008, 0x20_0087 | 1 << 62)
        #expect(walk(bench, linear) == .failure(.pageFault(linear, 9)))
        bench.write(0x10_2008, 0x20_0087)
        #expect(walk(bench, linear) == .success(0x20_3000))
        bench.write(0x10_0000, 3)
        #expect(throws: Fault.generalProtection(0)) { try cpu.writeCR3(0x10_0000) }
    }

    @Test("translateQuietly agrees with the walk and changes nothing")
    func quiet() throws {
        let rig = try PagingRig()
        for leafLevel in 1...3 {
            let entries = (leafLevel...4).reversed().map {
                PagingRig.entry($0, 7, leaf: $0 == leafLevel)
            }
            rig.set(entries)
            let quiet = rig.bench.cpu.translateQuietly(
                PagingRig.linear, cr3: PagingRig.tables[0])
            for (n, entry) in entries.enumerated() {
                #expect(rig.bench.read(PagingRig.slot(4 - n)) == entry)
            }
            let page = try rig.bench.cpu.walk(
                PagingRig.linear, PageAccess(write: false, fetch: false, user: false))
            #expect(quiet == page & ~0xFFF | PagingRig.linear & 0xFFF)
        }
    }
}
