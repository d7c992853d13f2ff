import Testing
import X86

@testable import Machine

/// The expectation is written from the rules of the Intel SDM, vol. 3, 4.5 to 4.7, level by level;
/// the walk under test works on the AND and the OR of the entries.
struct PageWalkExpectation {
    var write: Bool
    var fetch: Bool
    var cpl: Int
    var writeProtect: Bool
    var noExecuteEnabled: Bool
    var smep: Bool

    /// Entries from PML4 down to the leaf; `leafLevel` 1, 2 or 3. Nil means allowed.
    func errorCode(_ entries: [UInt64], leafLevel: Int) -> UInt32? {
        var code: UInt32 = 0
        if write { code |= 2 }
        if cpl == 3 { code |= 4 }
        if fetch && (noExecuteEnabled || smep) { code |= 16 }
        var level = 4
        for entry in entries {
            if entry % 2 == 0 { return code }
            if hasReserved(entry, level: level, isLeaf: level == leafLevel) { return code | 1 | 8 }
            level -= 1
        }
        let isUserPage = entries.allSatisfy { $0 & 4 != 0 }
        let isWritable = entries.allSatisfy { $0 & 2 != 0 }
        let isNoExecute = noExecuteEnabled && entries.contains { $0 >> 63 == 1 }
        let refused = code | 1
        if cpl == 3 {
            if !isUserPage { return refused }
            if write && !isWritable { return refused }
            if fetch && isNoExecute { return refused }
            return nil
        }
        if write && writeProtect && !isWritable { return refused }
        if fetch && isNoExecute { return refused }
        if fetch && smep && isUserPage { return refused }
        return nil
    }

    private func hasReserved(_ entry: UInt64, level: Int, isLeaf: Bool) -> Bool {
        for bit in 40...51 where entry >> UInt64(bit) & 1 == 1 { return true }
        if !noExecuteEnabled && entry >> 63 == 1 { return true }
        if level == 4 && entry & 0x80 != 0 { return true }
        if isLeaf && level == 3 { return entry & 0x3FFF_E000 != 0 }
        if isLeaf && level == 2 { return entry & 0x1F_E000 != 0 }
        return false
    }
}

/// Page tables with one translated address, whose entries a test sets freely.
struct PagingRig {
    let bench: Bench
    static let linear: UInt64 = 0x0000_1234_5678_9000 + 0x123
    static let tables: [UInt64] = [0x10_0000, 0x10_1000, 0x10_2000, 0x10_3000]

    /// The page that a leaf of this level maps: aligned to its size.
    static func frame(_ level: Int) -> UInt64 { level == 3 ? 0x4000_0000 : 0x80_0000 }

    init() throws {
        bench = try Bench()
        bench.cpu.pointee.cr3 = Self.tables[0]
    }

    static func slot(_ level: Int) -> UInt64 {
        let index = linear >> UInt64(12 + 9 * (level - 1)) & 511
        return tables[4 - level] + index * 8
    }

    /// Attributes of an entry as bits P W U NX of `bits`, without A and D.
    static func entry(_ level: Int, _ bits: Int, leaf: Bool) -> UInt64 {
        var entry: UInt64 = UInt64(bits & 7)
        if bits & 8 != 0 { entry |= 1 << 63 }
        if leaf && level > 1 { entry |= 0x80 }
        return entry | (leaf ? frame(level) : tables[5 - level])
    }

    func set(_ entries: [UInt64]) {
        for (n, entry) in entries.enumerated() { bench.write(Self.slot(4 - n), entry) }
    }

    func apply(_ rules: PageWalkExpectation) {
        let cpu = bench.cpu
        cpu.pointee.cr0 = CR0.pe | CR0.pg | CR0.et | (rules.writeProtect ? CR0.wp : 0)
        cpu.pointee.cr4 = CR4.pae | (rules.smep ? CR4.smep : 0)
        cpu.pointee.efer =
            EFER.lme | EFER.lma | EFER.sce | (rules.noExecuteEnabled ? EFER.nxe : 0)
    }

    /// The walk's fault, or nil; checks the translation and the A and D bits as well.
    func check(_ entries: [UInt64], leafLevel: Int, _ rules: PageWalkExpectation) -> String? {
        set(entries)
        let access = PageAccess(write: rules.write, fetch: rules.fetch, user: rules.cpl == 3)
        let expected = rules.errorCode(entries, leafLevel: leafLevel)
        var after = entries
        if expected == nil {
            for n in after.indices { after[n] |= PageEntry.accessed }
            if rules.write { after[after.count - 1] |= PageEntry.dirty }
        }
        var got: UInt32?
        var address: UInt64 = Self.linear
        do throws(Fault) {
            let page = try bench.cpu.walk(Self.linear, access)
            let offset = Self.linear & ((1 << UInt64(12 + 9 * (leafLevel - 1))) - 1) & ~0xFFF
            if page & ~0xFFF != Self.frame(leafLevel) | offset {
                return "page \(String(page, radix: 16))"
            }
            if rules.write && page & 1 == 0 { return "not writable after a write" }
        } catch {
            if error.vector != 14 { return "vector \(error.vector)" }
            got = error.errorCode
            address = error.address
        }
        if got != expected { return "error code \(got as Any), expected \(expected as Any)" }
        if address != Self.linear { return "address" }
        for (n, entry) in after.enumerated() where bench.read(Self.slot(4 - n)) != entry {
            return "entry \(4 - n) afterwards"
        }
        return nil
    }
}

@Suite("Page walks")
struct PagingMatrixTests {
    /// All combinations of access, privilege and mode bits.
    static let rules: [PageWalkExpectation] = {
        var all: [PageWalkExpectation] = []
        for access in 0..<3 {
            for bits in 0..<16 {
                all.append(
                    PageWalkExpectation(
                        write: access == 1, fetch: access == 2, cpl: bits & 1 == 0 ? 0 : 3,
                        writeProtect: bits & 2 != 0, noExecuteEnabled: bits & 4 != 0,
                        smep: bits & 8 != 0))
            }
        }
        return all
    }()

    /// P, W, U and NX at the leaf and, together, in the levels above; every combination of the two.
    @Test("every combination of attributes at every page size", arguments: [1, 2, 3])
    func attributes(leafLevel: Int) throws {
        let rig = try PagingRig()
        let levels = Array((leafLevel...4).reversed())
        var count = 0
        var allowed = 0
        for rules in Self.rules {
            rig.apply(rules)
            let combinations = 1 << (4 * min(levels.count, 3))
            for bits in 0..<combinations {
                var entries: [UInt64] = []
                for (n, level) in levels.enumerated() {
                    let own = bits >> (4 * min(n, 2)) & 15
                    entries.append(PagingRig.entry(level, own, leaf: level == leafLevel))
                }
                let problem = rig.check(entries, leafLevel: leafLevel, rules)
                if let problem {
                    Issue.record("\(problem): \(entries.map { String($0, radix: 16) }) \(rules)")
                    return
                }
                count += 1
                if rules.errorCode(entries, leafLevel: leafLevel) == nil { allowed += 1 }
            }
        }
        #expect(allowed > 100)
        #expect(count == Self.rules.count << (4 * min(levels.count, 3)))
    }

    @Test("every reserved bit at every level", arguments: [1, 2, 3])
    func reservedBits(leafLevel: Int) throws {
        let rig = try PagingRig()
        let levels = Array((leafLevel...4).reversed())
        var faults = 0
        for rules in Self.rules {
            rig.apply(rules)
            for (n, level) in levels.enumerated() {
                for bit in Array(13...29) + Array(40...51) + [7, 63] {
                    // Below 40, address bits of tables, and of frames, are not reserved.
                    let inOffset = level == leafLevel && bit < 12 + 9 * (level - 1)
                    let isPS = bit == 7
                    if bit < 40 && !isPS && !inOffset { continue }
                    if isPS && level != 4 { continue }
                    var entries = levels.map {
                        PagingRig.entry($0, 7, leaf: $0 == leafLevel)
                    }
                    entries[n] |= 1 << UInt64(bit)
                    let problem = rig.check(entries, leafLevel: leafLevel, rules)
                    if let problem {
                        Issue.record("\(problem): level \(level) bit \(bit) \(rules)")
                        return
                    }
                    if rules.errorCode(entries, leafLevel: leafLevel).map({ $0 & 8 }) == 8 {
                        faults += 1
                    }
                }
            }
        }
        #expect(faults > 500)
    }

    @Test("not-present levels report P=0 even with reserved bits set")
    func notPresentWins() throws {
        let rig = try PagingRig()
        let rules = PageWalkExpectation(
            write: false, fetch: false, cpl: 0, writeProtect: true, noExecuteEnabled: true,
            smep: false)
        rig.apply(rules)
        var entries = (1...4).reversed().map { PagingRig.entry($0, 7, leaf: $0 == 1) }
        entries[3] = 0xF_FFFF_FFFF_F000
        #expect(rig.check(entries, leafLevel: 1, rules) == nil)
        #expect(rules.errorCode(entries, leafLevel: 1) == 0)
    }
}
