import SeededRandom
import Testing
import X86

@testable import Machine

/// Executor B3 against executor A on random programs, stopped at random budgets: the whole CPU
/// state, memory and both translation caches must be equal at every stop.
@Suite struct BlockDifferentialTests {
    /// Two rigs in the same state, one for each executor.
    static func pair(_ seed: UInt64, _ mode: BlockRig.Mode) throws -> (a: BlockRig, b: BlockRig) {
        let program = RandomCode.program(seed, supervisor: mode.cpl == 0)
        let onIST = seed & 1 == 0
        let a = try BlockRig(executor: .stepwise, faultsOnIST: onIST, mode: mode)
        let b = try BlockRig(executor: .blocks, faultsOnIST: onIST, mode: mode)
        for rig in [a, b] {
            var random = SplitMix64(seed ^ 0x5EED)
            rig.write(program, at: BlockRig.code)
            for n in 0..<BlockRig.dataSize / 8 {
                rig.write64(random.next() & random.next(), at: BlockRig.data + n * 8)
            }
            for n in 0..<16 {
                let pointer = UInt64(BlockRig.data + random.below(BlockRig.dataSize))
                rig.cpu.registers[n] = random.chance(70) ? pointer & ~7 : random.next()
            }
            rig.cpu.pointee.rsp = UInt64(BlockRig.data + 0x1800)
        }
        return (a, b)
    }

    /// Runs one program with stops; returns how many there were.
    static func compare(_ seed: UInt64, _ mode: BlockRig.Mode, stops: Int, largest: Int) throws
        -> Int
    {
        let (a, b) = try pair(seed, mode)
        var random = SplitMix64(seed &* 31)
        for stop in 0..<stops {
            let byCycles = random.chance(30)
            let step = UInt64(1 + random.below(random.chance(30) ? 4 : largest))
            for rig in [a, b] {
                if byCycles {
                    let limit = rig.cpu.pointee.cycles &+ step &* 3
                    rig.run(instructions: rig.cpu.pointee.instructions &+ 5000, cycles: limit)
                } else {
                    // Faults retire nothing: the cycle limit ends a storm of them.
                    let cycles = rig.cpu.pointee.cycles &+ step &* 64 &+ 4096
                    rig.run(instructions: rig.cpu.pointee.instructions &+ step, cycles: cycles)
                }
            }
            if let difference = b.difference(from: a) {
                Issue.record("seed \(seed), \(mode), stop \(stop): \(difference)")
                return stop
            }
            if a.cpu.pointee.activity != Activity.active
                || a.cpu.pointee.attention & Attention.stop != 0
            {
                return stop
            }
        }
        return stops
    }

    @Test(arguments: BlockRig.Mode.allCases)
    func randomProgramsAgree(mode: BlockRig.Mode) throws {
        var stops = 0
        var seed: UInt64 = 0
        while stops < 4000 && seed < 4000 {
            seed += 1
            stops += try Self.compare(seed, mode, stops: 60, largest: 300)
        }
        #expect(stops >= 4000, "programs end too early to say anything")
    }

    /// What 32-bit code is taken for flat, and what its blocks may then name.
    @Test func flatCodeIsKnownByItsSegments() throws {
        let modes: [(BlockRig.Mode, UInt8)] = [
            (.user64, CodeSize.bits64.rawValue), (.user32, FlatCode.lowest | 3),
            (.segmented32, CodeSize.bits32.rawValue), (.limited32, FlatCode.lowest),
        ]
        for (mode, expected) in modes {
            let (_, b) = try Self.pair(1, mode)
            #expect(b.cpu.blockMode == expected)
            b.run(instructions: 2, cycles: 1000)
            let found = b.cpu.blockCache.pointee.heads
            let blocks = (0..<BlockCache.hashSize).compactMap { found[$0] }
            #expect(blocks.contains { $0.pointee.key >> Block.keyShift == UInt64(expected) })
        }
        // Everything that makes it flat is needed.
        let changes: [(CPU) -> Void] = [
            { $0.pointee.cs.base = 16 }, { $0.pointee.cs.limit = 0xFFFF_FFFE },
            { $0.pointee.ds.limit = 0xFFFF }, { $0.pointee.es.base = 4096 },
            { $0.pointee.es.attributes = SegmentRegister.unusable },
            { $0.pointee.ss.attributes &= ~SegmentRegister.big },
            { $0.pointee.ds.attributes &= ~2 }, { $0.pointee.ds.attributes |= 4 },
            { $0.pointee.ds.attributes |= 8 }, { $0.pointee.ss.base = 1 },
        ]
        for change in changes {
            let rig = try BlockRig(executor: .blocks, mode: .user32)
            change(rig.cpu)
            #expect(rig.cpu.blockMode == CodeSize.bits32.rawValue)
        }
    }

    /// The comparison would be worth little if the block executor left the work to the other one.
    @Test(arguments: [BlockRig.Mode.user64, .user32])
    func randomProgramsRunInBlocks(mode: BlockRig.Mode) throws {
        var decoded = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            let (_, b) = try Self.pair(seed, mode)
            b.run(instructions: 2000, cycles: 100_000)
            decoded += b.cpu.blockCache.pointee.instructionsUsed
            #expect(b.cpu.blockCache.pointee.flushes == 0)
        }
        #expect(decoded > 5000)
    }
}
