import Testing
import X86

@testable import Machine

@Suite("Double faults and shutdown")
struct DeliveryDoubleFaultTests {
    /// Intel SDM vol. 3, table 6-5, for all pairs of vectors.
    @Test("the classes of exceptions")
    func classes() throws {
        let bench = try Bench()
        let contributory: Set<UInt8> = [0, 10, 11, 12, 13]
        for first in 0..<20 as Range<UInt8> {
            for second in 0..<20 as Range<UInt8> {
                let result = bench.cpu.combine(Fault(vector: first), Fault(vector: second))
                if first == 8 && (contributory.contains(second) || second == 14) {
                    #expect(result == nil)
                } else if contributory.contains(first) && contributory.contains(second)
                    || first == 14 && (contributory.contains(second) || second == 14)
                {
                    #expect(
                        result == Fault(vector: 8, hasErrorCode: true, errorCode: 0))
                } else {
                    #expect(result?.vector == second)
                }
            }
        }
    }

    @Test("an absent gate for a benign fault is #NP, for a contributory one #DF")
    func absentGates() throws {
        let bench = try Bench()
        bench.gate(6, present: false)
        #expect(bench.fault(of: [0x0F, 0x0B]) == .np(6 * 8 + 2 + 1))
        bench.gate(13, present: false)
        bench.enter(cpl: 0)
        // MOV DS, AX with a selector beyond the GDT.
        bench.cpu.pointee.rax = 0x888
        bench.assemble([0x8E, 0xD8])
        #expect(bench.step() == .faulted)
        #expect(bench.vectorEntered == 8)
        #expect(bench.stack(0) == 0)
        #expect(bench.stack(1) == Bench.code)
    }

    @Test("a fault while delivering #DF is shutdown, and the state stays")
    func shutdown() throws {
        let bench = try Bench(cpl: 3)
        for vector in [8, 13] { bench.gate(vector, selector: 0x18) }
        bench.assemble([0xF4])
        let before = bench.cpu.pointee
        #expect(bench.step() == .faulted)
        #expect(bench.cpu.pointee.activity == Activity.shutdown)
        #expect(bench.cpu.pointee.rip == before.rip)
        #expect(bench.cpu.pointee.rsp == before.rsp)
        #expect(bench.machine.run() == .shutdown(cpu: 0))
    }

    @Test("an interrupt through a wrong gate is #GP, not #DF")
    func wrongGateForAnInterrupt() throws {
        let bench = try Bench()
        bench.gate(0x60, selector: 0x18)
        bench.cpu.deliverInterrupt(vector: 0x60)
        #expect(bench.vectorEntered == 13)
        #expect(bench.stack(0) == 0x18 + 1)
    }

    /// domain: one wrong code descriptor under an unchanged IDT ends in shutdown within one event.
    @Test("a GDT swapped under the IDT: #GP, #DF, shutdown")
    func swappedGDT() throws {
        let bench = try Bench()
        let swapped: UInt64 = 0x9_2000
        for n in 0..<16 as Range<UInt64> {
            bench.write(swapped + n * 8, bench.read(Bench.gdt + n * 8))
        }
        bench.write(swapped + 0x10, 0x00AF_BA00_0000_FFFF)
        bench.cpu.pointee.gdtr.base = swapped
        bench.cpu.deliverInterrupt(vector: 0x60)
        #expect(bench.cpu.pointee.activity == Activity.shutdown)
    }

    @Test("page fault, then page fault: #DF on its IST stack, CR2 that of the second")
    func doublePageFault() throws {
        let bench = try Bench()
        bench.gate(8, ist: 2)
        bench.cpu.pointee.rsp = 0x7000_0000_0000
        // MOV RAX, [RAX]
        bench.cpu.pointee.rax = 0x6000_0000_0000
        bench.assemble([0x48, 0x8B, 0x00])
        #expect(bench.step() == .faulted)
        #expect(bench.vectorEntered == 8)
        #expect(bench.cpu.pointee.rsp == Bench.ist + 2 * 0x1000 - 48)
        #expect(bench.cpu.pointee.cr2 == 0x7000_0000_0000 - 8)
    }

    @Test("a machine check without CR4.MCE is shutdown")
    func machineCheck() throws {
        let bench = try Bench()
        bench.assemble([0x90])
        bench.cpu.pointee.attention |= Attention.machineCheck
        #expect(bench.step() == .serviced)
        #expect(bench.vectorEntered == 18)
        bench.enter(cpl: 0)
        bench.cpu.pointee.cr4 &= ~CR4.mce
        bench.cpu.pointee.attention |= Attention.machineCheck
        #expect(bench.step() == .serviced)
        #expect(bench.cpu.pointee.activity == Activity.shutdown)
    }
}
