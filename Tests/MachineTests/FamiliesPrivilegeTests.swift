import SeededRandom
import Testing
import X86

@testable import Machine

/// What depends on CPL, IOPL, the I/O permission bitmap, CR0.TS, CR0.EM and CR4.OSFXSR.
@Suite struct FamiliesPrivilegeTests {
    private func set(_ bench: FamilyBench, cpl: UInt8, iopl: UInt64) {
        bench.cpu.setCPL(cpl)
        bench.cpu.pointee.rflags = 2 | iopl << RFLAGS.ioplShift
        bench.cpu.pointee.attention = 0
        bench.cpu.pointee.interruptShadow = 0
    }

    @Test func interruptFlagNeedsIOPL() throws {
        let bench = try FamilyBench(.bits64)
        let cpu = bench.cpu
        for cpl in [0, 3] as [UInt8] {
            for iopl in 0...3 as ClosedRange<UInt64> {
                let allowed = UInt64(cpl) <= iopl
                set(bench, cpl: cpl, iopl: iopl)
                #expect(try bench.run([0xFB]) == (allowed ? nil : .generalProtection(0)))
                #expect((cpu.pointee.rflags & RFLAGS.interruptEnable != 0) == allowed)
                #expect(cpu.pointee.interruptShadow == (allowed ? 1 : 0))
                cpu.pointee.interruptShadow = 0
                if allowed {
                    try bench.run([0xFB])
                    #expect(cpu.pointee.interruptShadow == 0, "IF was set already")
                }
                #expect(try bench.run([0xFA]) == (allowed ? nil : .generalProtection(0)))
                #expect(cpu.pointee.rflags & RFLAGS.interruptEnable == 0)
            }
        }
    }

    @Test func popFlagsChangesWhatItMay() throws {
        let bench = try FamilyBench(.bits64)
        let cpu = bench.cpu
        let everything: UInt64 = 0x3F_7FD7
        for cpl in [0, 3] as [UInt8] {
            for iopl in 0...3 as ClosedRange<UInt64> {
                set(bench, cpl: cpl, iopl: iopl)
                cpu.pointee.rflags |= RFLAGS.rf
                cpu.pointee.rsp = FamilyBench.windowBase + 0x800
                bench.window.storeBytes(of: everything, toByteOffset: 0x800, as: UInt64.self)
                try bench.run([0x9D])
                var want =
                    2 | RFLAGS.arithmetic | RFLAGS.tf | RFLAGS.df | RFLAGS.nt | RFLAGS.ac
                    | RFLAGS.id
                want |= cpl == 0 ? RFLAGS.iopl : iopl << RFLAGS.ioplShift
                if UInt64(cpl) <= iopl { want |= RFLAGS.interruptEnable }
                #expect(cpu.pointee.rflags == want)
                #expect(cpu.pointee.attention & Attention.singleStep != 0)
            }
        }
        // The 16-bit form leaves the upper half alone.
        set(bench, cpl: 0, iopl: 0)
        cpu.pointee.rflags |= RFLAGS.ac
        cpu.pointee.rsp = FamilyBench.windowBase + 0x800
        bench.window.storeBytes(of: 0, toByteOffset: 0x800, as: UInt64.self)
        try bench.run([0x66, 0x9D])
        #expect(cpu.pointee.rflags == 2 | RFLAGS.ac)
        // PUSHF shows RF and VM as zero.
        cpu.pointee.rflags = 2 | RFLAGS.rf | RFLAGS.cf
        try bench.run([0x9C])
        #expect(bench.window.loadUnaligned(fromByteOffset: 0x7FA, as: UInt64.self) == 3)
    }

    @Test func portsFollowTheBitmap() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        cpu.pointee.tr.base = 0x7000
        cpu.pointee.tr.limit = 0x68 + 32
        cpu.pointee.tr.attributes = SegmentRegister.present | 0xB
        storeHost(bench.memory(0x7066), 0x68, 2)
        for n in 0..<33 as Range<UInt64> { storeHost(bench.memory(0x7068 + n), 0xFF, 1) }
        // Ports 0x60...0x63 and 0x80 are open.
        storeHost(bench.memory(0x7068 + 0x60 / 8), 0xF0, 1)
        storeHost(bench.memory(0x7068 + 0x80 / 8), 0xFE, 1)
        set(bench, cpl: 3, iopl: 0)
        #expect(try bench.run([0xE4, 0x60]) == nil)
        #expect(try bench.run([0xE5, 0x60]) == nil)
        #expect(try bench.run([0xE5, 0x61]) == .generalProtection(0))
        #expect(try bench.run([0xE6, 0x80]) == nil)
        #expect(try bench.run([0x66, 0xE7, 0x80]) == .generalProtection(0))
        cpu.pointee.rdx = 0x3F8
        #expect(try bench.run([0xEC]) == .generalProtection(0), "beyond the TSS's limit")
        cpu.pointee.tr.limit = 0x66
        #expect(try bench.run([0xE4, 0x60]) == .generalProtection(0))
        cpu.pointee.rflags |= RFLAGS.iopl
        #expect(try bench.run([0xE4, 0x60]) == nil)
        #expect(cpu.pointee.rax & 0xFF == 0xFF)
        #expect(cpu.pointee.attention & Attention.leaveBlock != 0)
    }

    @Test func vectorsAreSwitchedByControlBits() throws {
        let bench = try FamilyBench(.bits64)
        let cpu = bench.cpu
        let pxor: [UInt8] = [0x66, 0x0F, 0xEF, 0xC0]
        let mmx: [UInt8] = [0x0F, 0xEF, 0xC0]
        let fninit: [UInt8] = [0xDB, 0xE3]
        let cr0 = cpu.pointee.cr0
        #expect(try bench.run(pxor) == nil)
        cpu.pointee.cr0 = cr0 | CR0.ts
        #expect(try bench.run(pxor) == .deviceNotAvailable)
        #expect(try bench.run(mmx) == .deviceNotAvailable)
        #expect(try bench.run(fninit) == .deviceNotAvailable)
        #expect(try bench.run([0x9B]) == .deviceNotAvailable)
        cpu.pointee.cr0 = cr0 | CR0.em
        #expect(try bench.run(pxor) == .undefinedOpcode)
        #expect(try bench.run(mmx) == .undefinedOpcode)
        #expect(try bench.run(fninit) == .deviceNotAvailable)
        #expect(try bench.run([0x9B]) == nil)
        cpu.pointee.cr0 = cr0
        cpu.pointee.cr4 &= ~CR4.osfxsr
        #expect(try bench.run(pxor) == .undefinedOpcode)
        #expect(try bench.run(mmx) == nil)
    }

    /// FXSAVE's image is where the manual says, and FXRSTOR undoes it.
    @Test func stateIsSavedAndRestored() throws {
        let bench = try FamilyBench(.bits64)
        let cpu = bench.cpu
        var random = SplitMix64(9)
        let state = cpu.vectorState
        for n in 0..<16 as Range<UInt8> {
            cpu.setXMM(n, Vector128(low: random.next(), high: random.next()))
        }
        for n in 0..<8 {
            cpu.x87Words[2 * n] = random.next() | 1 << 63
            cpu.x87Words[2 * n + 1] = UInt64(0x4000 + n)
        }
        state.pointee.controlWord = 0x27F
        state.pointee.statusWord = 3 << 11
        state.pointee.tagWord = 0x0FC0
        state.pointee.mxcsr = 0x9FC0
        cpu.pointee.rbx = FamilyBench.windowBase + 0x100
        let saved = state.pointee
        #expect(try bench.run([0x48, 0x0F, 0xAE, 0x03]) == nil)  // fxsave64 [rbx]
        let image = bench.window + 0x100
        #expect(image.load(as: UInt16.self) == 0x27F)
        #expect(image.load(fromByteOffset: 2, as: UInt16.self) == 3 << 11)
        #expect(image.load(fromByteOffset: 4, as: UInt8.self) == 0b1100_0111)
        #expect(image.load(fromByteOffset: 24, as: UInt32.self) == 0x9FC0)
        #expect(image.load(fromByteOffset: 28, as: UInt32.self) == 0xFFFF)
        // ST(0) is R3.
        #expect(image.load(fromByteOffset: 32, as: UInt64.self) == cpu.x87Words[6])
        #expect(image.load(fromByteOffset: 160 + 5 * 16, as: UInt64.self) == cpu.xmm(5).low)

        state.pointee = VectorState()
        #expect(try bench.run([0x48, 0x0F, 0xAE, 0x0B]) == nil)  // fxrstor64 [rbx]
        let same = withUnsafeBytes(of: saved) { a in
            withUnsafeBytes(of: state.pointee) { b in a.elementsEqual(b) }
        }
        #expect(same)
        cpu.pointee.rbx += 8
        #expect(try bench.run([0x0F, 0xAE, 0x03]) == .generalProtection(0))
        image.storeBytes(of: UInt32(0x1_0000), toByteOffset: 24, as: UInt32.self)
        cpu.pointee.rbx -= 8
        #expect(try bench.run([0x0F, 0xAE, 0x0B]) == .generalProtection(0))
    }

    /// Every row of the opcode table is executed in some way, at CPL 0 and 3.
    @Test func everyRowIsExecutable() throws {
        for row in 0..<OpcodeTable.rowCount {
            for memory in [false, true] {
                guard let example = OpcodeTable.example(ofRow: row, memory: memory) else {
                    continue
                }
                for cpl in [0, 3] as [UInt8] {
                    let is32 = example.1 == .bits32
                    let bench = try FamilyBench(example.1, compatibility: is32)
                    bench.cpu.setCPL(cpl)
                    bench.cpu.pointee.rip = FamilyBench.codeStart
                    bench.cpu.pointee.rbx = FamilyBench.windowBase
                    bench.cpu.pointee.rax = FamilyBench.windowBase
                    guard let i = bench.decode(example.bytes) else { continue }
                    #expect(
                        bench.run(i) != .notExecutable, "\(OpcodeTable.source(ofRow: row))")
                }
            }
        }
    }

    @Test func whatCPUIDDoesNotPromiseIsUndefined() throws {
        let bench = try FamilyBench(.bits64)
        #expect(try bench.run([0x0F, 0x01, 0xC8]) == .undefinedOpcode)  // monitor
        #expect(try bench.run([0x0F, 0x01, 0xC1]) == .undefinedOpcode)  // vmcall
    }

    @Test func stackSegmentLoadsCastAShadow() throws {
        let bench = try FamilyBench(.bits64)
        let cpu = bench.cpu
        cpu.setCPL(0)
        cpu.pointee.rax = 0
        cpu.pointee.interruptShadow = 0
        #expect(try bench.run([0x8E, 0xD0]) == nil)  // mov ss, ax: null is fine at CPL 0
        #expect(cpu.pointee.interruptShadow == 2)
        #expect(cpu.pointee.attention & Attention.shadow != 0)
        cpu.pointee.interruptShadow = 0
        #expect(try bench.run([0x8E, 0xD8]) == nil)  // mov ds, ax
        #expect(cpu.pointee.interruptShadow == 0)
    }
}
