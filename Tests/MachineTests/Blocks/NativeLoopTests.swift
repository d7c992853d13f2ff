import SeededRandom
import Testing
import X86

@testable import Machine

/// Loops in host code against executor A: random bodies, random registers, random budgets.
@Suite struct NativeLoopTests {
    /// A loop of random register arithmetic; after it HLT.
    static func program(_ random: inout SplitMix64) -> [UInt8] {
        var body: [UInt8] = []
        for _ in 0..<(1 + random.below(24)) { body += instruction(&random) }
        if random.chance(80) { body += compare(&random) }
        let condition = UInt8(random.below(16))
        let distance = -(body.count + 6)
        return body + [0x0F, 0x80 | condition] + CodeChangeTests.bytes(distance) + [0xF4]
    }

    private static func modRM(_ random: inout SplitMix64, _ reg: Int? = nil) -> UInt8 {
        0xC0 | UInt8(reg ?? random.below(8)) << 3 | UInt8(random.below(8))
    }

    private static func rex(_ random: inout SplitMix64) -> [UInt8] {
        random.chance(80) ? [0x40 | UInt8(random.below(16))] : []
    }

    private static func compare(_ random: inout SplitMix64) -> [UInt8] {
        rex(&random) + [[0x39, 0x3B, 0x29, 0x01, 0x85, 0x21][random.below(6)], modRM(&random)]
    }

    private static func instruction(_ random: inout SplitMix64) -> [UInt8] {
        let rex = rex(&random)
        let register = UInt8(random.below(8))
        let immediate = CodeChangeTests.bytes(Int(Int32(truncatingIfNeeded: random.next())))
        switch random.below(16) {
        case 0...3:
            let row = UInt8(random.below(8)) << 3
            return rex + [row | (random.chance(50) ? 1 : 3), modRM(&random)]
        case 4: return rex + [0x81, modRM(&random)] + immediate
        case 5: return rex + [0x83, modRM(&random), random.byte()]
        case 6: return rex + [0x89, modRM(&random)]
        case 7:
            return rex + [0xC1, modRM(&random, [0, 1, 4, 5, 7][random.below(5)]), random.byte()]
        case 8: return rex + [0xD1, modRM(&random, [0, 1, 4, 5, 7][random.below(5)])]
        case 9: return rex + [0xFF, modRM(&random, random.below(2))]
        case 10:
            return rex + [0x0F, [0xAF, 0xB6, 0xB7, 0xBE, 0xBF][random.below(5)], modRM(&random)]
        case 11: return rex + [0x0F, 0x40 | UInt8(random.below(16)), modRM(&random)]
        case 12:
            return [
                0x40 | UInt8(random.below(8)), 0x0F, 0x90 | UInt8(random.below(16)), modRM(&random),
            ]
        case 13:
            // LEA with base, index, scale and displacement.
            let base = register == 4 ? 3 : register
            return rex + [
                0x8D, 0x80 | UInt8(random.below(8)) << 3 | 4, random.byte() & 0xF8 | base,
            ]
                + immediate
        case 14:
            switch random.below(5) {
            case 0:
                return rex + [0xB8 | register] + immediate
                    + ((rex.last ?? 0) & 8 != 0 ? immediate : [])
            case 1: return rex + [0x69, modRM(&random)] + immediate
            case 2: return rex + [0x87, modRM(&random)]
            case 3: return rex + [0x0F, 0xC8 | register]
            default: return [0x48, 0x63, modRM(&random)]
            }
        default:
            switch random.below(4) {
            case 0: return rex + [0xF7, modRM(&random, 2 + random.below(2))]
            case 1: return rex + [0x0F, 0xA3, modRM(&random)]
            case 2: return rex + [0x0F, 0xBA, modRM(&random, 4), random.byte()]
            default: return [0x90]
            }
        }
    }

    @Test func randomLoopsAgree() throws {
        var random = SplitMix64(0x10_0B5)
        var native = 0
        for loop in 0..<1500 {
            let program = Self.program(&random)
            let a = try BlockRig(executor: .stepwise)
            let b = try BlockRig(executor: .blocks)
            let registers = (0..<16).map { _ in
                random.chance(30) ? UInt64(random.below(300)) : random.next()
            }
            let flags = random.next() & RFLAGS.arithmetic | RFLAGS.fixedOne
            for rig in [a, b] {
                rig.write(program, at: BlockRig.code)
                for n in 0..<16 { rig.cpu.registers[n] = registers[n] }
                rig.cpu.pointee.rflags = flags
            }
            for stop in 0..<8 {
                let more = UInt64(1 + random.below(stop & 1 == 0 ? 40 : 1500))
                let cycles = random.chance(50) ? a.cpu.pointee.cycles + more : .max
                for rig in [a, b] {
                    rig.run(instructions: rig.cpu.pointee.instructions + more, cycles: cycles)
                }
                let difference = b.difference(from: a)
                #expect(difference == nil, "loop \(loop), stop \(stop): \(program)")
                if difference != nil || a.cpu.pointee.activity != Activity.active { break }
            }
            if b.cpu.blockCache.pointee.nativeUsed > 0 { native += 1 }
        }
        #if arch(x86_64) && os(Linux)
            #expect(native > 400, "only \(native) loops ran in host code")
        #endif
    }

    /// A loop that counts down stops at every budget exactly, and costs no more than it should.
    @Test func aCountdownIsExact() throws {
        let program: [UInt8] =
            [0xB9] + CodeChangeTests.bytes(100_000) + [0x01, 0xC8, 0xFF, 0xC9, 0x75, 0xFA, 0xF4]
        for budget in [1, 2, 3, 4, 5, 299_998, 299_999, 300_000, 300_001, 300_002] as [UInt64] {
            let rig = try BlockRig(executor: .blocks)
            rig.write(program, at: BlockRig.code)
            rig.run(instructions: budget)
            #expect(rig.cpu.pointee.instructions == min(budget, 300_002))
            if budget > 300_000 {
                #expect(rig.cpu.pointee.rcx == 0)
                #expect(rig.cpu.pointee.rax == 5_000_050_000 & 0xFFFF_FFFF)
                #expect(rig.cpu.pointee.rflags & RFLAGS.zf != 0)
            }
        }
    }

    /// When the loop's own bytes change, its host code is gone.
    @Test func aChangedLoopIsTranslatedAgain() throws {
        let rig = try BlockRig(executor: .blocks)
        rig.write([0x83, 0xC0, 0x01, 0x39, 0xD8, 0x75, 0xF9, 0xF4], at: BlockRig.code)
        rig.cpu.pointee.rbx = 0xFFFF_0000
        rig.cpu.pointee.rax = 0
        rig.run(instructions: 3000)
        #expect(rig.cpu.pointee.rax == 1000)
        rig.machine.writePhysical(UInt64(BlockRig.code + 2), [2])
        rig.run(instructions: 6000)
        #expect(rig.cpu.pointee.rax == 3000)
    }
}
