import Testing
import X86

/// Fields that neither lengths nor text show.
struct DecoderTests {
    private func decode(
        _ bytes: [UInt8], _ codeSize: CodeSize = .bits64
    ) throws -> Instruction {
        var instruction = Instruction()
        let failure = Decoder.decode(
            bytes, count: bytes.count, codeSize: codeSize, into: &instruction)
        try #require(failure == nil)
        return instruction
    }

    private func failure(_ bytes: [UInt8], _ codeSize: CodeSize = .bits64) -> DecodeFailure? {
        var instruction = Instruction()
        return Decoder.decode(bytes, count: bytes.count, codeSize: codeSize, into: &instruction)
    }

    @Test func fifteenBytesAreTheLimit() throws {
        let nops = Array(repeating: UInt8(0x66), count: 14)
        #expect(try decode(nops + [0x90]).length == 15)
        #expect(failure([0x66] + nops + [0x90]) == .tooLong)
        // The limit strikes in ModRM, displacement and immediate as well.
        #expect(failure(nops + [0x89, 0x00]) == .tooLong)
        #expect(failure(Array(nops.dropLast()) + [0xB0, 0x00]) == nil)
        #expect(failure(nops + [0xB0, 0x00]) == .tooLong)
        let twelve = Array(repeating: UInt8(0x2E), count: 12)
        #expect(failure(twelve + [0x81, 0xC0, 1, 2, 3, 4]) == .tooLong)
        #expect(failure(Array(repeating: 0x66, count: 15)) == .tooLong)
        #expect(failure(Array(repeating: 0x66, count: 14)) == .truncated)
    }

    @Test func rexCountsOnlyDirectlyBeforeTheOpcode() throws {
        let before = try decode([0x48, 0x66, 0x89, 0xC0])
        #expect(before.operandSize == 2 && !before.flags.contains(.rex))
        let last = try decode([0x41, 0x48, 0x89, 0xC0])
        #expect(last.operandSize == 8 && last.operands.0.register == 0)
    }

    @Test func theLastRepeatPrefixCounts() throws {
        #expect(try decode([0xF2, 0xF3, 0x0F, 0x10, 0xC1]).mnemonic == .movss)
        #expect(try decode([0xF3, 0xF2, 0x0F, 0x10, 0xC1]).mnemonic == .movsd)
        // F3 and F2 go before 66, which is then no operand-size prefix of a scalar operation.
        #expect(try decode([0xF3, 0x66, 0x0F, 0x10, 0xC1]).mnemonic == .movss)
        let scan = try decode([0xF3, 0xF2, 0xAE])
        #expect(scan.flags.contains(.repne) && !scan.flags.contains(.rep))
        // A prefix that selects the row is no REP.
        #expect(try decode([0xF3, 0x0F, 0xB8, 0xC0]).flags.contains(.rep) == false)
    }

    @Test func segmentOverrides() throws {
        #expect(try decode([0x8B, 0x00]).segment == SegmentNumber.ds)
        #expect(try decode([0x8B, 0x45, 0]).segment == SegmentNumber.ss)
        #expect(try decode([0x8B, 0x04, 0x24]).segment == SegmentNumber.ss)
        #expect(try decode([0x41, 0x8B, 0x45, 0]).segment == SegmentNumber.ds)
        #expect(try decode([0x41, 0x8B, 0x04, 0x24]).segment == SegmentNumber.ds)
        #expect(try decode([0x65, 0x8B, 0x00]).segment == SegmentNumber.gs)
        // Without effect in 64-bit mode, and not undoing an FS before it.
        #expect(try decode([0x36, 0x8B, 0x00]).segment == SegmentNumber.ds)
        #expect(try decode([0x3E, 0x8B, 0x45, 0]).segment == SegmentNumber.ss)
        #expect(try decode([0x64, 0x26, 0x8B, 0x00]).segment == SegmentNumber.fs)
        #expect(try decode([0x36, 0x8B, 0x00], .bits32).segment == SegmentNumber.ss)
        #expect(try decode([0x64, 0x26, 0x8B, 0x00], .bits32).segment == SegmentNumber.es)
        #expect(try decode([0x8B, 0x02], .bits16).segment == SegmentNumber.ss)
        #expect(try decode([0x8B, 0x45, 0], .bits16).segment == SegmentNumber.ds)
        #expect(try decode([0x8B, 0x46, 0], .bits16).segment == SegmentNumber.ss)
        // STOS goes to ES whatever the prefix, MOVS reads through it.
        #expect(try decode([0x64, 0xAA]).segment == SegmentNumber.es)
        #expect(try decode([0x64, 0xA4]).segment == SegmentNumber.fs)
        #expect(try decode([0x64, 0xA6]).segment == SegmentNumber.fs)
    }

    @Test(
        arguments: [
            ([0x50], 8), ([0x66, 0x50], 2), ([0x48, 0x50], 8), ([0x6A, 0x00], 8),
            ([0x66, 0x6A, 0x00], 2), ([0xC3], 8), ([0x66, 0xC3], 8), ([0x66, 0xEB, 0x00], 8),
            ([0xFF, 0xD0], 8), ([0x66, 0xFF, 0xD0], 8), ([0xFF, 0x30], 8), ([0x66, 0xFF, 0x30], 2),
            ([0xC9], 8), ([0x9C], 8), ([0x66, 0x9D], 2), ([0xCF], 4), ([0x48, 0xCF], 8),
            ([0x66, 0xCF], 2), ([0xCB], 4), ([0x0F, 0xA0], 8), ([0x0F, 0x20, 0xC0], 8),
            ([0x66, 0x0F, 0x20, 0xC0], 8), ([0x88, 0xC0], 1), ([0x0F, 0xB6, 0xC0], 4),
            ([0x0F, 0x94, 0xC0], 1), ([0xE4, 0x00], 1), ([0x48, 0xE5, 0x00], 4), ([0xE6, 0x00], 1),
            ([0x66, 0xE7, 0x00], 2), ([0xEE], 1), ([0x48, 0xEF], 4), ([0x48, 0x6D], 4),
            ([0xA4], 1), ([0x48, 0xA5], 8), ([0x66, 0x0F, 0x6E, 0xC0], 4),
            ([0x66, 0x48, 0x0F, 0x6E, 0xC0], 8), ([0x48, 0x0F, 0xC7, 0x08], 8),
            ([0x0F, 0xC7, 0x08], 4), ([0x48, 0x0F, 0x07], 8), ([0x0F, 0x01, 0x10], 8),
            ([0xE2, 0x00], 8), ([0xD7], 1), ([0x40, 0xF6, 0xD8], 1),
        ] as [([UInt8], UInt8)])
    func operandSizeIn64BitMode(bytes: [UInt8], size: UInt8) throws {
        #expect(try decode(bytes).operandSize == size)
    }

    @Test(
        arguments: [
            ([0x50], 2, 4), ([0x66, 0x50], 4, 2), ([0xC3], 2, 4), ([0x66, 0xEB, 0x00], 4, 2),
            ([0x0F, 0x20, 0xC0], 4, 4), ([0x66, 0x0F, 0x22, 0xC0], 4, 4), ([0x88, 0xC0], 1, 1),
            ([0xED], 2, 4), ([0xCF], 2, 4),
        ] as [([UInt8], UInt8, UInt8)])
    func operandSizeInLegacyModes(bytes: [UInt8], size16: UInt8, size32: UInt8) throws {
        #expect(try decode(bytes, .bits16).operandSize == size16)
        #expect(try decode(bytes, .bits32).operandSize == size32)
    }

    @Test(
        arguments: [
            // Sign-extended: ALU, MOV, PUSH, branches.
            ([0x83, 0xC0, 0xFF], UInt64.max), ([0x04, 0x80], UInt64.max - 0x7F),
            ([0x48, 0xC7, 0xC0, 0, 0, 0, 0x80], 0xFFFF_FFFF_8000_0000),
            ([0x6A, 0xFE], UInt64.max - 1), ([0xEB, 0xFE], UInt64.max - 1),
            ([0xE8, 0, 0, 0, 0x80], 0xFFFF_FFFF_8000_0000),
            ([0x66, 0xB8, 0, 0x80], 0xFFFF_FFFF_FFFF_8000),
            ([0x48, 0xB8, 8, 7, 6, 5, 4, 3, 2, 0x81], 0x8102_0304_0506_0708),
            // Zero-extended: ports, vectors, shifts, selectors of lanes, RET and ENTER.
            ([0xE4, 0xFF], 0xFF), ([0xCD, 0x80], 0x80), ([0xC1, 0xE0, 0xFF], 0xFF),
            ([0x0F, 0xBA, 0xE0, 0xFF], 0xFF), ([0x66, 0x0F, 0x70, 0xC0, 0xE4], 0xE4),
            ([0xC2, 0xFF, 0xFF], 0xFFFF), ([0xC8, 0xFF, 0xFF, 0x1F], 0xFFFF),
        ] as [([UInt8], UInt64)])
    func immediates(bytes: [UInt8], value: UInt64) throws {
        #expect(try decode(bytes).immediate == value)
    }

    @Test func secondImmediates() throws {
        #expect(try decode([0xC8, 0x10, 0x00, 0x1F]).immediate2 == 0x1F)
        let far = try decode([0xEA, 1, 0, 0, 0x80, 0x10, 0x00], .bits32)
        #expect(far.immediate == 0x8000_0001 && far.immediate2 == 0x10)
        #expect(far.mnemonic == .jmpFar)
    }

    @Test func addresses() throws {
        let rip = try decode([0x8B, 0x05, 0xFC, 0xFF, 0xFF, 0xFF])
        #expect(rip.flags.contains(.ripRelative) && rip.displacement == -4)
        #expect(rip.base == Instruction.noRegister && rip.index == Instruction.noRegister)
        let plain = try decode([0x8B, 0x04, 0x25, 0, 0, 0, 0x80])
        #expect(!plain.flags.contains(.ripRelative) && plain.displacement == -0x8000_0000)
        let indexed = try decode([0x4B, 0x8B, 0x44, 0xE5, 0x10])
        #expect(indexed.base == 13 && indexed.index == 12 && indexed.scale == 8)
        let none = try decode([0x8B, 0x04, 0xE4])
        #expect(none.index == Instruction.noRegister && none.scale == 1 && none.base == 4)
        let offset = try decode([0xA1, 8, 7, 6, 5, 4, 3, 2, 0x81])
        #expect(UInt64(bitPattern: offset.displacement) == 0x8102_0304_0506_0708)
        let narrow = try decode([0xA1, 0, 0, 0, 0x80], .bits32)
        #expect(narrow.displacement == 0x8000_0000)
        let pair = try decode([0x8B, 0x43, 0xFF], .bits16)
        #expect(pair.base == 5 && pair.index == 7 && pair.displacement == -1)
        #expect(pair.addressSize == 2)
        #expect(try decode([0x67, 0x8B, 0x00]).addressSize == 4)
        #expect(try decode([0x67, 0x8B, 0x00], .bits16).addressSize == 4)
        #expect(try decode([0x67, 0x8B, 0x00], .bits32).addressSize == 2)
    }

    @Test func registers() throws {
        #expect(try decode([0x88, 0xE0]).operands.1.kind == .highByte)
        #expect(try decode([0x88, 0xE0]).operands.1.register == 0)
        let rex = try decode([0x40, 0x88, 0xE0]).operands.1
        #expect(rex.kind == .register && rex.register == 4)
        #expect(try decode([0x41, 0x50]).operands.0.register == 8)
        #expect(try decode([0x41, 0x90]).mnemonic == .xchg)
        #expect(try decode([0x49, 0x0F, 0xC8]).operands.0.register == 8)
        // REX reaches XMM registers, not MMX or segment registers.
        #expect(try decode([0x45, 0x0F, 0x28, 0xC1]).operands.0.register == 8)
        #expect(try decode([0x45, 0x0F, 0x6F, 0xC1]).operands.0.register == 0)
        #expect(try decode([0x44, 0x8E, 0xD8]).operands.0.register == SegmentNumber.ds)
        #expect(try decode([0x44, 0x0F, 0x22, 0xC0]).operands.0.register == 8)
        #expect(try decode([0xF2, 0x48, 0x0F, 0x38, 0xF0, 0xC1]).operands.0.size == 8)
    }

    @Test func conditionsAndCosts() throws {
        for condition in UInt8(0)..<16 {
            #expect(try decode([0x70 + condition, 0]).condition == condition)
            #expect(try decode([0x0F, 0x80 + condition, 0, 0, 0, 0]).condition == condition)
            #expect(try decode([0x0F, 0x90 + condition, 0xC0]).condition == condition)
            #expect(try decode([0x0F, 0x40 + condition, 0xC0]).condition == condition)
        }
        #expect(try decode([0xDB, 0xD8]).condition == 11)
        #expect(try decode([0x01, 0xC0]).cost == .simple)
        #expect(try decode([0x01, 0x00]).cost == .readModifyWrite)
        #expect(try decode([0xF0, 0x01, 0x00]).cost == .atomic)
        #expect(try decode([0x87, 0x00]).cost == .atomic)
        #expect(try decode([0x87, 0xC1]).cost == .simple)
        #expect(try decode([0x8B, 0x00]).cost == .load)
        #expect(try decode([0x89, 0x00]).cost == .store)
        #expect(try decode([0xA1, 0, 0, 0, 0, 0, 0, 0, 0]).cost == .load)
        #expect(try decode([0x8D, 0x00]).cost == .simple)
        #expect(try decode([0x0F, 0x22, 0xD8]).cost == .writeCR3)
        #expect(try decode([0x0F, 0x22, 0xC0]).cost == .writeControl)
    }
}
