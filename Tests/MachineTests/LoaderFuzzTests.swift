import SeededRandom
import Testing

@testable import Machine

/// Kernel images with damaged, cut and hostile headers: each is loaded or refused with a place in
/// the file, whatever it says of sizes and addresses.
@Suite struct LoaderFuzzTests {
    enum Form: CaseIterable {
        case linux, oldLinux, multiboot, elf64, elf32, pvh
    }

    @Test(arguments: Form.allCases)
    func damagedHeaders(_ form: Form) throws {
        let (image, fields) = Self.make(form)
        var numbers = SplitMix64(UInt64(image.count))
        var (loaded, refused) = (0, 0)
        for _ in 0..<1500 {
            var bytes = image
            for _ in 0..<(1 + numbers.below(3)) { Self.damage(&bytes, fields, &numbers) }
            let sizes: [UInt64] = [1 << 20, 0x10_1000, 4 << 20, 4 << 20, 64 << 20]
            let machine = try Machine(
                MachineConfiguration(memory: numbers.pick(sizes), platform: .pc))
            let modules = (0..<numbers.below(3)).map { _ in
                BootModule(name: "m", bytes: [UInt8](repeating: 1, count: numbers.below(9000)))
            }
            do throws(MachineError) {
                try machine.boot(
                    kernel: bytes, name: "k", modules: modules,
                    commandLine: String(repeating: "x", count: numbers.below(3000)))
                loaded += 1
                _ = machine.run(RunLimits(cycles: 2000))
            } catch {
                guard case .image = error else {
                    Issue.record("\(error)")
                    return
                }
                refused += 1
            }
        }
        #expect(loaded > 50 && refused > 50, "\(loaded) loaded, \(refused) refused")
    }

    private static func damage(
        _ bytes: inout [UInt8], _ fields: [(Int, Int)], _ numbers: inout SplitMix64
    ) {
        let values: [UInt64] = [
            0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_F000,
            0x10_0000, 0xF_FFFF, 0x9_F000, 0xA_0000, 0xC000_0000, .max, .max >> 1, 1 << 32,
            .max - 0xFFF, UInt64(bytes.count), UInt64(numbers.below(0x4000)), numbers.next(),
        ]
        switch numbers.below(20) {
        case 0 where bytes.count > 1: bytes.removeLast(numbers.below(bytes.count))
        case 1: bytes += [UInt8](repeating: numbers.byte(), count: numbers.below(5000))
        case 2..<5 where !bytes.isEmpty: bytes[numbers.below(bytes.count)] = numbers.byte()
        default:
            let (at, size) = numbers.pick(fields)
            let value = numbers.pick(values)
            for n in 0..<size where at + n < bytes.count {
                bytes[at + n] = UInt8(truncatingIfNeeded: value >> UInt64(8 * n))
            }
        }
    }

    // MARK: - Images

    private static func put(_ v: UInt64, _ size: Int, _ at: Int, _ bytes: inout [UInt8]) {
        for n in 0..<size { bytes[at + n] = UInt8(truncatingIfNeeded: v >> UInt64(8 * n)) }
    }

    private static func make(_ form: Form) -> (bytes: [UInt8], fields: [(Int, Int)]) {
        switch form {
        case .linux: linux(0x20F)
        case .oldLinux: linux(0x202)
        case .multiboot: multiboot()
        case .elf64: elf64(note: false)
        case .pvh: elf64(note: true)
        case .elf32: elf32()
        }
    }

    private static func linux(_ version: UInt64) -> ([UInt8], [(Int, Int)]) {
        var bytes = [UInt8](repeating: 0xF4, count: 512 * 5 + 2048)
        for n in 0x1F1..<0x290 { bytes[n] = 0 }
        let fields: [(Int, Int, UInt64)] = [
            (0x1F1, 1, 4), (0x201, 1, 0x66), (0x202, 4, 0x5372_6448), (0x206, 2, version),
            (0x211, 1, 1), (0x22C, 4, 0x7FFF_FFFF), (0x236, 2, 1), (0x238, 4, 2047),
            (0x258, 8, 0x10_0000), (0x260, 4, 0x1_0000),
        ]
        for (at, size, value) in fields { put(value, size, at, &bytes) }
        return (bytes, fields.map { ($0.0, $0.1) })
    }

    private static func multiboot() -> ([UInt8], [(Int, Int)]) {
        var bytes = [UInt8](repeating: 0xF4, count: 4096)
        let flags: UInt64 = 0x1_0003
        let sum = (0 &- 0x1BAD_B002 &- flags) & 0xFFFF_FFFF
        let words: [UInt64] = [
            0x1BAD_B002, flags, sum, 0x10_0040, 0x10_0000, 0x10_1000, 0x10_2000, 0x10_0100,
        ]
        for (n, word) in words.enumerated() { put(word, 4, 0x40 + 4 * n, &bytes) }
        // Other flags than these want another sum, and are no header without it.
        return (bytes, (3..<8).map { (0x40 + 4 * $0, 4) })
    }

    private static func elf64(note: Bool) -> ([UInt8], [(Int, Int)]) {
        var bytes = [UInt8](repeating: 0, count: 0x1200)
        let header: [(Int, Int, UInt64)] = [
            (0, 4, 0x464C_457F), (4, 1, 2), (5, 1, 1), (16, 2, 2), (18, 2, 62), (24, 8, 0x10_0000),
            (32, 8, 64), (54, 2, 56), (56, 2, 2), (64, 4, 1), (68, 4, 7), (72, 8, 0x1000),
            (80, 8, 0x10_0000), (88, 8, 0x10_0000), (96, 8, 0x200), (104, 8, 0x3000),
            (120, 4, note ? 4 : 6), (128, 8, 0x200), (152, 8, 20), (160, 8, 20), (0x200, 4, 4),
            (0x204, 4, 4), (0x208, 4, 18), (0x20C, 4, 0x6E65_58), (0x210, 4, 0x10_0000),
        ]
        for (at, size, value) in header { put(value, size, at, &bytes) }
        bytes[0x1000] = 0xF4
        return (bytes, header.map { ($0.0, $0.1) })
    }

    private static func elf32() -> ([UInt8], [(Int, Int)]) {
        var bytes = [UInt8](repeating: 0, count: 0x1200)
        let header: [(Int, Int, UInt64)] = [
            (0, 4, 0x464C_457F), (4, 1, 1), (5, 1, 1), (16, 2, 2), (18, 2, 3), (24, 4, 0x10_0000),
            (28, 4, 52), (42, 2, 32), (44, 2, 1), (52, 4, 1), (56, 4, 0x1000), (60, 4, 0x10_0000),
            (64, 4, 0x10_0000), (68, 4, 0x200), (72, 4, 0x3000), (76, 4, 7),
        ]
        for (at, size, value) in header { put(value, size, at, &bytes) }
        bytes[0x1000] = 0xF4
        return (bytes, header.map { ($0.0, $0.1) })
    }
}
