import Testing
import X86

@testable import Machine

/// Where the block executor starts and stops: deadlines, page ends, the ends of the address space.
@Suite struct BlockBoundaryTests {
    /// Arithmetic, memory, a call, a conditional branch and a division, in a loop.
    static let program: [UInt8] =
        [0xB9] + CodeChangeTests.bytes(9)
        + [0x48, 0x89, 0x0C, 0x25] + CodeChangeTests.bytes(BlockRig.data)
        + [0x48, 0x83, 0x04, 0x25] + CodeChangeTests.bytes(BlockRig.data) + [0x07]
        + [0xE8] + CodeChangeTests.bytes(7)
        + [0x31, 0xD2, 0xFF, 0xC9, 0x75, 0xE2, 0xF4]
        + [0x50, 0x8D, 0x04, 0x49, 0xF7, 0xF1, 0x58, 0xC3]

    static func pair() throws -> (a: BlockRig, b: BlockRig) {
        let a = try BlockRig(executor: .stepwise)
        let b = try BlockRig(executor: .blocks)
        for rig in [a, b] {
            rig.write(program, at: BlockRig.code)
            rig.cpu.pointee.rsp = UInt64(BlockRig.data + 0x800)
            rig.cpu.pointee.rax = 77
        }
        return (a, b)
    }

    @Test func everyInstructionBudgetIsExact() throws {
        for budget in 1...120 {
            let (a, b) = try Self.pair()
            for rig in [a, b] { rig.run(instructions: UInt64(budget)) }
            if a.cpu.pointee.activity == Activity.active {
                #expect(b.cpu.pointee.instructions == UInt64(budget))
            }
            #expect(b.difference(from: a) == nil, "budget \(budget)")
        }
    }

    @Test func everyCycleBudgetStopsAtTheSameBoundary() throws {
        for budget in 1...300 {
            let (a, b) = try Self.pair()
            for rig in [a, b] { rig.run(instructions: .max, cycles: UInt64(budget)) }
            #expect(b.difference(from: a) == nil, "budget \(budget)")
        }
    }

    @Test func aRunInPiecesIsTheSameRun() throws {
        let (whole, pieces) = try Self.pair()
        whole.run(instructions: 90)
        for n in 1...90 { pieces.run(instructions: UInt64(n)) }
        #expect(pieces.difference(from: whole) == nil)
    }

    /// Bytes that were decoded as 64-bit code are other instructions in 32-bit code, also where
    /// that comes to them over a page's end.
    @Test func codeSizesDoNotMixAcrossPages() throws {
        let page = BlockRig.code + 0x1000
        let rigs = [
            try BlockRig(executor: .stepwise, mode: .user64),
            try BlockRig(executor: .blocks, mode: .user64),
        ]
        for rig in rigs {
            rig.write([0xE9] + CodeChangeTests.bytes(0x0FFB), at: BlockRig.code)
            // REX NOP, or INC EAX and NOP; then a far return to 32-bit code before this page.
            let code: [UInt8] =
                [0x40, 0x90, 0x68] + CodeChangeTests.bytes(0x23)
                + [0x68] + CodeChangeTests.bytes(page - 2) + [0x48, 0xCB]
            rig.write([0x90, 0x90] + code, at: page - 2)
            rig.cpu.pointee.rsp = UInt64(BlockRig.data + 0x800)
            rig.cpu.pointee.rax = 0
        }
        for budget in 1...40 as ClosedRange<UInt64> {
            for rig in rigs { rig.run(instructions: 10 * budget, cycles: 400 * budget) }
            #expect(rigs[1].difference(from: rigs[0]) == nil, "budget \(budget)")
        }
        #expect(rigs[1].cpu.pointee.codeSize == CodeSize.bits32.rawValue)
    }

    /// MOV EAX, imm32 over the end of a page, with 1...4 of its bytes on the first; then the same
    /// with no second page.
    @Test(arguments: 1...4, [true, false])
    func instructionsAcrossPages(first: Int, secondIsThere: Bool) throws {
        let at = BlockRig.code + 0x1000 - first
        let a = try BlockRig(executor: .stepwise)
        let b = try BlockRig(executor: .blocks)
        for rig in [a, b] {
            rig.write([0x90, 0xB8, 0x78, 0x56, 0x34, 0x12, 0xF4], at: at - 1)
            rig.cpu.pointee.rip = UInt64(at - 1)
            if !secondIsThere { rig.write64(0, at: 0x4000 + 0x11 * 8) }
            // The counter's first value sends the handler to code of zeroes; a few steps suffice.
            rig.run(instructions: secondIsThere ? 100 : 12, cycles: 100_000)
        }
        #expect(b.difference(from: a) == nil)
        if secondIsThere {
            #expect(b.cpu.pointee.rax == 0x1234_5678)
        } else {
            #expect(b.cpu.pointee.cr2 == UInt64(BlockRig.code + 0x1000))
        }
    }

    /// A branch out of the canonical half faults at the branch itself, and falling off its end
    /// faults at the next fetch.
    @Test func theEndOfTheCanonicalHalf() throws {
        // PML4 entry 255 and below it the same tables: 0x7FFF_FFFF_F000 is the code's first page.
        for program in [[0xEB, 0x10], [0x90, 0x90], [0x70, 0x10, 0x90, 0x90]] as [[UInt8]] {
            let a = try BlockRig(executor: .stepwise)
            let b = try BlockRig(executor: .blocks)
            for rig in [a, b] {
                rig.write64(0xA007, at: 0x1000 + 255 * 8)
                rig.write64(0xB007, at: 0xA000 + 511 * 8)
                rig.write64(0xC007, at: 0xB000 + 511 * 8)
                rig.write64(UInt64(BlockRig.code) | 7, at: 0xC000 + 511 * 8)
                let start = 0x1000 - program.count
                rig.write(program, at: BlockRig.code + start)
                rig.cpu.pointee.rip = 0x7FFF_FFFF_F000 + UInt64(start)
                rig.cpu.pointee.rflags |= RFLAGS.of
                rig.run(instructions: 6, cycles: 100_000)
            }
            #expect(b.difference(from: a) == nil)
        }
    }

    @Test func nothingDecodedIsInASnapshot() throws {
        let (a, b) = try Self.pair()
        for rig in [a, b] { rig.run(instructions: 40) }
        #expect(a.machine.digest() == b.machine.digest())
    }
}
