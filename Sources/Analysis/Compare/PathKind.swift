import Trace

/// The kinds of way through the host that a comparison tells apart. One way may count under
/// several: a timer interrupt that switches from a guest to another task is an interrupt, a guest
/// switch and a context switch.
public enum PathKind: Int, Sendable, CaseIterable {
    /// A system call of a host process, with no guest on its CPU (a NULL VCPU pointer), until it
    /// returns.
    case hostSystemCall
    /// A guest user's system call, until the user goes on: the guest kernel's part is in it.
    case guestSystemCall
    /// The host's part of that: from SYSCALL to the guest kernel's entry.
    case guestSystemCallBounce
    /// A hypercall, until the guest goes on, wherever that is.
    case hypercall
    /// An exception of the guest that its kernel handles, until what raised it goes on.
    case guestException
    /// The host's part of that: from the exception to the guest kernel's handler.
    case guestExceptionReflection
    /// An exception of the guest that its host deals with alone: a shadow fill.
    case shadowFault
    /// An interrupt that came while the host ran, its kernel or a process, until it goes on.
    case interruptHost
    case interruptGuestUser
    case interruptGuestKernel
    /// From the entry into the host to the first return into a guest that was not the one left.
    case guestSwitchIn
    /// From the entry out of a guest to the first return to something else.
    case guestSwitchOut
    /// From the entry into the host to the first return to another task (PDA.pcurrent).
    case contextSwitch

    /// The name in documents: `host-system-call`.
    public var name: String {
        switch self {
        case .hostSystemCall: "host-system-call"
        case .guestSystemCall: "guest-system-call"
        case .guestSystemCallBounce: "guest-system-call-bounce"
        case .hypercall: "hypercall"
        case .guestException: "guest-exception"
        case .guestExceptionReflection: "guest-exception-reflection"
        case .shadowFault: "shadow-fault"
        case .interruptHost: "interrupt-host"
        case .interruptGuestUser: "interrupt-guest-user"
        case .interruptGuestKernel: "interrupt-guest-kernel"
        case .guestSwitchIn: "guest-switch-in"
        case .guestSwitchOut: "guest-switch-out"
        case .contextSwitch: "context-switch"
        }
    }
}
