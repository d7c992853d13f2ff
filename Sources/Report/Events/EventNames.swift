import Trace

/// Words for the numbers in events: vectors of the processor (Intel SDM vol. 3, table 6-1) and, for
/// the reference ABI (GUEST_ABI.md), its hypercalls and system calls.
public enum EventNames {
    public static func kind(_ kind: EventKind) -> String {
        switch kind {
        case .syscall: "syscall"
        case .exception: "exception"
        case .interrupt: "interrupt"
        case .hypercall: "hypercall"
        case .nmi: "nmi"
        case .machineCheck: "machine-check"
        case .softwareInterrupt: "software-interrupt"
        case .guestSwitch: "guest-switch"
        case .systemRegister: "system-register"
        case .tripleFault: "triple-fault"
        }
    }

    public static func context(_ context: Context) -> String {
        switch context {
        case .hostKernel: "host-kernel"
        case .hostUser: "host-user"
        case .guestKernel: "guest-kernel"
        case .guestUser: "guest-user"
        }
    }

    private static let exceptions = [
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9", "#TS", "#NP", "#SS",
        "#GP", "#PF", "#15", "#MF", "#AC", "#MC", "#XM",
    ]

    /// `#PF` for 14; `vector 32` beyond the named ones.
    public static func exception(_ vector: UInt32) -> String {
        vector < exceptions.count ? exceptions[Int(vector)] : "vector \(vector)"
    }

    /// Hypercalls of the reference ABI, as `paravirt_abi.h` numbers them.
    public static func hypercall(_ number: UInt32) -> String? {
        switch number {
        case 1: "INIT"
        case 2: "CRASH"
        case 4: "NEW_PGTABLE"
        case 5: "FLUSH_TLB"
        case 6: "LOAD_IDT_ENTRY"
        case 7: "SET_STACK"
        case 8: "SET_SYSCALL"
        case 9: "TIMER_READ"
        case 10: "TIMER_START"
        case 11: "HALT"
        case 16: "SET_PTE"
        case 17: "RELEASE_PGD"
        case 27: "IRET"
        case 30: "YIELD"
        case 60: "PRINT"
        case 61: "CONSOLE_READ"
        case 62: "SHUTDOWN"
        case 63: "INVLPG"
        default: nil
        }
    }

    /// System calls that the reference kernels share with Linux x86_64.
    public static func syscall(_ number: UInt32) -> String? {
        switch number {
        case 0: "read"
        case 1: "write"
        case 12: "brk"
        case 13: "sigaction"
        case 24: "sched_yield"
        case 35: "nanosleep"
        case 39: "getpid"
        case 57: "fork"
        case 60: "exit"
        case 61: "wait4"
        default: nil
        }
    }

    private static let systemRegisters = [
        "GDTR", "IDTR", "LDTR", "TR", "CR0", "CR3", "CR4", "MSR", "SWAPGS", "INVLPG", "DR",
    ]

    /// Names `Event.number` in the words of its kind. `reference` says that the numbers are those
    /// of the reference ABI.
    public static func number(_ event: Event, reference: Bool) -> String {
        number(event, CallABI(reference: reference))
    }

    /// Names `Event.number` in the words of its kind.
    public static func number(_ event: Event, _ abi: CallABI) -> String {
        switch event.kind {
        case .softwareInterrupt where abi == .linux && LinuxCall(event) != nil:
            return LinuxCall(event)?.name ?? exception(event.number)
        case .exception, .softwareInterrupt: return exception(event.number)
        case .interrupt: return "vector 0x\(String(event.number, radix: 16))"
        case .syscall:
            let name: String? =
                switch abi {
                case .unknown: nil
                case .reference: syscall(event.number)
                case .linux: LinuxCall(event)?.name
                }
            return name ?? String(event.number)
        case .hypercall:
            return (abi == .reference ? hypercall(event.number) : nil) ?? String(event.number)
        case .guestSwitch: return event.number == 1 ? "in" : "out"
        case .systemRegister:
            return Int(event.number) < systemRegisters.count
                ? systemRegisters[Int(event.number)] : String(event.number)
        case .nmi, .machineCheck, .tripleFault: return ""
        }
    }
}

/// A number as `0x...` without leading zeros.
public func hex<T: BinaryInteger>(_ value: T) -> String { "0x" + String(value, radix: 16) }
