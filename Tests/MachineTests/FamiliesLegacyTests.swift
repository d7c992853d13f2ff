import Testing
import X86

@testable import Machine

/// Instructions that exist, or differ, only outside 64-bit mode: checked by hand against the SDM,
/// the decimal ones against decimal arithmetic itself.
@Suite struct FamiliesLegacyTests {
    /// Packed decimal of 0...99.
    private func packed(_ n: Int) -> UInt64 { UInt64(n / 10 * 16 + n % 10) }

    @Test func decimalAdjustmentAddsAndSubtractsDecimals() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        for a in 0..<100 {
            for b in 0..<100 {
                for carry in 0...1 {
                    cpu.pointee.rax = 0x5500 | packed(a)
                    cpu.pointee.rbx = packed(b)
                    cpu.pointee.rflags = 2 | UInt64(carry)
                    try bench.run([0x10, 0xD8])  // adc al, bl
                    try bench.run([0x27])  // daa
                    let sum = a + b + carry
                    #expect(cpu.pointee.rax == 0x5500 | packed(sum % 100))
                    #expect(cpu.pointee.rflags & RFLAGS.cf == (sum > 99 ? 1 : 0))

                    cpu.pointee.rax = packed(a)
                    cpu.pointee.rflags = 2 | UInt64(carry)
                    try bench.run([0x18, 0xD8])  // sbb al, bl
                    try bench.run([0x2F])  // das
                    let difference = a - b - carry
                    #expect(cpu.pointee.rax == packed((difference + 100) % 100))
                    #expect(cpu.pointee.rflags & RFLAGS.cf == (difference < 0 ? 1 : 0))
                }
            }
        }
    }

    /// The SDM's own examples: vol. 2, DAA and DAS.
    @Test func decimalAdjustmentExamples() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        cpu.pointee.rax = 0x79
        cpu.pointee.rbx = 0x35
        cpu.pointee.rflags = 2
        try bench.run([0x00, 0xD8])
        #expect(cpu.pointee.rax == 0xAE)
        #expect(cpu.pointee.rflags & RFLAGS.arithmetic == RFLAGS.of | RFLAGS.sf)
        try bench.run([0x27])
        #expect(cpu.pointee.rax == 0x14)
        let defined = RFLAGS.arithmetic & ~RFLAGS.of
        #expect(cpu.pointee.rflags & defined == RFLAGS.pf | RFLAGS.af | RFLAGS.cf)
        cpu.pointee.rax = 0x2E
        cpu.pointee.rflags = 2
        try bench.run([0x27])
        #expect(cpu.pointee.rax == 0x34)
        #expect(cpu.pointee.rflags & defined == RFLAGS.af)
        cpu.pointee.rax = 0x35
        cpu.pointee.rbx = 0x47
        try bench.run([0x28, 0xD8])
        #expect(cpu.pointee.rax == 0xEE)
        try bench.run([0x2F])
        #expect(cpu.pointee.rax == 0x88)
        #expect(cpu.pointee.rflags & defined == RFLAGS.cf | RFLAGS.pf | RFLAGS.af | RFLAGS.sf)
    }

    @Test func asciiAdjustment() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        for a in 0..<10 as Range<UInt64> {
            for b in 0..<10 as Range<UInt64> {
                cpu.pointee.rax = 0x0200 | a
                cpu.pointee.rbx = b
                try bench.run([0x00, 0xD8])  // add al, bl
                try bench.run([0x37])  // aaa
                let carry = a + b > 9
                #expect(cpu.pointee.rax == (carry ? 0x0300 : 0x0200) | (a + b) % 10)
                #expect(cpu.pointee.rflags & RFLAGS.cf == (carry ? 1 : 0))

                cpu.pointee.rax = 0x0200 | a
                try bench.run([0x28, 0xD8])  // sub al, bl
                try bench.run([0x3F])  // aas
                #expect(cpu.pointee.rax == (a < b ? 0x0100 : 0x0200) | (a + 10 - b) % 10)
                #expect(cpu.pointee.rflags & RFLAGS.cf == (a < b ? 1 : 0))

                cpu.pointee.rax = a * b
                try bench.run([0xD4, 0x0A])  // aam
                #expect(cpu.pointee.rax == (a * b / 10) << 8 | (a * b) % 10)
                try bench.run([0xD5, 0x0A])  // aad
                #expect(cpu.pointee.rax == a * b)
                #expect((cpu.pointee.rflags & RFLAGS.zf != 0) == (a * b == 0))
            }
        }
        #expect(try bench.run([0xD4, 0x00]) == .divideError)
        cpu.pointee.rax = 0x1234_FFAB
        cpu.pointee.rflags |= RFLAGS.cf
        try bench.run([0xD6])  // salc
        #expect(cpu.pointee.rax == 0x1234_FFFF)
    }

    @Test(arguments: [CodeSize.bits32, .bits16])
    func pushAllAndPopAll(_ mode: CodeSize) throws {
        let bench = try FamilyBench(mode)
        let cpu = bench.cpu
        let size = Int(mode.rawValue)
        for n in 0..<8 { cpu.registers[n] = 0x1111_1111 * UInt64(n + 1) }
        cpu.pointee.rsp = 0x8000
        try bench.run([0x60])
        #expect(cpu.pointee.rsp == 0x8000 - UInt64(8 * size))
        for n in 0..<8 {
            let at = 0x8000 - UInt64((n + 1) * size)
            let want = n == 4 ? 0x8000 : 0x1111_1111 * UInt64(n + 1)
            #expect(loadHost(bench.memory(at), size) == want & ALU.mask(size))
        }
        for n in 0..<8 where n != 4 { cpu.registers[n] = 0xAAAA_0000 }
        try bench.run([0x61])
        for n in 0..<8 where n != 4 {
            let upper: UInt64 = mode == .bits32 ? 0x1111_1111 * UInt64(n + 1) : 0xAAAA_0000
            let want = upper & ~0xFFFF | 0x1111 * UInt64(n + 1) & 0xFFFF
            #expect(cpu.registers[n] == want)
        }
        #expect(cpu.pointee.rsp == 0x8000)
    }

    /// A 16-bit stack pointer wraps and keeps the upper half of ESP.
    @Test func stackPointerWraps() throws {
        let bench = try FamilyBench(.bits16)
        let cpu = bench.cpu
        cpu.pointee.rsp = 0x1234_0000
        cpu.pointee.rax = 0xBEEF
        try bench.run([0x50])  // push ax
        #expect(cpu.pointee.rsp == 0x1234_FFFE)
        #expect(loadHost(bench.memory(0xFFFE), 2) == 0xBEEF)
        try bench.run([0x5B])  // pop bx
        #expect(cpu.pointee.rbx == 0xBEEF)
        #expect(cpu.pointee.rsp == 0x1234_0000)
        // A word at offset 0xFFFF would straddle the segment's end.
        cpu.pointee.rsp = 1
        #expect(try bench.run([0x50]) == .stackFault(0))
        #expect(cpu.pointee.rsp == 1)
    }

    @Test func popMemoryUsesTheRaisedStackPointer() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        cpu.pointee.rsp = 0x8000
        storeHost(bench.memory(0x8000), 0xCAFE_F00D, 4)
        try bench.run([0x8F, 0x04, 0x24])  // pop dword [esp]
        #expect(loadHost(bench.memory(0x8004), 4) == 0xCAFE_F00D)
        #expect(cpu.pointee.rsp == 0x8004)
        cpu.pointee.rsp = 0x8000
        try bench.run([0x54])  // push esp
        #expect(loadHost(bench.memory(0x7FFC), 4) == 0x8000)
        try bench.run([0x5C])  // pop esp
        #expect(cpu.pointee.rsp == 0x8000)
    }

    @Test func boundChecksBothEnds() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        storeHost(bench.memory(0x6000), UInt64(UInt32(bitPattern: -5)), 4)
        storeHost(bench.memory(0x6004), 7, 4)
        cpu.pointee.rbx = 0x6000
        for (index, faults) in [(-6, true), (-5, false), (0, false), (7, false), (8, true)] {
            cpu.pointee.rax = UInt64(UInt32(bitPattern: Int32(index)))
            #expect(try bench.run([0x62, 0x03]) == (faults ? .boundRange : nil))
        }
    }

    @Test func loopsCountInTheAddressSize() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        cpu.pointee.rip = 0x1000
        cpu.pointee.rcx = 0x0001_0001
        try bench.run([0x67, 0xE2, 0x10])  // loop by CX
        #expect(cpu.pointee.rcx == 0x0001_0000)
        #expect(cpu.pointee.rip == 0x1003)
        try bench.run([0x67, 0xE3, 0x10])  // jcxz
        #expect(cpu.pointee.rip == 0x1016)
        try bench.run([0xE3, 0x10])  // jecxz
        #expect(cpu.pointee.rip == 0x1018)
        try bench.run([0xE2, 0xFE])  // loop to itself
        #expect(cpu.pointee.rip == 0x1018)
        #expect(cpu.pointee.rcx == 0xFFFF)
    }

    /// 16-bit ModRM addressing: bases, wrapping, and SS as BP's segment.
    @Test func addresses16() throws {
        let bench = try FamilyBench(.bits16)
        let cpu = bench.cpu
        cpu.pointee.rbx = 0xFFF0
        cpu.pointee.rsi = 0x20
        storeHost(bench.memory(0x14), 0x77, 1)
        try bench.run([0x8A, 0x40, 0x04])  // mov al, [bx+si+4]
        #expect(cpu.pointee.rax & 0xFF == 0x77)
        cpu.pointee.ss.base = 0x2_0000
        cpu.pointee.rbp = 0x100
        storeHost(bench.memory(0x2_0102), 0x66, 1)
        try bench.run([0x8A, 0x46, 0x02])  // mov al, [bp+2]
        #expect(cpu.pointee.rax & 0xFF == 0x66)
        cpu.pointee.ds.limit = 0xFF
        #expect(try bench.run([0x8A, 0x07]) == .generalProtection(0))  // mov al, [bx]
    }

    @Test func enterAndLeaveNestFrames() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        cpu.pointee.rsp = 0x8000
        cpu.pointee.rbp = 0x9000
        storeHost(bench.memory(0x8FFC), 0x1111, 4)
        storeHost(bench.memory(0x8FF8), 0x2222, 4)
        try bench.run([0xC8, 0x20, 0x00, 0x03])  // enter 32, 3
        #expect(cpu.pointee.rbp == 0x7FFC)
        #expect(cpu.pointee.rsp == 0x7FFC - 12 - 32)
        let frame = [0x7FFC, 0x7FF8, 0x7FF4, 0x7FF0].map { loadHost(bench.memory($0), 4) }
        #expect(frame == [0x9000, 0x1111, 0x2222, 0x7FFC])
        try bench.run([0xC9])
        #expect(cpu.pointee.rbp == 0x9000)
        #expect(cpu.pointee.rsp == 0x8000)
    }

    /// Near transfers stay within CS and truncate to the operand size.
    @Test func nearBranchesObeyTheLimit() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        cpu.pointee.cs.limit = 0xFFFF
        cpu.pointee.rip = 0xFF00
        #expect(try bench.run([0xE9, 0x00, 0x10, 0x00, 0x00]) == .generalProtection(0))
        #expect(cpu.pointee.rip == 0xFF00)
        try bench.run([0x66, 0xE9, 0x00, 0x10])
        #expect(cpu.pointee.rip == 0x0F04)
        cpu.pointee.rsp = 0x8000
        storeHost(bench.memory(0x8000), 0x1_0000, 4)
        #expect(try bench.run([0xC3]) == .generalProtection(0))
        #expect(cpu.pointee.rsp == 0x8000)
    }
}
