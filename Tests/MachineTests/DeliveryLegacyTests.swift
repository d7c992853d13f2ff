import Testing
import X86

@testable import Machine

/// Delivery and IRET outside IA-32e mode.
@Suite("Delivery in real and protected mode")
struct DeliveryLegacyTests {
    /// 32-bit protected mode without paging; the GDT's 0x40 is a 32-bit TSS (16-bit if not `wide`)
    /// with SS0:ESP0 = 18:22000.
    private func protected(cpl: UInt8, wide: Bool = true) throws -> Bench {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.cr0 = CR0.pe | CR0.et
        cpu.pointee.cr4 = 0
        cpu.pointee.efer = 0
        cpu.pointee.longMode = 0
        cpu.pointee.cs = bench.register(cpl == 0 ? 0x08 : 0x23)
        cpu.pointee.ss = bench.register(cpl == 0 ? 0x18 : 0x2B)
        cpu.pointee.ds = cpu.pointee.ss
        cpu.setCPL(cpl)
        cpu.updateCodeSize()
        cpu.pointee.rsp = cpl == 0 ? Bench.kernelStack : Bench.userStack
        cpu.pointee.tr.attributes = wide ? 0x8B : 0x83
        if wide {
            bench.write(Bench.tss + 4, Bench.rsp0, size: 4)
            bench.write(Bench.tss + 8, 0x18, size: 4)
        } else {
            bench.write(Bench.tss + 2, 0x2000, size: 2)
            bench.write(Bench.tss + 4, 0x58, size: 2)
        }
        // 16-bit code and stack.
        bench.write(Bench.gdt + 0x50, 0x0000_9A00_0000_FFFF)
        bench.write(Bench.gdt + 0x58, 0x0000_9202_0000_FFFF)
        cpu.flushTLB()
        return bench
    }

    private func gate(_ bench: Bench, _ vector: UInt64, _ type: UInt64, selector: UInt64 = 8) {
        let target = Bench.handlers + vector * 16
        bench.write(
            Bench.idt + vector * 8,
            target & 0xFFFF | selector << 16 | type << 40 | 3 << 45 | 1 << 47
                | (target >> 16) << 48)
    }

    private func dwords(_ bench: Bench, _ count: UInt64) -> [UInt64] {
        (0..<count).map { bench.read(bench.cpu.pointee.rsp + $0 * 4, size: 4) }
    }

    @Test("a 32-bit gate from CPL 3 switches stacks, and IRETD goes back")
    func inwardAndBack() throws {
        let bench = try protected(cpl: 3)
        let cpu = bench.cpu
        gate(bench, 0x50, 0xE)
        bench.place([0xCF], at: Bench.handler(0x50))
        cpu.pointee.rflags |= RFLAGS.interruptEnable
        let before = cpu.pointee
        bench.assemble([0xCD, 0x50])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rip == Bench.handler(0x50))
        #expect(cpu.pointee.cpl == 0 && cpu.pointee.ss.selector == 0x18)
        #expect(cpu.pointee.rsp == Bench.rsp0 - 20)
        #expect(
            dwords(bench, 5) == [Bench.code + 2, 0x23, before.rflags, before.rsp, 0x2B])
        #expect(cpu.pointee.rflags & RFLAGS.interruptEnable == 0)
        cpu.pointee.ds = bench.register(0x18)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rip == Bench.code + 2 && cpu.pointee.cpl == 3)
        #expect(cpu.pointee.rsp == before.rsp && cpu.pointee.rflags == before.rflags)
        #expect(cpu.pointee.ds.attributes & SegmentRegister.unusable != 0)
    }

    @Test("at the same privilege only EFLAGS, CS and EIP are pushed, and the error code")
    func samePrivilege() throws {
        let bench = try protected(cpl: 0)
        gate(bench, 13, 0xF)
        bench.cpu.pointee.rax = 0x88
        bench.assemble([0x8E, 0xD8])
        #expect(bench.step() == .faulted)
        #expect(bench.cpu.pointee.rsp == Bench.kernelStack - 16)
        #expect(dwords(bench, 3) == [0x88, Bench.code, 8])
        bench.cpu.pointee.rsp += 4
        bench.place([0xCF], at: Bench.handler(13))
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == Bench.code)
        #expect(bench.cpu.pointee.rsp == Bench.kernelStack)
    }

    @Test("a 16-bit gate pushes words and takes the 16-bit TSS's stack")
    func words() throws {
        let bench = try protected(cpl: 3, wide: false)
        let cpu = bench.cpu
        // The handler in 16-bit code, base 0.
        gate(bench, 0x50, 6, selector: 0x50)
        bench.assemble([0xCD, 0x50])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.ss.selector == 0x58 && cpu.pointee.ss.base == 0x2_0000)
        #expect(cpu.pointee.rsp & 0xFFFF == 0x2000 - 10)
        #expect(cpu.pointee.codeSize == 2)
        let frame = (0..<5).map { bench.read(0x2_2000 - 10 + $0 * 2, size: 2) }
        #expect(frame == [(Bench.code + 2) & 0xFFFF, 0x23, 2, Bench.userStack & 0xFFFF, 0x2B])
    }

    @Test("what is wrong with the inner stack is #TS or #SS with its selector")
    func innerStack() throws {
        let cases: [(selector: UInt64, descriptor: UInt64?, expected: Fault)] = [
            (0, nil, .invalidTSS(1)),
            (0x1B, nil, .invalidTSS(0x19)),
            (0x28, nil, .invalidTSS(0x29)),
            (0x88, nil, .invalidTSS(0x89)),
            (0x60, 0x00CF_9000_0000_FFFF, .invalidTSS(0x61)),
            (0x60, 0x00CF_1200_0000_FFFF, .stackFault(0x61)),
            (0x60, 0x0040_9200_0000_0010, .stackFault(0x61)),
        ]
        for test in cases {
            let bench = try protected(cpl: 3)
            gate(bench, 0x50, 0xE)
            bench.write(Bench.tss + 8, test.selector, size: 4)
            if let descriptor = test.descriptor { bench.write(Bench.gdt + 0x60, descriptor) }
            #expect(throws: test.expected) {
                try bench.cpu.enter(Delivery(vector: 0x50, savedRFLAGS: 2))
            }
            #expect(bench.cpu.pointee.cpl == 3)
        }
        let bench = try protected(cpl: 3)
        gate(bench, 0x50, 0xE)
        bench.cpu.pointee.tr.limit = 8
        #expect(throws: Fault.invalidTSS(0x41)) {
            try bench.cpu.enter(Delivery(vector: 0x50, savedRFLAGS: 2))
        }
    }

    @Test("real mode: a vector of four bytes, three words, no error code, and IRET")
    func realMode() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.resetProcessor()
        cpu.loadRealModeSegment(Int(SegmentNumber.cs), selector: 0x1000)
        cpu.loadRealModeSegment(Int(SegmentNumber.ss), selector: 0x2000)
        cpu.pointee.rip = 0x100
        cpu.pointee.rsp = 0x1000
        cpu.pointee.rflags |= RFLAGS.interruptEnable | RFLAGS.zf
        bench.write(0x21 * 4, 0x3000_0020, size: 4)
        bench.place([0xCD, 0x21], at: 0x1_0100)
        bench.place([0xCF], at: 0x3_0020)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.cs.base == 0x3_0000 && cpu.pointee.rip == 0x20)
        #expect(cpu.pointee.rsp == 0xFFA)
        let frame = (0..<3).map { bench.read(0x2_0FFA + $0 * 2, size: 2) }
        #expect(frame == [0x102, 0x1000, 0x242])
        #expect(cpu.pointee.rflags == RFLAGS.fixedOne | RFLAGS.zf)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.cs.base == 0x1_0000 && cpu.pointee.rip == 0x102)
        #expect(cpu.pointee.rsp == 0x1000)
        #expect(cpu.pointee.rflags & RFLAGS.interruptEnable != 0)
        // A word at offset FFFF crosses the limit: #GP through vector 13.
        cpu.loadRealModeSegment(Int(SegmentNumber.ds), selector: 0)
        bench.write(13 * 4, 0x3000_0040, size: 4)
        bench.place([0xA1, 0xFF, 0xFF], at: 0x1_0102)
        #expect(bench.step() == .faulted)
        #expect(cpu.pointee.rip == 0x40)
        #expect(bench.read(0x2_0FFA, size: 2) == 0x102)
        // An IDT too short for vector 13 and vector 8: shutdown.
        cpu.pointee.idtr.limit = 4
        bench.place([0xA1, 0xFF, 0xFF], at: 0x3_0040)
        #expect(bench.step() == .faulted)
        #expect(cpu.pointee.activity == Activity.shutdown)
    }
}
