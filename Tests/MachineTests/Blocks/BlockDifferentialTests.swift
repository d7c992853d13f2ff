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

    /// The comparison would be worth little if the block executor left the work to the other one.
    @Test func randomProgramsRunInBlocks() throws {
        var decoded = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            let (_, b) = try Self.pair(seed, .user64)
            b.run(instructions: 2000, cycles: 100_000)
            decoded += b.cpu.blockCache.pointee.instructionsUsed
            #expect(b.cpu.blockCache.pointee.flushes == 0)
        }
        #expect(decoded > 5000)
    }
}
