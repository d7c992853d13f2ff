/// The BIOS in memory, and starting a kernel in real mode.
extension Machine {
    private enum Layout {
        static let map: UInt64 = 0xF_E000
        static let mapCapacity = 16
        static let vectors = 0x150
        /// What the other interrupts share, and what ends the list.
        static let everyOther: UInt16 = 0xFFFF
    }

    /// Puts the BIOS's code into its segment, with this machine's memory map, and the interrupt
    /// vectors at 0. The machine has 1 MiB or more.
    func writeBIOS() {
        let code = BIOSCode.bytes
        writePhysical(Layout.map, code)
        var map = ByteBuilder()
        let entries = memoryMap.prefix(Layout.mapCapacity)
        map.add32(UInt32(entries.count))
        for entry in entries {
            map.add64(entry.start)
            map.add64(entry.size)
            map.add32(entry.type)
        }
        writePhysical(Layout.map, map.bytes)
        writePhysical(0, BIOSCode.vectors(code, at: Layout.vectors, everyOther: Layout.everyOther))
    }

    /// Real mode at `segment + 0x20`:0 with the other segments at `segment`, as Linux's boot
    /// protocol says of its 16-bit entry; the stack is below `stack`, interrupts are off. The
    /// timer's and the keyboard's lines are open, for a BIOS takes them.
    func enterReal(segment: UInt16, stack: UInt16) {
        let cpu = cpus[0]
        cpu.resetProcessor()
        // After reset all have real mode's attributes and limit.
        for n in 0..<6 { cpu.segments[n].moveReal(to: segment) }
        cpu.pointee.cs.moveReal(to: segment &+ 0x20)
        cpu.pointee.rip = 0
        cpu.pointee.rsp = UInt64(stack)
        bus.openLinesAsBIOS()
    }
}

extension SegmentRegister {
    fileprivate mutating func moveReal(to selector: UInt16) {
        self.selector = selector
        base = UInt64(selector) << 4
    }
}

extension BIOSCode {
    /// The 8 KiB at 0xFE000.
    static var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 0x2000)
        text.withUTF8Buffer { digits in
            // Each line: 4 digits, a space, 64 digits, and a newline but for the last.
            for line in 0..<(digits.count + 1) / 70 {
                let start = line * 70
                let offset = number(digits, start, 4)
                for n in 0..<32 {
                    bytes[offset - 0xE000 + n] = UInt8(number(digits, start + 5 + 2 * n, 2))
                }
            }
        }
        return bytes
    }

    private static func number(
        _ digits: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int
    ) -> Int {
        digits[start..<start + count].reduce(0) { value, digit in
            value << 4 | Int(digit < 0x3A ? digit - 0x30 : digit - 0x57)
        }
    }

    /// The interrupt vector table that the code's own list asks for: 256 of offset and segment.
    static func vectors(_ code: [UInt8], at list: Int, everyOther: UInt16) -> [UInt8] {
        func word(_ at: Int) -> UInt16 { UInt16(code[at]) | UInt16(code[at + 1]) << 8 }
        var offsets = [UInt16](repeating: word(list + 2), count: 256)
        var at = list + 4
        while word(at) != everyOther {
            offsets[Int(word(at) & 0xFF)] = word(at + 2)
            at += 4
        }
        return offsets.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8), 0x00, 0xF0] }
    }
}
