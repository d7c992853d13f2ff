import Testing
import X86

@testable import Machine

/// SMAP, PCID, INVPCID, XSAVE, RDRAND, and what CPUID says of them.
@Suite struct ProtectionFeatureTests {
    /// MOV EAX, [RBX]
    private static let read: [UInt8] = [0x8B, 0x03]

    @Test("a supervisor reaches user pages only with AC set, cached or not")
    func accessPrevention() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.rip = Bench.kernel + Bench.code
        cpu.pointee.rsp = Bench.kernel + Bench.kernelStack
        for n in 0..<32 { bench.gate(n, target: Bench.kernel + Bench.handler(n)) }
        cpu.pointee.idtr.base += Bench.kernel
        cpu.pointee.gdtr.base += Bench.kernel
        try cpu.writeCR4(cpu.pointee.cr4 | CR4.smap)
        cpu.pointee.rbx = Bench.data
        let code = Bench.kernel + Bench.code
        // mov eax,[rbx]; stac; mov eax,[rbx]; clac; mov eax,[rbx]
        bench.place(Self.read, at: Bench.code)
        #expect(bench.step() == .faulted)
        #expect(cpu.pointee.cr2 == Bench.data && bench.stack0(cpu) == 1)
        cpu.pointee.rsp = Bench.kernel + Bench.kernelStack
        cpu.pointee.rip = code
        bench.place(
            [0x0F, 0x01, 0xCB] + Self.read + [0x0F, 0x01, 0xCA] + Self.read, at: Bench.code)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rflags & RFLAGS.ac != 0)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.relaxedPages == 1)
        // A system table on the same user page is out of reach even now.
        #expect(throws: Fault.pageFault(Bench.data, 1)) {
            _ = try cpu.readSystem(Bench.data, size: 8)
        }
        #expect(cpu.pointee.relaxedPages == 0)
        cpu.pointee.rip = code + 3
        #expect(bench.step() == .retired)
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rflags & RFLAGS.ac == 0 && cpu.pointee.relaxedPages == 0)
        #expect(bench.step() == .faulted)
        #expect(cpu.pointee.cr2 == Bench.data)
    }

    @Test("CR4.PCIDE has its rules, and CR3's bit 63 is not kept")
    func processContexts() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.cr3 = Bench.pml4 | 8
        #expect(throws: Fault.generalProtection(0)) {
            try cpu.writeCR4(cpu.pointee.cr4 | CR4.pcide)
        }
        #expect(throws: Fault.generalProtection(0)) { try cpu.writeCR3(Bench.pml4 | 1 << 63) }
        cpu.pointee.cr3 = Bench.pml4
        try cpu.writeCR4(cpu.pointee.cr4 | CR4.pcide)
        try cpu.writeCR3(Bench.pml4 | 5 | 1 << 63)
        #expect(cpu.pointee.cr3 == Bench.pml4 | 5)
        #expect(throws: Fault.generalProtection(0)) {
            try cpu.writeCR0(cpu.pointee.cr0 & ~CR0.pg)
        }
        // INVPCID RAX, [RBX]
        let invpcid: [UInt8] = [0x66, 0x0F, 0x38, 0x82, 0x03]
        cpu.pointee.rbx = Bench.data
        for (type, context, address, isFine) in [
            (0, 5, 0x1000, true), (1, 0xFFF, 0, true), (2, 0xFFF, 0, true), (3, 0, 0, true),
            (2, 0x1000, 0, false), (4, 0, 0, false), (1, 0x1000, 0, false), (0, 0, 1 << 47, false),
        ] as [(UInt64, UInt64, UInt64, Bool)] {
            cpu.pointee.rsp = Bench.kernelStack
            cpu.pointee.rax = type
            bench.write(Bench.data, context)
            bench.write(Bench.data + 8, address)
            if isFine {
                bench.assemble(invpcid)
                #expect(bench.step() == .retired)
            } else {
                #expect(bench.fault(of: invpcid) == .gp(0))
            }
        }
    }

    @Test("XSAVE and XRSTOR keep what is asked for and say what is in use")
    func extendedState() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        #expect(bench.fault(of: [0x0F, 0x01, 0xD0]) == .ud)
        cpu.pointee.rsp = Bench.kernelStack
        try cpu.writeCR4(cpu.pointee.cr4 | CR4.osxsave | CR4.osfxsr)
        #expect(cpu.identify(leaf: 1, subleaf: 0).ecx & 1 << 27 != 0)
        cpu.pointee.rax = 3
        cpu.pointee.rcx = 0
        cpu.pointee.rdx = 0
        bench.assemble([0x0F, 0x01, 0xD1, 0x0F, 0x01, 0xD0])
        bench.step(2)
        #expect(cpu.pointee.rax == 3 && cpu.xcr0 == 3)
        cpu.vectorState.pointee.initialiseX87()
        cpu.setXMM(3, Vector128(low: 7, high: 8))
        cpu.pointee.rbx = Bench.data
        bench.write(Bench.data + 512, ~0)
        bench.assemble([0x0F, 0xAE, 0x23])  // xsave [rbx]
        #expect(bench.step() == .retired)
        #expect(bench.read(Bench.data + 512) == ~1)
        #expect(bench.read(Bench.data + 160 + 48) == 7)
        bench.write(Bench.data + 512, 2)
        cpu.setXMM(3, .zero)
        cpu.pushX87(.one)
        bench.assemble([0x0F, 0xAE, 0x2B])  // xrstor [rbx]
        #expect(bench.step() == .retired)
        #expect(cpu.xmm(3) == Vector128(low: 7, high: 8))
        #expect(cpu.vectorState.pointee.tagWord == 0xFFFF)
        bench.write(Bench.data + 512, 4)
        #expect(bench.fault(of: [0x0F, 0xAE, 0x2B]) == .gp(0))
        cpu.pointee.rsp = Bench.kernelStack
        cpu.pointee.rbx += 16
        #expect(bench.fault(of: [0x0F, 0xAE, 0x23]) == .gp(0))
    }

    @Test("RDRAND follows the seed, and a snapshot takes its place along")
    func randomNumbers() throws {
        let rdrand: [UInt8] = [0x48, 0x0F, 0xC7, 0xF0]
        func draw(_ machine: Machine) throws -> UInt64 {
            let i = try #require(FamilyBench(.bits64).decode(rdrand))
            try machine.cpu(0).execute(i)
            #expect(machine.cpu(0).pointee.rflags & RFLAGS.arithmetic == RFLAGS.cf)
            return machine.cpu(0).pointee.rax
        }
        let a = try Machine(MachineConfiguration(memory: 1 << 20, seed: 1))
        let b = try Machine(MachineConfiguration(memory: 1 << 20, seed: 1))
        let c = try Machine(MachineConfiguration(memory: 1 << 20, seed: 2))
        let untouched = a.save().state
        let first = try draw(a)
        #expect(try draw(b) == first)
        #expect(try draw(c) != first)
        let snapshot = a.save()
        // The mark of the extended format, and eight bytes more at its end.
        #expect(snapshot.state.count == untouched.count + 8)
        #expect(untouched[6] == 0 && snapshot.state[6] == 1)
        let second = try draw(a)
        #expect(second != first)
        try a.restore(snapshot)
        #expect(try draw(a) == second)
        try b.restore(snapshot)
        #expect(try draw(b) == second)
    }

    @Test("CPUID promises x86-64-v2 and no AVX", arguments: Vendor.allCases)
    func promises(_ vendor: Vendor) throws {
        let cpu = try Machine(MachineConfiguration(memory: 1 << 20, vendor: vendor)).cpu(0)
        let leaf1 = cpu.identify(leaf: 1, subleaf: 0)
        let level2: UInt32 = 1 << 0 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23
        #expect(leaf1.ecx & level2 == level2)
        let avx: UInt32 = 1 << 12 | 1 << 28 | 1 << 29
        #expect(leaf1.ecx & avx == 0)
        #expect(cpu.identify(leaf: 7, subleaf: 0).ebx & (1 << 5 | 1 << 16) == 0)
        #expect(cpu.identify(leaf: 0x8000_0001, subleaf: 0).ecx & 1 == 1)
        let states = cpu.identify(leaf: 0xD, subleaf: 0)
        #expect(states.eax == 3 && states.ebx == 576 && states.ecx == 576)
    }

    /// Kernels join the leaves: an APIC ID's bits above those of leaf 1 number the package.
    @Test("all leaves tell of the same cores", arguments: Vendor.allCases, [1, 2, 3, 4])
    func cores(_ vendor: Vendor, _ count: Int) throws {
        let machine = try Machine(
            MachineConfiguration(memory: 1 << 20, cpus: count, vendor: vendor))
        for n in 0..<count {
            let cpu = machine.cpu(n)
            let leaf1 = cpu.identify(leaf: 1, subleaf: 0)
            let package = cpu.identify(leaf: 0xB, subleaf: 1)
            #expect(package.ebx == UInt32(count) && package.edx == UInt32(n))
            #expect(leaf1.ebx >> 16 & 0xFF == 1 << package.eax)
            #expect(leaf1.edx >> 28 & 1 == (count > 1 ? 1 : 0))
            #expect(leaf1.ebx >> (24 + package.eax) == 0)
            let sizes = cpu.identify(leaf: 0x8000_0008, subleaf: 0)
            let legacy = cpu.identify(leaf: 0x8000_0001, subleaf: 0).ecx >> 1 & 1
            let isAMD = vendor == .amd
            #expect(sizes.ecx & 0xFF == (isAMD ? UInt32(count) - 1 : 0))
            #expect(sizes.ecx >> 12 == (isAMD ? package.eax : 0))
            #expect(legacy == (isAMD && count > 1 ? 1 : 0))
        }
        // Before the fourth edition leaf 1 knew of one processor a package.
        let old = try Machine(
            MachineConfiguration(memory: 1 << 20, cpus: count, vendor: vendor, edition: .third))
        let leaf1 = old.cpu(count - 1).identify(leaf: 1, subleaf: 0)
        #expect(leaf1.ebx >> 16 & 0xFF == 1 && leaf1.edx >> 28 & 1 == 0)
    }
}

extension Bench {
    /// The word at the top of a stack in the kernel's half.
    fileprivate func stack0(_ cpu: CPU) -> UInt64 { read(cpu.pointee.rsp &- Bench.kernel) }
}
