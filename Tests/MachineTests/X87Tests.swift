import Testing
import X86

@testable import Machine

/// The x87 unit where no host is needed to say what is right: rounding and precision control, the
/// four forms of the environment, pending exceptions, and special operands.
@Suite struct X87Tests {
    private func bench(_ mode: CodeSize = .bits64) throws -> FamilyBench {
        let bench = try FamilyBench(mode)
        bench.cpu.vectorState.pointee.initialiseX87()
        bench.cpu.pointee.rbx = mode == .bits64 ? FamilyBench.windowBase : 0x1000
        return bench
    }

    /// FLD1; 3 is pushed; FDIVP: 1/3 in each rounding mode and precision.
    @Test(
        arguments: [
            (0x000, 0xAAAA_AB00_0000_0000), (0x200, 0xAAAA_AAAA_AAAA_A800),
            (0x300, 0xAAAA_AAAA_AAAA_AAAB), (0x400, 0xAAAA_AA00_0000_0000),
            (0x600, 0xAAAA_AAAA_AAAA_A800), (0x700, 0xAAAA_AAAA_AAAA_AAAA),
            (0x800, 0xAAAA_AB00_0000_0000), (0xA00, 0xAAAA_AAAA_AAAA_B000),
            (0xB00, 0xAAAA_AAAA_AAAA_AAAB), (0xC00, 0xAAAA_AA00_0000_0000),
            (0xE00, 0xAAAA_AAAA_AAAA_A800), (0xF00, 0xAAAA_AAAA_AAAA_AAAA),
        ] as [(UInt16, UInt64)])
    func rounding(_ control: UInt16, _ significand: UInt64) throws {
        let bench = try bench()
        let cpu = bench.cpu
        cpu.vectorState.pointee.controlWord = 0x7F | control
        #expect(try bench.run([0xD9, 0xE8]) == nil)
        cpu.pushX87(Extended(integer: 3))
        #expect(try bench.run([0xDE, 0xF9]) == nil)
        let r = cpu.stackRegister(0)
        #expect(r == Extended(significand: significand, signExponent: 0x3FFD))
        let isUp = significand > 0xAAAA_AAAA_AAAA_AAAA
        let status = cpu.vectorState.pointee.statusWord
        #expect(status & FloatControl.precision != 0)
        #expect((status & CPU.x87C1 != 0) == isUp)
    }

    @Test("an unmasked exception waits for the next instruction that waits")
    func pendingException() throws {
        let bench = try bench()
        let cpu = bench.cpu
        cpu.vectorState.pointee.controlWord = 0x37F & ~4
        cpu.pushX87(.one)
        cpu.pushX87(.zero(negative: false))
        let before = cpu.vectorState.pointee.statusWord & 0x3800
        // FDIVP, which divides by zero, completes and changes nothing.
        #expect(try bench.run([0xDE, 0xF9]) == nil)
        #expect(cpu.vectorState.pointee.statusWord == before | 0x8084)
        #expect(cpu.stackRegister(1) == .one)
        let error = Fault(vector: Vector.x87Error)
        #expect(try bench.run([0xD9, 0xE8]) == error)  // fld1
        #expect(try bench.run([0x9B]) == error)  // fwait
        #expect(try bench.run([0x0F, 0xEF, 0xC0]) == error)  // pxor mm0, mm0
        #expect(try bench.run([0xDF, 0xE0]) == nil)  // fnstsw ax
        #expect(cpu.pointee.rax & 0xFFFF == UInt64(before) | 0x8084)
        // FNSTENV masks everything, and ES goes with that.
        #expect(try bench.run([0xD9, 0x33]) == nil)
        #expect(cpu.vectorState.pointee.controlWord == 0x37F)
        #expect(cpu.vectorState.pointee.statusWord == before | 4)
        // FLDENV of what was stored brings the exception back.
        #expect(try bench.run([0xD9, 0x23]) == nil)
        #expect(cpu.vectorState.pointee.statusWord == before | 0x8084)
        #expect(try bench.run([0xDB, 0xE2]) == nil)  // fnclex
        #expect(cpu.vectorState.pointee.statusWord == before)
    }

    @Test(
        "the four forms of the environment",
        arguments: [
            (CodeSize.bits32, false), (.bits32, true), (.bits16, false), (.bits16, true),
        ])
    func environment(_ mode: CodeSize, _ isReal: Bool) throws {
        let bench = try bench(mode)
        let cpu = bench.cpu
        if isReal { cpu.pointee.cr0 &= ~CR0.pe }
        cpu.pushX87(.one)
        cpu.pushX87(.indefinite)
        let state = cpu.vectorState
        state.pointee.instructionPointer = 0x1_2345
        state.pointee.dataPointer = 0x5_4321
        state.pointee.lastOpcode = 0x6AB
        let saved = state.pointee
        // FNSTENV and FLDENV of [0x1000]
        let address: [UInt8] = mode == .bits32 ? [0x35, 0, 0x10, 0, 0] : [0x36, 0, 0x10]
        #expect(try bench.run([0xD9] + address) == nil)
        let size = mode == .bits32 ? 4 : 2
        let words = (0..<7).map { cpu.loadPhysical(0x1000 + UInt64($0 * size), size: size) }
        let upper: UInt64 = mode == .bits32 ? 0xFFFF_0000 : 0
        #expect(words[0] == 0x37F | upper && words[1] == 0x3000 | upper)
        // R7 valid, R6 special, the others empty.
        #expect(words[2] == 0x2FFF | upper)
        switch (mode, isReal) {
        case (.bits32, false):
            #expect(words[3...] == [0x1_2345, 0x6AB_0000, 0x5_4321, 0xFFFF_0000])
        case (.bits32, true):
            #expect(words[3...] == [0xFFFF_2345, 0x16AB, 0xFFFF_4321, 0x5000])
        case (_, false): #expect(words[3...] == [0x2345, 0, 0x4321, 0])
        default: #expect(words[3...] == [0x2345, 0x16AB, 0x4321, 0x5000])
        }
        state.pointee.initialiseX87()
        #expect(try bench.run([0xD9, address[0] & 0xCF | 0x20] + address.dropFirst()) == nil)
        #expect(state.pointee.statusWord == saved.statusWord)
        #expect(state.pointee.tagWord == saved.tagWord)
        if isReal {
            #expect(state.pointee.instructionPointer == 0x1_2345)
            #expect(state.pointee.dataPointer == 0x5_4321)
        }
        if isReal || mode == .bits32 { #expect(state.pointee.lastOpcode == 0x6AB) }
    }

    @Test("FNSAVE initialises, FRSTOR brings everything back")
    func saveAndRestore() throws {
        let bench = try bench()
        let cpu = bench.cpu
        for n in 0..<5 { cpu.pushX87(Extended(integer: Int64(n) * 7 - 9)) }
        let top = cpu.x87Top
        #expect(try bench.run([0xDD, 0x33]) == nil)
        #expect(cpu.vectorState.pointee.tagWord == 0xFFFF && cpu.x87Top == 0)
        #expect(try bench.run([0xDD, 0x23]) == nil)
        #expect(cpu.x87Top == top)
        for n in 0..<5 {
            #expect(cpu.stackRegister(n) == Extended(integer: Int64(4 - n) * 7 - 9))
        }
        #expect(cpu.isStackEmpty(5) && !cpu.isStackEmpty(4))
    }

    @Test("NaNs, unsupported formats and pseudo-denormals")
    func specialOperands() {
        var c = FloatControl(rounding: .nearest, masks: 0x3F)
        let quiet = Extended(significand: 0xC000_0000_0000_0001, signExponent: 0x7FFF)
        let signalling = Extended(significand: 0xA000_0000_0000_0000, signExponent: 0xFFFF)
        #expect(c.add(quiet, .one) == quiet && c.raised == 0)
        #expect(c.add(.one, signalling) == signalling.quieted)
        #expect(c.raised == FloatControl.invalid)
        #expect(c.multiply(signalling, quiet) == quiet)
        c.raised = 0
        let unnormal = Extended(significand: 1 << 62, signExponent: 0x4000)
        let pseudoNaN = Extended(significand: 1, signExponent: 0x7FFF)
        for operand in [unnormal, pseudoNaN] {
            #expect(c.add(operand, .one) == .indefinite)
            #expect(c.raised == FloatControl.invalid)
            c.raised = 0
        }
        // A pseudo-denormal counts as the normal number with the same value, and as a denormal.
        let pseudo = Extended(significand: 1 << 63, signExponent: 0)
        let least = Extended(significand: 1 << 63, signExponent: 1)
        #expect(c.compare(pseudo, least, quiet: false) == .equal)
        #expect(c.raised == FloatControl.denormal)
        #expect(c.add(pseudo, .zero(negative: false)) == least)
    }

    /// Packed decimals go there and back.
    @Test func decimals() {
        var c = FloatControl(rounding: .nearest, masks: 0x3F)
        for v in [0, 1, -1, 999_999_999_999_999_999, -123_456_789_012_345_678] as [Int64] {
            let packed = c.toDecimal(Extended(integer: v))
            #expect(Extended(decimalLow: packed.low, high: packed.high) == Extended(integer: v))
        }
        #expect(c.raised == 0)
        #expect(c.toDecimal(Extended(integer: -42)) == (0x42, 0x8000))
        let tooLarge = c.toDecimal(Extended(integer: 1_000_000_000_000_000_000))
        #expect(tooLarge == FloatControl.decimalIndefinite)
        #expect(c.raised == FloatControl.invalid)
    }
}
