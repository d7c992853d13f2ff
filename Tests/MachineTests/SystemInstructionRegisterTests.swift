import Testing
import X86

@testable import Machine

@Suite("Control, debug and model-specific registers")
struct SystemInstructionRegisterTests {
    /// MOV CRn, RAX.
    private func writeControl(_ bench: Bench, _ n: UInt8, _ value: UInt64) -> Bench.Raised? {
        bench.enter(cpl: 0)
        bench.cpu.pointee.rax = value
        let bytes: [UInt8] =
            n == 8 ? [0x44, 0x0F, 0x22, 0xC0] : [0x0F, 0x22, 0xC0 | n << 3]
        bench.assemble(bytes)
        if bench.step() == .retired { return nil }
        return Bench.Raised(vector: bench.vectorEntered ?? -1, code: bench.stack(0))
    }

    @Test("MOV to CR0, CR3, CR4 and CR8 check what is reserved")
    func reserved() throws {
        let bench = try Bench()
        let cr0 = bench.cpu.pointee.cr0
        let cr4 = bench.cpu.pointee.cr4
        #expect(writeControl(bench, 0, cr0 | 1 << 32) == .gp(0))
        #expect(writeControl(bench, 0, cr0 & ~CR0.pe) == .gp(0))
        #expect(writeControl(bench, 0, cr0 | CR0.nw) == .gp(0))
        // Paging cannot be turned off in 64-bit mode.
        #expect(writeControl(bench, 0, cr0 & ~CR0.pg) == .gp(0))
        #expect(writeControl(bench, 0, (cr0 | CR0.am) & ~CR0.et) == nil)
        #expect(bench.cpu.pointee.cr0 == cr0 | CR0.am)
        #expect(writeControl(bench, 3, Bench.pml4 | 1 << 40) == .gp(0))
        #expect(writeControl(bench, 3, Bench.pml4 | 1 << 63) == .gp(0))
        #expect(writeControl(bench, 3, Bench.pml4 | 0x18) == nil)
        #expect(bench.cpu.pointee.cr3 == Bench.pml4 | 0x18)
        #expect(writeControl(bench, 4, cr4 & ~CR4.pae) == .gp(0))
        // PCIDE is not reserved, but CR3's low bits are set.
        for bit in [0, 1, 12, 13, 14, 17, 19, 22, 23, 32, 63] as [UInt64] {
            #expect(writeControl(bench, 4, cr4 | 1 << bit) == .gp(0))
        }
        let useful =
            CR4.tsd | CR4.de | CR4.pse | CR4.pge | CR4.pce | CR4.osfxsr | CR4.osxmmexcpt
            | CR4.umip | CR4.fsgsbase | CR4.osxsave
        #expect(writeControl(bench, 4, cr4 | useful) == nil)
        #expect(bench.cpu.pointee.cr4 == cr4 | useful)
        #expect(writeControl(bench, 8, 0x10) == .gp(0))
        #expect(writeControl(bench, 8, 0xF) == nil)
        #expect(bench.cpu.pointee.cr8 == 0xF)
    }

    @Test("SMEP refuses to execute a user's page at CPL 0")
    func smep() throws {
        let bench = try Bench()
        bench.cpu.pointee.cr4 |= CR4.smep
        bench.cpu.flushTLB()
        // The handler must itself lie in a supervisor's page.
        bench.gate(14, target: Bench.kernel + Bench.handler(14))
        bench.assemble([0x90])
        #expect(bench.step() == .faulted)
        #expect(bench.cpu.pointee.rip == Bench.kernel + Bench.handler(14))
        #expect(bench.stack(0) == 0x11)
    }

    @Test("from 32-bit protected mode to long mode and back")
    func modeSwitch() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.cr0 = CR0.pe | CR0.et
        cpu.pointee.cr4 = 0
        cpu.pointee.efer = 0
        cpu.pointee.longMode = 0
        cpu.pointee.cs = bench.register(0x08)
        cpu.updateCodeSize()
        cpu.flushTLB()
        bench.place(
            [
                0x0F, 0x20, 0xE0, 0x83, 0xC8, 0x20, 0x0F, 0x22, 0xE0,  // CR4.PAE
                0xB9, 0x80, 0x00, 0x00, 0xC0, 0x0F, 0x32,  // RDMSR EFER
                0x0D, 0x01, 0x01, 0x00, 0x00, 0x0F, 0x30,  // SCE, LME
                0x0F, 0x20, 0xC0, 0x0D, 0x00, 0x00, 0x00, 0x80, 0x0F, 0x22, 0xC0,  // PG
                0xEA, 0x00, 0x01, 0x01, 0x00, 0x10, 0x00,  // JMP 10:10100
            ], at: Bench.code)
        cpu.pointee.rip = Bench.code
        bench.step(10)
        #expect(cpu.pointee.efer == EFER.sce | EFER.lme | EFER.lma)
        #expect(cpu.pointee.longMode == 1 && cpu.pointee.codeSize == 4)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.codeSize == 8)
        #expect(cpu.pointee.rip == Bench.code + 0x100)
        // LME cannot change while paging is on.
        cpu.pointee.rcx = UInt64(MSR.efer)
        cpu.pointee.rax = EFER.sce
        cpu.pointee.rdx = 0
        #expect(bench.fault(of: [0x0F, 0x30]) == .gp(0))
        // Out again, through compatibility mode.
        bench.enter(cpl: 0)
        cpu.pointee.cs = bench.register(0x08)
        cpu.updateCodeSize()
        cpu.pointee.rax = CR0.pe | CR0.et
        bench.assemble([0x0F, 0x22, 0xC0])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.longMode == 0 && cpu.pointee.efer & EFER.lma == 0)
    }

    @Test("paging with LME needs PAE, and CS.L clear")
    func modeSwitchChecks() throws {
        let bench = try Bench()
        bench.cpu.pointee.cr0 = CR0.pe | CR0.et
        bench.cpu.pointee.longMode = 0
        bench.cpu.pointee.efer = EFER.lme
        bench.cpu.pointee.cr4 = 0
        let on = CR0.pe | CR0.pg
        #expect(throws: Fault.generalProtection(0)) { try bench.cpu.writeCR0(on) }
        bench.cpu.pointee.cr4 = CR4.pae
        #expect(throws: Fault.generalProtection(0)) { try bench.cpu.writeCR0(on) }
        bench.cpu.pointee.cs = bench.register(0x08)
        try bench.cpu.writeCR0(on)
        #expect(bench.cpu.pointee.longMode == 1)
    }

    @Test("model-specific registers read back what was written, or are #GP")
    func modelSpecific() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        let plain: [UInt32] = [
            MSR.star, MSR.lstar, MSR.cstar, MSR.fsBase, MSR.gsBase, MSR.kernelGSBase,
            MSR.sysenterESP, MSR.sysenterEIP,
        ]
        for register in plain {
            try cpu.writeMSR(register, 0xFFFF_8765_4321_0000)
            #expect(try cpu.readMSR(register) == 0xFFFF_8765_4321_0000)
            if register == MSR.star { continue }
            #expect(throws: Fault.generalProtection(0)) {
                try cpu.writeMSR(register, 0x8000_0000_0000)
            }
        }
        for register in [MSR.sfmask, MSR.tscAux] {
            try cpu.writeMSR(register, 0x1234_5678)
            #expect(try cpu.readMSR(register) == 0x1234_5678)
            #expect(throws: Fault.generalProtection(0)) {
                try cpu.writeMSR(register, 1 << 32)
            }
        }
        #expect(throws: Fault.generalProtection(0)) { try cpu.writeMSR(MSR.pat, 2) }
        #expect(throws: Fault.generalProtection(0)) { try cpu.writeMSR(MSR.efer, 1 << 1) }
        #expect(throws: Fault.generalProtection(0)) { try cpu.writeMSR(0xC001_0015, 0) }
        #expect(throws: Fault.generalProtection(0)) { _ = try cpu.readMSR(0x1234) }
        try cpu.writeMSR(MSR.timeStampCounter, 1_000_000)
        cpu.pointee.cycles += 7
        #expect(try cpu.readMSR(MSR.timeStampCounter) == 1_000_007)
        #expect(try Bench(vendor: .amd).cpu.identify(leaf: 0, subleaf: 0).ebx == 0x6874_7541)
        #expect(throws: Fault.generalProtection(0)) {
            _ = try Bench(vendor: .amd).cpu.readMSR(MSR.miscEnable)
        }
    }

    /// Xen's driver reads and writes the first on any processor of this model with MWAIT.
    @Test("the registers of idle states: Intel's, locked as firmware leaves them")
    func idleStates() throws {
        let (bench, amd) = (try Bench(), try Bench(vendor: .amd))
        let cpu = bench.cpu
        #expect(try cpu.readMSR(0xE2) == 1 << 15)
        try cpu.writeMSR(0xE2, 1 << 15 | 1 << 25)
        #expect(try cpu.readMSR(0xE2) == 1 << 15)
        #expect(throws: Fault.generalProtection(0)) { try cpu.writeMSR(0xE2, 1 << 15 | 2) }
        for register in [0x1FC, 0x3F8, 0x3F9, 0x3FA, 0x3FC, 0x3FD] as [UInt32] {
            #expect(try cpu.readMSR(register) == 0)
        }
        #expect(throws: Fault.generalProtection(0)) { _ = try amd.cpu.readMSR(0xE2) }
        let old = try Machine(MachineConfiguration(memory: 1 << 20, edition: .second))
        #expect(throws: Fault.generalProtection(0)) { _ = try old.cpu(0).readMSR(0xE2) }
        // The machines are theirs.
        withExtendedLifetime((bench, amd, old)) {}
    }

    @Test("WRMSR and RDMSR use EDX:EAX and clear the upper halves")
    func halves() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.rcx = 0xFFFF_FFFF_0000_0000 | UInt64(MSR.kernelGSBase)
        cpu.pointee.rax = 0xAAAA_AAAA_1111_2222
        cpu.pointee.rdx = 0xBBBB_BBBB_FFFF_8000
        bench.assemble([0x0F, 0x30, 0x0F, 0x32])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.kernelGSBase == 0xFFFF_8000_1111_2222)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rax == 0x1111_2222 && cpu.pointee.rdx == 0xFFFF_8000)
    }

    @Test("debug registers: fixed bits, DR4 and DR5, general detect")
    func debugRegisters() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.rax = 0xFFFF_FFFF
        // MOV DR6, RAX; then DR4 and DR5 stand for DR6 and DR7, or are undefined.
        bench.assemble([0x0F, 0x23, 0xF0, 0x0F, 0x21, 0xE3])
        bench.step(2)
        #expect(cpu.pointee.dr6 == 0xFFFF_EFFF)
        #expect(cpu.pointee.rbx == 0xFFFF_EFFF)
        cpu.pointee.cr4 |= CR4.de
        #expect(bench.fault(of: [0x0F, 0x21, 0xE3]) == .ud)
        bench.enter(cpl: 0)
        cpu.pointee.rax = 1 << 32
        #expect(bench.fault(of: [0x0F, 0x23, 0xF8]) == .gp(0))
        bench.enter(cpl: 0)
        cpu.pointee.rax = DebugBits.generalDetect
        bench.assemble([0x0F, 0x23, 0xF8])
        bench.step()
        #expect(bench.fault(of: [0x0F, 0x21, 0xC0]) == .db)
        #expect(cpu.pointee.dr6 & DebugBits.accessDetected != 0)
        #expect(cpu.pointee.dr7 & DebugBits.generalDetect == 0)
    }

    @Test("data breakpoints trap after the access that touches them", arguments: [1, 3])
    func dataBreakpoint(_ kind: UInt64) throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.dr1 = Bench.data + 8
        // Slot 1, 4 bytes.
        cpu.pointee.dr7 = 0x400 | 1 << 2 | kind << 20 | 3 << 22
        cpu.updateBreakpoints()
        cpu.pointee.rbx = Bench.data
        // MOV AL, [RBX+11]
        bench.assemble([0x8A, 0x43, 0x0B])
        #expect(bench.step() == .retired)
        #expect((bench.step() == .serviced) == (kind == 3))
        if kind == 3 {
            #expect(bench.vectorEntered == 1 && cpu.pointee.dr6 & 0xF == 2)
            #expect(bench.stack(0) == Bench.code + 3)
        }
        // MOV [RBX+12], AL misses; MOV [RBX+5], EAX touches.
        cpu.pointee.dr6 = 0
        cpu.pointee.rsp = Bench.kernelStack
        bench.assemble([0x88, 0x43, 0x0C, 0x89, 0x43, 0x05])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.pendingDR6 == 0)
        #expect(bench.step() == .retired)
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 1 && cpu.pointee.dr6 & 0xF == 2)
    }

    /// Intel SDM vol. 3, 17.2.5: any write, a frame's too.
    @Test("a data breakpoint traps after the delivery whose frame touches it")
    func dataBreakpointInFrame() throws {
        let bench = try Bench()
        bench.enter(cpl: 0)
        let cpu = bench.cpu
        cpu.pointee.dr1 = (cpu.pointee.rsp & ~15) - 8
        cpu.pointee.dr7 = 0x400 | 1 << 2 | 1 << 20 | 3 << 22
        cpu.updateBreakpoints()
        bench.assemble([0x0F, 0x0B])
        #expect(bench.step() == .faulted)
        #expect(bench.vectorEntered == 6)
        #expect(cpu.pointee.pendingDR6 == 1 << 1)
        #expect(cpu.pointee.attention & Attention.debugTrap != 0)
    }

    /// Intel SDM vol. 2, MOV to control registers, #GP(0).
    @Test("IA-32e mode does not begin with a 16-bit TSS in TR", arguments: [1, 3, 9, 0xB])
    func oldTask(_ type: UInt16) throws {
        let bench = try Bench()
        let cpu = bench.cpu
        let cr0 = cpu.pointee.cr0
        cpu.pointee.efer &= ~EFER.lma
        cpu.pointee.longMode = 0
        cpu.pointee.cr0 &= ~CR0.pg
        cpu.pointee.cs.attributes &= ~SegmentRegister.long
        cpu.pointee.tr.attributes = cpu.pointee.tr.attributes & ~0xF | type
        if type & 8 == 0 {
            #expect(throws: Fault.generalProtection(0)) { try cpu.writeCR0(cr0) }
        } else {
            try cpu.writeCR0(cr0)
            #expect(cpu.pointee.longMode == 1)
        }
    }

    @Test("a repeated store traps after the iteration that touches a breakpoint")
    func dataBreakpointInString() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.dr0 = Bench.data + 16
        cpu.pointee.dr7 = 0x400 | 1 | 1 << 16
        cpu.updateBreakpoints()
        cpu.pointee.rdi = Bench.data
        cpu.pointee.rcx = 8
        // REP STOSQ
        bench.assemble([0xF3, 0x48, 0xAB])
        for _ in 0..<8 where bench.vectorEntered == nil { bench.step() }
        #expect(bench.vectorEntered == 1)
        #expect(cpu.pointee.rcx == 5)
        #expect(bench.stack(0) == Bench.code)
    }

    @Test("LLDT, LTR, SLDT and STR")
    func taskAndLocal() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.rax = 0x40
        // LTR AX; STR EBX
        bench.assemble([0x0F, 0x00, 0xD8, 0x0F, 0x00, 0xCB])
        cpu.pointee.tr = SegmentRegister()
        bench.step(2)
        #expect(cpu.pointee.tr.base == Bench.tss && cpu.pointee.tr.limit == 0x67)
        #expect(cpu.pointee.rbx == 0x40)
        #expect(bench.read(Bench.gdt + 0x45, size: 1) == 0x8B)
        // Busy now.
        #expect(bench.fault(of: [0x0F, 0x00, 0xD8]) == .gp(0x40))
        for (selector, expected) in [
            (0, .gp(0)), (0x10, .gp(0x10)), (0x44, .gp(0x44)), (0x80, .gp(0x80)),
        ] as [(UInt64, Bench.Raised)] {
            bench.enter(cpl: 0)
            cpu.pointee.rax = selector
            #expect(bench.fault(of: [0x0F, 0x00, 0xD8]) == expected)
        }
        bench.write(Bench.gdt + 0x40, 0x0000_0900_7000_0067)
        bench.enter(cpl: 0)
        cpu.pointee.rax = 0x40
        #expect(bench.fault(of: [0x0F, 0x00, 0xD8]) == .np(0x40))
        // An LDT at 0xA0000, and a data segment from it.
        bench.write(Bench.gdt + 0x50, 0x0000_820A_0000_000F)
        bench.write(Bench.gdt + 0x58, 0)
        bench.write(0xA_0008, 0x00CF_9200_0000_FFFF)
        bench.enter(cpl: 0)
        cpu.pointee.rax = 0x50
        cpu.pointee.rbx = 0x0C
        bench.assemble([0x0F, 0x00, 0xD0, 0x8E, 0xDB])
        bench.step(2)
        #expect(cpu.pointee.ldtr.base == 0xA_0000)
        #expect(cpu.pointee.ds.selector == 0x0C)
        #expect(bench.read(0xA_000D, size: 1) == 0x93)
        cpu.pointee.rbx = 0x14
        #expect(bench.fault(of: [0x8E, 0xDB]) == .gp(0x14))
    }

    @Test("RDTSC counts cycles; CR4.TSD keeps it from CPL 3")
    func timeStamp() throws {
        let bench = try Bench(cpl: 3)
        bench.cpu.pointee.cycles = 0x1_2345_6789
        bench.cpu.pointee.tscAux = 5
        bench.assemble([0x0F, 0x01, 0xF9])
        bench.step()
        #expect(bench.cpu.pointee.rax == 0x2345_6789 && bench.cpu.pointee.rdx == 1)
        #expect(bench.cpu.pointee.rcx == 5)
        bench.cpu.pointee.cr4 |= CR4.tsd
        #expect(bench.fault(of: [0x0F, 0x31]) == .gp(0))
    }

    @Test("CPUID promises what there is")
    func cpuid() throws {
        for vendor in Vendor.allCases {
            let bench = try Bench(vendor: vendor)
            defer { withExtendedLifetime(bench) {} }
            let cpu = bench.cpu
            let one = cpu.identify(leaf: 1, subleaf: 0)
            // FPU PSE TSC MSR PAE CX8 APIC PGE CMOV FXSR SSE SSE2.
            for bit in [0, 3, 4, 5, 6, 8, 9, 13, 15, 24, 25, 26] as [UInt32] {
                #expect(one.edx & 1 << bit != 0)
            }
            #expect(one.ecx & 1 << 31 == 0, "no hypervisor")
            let extended = cpu.identify(leaf: 0x8000_0001, subleaf: 0)
            for bit in [11, 20, 26, 29] as [UInt32] { #expect(extended.edx & 1 << bit != 0) }
            #expect(cpu.identify(leaf: 0x8000_0008, subleaf: 0).eax == 0x3028)
            let beyond = cpu.identify(leaf: 0x1234, subleaf: 0)
            #expect((beyond.ebx != 0) == (vendor == .intel))
        }
    }
}
