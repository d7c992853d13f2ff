import Testing
import X86

@testable import Machine

/// Where QEMU 7.2's TCG is known not to do what the manuals say, so that its answers are no
/// evidence: each such place has a test here, or in the suite that is named.
///
/// - SYSRET with a non-canonical RCX on Intel's processors: `SystemInstructionCallTests`.
/// - Page faults for reserved bits: `PagingMatrixTests`.
/// - A debug trap held by MOV SS, breakpoints under it: `DeliveryBoundaryTests`,
///   `DeliveryFlagTests`.
@Suite("Where other emulators are known to be wrong")
struct EmulatorErrorTests {
    private static let beyond: UInt64 = 0x8000_0000_0000

    /// STI's shadow holds interrupts off, not the trap of TF (Intel SDM vol. 3, 6.8.3, 17.3.1.4).
    @Test("single step traps after STI", arguments: [false, true])
    func stepAfterSTI(blocks: Bool) throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.rflags = RFLAGS.fixedOne | RFLAGS.tf
        cpu.updateStepping()
        bench.assemble([0xFB, 0x90])
        cpu.pointee.instructionDeadline = 1
        if blocks { cpu.runBlocks() } else { cpu.runStepwise() }
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 1 && bench.stack(0) == Bench.code + 1)
        #expect(bench.stack(2) & RFLAGS.interruptEnable != 0)
    }

    /// Intel SDM vol. 2, LGDT/LIDT: #GP(0) if the base is not canonical.
    @Test("LGDT and LIDT refuse a base that is not canonical", arguments: [0x13, 0x1B] as [UInt8])
    func tableBase(modRM: UInt8) throws {
        let bench = try Bench()
        let before = (bench.cpu.pointee.gdtr, bench.cpu.pointee.idtr)
        bench.cpu.pointee.rbx = Bench.data
        bench.write(Bench.data, 0xFFF, size: 2)
        bench.write(Bench.data + 2, Self.beyond)
        #expect(bench.fault(of: [0x0F, 0x01, modRM]) == .gp(0))
        let after = (bench.cpu.pointee.gdtr, bench.cpu.pointee.idtr)
        #expect(before.0.base == after.0.base && before.1.base == after.1.base)
        bench.enter(cpl: 0)
        bench.write(Bench.data + 2, modRM == 0x13 ? before.0.base : before.1.base)
        bench.assemble([0x0F, 0x01, modRM])
        #expect(bench.step() == .retired)
    }

    /// Intel SDM vol. 2, LLDT and LTR in 64-bit mode: #GP(selector) for such a descriptor.
    @Test("LLDT and LTR refuse a base that is not canonical", arguments: [0xD0, 0xD8] as [UInt8])
    func systemBase(modRM: UInt8) throws {
        let bench = try Bench()
        let type: UInt64 = modRM == 0xD0 ? 0x82 : 0x89
        bench.write(Bench.gdt + 0x60, 0x67 | type << 40)
        bench.write(Bench.gdt + 0x68, Self.beyond >> 32)
        bench.cpu.pointee.rax = 0x60
        #expect(bench.fault(of: [0x0F, 0x00, modRM]) == .gp(0x60))
        bench.enter(cpl: 0)
        bench.write(Bench.gdt + 0x68, 0)
        bench.assemble([0x0F, 0x00, modRM])
        #expect(bench.step() == .retired)
    }

    /// Intel SDM vol. 3, 6.15, interrupt 12: a stack address that is not canonical.
    @Test("what uses a stack that is not canonical is #SS(0)")
    func stackFaults() throws {
        // PUSH, POP, CALL, RET, PUSHF, POPF, LEAVE, MOV [RSP], MOV [RBP], ENTER.
        let codes: [[UInt8]] = [
            [0x50], [0x58], [0xE8, 0, 0, 0, 0], [0xC3], [0x9C], [0x9D], [0xC9],
            [0x89, 0x04, 0x24], [0x89, 0x45, 0x00], [0xC8, 0, 0, 0],
        ]
        for code in codes {
            let bench = try Bench(cpl: 3)
            bench.cpu.pointee.rsp = Self.beyond + 0x100
            bench.cpu.pointee.rbp = Self.beyond + 0x100
            #expect(bench.fault(of: code) == .ss(0), "\(code)")
        }
    }

    /// Intel SDM vol. 2, INT n: #SS with EXT, which an exception sets and INT n does not.
    @Test("a kernel's stack that is not canonical is #SS at delivery", arguments: [false, true])
    func kernelStack(isSoftware: Bool) throws {
        let bench = try Bench(cpl: 3)
        bench.write(Bench.tss + 4, Self.beyond)
        bench.gate(12, ist: 1)
        bench.gate(0x50, dpl: 3)
        let code: [UInt8] = isSoftware ? [0xCD, 0x50] : [0x0F, 0x0B]
        #expect(bench.fault(of: code) == .ss(isSoftware ? 0 : 1))
        #expect(bench.stack(1) == Bench.code)
    }
}
