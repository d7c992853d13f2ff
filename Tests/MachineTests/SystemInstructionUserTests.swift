import Testing
import X86

@testable import Machine

/// What was measured at CPL 3 on a processor of AMD's, whose GDT the bench's follows.
@Suite("System instructions at CPL 3")
struct SystemInstructionUserTests {
    @Test(
        "privileged instructions are #GP(0)",
        arguments: [
            [0xFA], [0xFB], [0xF4], [0x0F, 0x01, 0xF8], [0x48, 0x0F, 0x07], [0x0F, 0x32],
            [0x0F, 0x30], [0x0F, 0x20, 0xC0], [0x0F, 0x22, 0xD8], [0x0F, 0x01, 0x38],
            [0x0F, 0x06], [0xEC], [0x0F, 0x01, 0x10], [0x0F, 0x00, 0xD8], [0x0F, 0x09],
            [0x0F, 0x08], [0x0F, 0x21, 0xC0], [0x0F, 0x01, 0xF0],
        ] as [[UInt8]])
    func privileged(bytes: [UInt8]) throws {
        let bench = try Bench(cpl: 3)
        bench.cpu.pointee.rax = Bench.data
        #expect(bench.fault(of: bytes) == .gp(0))
    }

    struct Frame: CustomStringConvertible, Sendable {
        var rip = Bench.code + 0x100
        var cs: UInt64 = 0x33
        var flags = RFLAGS.fixedOne
        var rsp = Bench.userStack
        var ss: UInt64 = 0x2B
        var expected: Bench.Raised?
        var description: String {
            "cs \(String(cs, radix: 16)) ss \(String(ss, radix: 16)): "
                + "\(expected?.description ?? "ok")"
        }
    }

    static let frames: [Frame] = [
        Frame(), Frame(cs: 0x23), Frame(cs: 0x10, expected: .gp(0x10)),
        Frame(cs: 0x13, expected: .gp(0x10)), Frame(cs: 0x30, expected: .gp(0x30)),
        Frame(cs: 0x31, expected: .gp(0x30)), Frame(cs: 0, expected: .gp(0)),
        Frame(cs: 3, expected: .gp(0)), Frame(cs: 0x2B, expected: .gp(0x28)),
        Frame(cs: 0xFFF3, expected: .gp(0xFFF0)), Frame(ss: 0, expected: .gp(0)),
        Frame(ss: 3, expected: .gp(0)), Frame(ss: 0x18, expected: .gp(0x18)),
        Frame(ss: 0x28, expected: .gp(0x28)),
        Frame(rip: 0x8000_0000_0000, expected: .gp(0)),
        Frame(rip: 1 << 32, cs: 0x23, expected: .gp(0)),
    ]

    private func push(_ bench: Bench, _ frame: Frame) {
        bench.cpu.pointee.rsp -= 40
        for (n, word) in [frame.rip, frame.cs, frame.flags, frame.rsp, frame.ss].enumerated() {
            bench.write(bench.cpu.pointee.rsp + UInt64(n) * 8, word)
        }
    }

    @Test("IRETQ at CPL 3", arguments: frames)
    func interruptReturn(frame: Frame) throws {
        let bench = try Bench(cpl: 3)
        push(bench, frame)
        let rsp = bench.cpu.pointee.rsp
        if let expected = frame.expected {
            #expect(bench.fault(of: [0x48, 0xCF]) == expected)
            #expect(bench.stack(1) == Bench.code)
            #expect(bench.stack(4) == rsp)
        } else {
            bench.assemble([0x48, 0xCF])
            #expect(bench.step() == .retired)
            #expect(bench.cpu.pointee.rip == frame.rip)
            #expect(bench.cpu.pointee.cs.selector == UInt16(frame.cs))
            #expect(bench.cpu.pointee.codeSize == (frame.cs == 0x33 ? 8 : 4))
            #expect(bench.cpu.pointee.rsp == frame.rsp)
        }
    }

    @Test("IRETQ with NT set is #GP(0)")
    func nestedTask() throws {
        let bench = try Bench(cpl: 3)
        push(bench, Frame())
        bench.cpu.pointee.rflags |= RFLAGS.nt
        #expect(bench.fault(of: [0x48, 0xCF]) == .gp(0))
    }

    @Test("POPF and IRETQ leave IF and IOPL alone without the right")
    func interruptFlag() throws {
        let bench = try Bench(cpl: 3)
        bench.cpu.pointee.rflags |= RFLAGS.interruptEnable
        push(bench, Frame(flags: RFLAGS.fixedOne | RFLAGS.iopl | RFLAGS.cf))
        bench.assemble([0x48, 0xCF])
        #expect(bench.step() == .retired)
        #expect(
            bench.cpu.pointee.rflags
                == RFLAGS.fixedOne | RFLAGS.interruptEnable | RFLAGS.cf)
        bench.assemble([0x9D])
        bench.cpu.pointee.rsp -= 8
        bench.write(bench.cpu.pointee.rsp, RFLAGS.fixedOne)
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rflags & RFLAGS.interruptEnable != 0)
    }

    @Test("MOV to segment registers")
    func segments() throws {
        let cases: [(UInt8, UInt64, Bench.Raised?)] = [
            (0xD0, 0, .gp(0)), (0xD0, 0x18, .gp(0x18)), (0xD8, 0x18, .gp(0x18)),
            (0xD8, 0, nil), (0xD8, 3, nil), (0xD8, 0x43, .gp(0x40)), (0xD8, 0x2B, nil),
            (0xD8, 0x28, nil), (0xD0, 0x2B, nil), (0xD0, 0x28, .gp(0x28)),
            (0xD8, 0x33, nil), (0xD8, 0x83, .gp(0x80)), (0xD0, 0x33, .gp(0x30)),
        ]
        for (modRM, selector, expected) in cases {
            let bench = try Bench(cpl: 3)
            bench.cpu.pointee.rax = selector
            if let expected {
                #expect(bench.fault(of: [0x8E, modRM]) == expected)
            } else {
                bench.assemble([0x8E, modRM])
                #expect(bench.step() == .retired)
                #expect(
                    bench.cpu.segments[modRM == 0xD0 ? 2 : 3].selector == UInt16(selector))
            }
        }
    }

    @Test("non-canonical and supervisor addresses")
    func addresses() throws {
        let bench = try Bench(cpl: 3)
        bench.cpu.pointee.rax = 0x8000_0000_0000
        #expect(bench.fault(of: [0x48, 0x8B, 0x00]) == .gp(0))
        bench.enter(cpl: 3)
        #expect(bench.fault(of: [0xFF, 0xE0]) == .gp(0))
        bench.enter(cpl: 3)
        bench.cpu.pointee.rsp = 0x8000_0000_0000
        #expect(bench.fault(of: [0x58]) == .ss(0))
        bench.enter(cpl: 3)
        bench.cpu.pointee.rax = Bench.kernel
        #expect(bench.fault(of: [0x48, 0x8B, 0x00]) == .pf(5))
        #expect(bench.cpu.pointee.cr2 == Bench.kernel)
        bench.enter(cpl: 3)
        #expect(bench.fault(of: [0x48, 0x89, 0x00]) == .pf(7))
        bench.enter(cpl: 3)
        bench.cpu.pointee.rax = 0x6000_0000_0000
        #expect(bench.fault(of: [0x48, 0x89, 0x00]) == .pf(6))
        bench.enter(cpl: 3)
        // An access that ends beyond the canonical half.
        bench.cpu.pointee.rax = 0x7FFF_FFFF_FFFD
        #expect(bench.fault(of: [0x48, 0x8B, 0x00]) == .gp(0))
        bench.enter(cpl: 3)
        bench.assemble([0x90])
        bench.cpu.pointee.rip = Bench.kernel + Bench.code
        #expect(bench.step() == .faulted)
        #expect(bench.stack(0) == 0x15)
    }

    @Test("LAR sees what CPL 3 may, and gives its rights")
    func accessRights() throws {
        let bench = try Bench(cpl: 3)
        var seen: [UInt64: UInt64] = [:]
        for selector in stride(from: 0 as UInt64, to: 0x90, by: 8) {
            bench.assemble([0x0F, 0x02, 0xC3])
            bench.cpu.pointee.rbx = selector
            bench.cpu.pointee.rax = 0x1234
            #expect(bench.step() == .retired)
            if bench.cpu.pointee.rflags & RFLAGS.zf != 0 {
                seen[selector] = bench.cpu.pointee.rax
            } else {
                #expect(bench.cpu.pointee.rax == 0x1234)
            }
        }
        #expect(
            seen == [0x20: 0xCF_FA00, 0x28: 0xCF_F200, 0x30: 0xAF_FA00, 0x78: 0x40_F500])
    }

    @Test("SGDT works at CPL 3 unless CR4.UMIP is set")
    func tableStore() throws {
        let bench = try Bench(cpl: 3)
        bench.cpu.pointee.rax = Bench.data
        bench.assemble([0x0F, 0x01, 0x00])
        #expect(bench.step() == .retired)
        #expect(bench.read(Bench.data, size: 2) == 0x7F)
        #expect(bench.read(Bench.data + 2) == Bench.gdt)
        bench.cpu.pointee.cr4 |= CR4.umip
        for bytes in [
            [0x0F, 0x01, 0x00], [0x0F, 0x01, 0x08], [0x0F, 0x00, 0xC0],
            [0x0F, 0x00, 0xC8], [0x0F, 0x01, 0xE0],
        ] as [[UInt8]] {
            bench.enter(cpl: 3)
            #expect(bench.fault(of: bytes) == .gp(0))
        }
    }

    @Test("alignment is checked at CPL 3 with CR0.AM and RFLAGS.AC, and nowhere else")
    func alignment() throws {
        let bench = try Bench(cpl: 3)
        let cpu = bench.cpu
        // POPF; MOV EAX, [RBX]
        let code: [UInt8] = [0x9D, 0x8B, 0x03]
        for bits in 0..<8 as Range<UInt64> {
            bench.enter(cpl: bits & 1 == 0 ? 3 : 0)
            cpu.pointee.cr0 = CR0.pe | CR0.pg | CR0.et | (bits & 2 == 0 ? CR0.am : 0)
            cpu.pointee.rbx = Bench.data + 1
            cpu.pointee.rsp -= 8
            bench.write(cpu.pointee.rsp, RFLAGS.fixedOne | (bits & 4 == 0 ? RFLAGS.ac : 0))
            bench.assemble(code)
            #expect(bench.step() == .retired)
            if bits == 0 {
                #expect(bench.step() == .faulted)
                #expect(bench.vectorEntered == 17 && bench.stack(0) == 0)
                #expect(cpu.pointee.attention & Attention.alignment == 0)
            } else {
                #expect(bench.step() == .retired)
            }
        }
    }
}
