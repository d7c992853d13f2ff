import Trace

/// One event as a line of text with aligned columns, for people.
///
/// ```text
///     1204  cpu0 vcpu0  3512088  guest-user   -> host-kernel  syscall    getpid   rip=0x400123
/// ```
public enum EventLine {
    /// Column titles above lines of `text`.
    public static let title =
        pad("event", 9) + "  " + pad("cpu", 5) + pad("vcpu", 6) + pad("cycle", 13) + "  "
        + pad("instruction", 13, left: false) + pad("from", 13, left: false)
        + pad("to", 13, left: false) + pad("kind", 19, left: false) + "number"

    /// - Parameters:
    ///   - abi: whose numbers the calls' are.
    ///   - symbol: names an address, where there are symbols.
    public static func text(
        _ event: Event, changes: [SharedChange], abi: CallABI,
        symbol: ((UInt64, Context) -> String?)? = nil
    ) -> String {
        var line =
            pad(String(event.sequence), 9) + "  " + pad("cpu\(event.cpu)", 5)
            + pad(event.vcpu == 0 ? "-" : "v\(event.vcpu - 1)", 6)
            + pad(String(event.cycle), 13) + "  "
            + pad(String(event.instruction), 13, left: false)
            + pad(EventNames.context(event.from), 13, left: false)
            + pad(EventNames.context(event.to), 13, left: false)
            + pad(EventNames.kind(event.kind), 19, left: false)
            + EventNames.number(event, abi)
        line += details(event, abi)
        line += " rip=" + hex(event.rip)
        if let name = symbol?(event.rip, event.from) { line += " <\(name)>" }
        line += " rsp=" + hex(event.rsp)
        for change in changes { line += " shared[\(change.offset)]=" + bytes(change.bytes) }
        return line
    }

    private static func details(_ event: Event, _ abi: CallABI) -> String {
        if abi == .linux, let call = LinuxCall(event) { return "(\(call.arguments))" }
        switch event.kind {
        case .exception where event.number == 14:
            return " cr2=\(hex(event.cr2)) error=\(hex(event.errorCode))"
        case .exception: return event.errorCode == 0 ? "" : " error=\(hex(event.errorCode))"
        case .syscall, .hypercall:
            let a = event.arguments
            return "(\(hex(a.0)), \(hex(a.1)), \(hex(a.2)), \(hex(a.3)))"
        case .systemRegister: return " value=\(hex(event.arguments.0))"
        default: return ""
        }
    }

    /// The line of a return by itself.
    public static func text(_ back: EventReturn) -> String {
        pad("", 9) + "  return of event \(back.event) at cycle \(back.cycle), instruction "
            + "\(back.instruction), rax=\(hex(back.result))"
    }

    /// The line of the return that ends an event's path, with what the path cost.
    public static func text(
        _ back: EventReturn, from event: Event, abi: CallABI = .unknown
    ) -> String {
        var result = "rax=\(hex(back.result))"
        if abi == .linux, let call = LinuxCall(event) {
            result = "\(call.name) = \(call.result(back.result))"
        }
        return pad("", 9) + "  return of event \(back.event) after "
            + "\(back.cycle &- event.cycle) cycles, "
            + "\(back.instruction &- event.instruction) instructions, \(result)"
    }

    /// The line of an input.
    public static func text(_ input: Input) -> String {
        let what =
            switch input.kind {
            case .console: "console input \(quoted(input.bytes))"
            case .interrupt: "injected interrupt \(hex(input.number))"
            case .nmi: "injected NMI"
            case .machineCheck: "injected machine check"
            }
        return pad("", 9) + "  \(what) on cpu\(input.cpu) at cycle \(input.cycle)"
    }

    static func bytes(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Text in double quotes, with C escapes for what is not printable ASCII.
    static func quoted(_ bytes: [UInt8]) -> String {
        var text = "\""
        for byte in bytes {
            switch byte {
            case 0x0A: text += "\\n"
            case 0x0D: text += "\\r"
            case 0x09: text += "\\t"
            case 0x22, 0x5C: text += "\\" + String(UnicodeScalar(byte))
            case 0x20...0x7E: text += String(UnicodeScalar(byte))
            default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text + "\""
    }

    /// Pads to a width with spaces, on the left for numbers, on the right for words.
    static func pad(_ text: String, _ width: Int, left: Bool = true) -> String {
        let fill = String(repeating: " ", count: max(0, width - text.count))
        return left ? fill + text : text + fill
    }
}
