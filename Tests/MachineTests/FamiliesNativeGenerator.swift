import SeededRandom
import X86

@testable import Machine

/// Makes random instructions with random operands for the native comparison: random prefixes,
/// opcode and ModRM are tried until they are an instruction of ours that the real processor runs
/// in the same surroundings; then registers and displacements are bent so that most memory operands
/// fall in the data window, many of them near a page's edge.
struct NativeGenerator {
    enum Subject {
        case integer
        case vector
        /// Integer instructions in 32-bit compatibility mode.
        case integer32
        case x87
        /// The transcendental x87 instructions, with operands that suit them.
        case transcendental
        /// Vector and x87 instructions in 32-bit compatibility mode.
        case vector32
        case x8732
        /// DPPS, ROUNDPS and the rest of SSE4.1 that computes or picks numbers.
        case sse41
        /// FXSAVE, FXRSTOR, XSAVE and XRSTOR, in both modes.
        case state
        case state32
        /// Loads of segment registers, and LAR, LSL, VERR and VERW, in both modes.
        case segments
        case segments32

        var mode: CodeSize {
            switch self {
            case .integer32, .vector32, .x8732, .state32, .segments32: .bits32
            default: .bits64
            }
        }
        var isVector: Bool { [.vector, .vector32, .sse41].contains(self) || isState }
        var isX87: Bool { [.x87, .x8732, .transcendental].contains(self) || isState }
        var isState: Bool { self == .state || self == .state32 }
        var isSegments: Bool { self == .segments || self == .segments32 }
    }

    var random: SplitMix64
    let subject: Subject
    let bench: FamilyBench

    init(seed: UInt64, _ subject: Subject, _ bench: FamilyBench) {
        random = SplitMix64(seed)
        self.subject = subject
        self.bench = bench
    }

    mutating func next() -> (NativeCase, Instruction) {
        if subject.isState { return nextState() }
        if subject.isSegments { return nextSegments() }
        while true {
            let bytes = randomBytes()
            guard let i = bench.decode(bytes), isWanted(i, bytes) else { continue }
            var made = NativeCase(mode: mode, bytes: Array(bytes.prefix(Int(i.length))))
            fill(&made)
            steer(&made, i)
            guard let final = bench.decode(made.bytes), final.mnemonic == i.mnemonic,
                Int(final.length) == made.bytes.count
            else { continue }
            return (made, final)
        }
    }

    var mode: CodeSize { subject.mode }

    // MARK: - Encodings

    private mutating func randomBytes() -> [UInt8] {
        var bytes: [UInt8] = []
        if random.chance(25) { bytes.append(0x66) }
        if random.chance(10) { bytes.append(0x67) }
        if random.chance(20) { bytes.append(random.chance(50) ? 0xF3 : 0xF2) }
        if random.chance(5) { bytes.append(0x65) }
        if random.chance(5) { bytes.append(0xF0) }
        if mode == .bits32 {
            if random.chance(5) { bytes.append([0x26, 0x2E, 0x36, 0x3E][random.below(4)]) }
        } else if random.chance(45) {
            bytes.append(0x40 | UInt8(random.below(16)))
        }
        let map = random.below(100)
        switch subject {
        case .integer, .integer32:
            if map >= 55 { bytes.append(0x0F) }
            if map >= 97 { bytes.append(0x38) }
            // What whole groups of instructions share would otherwise be too rare.
            if map < 20 {
                let groups: [UInt8] = [
                    0xC0, 0xC1, 0xD0, 0xD1, 0xD2, 0xD3, 0xF6, 0xF7, 0xFE, 0xFF, 0x80, 0x81, 0x83,
                ]
                bytes.append(groups[random.below(groups.count)])
                let modRM = UInt8(truncatingIfNeeded: random.next())
                bytes.append(random.chance(60) ? modRM | 0xC0 : modRM)
            }
        case .vector, .vector32:
            bytes.append(0x0F)
            if map >= 70 { bytes.append(map < 88 ? 0x38 : 0x3A) }
        case .x87, .x8732:
            bytes.append(map == 0 ? 0x9B : 0xD8 | UInt8(random.below(8)))
            if random.chance(50) { bytes.append(0xC0 | UInt8(random.below(64))) }
        case .sse41: return sse41Bytes(after: bytes)
        case .state, .state32, .segments, .segments32: break
        case .transcendental:
            let codes: [UInt8] = [0xF0, 0xF1, 0xF2, 0xF3, 0xF9, 0xFB, 0xFE, 0xFF]
            return [0xD9, codes[random.below(codes.count)]]
        }
        for _ in 0..<15 { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
        return Array(bytes.prefix(15))
    }

    /// Ours, unprivileged, and the same on the host whatever else that offers.
    private func isWanted(_ i: Instruction, _ bytes: [UInt8]) -> Bool {
        if subject == .transcendental { return true }
        let isX87 = NativeGenerator.x87.contains(i.mnemonic)
        if isX87 != subject.isX87 { return false }
        if !isX87 && NativeGenerator.excluded.contains(i.mnemonic) { return false }
        // FS is the host's own.
        if i.segment == SegmentNumber.fs { return false }
        if mode == .bits32 && i.segment == SegmentNumber.gs { return false }
        let isVector = NativeGenerator.touchesVectors(i)
        if !isX87 && isVector != subject.isVector { return false }
        let repeats = i.flags.contains(.rep) || i.flags.contains(.repne)
        switch i.mnemonic {
        case .bsf, .bsr:
            // TZCNT and LZCNT on newer processors.
            return !repeats
        case .jmp, .jcc, .call, .ret, .loop, .loope, .loopne, .jcxz:
            // AMD's processors obey 66 here, and let F2 and F3 turn LOOPE and LOOPNE around.
            return !repeats && (mode == .bits32 || !i.flags.contains(.operandSizePrefix))
        case .movsxd:
            // With 66, AMD's processors read 32 bits and Intel's 16.
            return i.operands.1.size == 4
        case .nop, .prefetch:
            // Hints that newer processors give a meaning to, or that are undefined on AMD's.
            return !repeats && !bytes.prefix(Int(i.length)).contains(0x0D)
        default: return true
        }
    }

    static func touchesVectors(_ i: Instruction) -> Bool {
        for o in [i.operands.0, i.operands.1, i.operands.2]
        where o.kind == .xmm || o.kind == .mmx {
            return true
        }
        return [.ldmxcsr, .stmxcsr, .emms].contains(i.mnemonic)
    }

    /// What the host would do otherwise, in surroundings that differ, or that leave the process.
    static let excluded: Set<Mnemonic> = [
        .int, .int1, .int3, .syscall, .sysenter, .sysret, .sysexit, .iret, .retFar, .callFar,
        .jmpFar, .into, .lds, .les, .popSegment, .pushSegment, .lss, .lfs, .lgs, .lar, .lsl, .verr,
        .verw, .sgdt,
        .sidt, .sldt, .str, .smsw, .cpuid, .rdtsc, .rdtscp, .rdpmc, .rdrand, .rdseed, .rdfsbase,
        .rdgsbase, .wrfsbase, .wrgsbase, .xgetbv, .xsetbv, .xsave, .xsavec, .xsaveopt, .xsaves,
        .xrstor, .xrstors, .fxsave, .fxrstor, .monitor, .mwait, .vmcall, .vmmcall, .rsm, .stac,
        .clac, .invpcid, .ud0, .ud1, .ud2, .movSegment, .swapgs, .movntdqa, .clflushopt,
        .hlt, .cli, .sti, .in, .out, .ins, .outs, .lgdt, .lidt, .lldt, .ltr, .invd, .wbinvd,
        .invlpg, .rdmsr, .wrmsr, .movControl, .movDebug, .clts, .lmsw,
    ]

    // MARK: - Operands

    mutating func value() -> UInt64 {
        switch random.below(8) {
        case 0, 1: return random.next()
        case 2: return random.next() >> UInt64(random.below(64))
        case 3: return UInt64(random.below(256))
        case 4: return UInt64(bitPattern: -Int64(random.below(256)))
        case 5:
            let edges: [UInt64] = [
                0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000,
                0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, .max,
            ]
            return edges[random.below(edges.count)]
        default: return place()
        }
    }

    /// An address in or near the data window.
    private mutating func place() -> UInt64 {
        let base = FamilyBench.windowBase
        switch random.below(10) {
        case 0: return base + 4096 - 20 + UInt64(random.below(24))
        case 1: return base + 8192 - 20 + UInt64(random.below(24))
        case 2: return base - 4 + UInt64(random.below(8))
        case 3, 4, 5: return base + UInt64(random.below(512)) * 16
        default: return base + UInt64(random.below(8192))
        }
    }

    mutating func fill(_ c: inout NativeCase) {
        for n in 0..<16 { c.registers[n] = value() }
        if random.chance(90) { c.registers[4] = place() & (random.chance(80) ? ~7 : ~0) }
        c.flags = RFLAGS.fixedOne | RFLAGS.interruptEnable | random.next() & RFLAGS.arithmetic
        if random.chance(30) { c.flags |= RFLAGS.df }
        if mode == .bits32 {
            for n in 0..<16 { c.registers[n] &= 0xFFFF_FFFF }
        }
        // The single-step trap after it, and alignment checking during it.
        if random.chance(6) { c.flags |= RFLAGS.tf }
        if random.chance(6) { c.flags |= RFLAGS.ac }
        if subject.isX87 && !subject.isState { return fillX87(&c) }
        guard subject.isVector else { return }
        if subject.isState { fillX87(&c) }
        for n in 0..<32 { c.vectors.xmm[n] = vectorWord() }
        // Flags already set, DAZ and FTZ, exceptions not masked.
        if random.chance(30) { c.vectors.mxcsr |= UInt32(random.below(64)) }
        if random.chance(40) { c.vectors.mxcsr |= UInt32(random.below(4)) << 13 }
        if random.chance(20) { c.vectors.mxcsr |= 1 << 6 }
        if random.chance(20) { c.vectors.mxcsr |= 1 << 15 }
        if random.chance(10) { c.vectors.mxcsr &= ~(UInt32(random.below(64)) << 7) }
        if subject.isState { return }
        c.vectors.tags = random.chance(50) ? 0 : 0xFF
        for n in 0..<8 {
            c.vectors.x87[2 * n] = vectorWord()
            c.vectors.x87[2 * n + 1] = 0xFFFF
        }
    }

    mutating func vectorWord() -> UInt64 {
        switch random.below(8) {
        case 0: return value()
        case 1: return random.next() & random.next()
        case 2: return double()
        case 3: return random.chance(50) ? double() : single() | single() << 32
        case 4: return single() | single() << 32
        case 5:
            let v = Int64(random.below(2000)) - 1000
            return random.chance(50)
                ? (Double(v) / 4).bitPattern : UInt64((Float(v) / 4).bitPattern) * 0x1_0000_0001
        default: return random.next()
        }
    }

    /// A double near the ends and the middle of its range: zeros, denormals, infinities and NaNs
    /// among them.
    mutating func double() -> UInt64 {
        let exponents: [UInt64] = [0, 1, 2, 0x7FE, 0x7FF, 0x3FE, 0x3FF, 0x400, 0x41E, 0x43E]
        var exponent = exponents[random.below(exponents.count)]
        if random.chance(40) { exponent = 0x3FF - 30 + UInt64(random.below(60)) }
        if random.chance(10) { exponent = 0x1F0 + UInt64(random.below(32)) }
        return (random.next() & 1) << 63 | exponent << 52 | fraction(52)
    }

    private mutating func single() -> UInt64 {
        let exponents: [UInt64] = [0, 1, 2, 0xFE, 0xFF, 0x7E, 0x7F, 0x80, 0x9E, 0xBE]
        var exponent = exponents[random.below(exponents.count)]
        if random.chance(40) { exponent = 0x7F - 15 + UInt64(random.below(30)) }
        if random.chance(10) { exponent = 0x38 + UInt64(random.below(16)) }
        return (random.next() & 1) << 31 | exponent << 23 | fraction(23)
    }

    private mutating func fraction(_ bits: Int) -> UInt64 {
        let mask = (UInt64(1) << UInt64(bits)) - 1
        switch random.below(5) {
        case 0: return 0
        case 1: return mask
        case 2: return 1 << UInt64(random.below(bits))
        case 3: return random.next() & mask & ~0xFFFF
        default: return random.next() & mask
        }
    }

    /// Registers that look like short strings of few different characters.
    private mutating func fillStrings(_ c: inout NativeCase) {
        for n in 0..<32 where random.chance(80) {
            var word: UInt64 = 0
            for byte in 0..<8 {
                let character = UInt64(random.below(random.chance(90) ? 6 : 256))
                word |= character << UInt64(8 * byte)
            }
            c.vectors.xmm[n] = word
        }
        for n in [0, 2] where random.chance(80) {
            c.registers[n] = UInt64(bitPattern: Int64(random.below(40)) - 20)
        }
    }

    /// Bends registers and displacements towards the window.
    private mutating func steer(_ c: inout NativeCase, _ i: Instruction) {
        switch i.mnemonic {
        case .movs, .cmps, .stos, .scas, .lods:
            if random.chance(85) { c.registers[6] = place() }
            if random.chance(85) { c.registers[7] = place() }
            c.registers[1] = UInt64(random.below(random.chance(50) ? 6 : 1500))
            return
        case .xlat:
            if random.chance(85) { c.registers[3] = place() &- (c.registers[0] & 0xFF) }
            return
        case .maskmovq, .maskmovdqu:
            if random.chance(85) { c.registers[7] = place() }
            return
        case .pcmpestri, .pcmpestrm, .pcmpistri, .pcmpistrm:
            fillStrings(&c)
        case .enter, .leave:
            if random.chance(85) { c.registers[5] = place() }
            return
        default: break
        }
        if i.mnemonic == .loop || i.mnemonic == .jcxz, random.chance(50) {
            c.registers[1] = UInt64(random.below(3))
        }
        guard hasMemory(i), random.chance(90) else { return }
        var target = place()
        if i.segment == SegmentNumber.gs { target &-= FamilyBench.gsBase }
        if i.base == Instruction.noRegister && i.index == Instruction.noRegister {
            let next = FamilyBench.codeStart + UInt64(i.length)
            let from = i.flags.contains(.ripRelative) ? next : 0
            replaceDisplacement(&c, i, target &- from)
        } else if i.base != Instruction.noRegister && i.base != i.index {
            var rest = UInt64(bitPattern: i.displacement)
            if i.index != Instruction.noRegister {
                rest &+= c.registers[Int(i.index)] &* UInt64(i.scale)
            }
            let isByteBitTest = [.bt, .bts, .btr, .btc].contains(i.mnemonic)
            if isByteBitTest, i.operands.1.kind == .register, random.chance(70) {
                c.registers[Int(i.operands.1.register)] = UInt64(random.below(4096))
            }
            c.registers[Int(i.base)] = target &- rest
            if mode == .bits32 { c.registers[Int(i.base)] &= 0xFFFF_FFFF }
        }
    }

    private func hasMemory(_ i: Instruction) -> Bool {
        i.operands.0.kind == .memory || i.operands.1.kind == .memory
            || i.operands.2.kind == .memory
    }

    /// Overwrites the displacement's bytes, found by their value, where it is an absolute or
    /// RIP-relative one.
    private func replaceDisplacement(_ c: inout NativeCase, _ i: Instruction, _ v: UInt64) {
        let isOffset = !i.flags.contains(.modRM)
        let width = isOffset ? Int(i.addressSize) : 4
        let old = UInt64(bitPattern: i.displacement)
        for at in stride(from: c.bytes.count - width, through: 1, by: -1) {
            let matches = (0..<width).allSatisfy {
                c.bytes[at + $0] == UInt8(truncatingIfNeeded: old >> UInt64($0 * 8))
            }
            if matches {
                for n in 0..<width {
                    c.bytes[at + n] = UInt8(truncatingIfNeeded: v >> UInt64(n * 8))
                }
                return
            }
        }
    }
}
