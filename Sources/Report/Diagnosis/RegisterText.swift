import X86

/// Registers as a block of lines.
enum RegisterText {
    private static let general = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15",
    ]
    /// Four in a line, in the order in which they are read: arguments near each other.
    private static let order = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15]
    private static let segments = ["es", "cs", "ss", "ds", "fs", "gs"]

    static func lines(_ registers: RegisterFile) -> [String] {
        var lines = [
            "rip \(Hex.address(registers.rip))  rflags \(Hex.padded(registers.rflags, 8)) "
                + "[\(flags(registers.rflags))]"
        ]
        let words = order.map { general[$0] + " " + Hex.address(registers.general[$0]) }
        for start in stride(from: 0, to: 16, by: 4) {
            lines.append(words[start..<(start + 4)].joined(separator: "  "))
        }
        var last: [String] = []
        if let selectors = registers.selectors {
            for (name, selector) in zip(segments, selectors) {
                last.append(name + " " + Hex.padded(UInt64(selector), 4))
            }
        }
        if let base = registers.fsBase { last.append("fs base " + Hex.short(base)) }
        if let base = registers.gsBase { last.append("gs base " + Hex.short(base)) }
        if !last.isEmpty { lines.append(last.joined(separator: "  ")) }
        if let control = registers.control {
            lines.append(
                "cr0 \(Hex.padded(control.cr0, 8))  cr2 \(Hex.address(control.cr2))  "
                    + "cr3 \(Hex.padded(control.cr3, 8))  cr4 \(Hex.padded(control.cr4, 8))  "
                    + "efer \(Hex.padded(control.efer, 4))")
        }
        return lines
    }

    /// The flags that are set, highest first, IOPL as a number.
    static func flags(_ rflags: UInt64) -> String {
        let names: [(UInt64, String)] = [
            (RFLAGS.id, "id"), (RFLAGS.ac, "ac"), (RFLAGS.vm, "vm"), (RFLAGS.rf, "rf"),
            (RFLAGS.nt, "nt"), (RFLAGS.of, "of"), (RFLAGS.df, "df"),
            (RFLAGS.interruptEnable, "if"), (RFLAGS.tf, "tf"), (RFLAGS.sf, "sf"),
            (RFLAGS.zf, "zf"), (RFLAGS.af, "af"), (RFLAGS.pf, "pf"), (RFLAGS.cf, "cf"),
        ]
        var set = names.filter { rflags & $0.0 != 0 }.map(\.1)
        let iopl = (rflags & RFLAGS.iopl) >> RFLAGS.ioplShift
        if iopl != 0 { set.append("iopl=\(iopl)") }
        return set.joined(separator: " ")
    }
}
