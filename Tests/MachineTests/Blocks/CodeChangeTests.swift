import Testing
import X86

@testable import Machine

/// Code that changes under the executor: by itself, through another mapping, from another vCPU,
/// from outside. A write is seen by the next instruction.
@Suite(.serialized) struct CodeChangeTests {
    static let code = BlockRig.code

    /// 32-bit little-endian bytes.
    static func bytes(_ v: Int) -> [UInt8] {
        [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: v >> $0) }
    }

    /// mov byte [address], value (absolute, 8 bytes long).
    static func storeByte(_ value: UInt8, at address: Int) -> [UInt8] {
        [0xC6, 0x04, 0x25] + bytes(address) + [value]
    }

    /// mov eax, value (5 bytes).
    static func loadEAX(_ value: Int) -> [UInt8] { [0xB8] + bytes(value) }

    static let halt: [UInt8] = [0xF4]

    /// Runs to HLT under both executors and expects equal states; returns the block executor's rig.
    static func runBoth(_ prepare: (BlockRig) -> Void) throws -> BlockRig {
        let a = try BlockRig(executor: .stepwise)
        let b = try BlockRig(executor: .blocks)
        for rig in [a, b] {
            prepare(rig)
            rig.run(instructions: 100_000, cycles: 10_000_000)
            #expect(rig.cpu.pointee.activity == Activity.halted)
        }
        #expect(b.difference(from: a) == nil)
        return b
    }

    @Test(arguments: [0, 0x10000])
    func aStoreIntoTheRunningBlockIsSeenByTheNextInstruction(alias: Int) throws {
        // The store hits the low byte of the immediate of the instruction right after it.
        let program =
            Self.storeByte(0x55, at: Self.code + 9 + alias) + Self.loadEAX(0x11) + Self.halt
        let rig = try Self.runBoth { $0.write(program, at: Self.code) }
        #expect(rig.cpu.pointee.rax == 0x55)
    }

    @Test func aLoopThatRewritesItselfSeesEveryVersion() throws {
        // ecx counts; each turn adds the immediate, then increments that immediate in place.
        var program: [UInt8] = [0xB9] + Self.bytes(100) + [0x31, 0xC0]
        let loop = program.count
        program += [0x05] + Self.bytes(1)
        program += [0xFE, 0x04, 0x25] + Self.bytes(Self.code + loop + 1)
        program += [0xFF, 0xC9]
        program += [0x75, UInt8(truncatingIfNeeded: loop - program.count - 2)]
        program += Self.halt
        let rig = try Self.runBoth { $0.write(program, at: Self.code) }
        #expect(rig.cpu.pointee.rax == 5050)
    }

    @Test func aChangedBlockElsewhereIsDecodedAgain() throws {
        // A subroutine on the next page is called, changed, and called again.
        let routine = Self.code + 0x1000
        func call(from at: Int) -> [UInt8] { [0xE8] + Self.bytes(routine - (Self.code + at + 5)) }
        var program = call(from: 0)
        program += [0x89, 0xC3] + Self.storeByte(7, at: routine + 1)
        program += call(from: program.count) + Self.halt
        let rig = try Self.runBoth {
            $0.cpu.pointee.rsp = UInt64(BlockRig.data + 0x800)
            $0.write(Self.loadEAX(5) + [0xC3], at: routine)
            $0.write(program, at: Self.code)
        }
        #expect(rig.cpu.pointee.rbx == 5)
        #expect(rig.cpu.pointee.rax == 7)
    }

    @Test func aRepeatedStoreOverItsOwnInstructionStops() throws {
        // REP STOSB runs over itself and the HLT after it, writing HLTs.
        let program: [UInt8] =
            [0xB9] + Self.bytes(16) + [0xBF] + Self.bytes(Self.code + 12) + [0xB0, 0xF4]
            + [0xF3, 0xAA, 0x90, 0x90, 0x90, 0x90]
        _ = try Self.runBoth { $0.write(program, at: Self.code) }
    }

    @Test func writesFromOutsideAreSeen() throws {
        let rig = try BlockRig(executor: .blocks)
        let program = Self.loadEAX(1) + [0xEB, 0xF9]
        rig.write(program, at: Self.code)
        rig.run(instructions: 20)
        #expect(rig.cpu.pointee.rax == 1)
        rig.machine.writePhysical(UInt64(Self.code + 1), [9])
        rig.run(instructions: 40)
        #expect(rig.cpu.pointee.rax == 9)
    }

    @Test func anotherProcessorsWriteIsSeenThoughItsTranslationWasCached() throws {
        var configuration = MachineConfiguration()
        configuration.memory = UInt64(BlockRig.memory)
        configuration.cpus = 2
        configuration.executor = .blocks
        let machine = try Machine(configuration)
        let first = machine.cpu(0)
        let second = machine.cpu(1)
        for cpu in [first, second] {
            // Flat 32-bit protected mode without paging: linear is physical.
            cpu.pointee.cr0 |= CR0.pe
            cpu.pointee.codeSize = CodeSize.bits32.rawValue
            cpu.pointee.cs.base = 0
            cpu.pointee.cs.limit = 0xFFFF_FFFF
            cpu.pointee.rip = UInt64(Self.code)
            cpu.pointee.cycleDeadline = .max
            cpu.runBlocksBriefly(0)
        }
        machine.writePhysical(UInt64(Self.code), Self.loadEAX(1) + [0xEB, 0xF9])
        // The second vCPU's TLB comes to permit writes before the page holds decoded code.
        try second.writeLinear8(UInt64(Self.code + 0x800), 1)
        try second.writeLinear8(UInt64(Self.code + 0x801), 1)
        first.runBlocksBriefly(20)
        #expect(first.pointee.rax == 1)
        try second.writeLinear8(UInt64(Self.code + 1), 9)
        first.runBlocksBriefly(40)
        #expect(first.pointee.rax == 9)
    }

    @Test func dataBesideCodeCostsNoDecoding() throws {
        // A loop that counts in a word of its own page, 128 bytes away from the code.
        let word = Self.code + 0x100
        var program: [UInt8] = [0xB9] + Self.bytes(1000)
        let loop = program.count
        program += [0xFF, 0x04, 0x25] + Self.bytes(word) + [0xFF, 0xC9]
        program += [0x75, UInt8(truncatingIfNeeded: loop - program.count - 2)] + Self.halt
        let rig = try Self.runBoth { $0.write(program, at: Self.code) }
        #expect(rig.machine.readPhysical(UInt64(word), count: 2) == [0xE8, 0x03])
        #expect(rig.cpu.blockCache.pointee.instructionsUsed < 20)
    }

    @Test func aFullCacheForgetsEverythingAndGoesOn() throws {
        var program: [UInt8] = [0xB9] + Self.bytes(50) + [0x31, 0xC0]
        let loop = program.count
        program += [0xFF, 0xC0, 0xEB, 0x00, 0xFF, 0xC0, 0xEB, 0x00, 0xFF, 0xC9]
        program += [0x75, UInt8(truncatingIfNeeded: loop - program.count - 2)] + Self.halt
        let a = try BlockRig(executor: .stepwise)
        let b = try BlockRig(executor: .blocks)
        for rig in [a, b] { rig.write(program, at: Self.code) }
        for stop in 1...60 {
            let cache = b.cpu.blockCache
            cache.pointee.arenaUsed = BlockCache.arenaSize - 100 * (stop % 7)
            if stop % 3 == 0 { cache.forgetAll() }
            for rig in [a, b] { rig.run(instructions: UInt64(stop * 5)) }
            #expect(b.difference(from: a) == nil)
            #expect(cache.pointee.arenaUsed <= BlockCache.arenaSize)
        }
        #expect(b.cpu.blockCache.pointee.flushes > 5)
    }
}

extension UnsafeMutablePointer<CPUState> {
    fileprivate func runBlocksBriefly(_ instructions: UInt64) {
        pointee.instructionDeadline = instructions
        runBlocks()
    }
}
