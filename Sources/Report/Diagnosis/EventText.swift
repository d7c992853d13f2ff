import Trace
import X86

/// An event as one line, for a person.
public enum EventText {
    private static let exceptions: [UInt32: String] = [
        0: "#DE", 1: "#DB", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF",
        10: "#TS", 11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC",
        19: "#XM", 20: "#VE", 21: "#CP",
    ]

    /// "#PF" or "vector 40".
    public static func vector(_ number: UInt32) -> String {
        exceptions[number] ?? "vector \(number)"
    }

    public static func context(_ context: Context) -> String {
        switch context {
        case .hostKernel: "host kernel"
        case .hostUser: "host user"
        case .guestKernel: "guest kernel"
        case .guestUser: "guest user"
        }
    }

    /// Of a machine with one kernel and no guests.
    static func plainContext(_ context: Context) -> String {
        context == .hostKernel ? "kernel" : "user"
    }

    static func line(
        _ entry: DiagnosisEvent, _ symbols: SymbolTable, _ callName: (Event) -> String?,
        isPlain: Bool = false
    ) -> String {
        let event = entry.event
        let linux = isPlain ? LinuxCall(event) : nil
        var text = "#\(event.sequence) cycle \(event.cycle)  "
        text += linux.map { "\($0.name)(\($0.arguments))" } ?? what(event, callName(event))
        text += "  from \(isPlain ? plainContext(event.from) : context(event.from)) "
        if let place = symbols.lookup(event.rip, in: event.from) {
            text += place.name + (place.source.map { " (\($0))" } ?? "")
        } else {
            text += Hex.short(event.rip)
        }
        if let back = entry.back {
            text += "  -> "
            if let linux {
                text += linux.result(back.result) + " "
            } else if event.kind == .syscall || event.kind == .hypercall {
                text += Hex.short(back.result) + " "
            }
            text += "after \(back.cycle &- event.cycle) cycles"
        } else if ![.guestSwitch, .systemRegister, .tripleFault].contains(event.kind) {
            text += "  -> no return"
        }
        return text
    }

    /// Kind, number and what belongs to it.
    public static func what(_ event: Event, _ name: String?) -> String {
        switch event.kind {
        case .syscall, .hypercall:
            let call = event.kind == .syscall ? "system call" : "hypercall"
            let a = event.arguments
            let arguments = [a.0, a.1, a.2, a.3].map(Hex.short).joined(separator: ", ")
            return "\(call) \(name ?? "\(event.number)")(\(arguments))"
        case .exception:
            if event.number == UInt32(Vector.pageFault) {
                return "#PF at \(Hex.short(event.cr2)) (\(pageFault(event.errorCode)))"
            }
            let error = event.errorCode == 0 ? "" : " error \(Hex.short(UInt64(event.errorCode)))"
            return vector(event.number) + error
        case .interrupt: return "interrupt \(event.number)"
        case .nmi: return "NMI"
        case .machineCheck: return "machine check"
        case .softwareInterrupt: return "INT \(event.number)"
        case .guestSwitch:
            return event.number == 1 ? "guest switched in" : "guest switched out"
        case .systemRegister: return "table write \(event.number) = \(Hex.short(event.arguments.0))"
        case .tripleFault: return "triple fault"
        }
    }

    /// A page fault's error code in words (Intel SDM vol. 3, 4.7).
    public static func pageFault(_ error: UInt32) -> String {
        let who = error & 4 != 0 ? "user" : "supervisor"
        let access = error & 16 != 0 ? "fetch" : error & 2 != 0 ? "write" : "read"
        let why =
            error & 8 != 0
            ? "reserved bit set in a page table"
            : error & 1 != 0 ? "not permitted" : "not mapped"
        return "\(who) \(access), \(why)"
    }
}
