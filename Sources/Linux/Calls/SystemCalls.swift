/// Linux's system calls by number: names and what their arguments are, from the tables in `Tables/`
/// (which say where they come from).
public struct SystemCalls: Sendable {
    /// How an argument is printed, by its letter in the tables.
    enum ArgumentKind: Character, Sendable {
        case pointer = "p"
        case signed32 = "d"
        case signed64 = "l"
        case unsigned32 = "w"
        case unsigned64 = "u"
        case bits32 = "h"
        case bits64 = "x"
        case mode = "o"
    }
    struct Call: Sendable {
        var name: String
        /// Nil where nothing tells.
        var arguments: [ArgumentKind]?
    }

    /// 64-bit programs: SYSCALL from 64-bit code.
    public static let x86_64 = SystemCalls(PackageResources.syscalls_x86_64_txt, is64Bit: true)
    /// 32-bit programs: INT 0x80, SYSENTER, and SYSCALL from compatibility mode.
    public static let i386 = SystemCalls(PackageResources.syscalls_i386_txt, is64Bit: false)

    private let calls: [UInt32: Call]
    private let is64Bit: Bool

    /// Lines of `number name kinds`, with `-` for no arguments and `?` for unknown ones; `#` begins
    /// a comment. A line of another form is left out.
    init(_ table: [UInt8], is64Bit: Bool) {
        self.is64Bit = is64Bit
        var calls: [UInt32: Call] = [:]
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, let number = UInt32(words[0]) else { continue }
            let kinds = words[2].compactMap { ArgumentKind(rawValue: $0) }
            calls[number] = Call(
                name: String(words[1]), arguments: words[2] == "?" ? nil : kinds)
        }
        self.calls = calls
    }

    public func name(_ number: UInt32) -> String? { calls[number]?.name }

    /// The number of a name.
    public func number(_ name: String) -> UInt32? {
        calls.filter { $0.value.name == name }.map(\.key).min()
    }

    /// The arguments as text: `-100, 0x7ffe1000, 0x80000`, `...` for those that are not among the
    /// values. An unknown call has as many as there are.
    public func arguments(_ number: UInt32, _ values: [UInt64]) -> String {
        let kinds = calls[number]?.arguments ?? Array(repeating: .bits64, count: values.count)
        let texts = zip(kinds, values).map { text($1, $0) }
        return (texts + (kinds.count > values.count ? ["..."] : [])).joined(separator: ", ")
    }

    private func text(_ value: UInt64, _ kind: ArgumentKind) -> String {
        let low = UInt32(truncatingIfNeeded: value)
        let whole = is64Bit ? value : UInt64(low)
        switch kind {
        case .pointer: return whole == 0 ? "NULL" : "0x" + String(whole, radix: 16)
        case .signed32: return String(Int32(bitPattern: low))
        case .signed64:
            return is64Bit ? String(Int64(bitPattern: value)) : String(Int32(bitPattern: low))
        case .unsigned32: return String(low)
        case .unsigned64: return String(whole)
        case .bits32: return "0x" + String(low, radix: 16)
        case .bits64: return "0x" + String(whole, radix: 16)
        case .mode: return low & 0xFFFF == 0 ? "0" : "0" + String(low & 0xFFFF, radix: 8)
        }
    }

    /// A result as text: `3`, `-2 ENOENT`, or hexadecimal where it looks like an address.
    public func result(_ value: UInt64) -> String {
        let signed =
            is64Bit ? Int64(bitPattern: value) : Int64(Int32(truncatingIfNeeded: value))
        if let name = Errno.name(-signed) { return "\(signed) \(name)" }
        if signed < 0 || signed >= 1 << 20 {
            let whole = is64Bit ? value : value & 0xFFFF_FFFF
            return "0x" + String(whole, radix: 16)
        }
        return String(signed)
    }
}
