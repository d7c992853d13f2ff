import Testing
import X86

@testable import Machine

@Suite("SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS")
struct SystemInstructionCallTests {
    private static let r11 = RFLAGS.fixedOne | RFLAGS.interruptEnable | RFLAGS.cf | RFLAGS.nt

    @Test("SYSCALL and SYSRET there and back", arguments: Vendor.allCases)
    func thereAndBack(vendor: Vendor) throws {
        let bench = try Bench(vendor: vendor, cpl: 3)
        let cpu = bench.cpu
        cpu.pointee.sfmask = RFLAGS.interruptEnable | RFLAGS.tf | RFLAGS.df
        cpu.pointee.rflags = Self.r11
        bench.place([0x48, 0x0F, 0x07], at: cpu.pointee.lstar)
        bench.assemble([0x0F, 0x05])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rip == cpu.pointee.lstar)
        #expect(cpu.pointee.rcx == Bench.code + 2)
        #expect(cpu.pointee.r11 == Self.r11)
        #expect(cpu.pointee.rflags == Self.r11 & ~RFLAGS.interruptEnable)
        #expect(cpu.pointee.cpl == 0)
        #expect(cpu.pointee.cs.selector == 0x10 && cpu.pointee.cs.attributes == 0xA09B)
        #expect(cpu.pointee.ss.selector == 0x18 && cpu.pointee.ss.attributes == 0xC093)
        #expect(cpu.pointee.rsp == Bench.userStack)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rip == Bench.code + 2)
        #expect(cpu.pointee.rflags == Self.r11)
        #expect(cpu.pointee.cpl == 3)
        #expect(cpu.pointee.cs.selector == 0x33 && cpu.pointee.cs.attributes == 0xA0FB)
        #expect(cpu.pointee.ss.selector == 0x2B)
        #expect(cpu.tagContext(cpl: 3) == cpu.pointee.tlbContext)
    }

    @Test("SYSCALL reads no descriptor table")
    func noTable() throws {
        let bench = try Bench(cpl: 3)
        bench.write(Bench.gdt + 0x10, 0)
        bench.assemble([0x0F, 0x05])
        #expect(bench.step() == .retired)
        bench.enter(cpl: 3)
        bench.cpu.pointee.efer &= ~EFER.sce
        bench.gate(6, selector: 0x38)
        bench.write(Bench.gdt + 0x38, 0x00AF_9A00_0000_FFFF)
        #expect(bench.fault(of: [0x0F, 0x05]) == .ud)
    }

    /// Intel SDM: #GP(0) at CPL 0 with the user's RSP (CVE-2012-0217); AMD APM: the fetch at CPL 3.
    @Test("SYSRET to a non-canonical address", arguments: Vendor.allCases)
    func nonCanonicalReturn(vendor: Vendor) throws {
        let bench = try Bench(vendor: vendor)
        let cpu = bench.cpu
        cpu.pointee.rcx = 0x8000_0000_0000
        cpu.pointee.r11 = RFLAGS.fixedOne
        cpu.pointee.rsp = Bench.userStack
        bench.assemble([0x48, 0x0F, 0x07])
        if vendor == .intel {
            #expect(bench.step() == .faulted)
            #expect(bench.vectorEntered == 13)
            #expect(bench.stack(1) == Bench.code)
            #expect(bench.stack(2) == 0x10)
            // The frame is on the user's stack.
            #expect(cpu.pointee.rsp == Bench.userStack - 48)
        } else {
            #expect(bench.step() == .retired)
            #expect(cpu.pointee.cpl == 3)
            #expect(bench.step() == .faulted)
            #expect(bench.vectorEntered == 13)
            #expect(bench.stack(1) == 0x8000_0000_0000)
            #expect(bench.stack(2) == 0x33)
            #expect(cpu.pointee.rsp == Bench.rsp0 - 48)
        }
        #expect(bench.stack(0) == 0)
    }

    @Test("SYSRET leaves SS's hidden part on AMD's processors", arguments: Vendor.allCases)
    func hiddenSS(vendor: Vendor) throws {
        let bench = try Bench(vendor: vendor)
        bench.cpu.pointee.ss = bench.cpu.nullStackSegment(0, cpl: 0)
        bench.cpu.pointee.rcx = Bench.code
        bench.assemble([0x48, 0x0F, 0x07])
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.ss.selector == 0x2B)
        let unusable = bench.cpu.pointee.ss.attributes & SegmentRegister.unusable != 0
        #expect(unusable == (vendor == .amd))
    }

    @Test("32-bit SYSRET goes to compatibility mode; SYSCALL there is AMD's only")
    func compatibility() throws {
        for vendor in Vendor.allCases {
            let bench = try Bench(vendor: vendor)
            bench.cpu.pointee.cstar = Bench.handlers + 0x3000
            bench.cpu.pointee.rcx = 0xFFFF_FFFF_0000_0000 | Bench.code + 0x10
            bench.cpu.pointee.r11 = RFLAGS.fixedOne
            bench.place([0x0F, 0x05], at: Bench.code + 0x10)
            bench.assemble([0x0F, 0x07])
            #expect(bench.step() == .retired)
            #expect(bench.cpu.pointee.codeSize == 4)
            #expect(bench.cpu.pointee.cs.selector == 0x23)
            #expect(bench.cpu.pointee.rip == Bench.code + 0x10)
            if vendor == .amd {
                #expect(bench.step() == .retired)
                #expect(bench.cpu.pointee.rip == Bench.handlers + 0x3000)
                #expect(bench.cpu.pointee.codeSize == 8)
            } else {
                #expect(bench.step() == .faulted)
                #expect(bench.vectorEntered == 6)
            }
        }
    }

    @Test("SYSENTER and SYSEXIT are #UD in long mode on AMD's processors")
    func sysenter() throws {
        let amd = try Bench(vendor: .amd, cpl: 3)
        #expect(amd.fault(of: [0x0F, 0x34]) == .ud)
        amd.enter(cpl: 0)
        #expect(amd.fault(of: [0x48, 0x0F, 0x35]) == .ud)

        let bench = try Bench(cpl: 3)
        let cpu = bench.cpu
        #expect(bench.fault(of: [0x0F, 0x34]) == .gp(0))
        bench.enter(cpl: 3)
        cpu.pointee.sysenterCS = 0x10
        cpu.pointee.sysenterESP = Bench.kernelStack
        cpu.pointee.sysenterEIP = Bench.handlers + 0x2000
        cpu.pointee.rflags |= RFLAGS.interruptEnable
        bench.place([0x48, 0x0F, 0x35], at: Bench.handlers + 0x2000)
        bench.assemble([0x0F, 0x34])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.cpl == 0 && cpu.pointee.rsp == Bench.kernelStack)
        #expect(cpu.pointee.rflags & RFLAGS.interruptEnable == 0)
        cpu.pointee.rcx = Bench.userStack
        cpu.pointee.rdx = Bench.code + 2
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.cpl == 3 && cpu.pointee.rsp == Bench.userStack)
        #expect(cpu.pointee.cs.selector == 0x33 && cpu.pointee.ss.selector == 0x3B)
        #expect(cpu.pointee.rip == Bench.code + 2)
    }

    @Test("SWAPGS exchanges the bases")
    func swapgs() throws {
        let bench = try Bench()
        bench.cpu.pointee.gs.base = 0x1111
        bench.cpu.pointee.kernelGSBase = 0xFFFF_8000_0000_2222
        bench.assemble([0x0F, 0x01, 0xF8])
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.gs.base == 0xFFFF_8000_0000_2222)
        #expect(bench.cpu.pointee.kernelGSBase == 0x1111)
    }

    @Test("a null selector clears the base on Intel's processors and not on AMD's")
    func nullSelector() throws {
        for vendor in Vendor.allCases {
            let bench = try Bench(vendor: vendor)
            bench.cpu.pointee.fs = bench.register(0x2B)
            bench.cpu.pointee.fs.base = 0x5555
            bench.cpu.pointee.rax = 0
            bench.assemble([0x8E, 0xE0])
            #expect(bench.step() == .retired)
            #expect(bench.cpu.pointee.fs.base == (vendor == .intel ? 0 : 0x5555))
        }
    }

    @Test("an outward return nulls segments the new privilege may not use, and no others")
    func outwardReturn() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.ds = bench.register(0x18)
        cpu.pointee.es = bench.register(0x2B)
        cpu.pointee.fs.base = 0x7777
        cpu.pointee.rsp -= 40
        for (n, word) in [Bench.code, 0x33, 2, Bench.userStack, 0x2B].enumerated() {
            bench.write(cpu.pointee.rsp + UInt64(n) * 8, word)
        }
        bench.assemble([0x48, 0xCF])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.ds.selector == 0)
        #expect(cpu.pointee.ds.attributes & SegmentRegister.unusable != 0)
        #expect(cpu.pointee.es.selector == 0x2B)
        #expect(cpu.pointee.fs.base == 0x7777)
    }
}
