import X86

@testable import Machine

/// Images of the x87, MMX and SSE state, and SSE4.1's arithmetic, for the native comparison.
extension NativeGenerator {
    /// Opcodes of the 0F 3A map: ROUND, BLEND, INSERTPS, DPPS, DPPD, PBLENDW, EXTRACTPS.
    private static let sse41: [UInt8] = [
        0x08, 0x09, 0x0A, 0x0B, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x17, 0x21, 0x40, 0x40,
        0x40, 0x41, 0x41, 0x41,
    ]

    /// An instruction of `sse41`'s, or BLENDVPS or BLENDVPD.
    mutating func sse41Bytes(after prefixes: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [0x66]
        if let rex = prefixes.last, rex & 0xF0 == 0x40 { bytes.append(rex) }
        if random.chance(4) {
            bytes += [0x0F, 0x38, random.chance(50) ? 0x14 : 0x15]
        } else {
            bytes += [0x0F, 0x3A, Self.sse41[random.below(Self.sse41.count)]]
        }
        let modRM = random.byte()
        bytes.append(random.chance(75) ? modRM | 0xC0 : modRM)
        while bytes.count < 15 { bytes.append(random.byte()) }
        return bytes
    }

    /// Where an image may begin in the window: aligned, or not.
    private mutating func imageOffset() -> Int {
        switch random.below(10) {
        case 0: return 16 * random.below(470)
        case 1: return random.below(7500)
        case 2: return 64 * (56 + random.below(12))
        case 3: return 8192 - 64 * (1 + random.below(9))
        default: return 64 * random.below(116)
        }
    }

    /// FXSAVE, FXRSTOR, XSAVE or XRSTOR of [RBX].
    mutating func nextState() -> (NativeCase, Instruction) {
        while true {
            let field = UInt8([0, 1, 4, 5][random.below(4)])
            var bytes: [UInt8] = [0x0F, 0xAE, field << 3 | 3]
            if mode == .bits64 && random.chance(40) { bytes.insert(0x48, at: 0) }
            guard let i = bench.decode(bytes) else { continue }
            var made = NativeCase(mode: mode, bytes: bytes)
            fill(&made)
            // The single-step trap and #AC have subjects of their own.
            made.flags &= ~(RFLAGS.tf | RFLAGS.ac)
            let offset = imageOffset()
            made.registers[3] = FamilyBench.windowBase + UInt64(offset)
            // The host has more components than these two.
            made.registers[0] = made.registers[0] & ~0xFFFF_FFFF | UInt64(random.below(4))
            made.registers[2] &= ~0xFFFF_FFFF
            var image = randomImage()
            let header = made.bytes[made.bytes.count - 1] >> 3 & 7 == 4
            if header { image = Array(image[512..<576]) }
            let start = offset + (header ? 512 : 0)
            guard start < 8192 else { continue }
            made.patch = (start, Array(image.prefix(8192 - start)))
            return (made, i)
        }
    }

    /// 576 bytes of an image, now and then with what no image may have.
    private mutating func randomImage() -> [UInt8] {
        var words = (0..<72).map { _ in random.next() }
        fillImageNumbers(&words)
        var v = NativeVectors()
        var c = NativeCase(mode: mode)
        fillX87(&c)
        v = c.vectors
        words[0] = UInt64(v.control) | UInt64(v.status) << 16 | UInt64(v.tags) << 32
        words[0] |= UInt64(v.opcode) << 48
        if random.chance(10) { words[0] = random.next() }
        if random.chance(80) {
            words[1] = v.instructionPointer
            words[2] = v.dataPointer
        }
        words[3] = 0x1F80 | UInt64(random.below(1 << 16)) & (random.chance(50) ? 0xFFFF : 0)
        if random.chance(10) { words[3] |= 1 << UInt64(18 + random.below(14)) }
        // XSTATE_BV and XCOMP_BV: bits that the host has too are no cases.
        words[64] = UInt64(random.below(4))
        if random.chance(5) { words[64] |= 1 << 63 }
        words[65] = random.chance(95) ? 0 : 1 << UInt64(random.below(8))
        words[66] = random.chance(95) ? 0 : random.next() | 1
        for n in 67..<72 where random.chance(90) { words[n] = 0 }
        return words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    }

    private mutating func fillImageNumbers(_ words: inout [UInt64]) {
        for n in 20..<52 { words[n] = vectorWord() }
    }
}
