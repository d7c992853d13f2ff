import Testing
import X86

@testable import Machine

/// Misses, walks and flushes are charged and counted where they happen.
@Suite struct TranslationCostTests {
    private static let rights = PageEntry.present | PageEntry.writable | PageEntry.user
    private static let linear: UInt64 = 0x4000_0000
    private static let leaf: UInt64 = 0x9_4000

    /// A bench in which a miss costs 100, a level 10 and a flush 1000 cycles, with `linear` on
    /// 4 KiB pages and the 2 MiB above it on a large page.
    private func bench() throws -> Bench {
        let bench = try Bench()
        let costs = bench.cpu.pointee.shared.pointee.costs
        costs[Int(CostClass.tlbMiss.rawValue)] = 100
        costs[Int(CostClass.pageWalkLevel.rawValue)] = 10
        costs[Int(CostClass.tlbFlush.rawValue)] = 1000
        bench.write(0x2000 + 8, 0x9_3000 | Self.rights)
        bench.write(0x9_3000, Self.leaf | Self.rights)
        bench.write(0x9_3008, 0x20_0000 | PageEntry.large | Self.rights)
        for n in 0..<8 as Range<UInt64> {
            bench.write(Self.leaf + n * 8, 0x10_0000 + n << 12 | Self.rights)
        }
        return bench
    }

    /// Cycles, misses and walks of what `body` does.
    private func cost(
        _ bench: Bench, _ body: (CPU) throws -> Void
    ) rethrows -> [UInt64] {
        let before = bench.cpu.pointee
        try body(bench.cpu)
        let after = bench.cpu.pointee
        return [
            after.cycles - before.cycles, after.tally.tlbMisses - before.tally.tlbMisses,
            after.tally.pageWalks - before.tally.pageWalks,
        ]
    }

    @Test func aMissIsChargedOnceAndByLevels() throws {
        let bench = try bench()
        let a = Self.linear
        #expect(try cost(bench) { _ = try $0.readLinear64(a) } == [140, 1, 1])
        #expect(try cost(bench) { _ = try $0.readLinear64(a + 8) } == [0, 0, 0])
        let large = a + 0x20_0000
        #expect(try cost(bench) { _ = try $0.readLinear64(large) } == [130, 1, 1])
        #expect(try cost(bench) { _ = try $0.readLinear64(a + 0x1FFC) } == [280, 2, 2])
    }

    @Test func aDirtyBitIsAWalkAndNoMiss() throws {
        let bench = try bench()
        #expect(try cost(bench) { _ = try $0.readLinear64(Self.linear) } == [140, 1, 1])
        #expect(try cost(bench) { try $0.writeLinear64(Self.linear, 1) } == [40, 0, 1])
        #expect(try cost(bench) { try $0.writeLinear64(Self.linear, 2) } == [0, 0, 0])
    }

    @Test func aFaultCostsNothingHere() throws {
        let bench = try bench()
        bench.write(Self.leaf, 0)
        #expect(
            cost(bench) { cpu in
                #expect(throws: Fault.pageFault(Self.linear, 0)) {
                    _ = try cpu.readLinear64(Self.linear)
                }
            } == [0, 0, 0])
    }

    @Test func aFlushIsPaidForAndSoIsWhatFollows() throws {
        let bench = try bench()
        let cpu = bench.cpu
        _ = try cpu.readLinear64(Self.linear)
        cpu.pointee.rax = Bench.pml4
        bench.assemble([0x0F, 0x22, 0xD8])
        let fetch = cost(bench) { _ in #expect(bench.step() == .retired) }
        // The instruction's own fetch misses too: the bench maps its code by a large page.
        #expect(fetch[0] == 1 + 1000 + 130 && fetch[1] == 1)
        #expect(cpu.pointee.tally.flushes == 1 && cpu.pointee.tally.controlLoads == 1)
        #expect(try cost(bench) { _ = try $0.readLinear64(Self.linear) } == [140, 1, 1])
    }

    @Test func tableLoadsAreCounted() throws {
        let bench = try bench()
        let cpu = bench.cpu
        func run(_ code: [UInt8]) {
            bench.assemble(code)
            #expect(bench.step() == .retired)
        }
        run([0x0F, 0x01, 0x44, 0x24, 0xF0])  // SGDT [rsp - 16]
        run([0x0F, 0x01, 0x54, 0x24, 0xF0])  // LGDT [rsp - 16]
        run([0x8E, 0xD8])  // MOV DS, EAX
        cpu.pointee.rcx = 0xC000_0103
        run([0x0F, 0x30])  // WRMSR of IA32_TSC_AUX
        var expected = Tally()
        expected.tableLoads = 1
        expected.segmentLoads = 1
        expected.modelSpecificLoads = 1
        var found = cpu.pointee.tally
        found.tlbMisses = 0
        found.pageWalks = 0
        #expect(found == expected)
        #expect(found.loads == 3)
    }

    @Test func profilesOfTheFirstEditionChargeNothing() {
        let first = CostProfile(name: "old", uniform: 7, edition: .first)
        #expect(first[.tlbMiss] == 0 && first[.pageWalkLevel] == 0 && first[.tlbFlush] == 0)
        #expect(first.namedClasses.count == CostClass.firstEditionCount)
        var second = CostProfile(name: "new", uniform: 7)
        second[.load] = 0
        second[.tlbMiss] = 0
        #expect(second[.load] == 1 && second[.tlbMiss] == 0)
    }
}
