import SeededRandom
import Testing
import X86

@testable import Machine

extension SplitMix64 {
    fileprivate mutating func below(_ n: UInt64) -> UInt64 { next() % n }
    /// An address or a number such as make trouble.
    fileprivate mutating func value() -> UInt64 {
        switch below(8) {
        case 0: return next()
        case 1: return below(16)
        case 2: return 0x7FFF_FFFF_F000 + below(0x2000)
        case 3: return Bench.kernel + below(0x10_0000)
        case 4: return below(16) * 8 + below(4)
        default: return 0x1_0000 + below(0x8_0000)
        }
    }
}

/// Random bytes as code, in every mode, with random registers and damaged tables: nothing a guest
/// does may end our process, and both executors must do the same.
@Suite("Random code")
struct SystemInstructionFuzzTests {
    /// Bytes that lead to system instructions more often than chance.
    private static let leads: [[UInt8]] = [
        [0x0F, 0x01], [0x0F, 0x00], [0x0F, 0x20], [0x0F, 0x22], [0x0F, 0x23], [0x8E], [0xCD],
        [0x48, 0xCF], [0xCF], [0x0F, 0x05], [0x0F, 0x07], [0x48, 0x0F, 0x07], [0x0F, 0x30],
        [0x0F, 0x32], [0x9D], [0xFB], [0x48, 0xFF], [0xFF], [0xCB], [0x0F, 0x02], [0x0F, 0x34],
        [0x0F, 0x35], [0xF1], [0x17], [0x9A], [0xEA], [0xF3, 0xA4], [0xF3, 0xAA], [0x0F, 0xB2],
    ]

    private func machine(_ seed: UInt64) throws -> Bench {
        var numbers = SplitMix64(seed)
        let bench = try Bench(
            vendor: numbers.below(2) == 0 ? .intel : .amd, cpl: numbers.below(2) == 0 ? 0 : 3)
        let cpu = bench.cpu
        var at = Bench.code
        while at < Bench.code + 0x1000 {
            if numbers.below(3) == 0 {
                let lead = Self.leads[Int(numbers.below(UInt64(Self.leads.count)))]
                bench.place(lead, at: at)
                at += UInt64(lead.count)
            }
            bench.write(at, numbers.next())
            at += 1 + numbers.below(6)
        }
        // Handlers: back to the code, or on through what lies there.
        for vector in 0..<32 {
            bench.gate(
                vector, type: 0xE + numbers.below(2), dpl: 3, ist: numbers.below(3),
                target: Bench.code + numbers.below(0x1000))
        }
        for n in 0..<16 { cpu.registers[n] = numbers.value() }
        if numbers.below(4) != 0 { cpu.pointee.rsp = Bench.kernelStack - numbers.below(64) }
        for _ in 0..<numbers.below(4) {
            bench.write(Bench.gdt + numbers.below(16) * 8, numbers.next())
        }
        chooseMode(bench, &numbers)
        cpu.pointee.rip = Bench.code + numbers.below(0x800)
        cpu.pointee.rflags =
            RFLAGS.fixedOne | numbers.next() & (0xED5 | RFLAGS.nt | RFLAGS.ac | RFLAGS.iopl)
        if numbers.below(4) == 0 { cpu.pointee.rflags |= RFLAGS.tf }
        cpu.updateStepping()
        return bench
    }

    private func chooseMode(_ bench: Bench, _ numbers: inout SplitMix64) {
        let cpu = bench.cpu
        switch numbers.below(6) {
        case 0:
            cpu.pointee.cs = bench.register(cpu.pointee.cpl == 0 ? 0x08 : 0x23)
        case 1, 2:
            cpu.pointee.cr0 &= ~CR0.pg
            cpu.pointee.efer = 0
            cpu.pointee.longMode = 0
            cpu.pointee.cs = bench.register(cpu.pointee.cpl == 0 ? 0x08 : 0x23)
            if numbers.below(3) == 0 { cpu.pointee.cs.attributes &= ~SegmentRegister.big }
        case 3:
            cpu.resetProcessor()
            for n in 0..<6 { cpu.segments[n].base = 0 }
            cpu.pointee.idtr.limit = UInt16(truncatingIfNeeded: numbers.next())
        default: break
        }
        cpu.updateCodeSize()
        cpu.flushTLB()
    }

    private func outcome(_ bench: Bench) -> String {
        let place = bench.machine.notExecutable.map { "\($0.name) at \($0.rip)" } ?? "-"
        return "\(String(bench.machine.digest(), radix: 16)) \(place)"
    }

    private enum Way: CaseIterable {
        case stepwise
        case blocks
        /// Executor B3, stopped at random cycles: where it is stopped cannot be seen.
        case blocksInPieces
    }

    private func run(_ bench: Bench, _ way: Way, _ seed: UInt64) {
        let cpu = bench.cpu
        let end: UInt64 = 20_000
        cpu.pointee.instructionDeadline = 1_500
        cpu.pointee.cycleDeadline = end
        switch way {
        case .stepwise: cpu.runStepwise()
        case .blocks: cpu.runBlocks()
        case .blocksInPieces:
            var numbers = SplitMix64(~seed)
            while cpu.pointee.attention & Attention.stop == 0 && cpu.isRunnable
                && cpu.pointee.cycles < end && cpu.pointee.instructions < 1_500
            {
                cpu.pointee.cycleDeadline = min(end, cpu.pointee.cycles + 1 + numbers.below(300))
                cpu.runBlocks()
            }
        }
    }

    @Test("no crash, and executors A and B3 agree", arguments: 0..<8 as Range<UInt64>)
    func agree(batch: UInt64) throws {
        var instructions: UInt64 = 0
        for n in 0..<150 as Range<UInt64> {
            let seed = batch << 32 | n
            var results: [String] = []
            for way in Way.allCases {
                let bench = try machine(seed)
                run(bench, way, seed)
                results.append(outcome(bench))
                instructions += bench.cpu.pointee.instructions
            }
            if Set(results).count != 1 { Issue.record("seed \(seed): \(results)") }
        }
        #expect(instructions > 10_000)
    }
}
