import Foundation
import SeededRandom
import Testing
import X86

@testable import Machine

/// Executor B3 against executor A, one random instruction at a time and with all flags: what the
/// manuals leave undefined must come out the same. The instructions are those of the native
/// comparison; each is followed by a jump, so that the block executor runs a block of two.
@Suite struct FamiliesExecutorTests {
    @Test(arguments: [
        (NativeGenerator.Subject.integer, 4 as UInt64, 60_000),
        (NativeGenerator.Subject.integer32, 5 as UInt64, 30_000),
        (NativeGenerator.Subject.vector, 6 as UInt64, 10_000),
        (NativeGenerator.Subject.x87, 7 as UInt64, 5_000),
    ])
    func executorsAgree(
        _ subject: NativeGenerator.Subject, _ seed: UInt64, _ count: Int
    ) throws {
        let make = { () throws -> FamilyBench in
            try subject == .integer32
                ? FamilyBench(.bits32, compatibility: true) : FamilyBench(.bits64)
        }
        let trial = try make()
        let stepwise = try make()
        let blocks = try make()
        var generator = NativeGenerator(seed: seed, subject, trial)
        var random = SplitMix64(seed)
        var compared = 0
        var disagreements = 0
        while compared < count {
            let (made, i) = generator.next()
            place(made, in: trial, fill: 1)
            let next = FamilyBench.codeStart + UInt64(i.length)
            if trial.run(i) != nil || trial.cpu.pointee.rip != next { continue }
            let fill = random.next()
            for bench in [stepwise, blocks] {
                place(made, in: bench, fill: fill)
                bench.cpu.pointee.instructionDeadline = bench.cpu.pointee.instructions + 2
            }
            stepwise.cpu.runStepwise()
            blocks.cpu.runBlocks()
            compared += 1
            let what = differences(stepwise, blocks)
            if what.isEmpty { continue }
            disagreements += 1
            if disagreements <= 20 {
                let hex = made.bytes.map { String(format: "%02x", $0) }.joined(separator: " ")
                Issue.record("\(i.mnemonic) [\(hex)]: \(what)")
            }
            // What differed must not trouble the next case.
            for n in 0..<16 { blocks.cpu.registers[n] = stepwise.cpu.registers[n] }
            blocks.cpu.pointee.cycles = stepwise.cpu.pointee.cycles
            blocks.cpu.pointee.instructions = stepwise.cpu.pointee.instructions
        }
        #expect(disagreements == 0)
    }

    /// The case's registers and bytes, a jump to the next instruction behind them, and a window
    /// whose words are multiples of `fill`.
    private func place(_ c: NativeCase, in bench: FamilyBench, fill: UInt64) {
        let cpu = bench.cpu
        let at = bench.code + Int(FamilyBench.codeStart - FamilyBench.codeBase)
        at.initializeMemory(as: UInt8.self, repeating: 0xCC, count: 24)
        (c.bytes + [0xEB, 0x00]).withUnsafeBytes {
            at.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
        cpu.codeWritten(
            physical: UInt64(at - cpu.pointee.shared.pointee.memory), size: 24)
        let words = bench.window.assumingMemoryBound(to: UInt64.self)
        for n in 0..<FamilyBench.areaBytes / 8 { words[n] = fill &* UInt64(n + 1) }
        for n in 0..<16 { cpu.registers[n] = c.registers[n] }
        cpu.adopt(c.vectors)
        cpu.vectorState.pointee.mxcsr |= 0x1F80
        // There is nobody to take the single-step trap.
        cpu.pointee.rflags = c.flags & ~RFLAGS.tf
        cpu.pointee.rip = FamilyBench.codeStart
        cpu.pointee.attention = 0
        cpu.updateStepping()
    }

    private func differences(_ a: FamilyBench, _ b: FamilyBench) -> String {
        var what = ""
        func check(_ name: String, _ x: UInt64, _ y: UInt64) {
            if x != y {
                what += "\(name) \(String(x, radix: 16)) by A, \(String(y, radix: 16)) by B3; "
            }
        }
        for n in 0..<16 { check("register \(n)", a.cpu.registers[n], b.cpu.registers[n]) }
        check("rip", a.cpu.pointee.rip, b.cpu.pointee.rip)
        check("flags", a.cpu.pointee.rflags, b.cpu.pointee.rflags)
        check("cycles", a.cpu.pointee.cycles, b.cpu.pointee.cycles)
        check("instructions", a.cpu.pointee.instructions, b.cpu.pointee.instructions)
        if memcmp(a.window, b.window, FamilyBench.areaBytes) != 0 { what += "memory; " }
        let size = MemoryLayout<VectorState>.size
        if memcmp(a.cpu.vectorState, b.cpu.vectorState, size) != 0 { what += "vectors; " }
        return what
    }
}
