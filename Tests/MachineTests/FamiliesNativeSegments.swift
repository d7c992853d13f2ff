import X86

@testable import Machine

/// Loads of segment registers for the native comparison, with Linux's descriptors and a local
/// table.
extension NativeGenerator {
    /// What LAR and its kin may see, with any RPL. What Linux keeps in the GDT beside its user
    /// segments no program can tell, but that it is not its own; entry 15 holds the number of the
    /// CPU.
    private mutating func selector() -> UInt16 {
        let requested = UInt16(random.chance(60) ? 3 : random.below(4))
        switch random.below(10) {
        case 0: return requested
        case 1, 2, 3: return [0x20, 0x28, 0x30][random.below(3)] | requested
        case 4: return [0x08, 0x10, 0x18, 0x40, 0x50][random.below(5)] | requested
        case 5: return UInt16(random.below(0xFF0) + 16) << 3 | requested
        default: return UInt16(random.below(26)) << 3 | 4 | requested
        }
    }

    private static func isStack(_ bytes: [UInt8]) -> Bool {
        [0x07, 0x17, 0x1F, 0xA1, 0xA9, 0x06, 0x0E, 0x16, 0x1E, 0xA0, 0xA8].contains(bytes.last)
    }

    private mutating func segmentBytes() -> [UInt8] {
        let register = UInt8(random.below(8)) << 3
        // The register EAX, or what EBX points at.
        let place: UInt8 = random.chance(60) ? 0xC0 : 0x03
        switch random.below(14) {
        case 0..<5: return [0x8E, register | place]
        case 5: return [0x8C, register | place]
        case 6: return [0x0F, [0xB2, 0xB4, 0xB5][random.below(3)], register | 3]
        case 7: return mode == .bits32 ? [0xC4 | random.byte() & 1, register | 3] : [0x0F, 0xA1]
        case 8: return mode == .bits32 ? [[0x07, 0x17, 0x1F][random.below(3)]] : [0x0F, 0xA9]
        case 9: return [0x0F, [0xA1, 0xA9][random.below(2)]]
        case 10: return [0x0F, 0x02 | random.byte() & 1, register | place]
        case 11: return [0x0F, 0x00, 0x20 | random.byte() & 8 | place]
        case 12 where mode == .bits32: return [[0x06, 0x0E, 0x16, 0x1E][random.below(4)]]
        default: return [0x0F, [0xA0, 0xA8][random.below(2)]]
        }
    }

    mutating func nextSegments() -> (NativeCase, Instruction) {
        while true {
            var bytes = segmentBytes()
            if mode == .bits64 && random.chance(20) { bytes.insert(0x48, at: 0) }
            if random.chance(15) { bytes.insert(0x66, at: 0) }
            let isStack = Self.isStack(bytes) && bytes.count < 4
            // Some are no instruction in this mode, or #UD: MOV to CS.
            guard let i = bench.decode(bytes) else { continue }
            var made = NativeCase(mode: mode, bytes: bytes)
            fill(&made)
            made.flags &= ~(RFLAGS.tf | RFLAGS.ac)
            made.loadsSegments = true
            let chosen = selector()
            made.registers[0] = made.registers[0] & ~0xFFFF | UInt64(chosen)
            let offset = 64 + random.below(200) * 8
            made.registers[isStack ? 4 : 3] = FamilyBench.windowBase + UInt64(offset)
            // A far pointer has its selector behind an offset of two or four bytes.
            let isFar = [.lss, .lfs, .lgs, .les, .lds].contains(i.mnemonic)
            let at = isFar ? (bytes[0] == 0x66 ? 2 : 4) : 0
            made.patch = (
                offset + at,
                [UInt8(truncatingIfNeeded: chosen), UInt8(truncatingIfNeeded: chosen >> 8)]
            )
            return (made, i)
        }
    }
}

extension FamilyBench {
    /// Linux's user segments at their places in a GDT, beside others that no program may load, and
    /// the native oracle's local table.
    func useLinuxSegments() {
        let (table, local): (UInt64, UInt64) = (0x7000, 0x7800)
        let supervisor: UInt64 = 3
        // The tables' page, at 0x30000000.
        let entry = memory(0x3000 + (0x3000_0000 >> 21) * 8)
        entry.storeBytes(of: 0x6000 | supervisor, as: UInt64.self)
        memory(0x6000).storeBytes(of: table | supervisor, as: UInt64.self)
        let entries: [(Int, UInt64)] = [
            (1, 0x00CF_9B00_0000_FFFF), (2, 0x00AF_9B00_0000_FFFF), (3, 0x00CF_9300_0000_FFFF),
            (4, 0x00CF_FB00_0000_FFFF), (5, 0x00CF_F300_0000_FFFF), (6, 0x00AF_FB00_0000_FFFF),
            (8, 0x0000_8B00_0000_206F), (10, 0x0000_8200_0000_00BF),
        ]
        for (n, entry) in entries {
            memory(table + UInt64(n) * 8).storeBytes(of: entry, as: UInt64.self)
        }
        for n in UInt64(0)..<24 {
            // Bit 0 of the type is set, bit 1 is write or read, bit 2 expands or conforms.
            let type = 1 | (n >> 2 & 1 ^ 1) << 1 | (n & 3) << 2
            let isAbsent = n >> 3 & 1 != 0 || n & 3 == 3
            let access = 0x70 | type | (isAbsent ? 0 : 0x80)
            // "Available", as Linux sets it for who asks, and 32 bits.
            let size: UInt64 = n < 16 ? 0x50 : 0x10
            let entry = 0xFFF | access << 40 | size << 48 | 0x10 << 56
            memory(local + n * 8).storeBytes(of: entry, as: UInt64.self)
        }
        cpu.pointee.gdtr.base = 0x3000_0000
        cpu.pointee.gdtr.limit = 127
        cpu.pointee.ldtr.selector = 0x50
        cpu.pointee.ldtr.base = 0x3000_0800
        cpu.pointee.ldtr.limit = 24 * 8 - 1
        cpu.pointee.ldtr.attributes = SegmentRegister.present | 2
        if cpu.pointee.codeSize != CodeSize.bits64.rawValue { cpu.pointee.cs.selector = 0x23 }
        cpu.pointee.ds.selector = 0x2B
        cpu.pointee.es.selector = 0x2B
    }
}
