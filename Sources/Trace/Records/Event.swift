/// What a trace holds of the machine's run. These are plain values: the trace knows their shape and
/// stores them compactly, the meaning is the recorder's.

/// Where the processor was or goes.
public enum Context: UInt8, Sendable, CaseIterable {
    case hostKernel = 0
    case hostUser = 1
    case guestKernel = 2
    case guestUser = 3
}

public enum EventKind: UInt8, Sendable, CaseIterable {
    /// A SYSCALL that is not a hypercall; `number` is RAX at entry (32 bits).
    case syscall = 0
    /// A fault, trap or abort; `number` is the vector.
    case exception = 1
    /// An external interrupt; `number` is the vector.
    case interrupt = 2
    /// A SYSCALL by the guest kernel with the hypercall flag set; `number` is RAX at entry.
    case hypercall = 3
    case nmi = 4
    case machineCheck = 5
    /// INT n, INT3, INTO, INT1; `number` is the vector.
    case softwareInterrupt = 6
    /// The VCPU pointer of this CPU's PDA changed; `number` is 1 for a guest switched in, 0 for
    /// out.
    case guestSwitch = 7
    /// A write of a system table or register (recorded at level `tables` only); `number` says
    /// which, `arguments.0` the value, `arguments.1` the MSR's number.
    case systemRegister = 8
    /// Shutdown of the processor.
    case tripleFault = 9
}

/// A run of bytes of the shared page that differ from the last event's.
public struct SharedChange: Equatable, Sendable {
    /// Offset in the shared page, bytes.
    public var offset: UInt16
    public var bytes: [UInt8]
    public init(offset: UInt16, bytes: [UInt8]) {
        self.offset = offset
        self.bytes = bytes
    }
}

/// One event. Counters are the vCPU's own, at the boundary after the event.
public struct Event: Equatable, Sendable {
    /// Number of this event in the trace, from 0, over all CPUs.
    public var sequence: UInt64 = 0
    public var cpu: UInt8 = 0
    /// VCPU id + 1 of the guest running on this CPU, 0 when none runs.
    public var vcpu: UInt16 = 0
    public var kind: EventKind = .syscall
    public var number: UInt32 = 0
    /// Context left and entered.
    public var from: Context = .hostKernel
    public var to: Context = .hostKernel
    public var cycle: UInt64 = 0
    public var instruction: UInt64 = 0
    /// Of the interrupted context; for SYSCALL the next instruction's address.
    public var rip: UInt64 = 0
    public var rsp: UInt64 = 0
    public var errorCode: UInt32 = 0
    /// CR2 of a #PF, else 0.
    public var cr2: UInt64 = 0
    /// RDI RSI RDX R10 R8 R9 at entry of a syscall or hypercall; else zeros.
    public var arguments: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
    /// Shared-page bytes that changed since the last event with this VCPU.
    public var sharedChanges: [SharedChange] = []
    /// Digest of the vCPU's registers at this event chained with the digest of the event before.
    public var digest: UInt64 = 0

    public init() {}
}

/// The return that ended an event's path.
public struct EventReturn: Equatable, Sendable {
    /// `Event.sequence` of the entry.
    public var event: UInt64 = 0
    /// Counters of the vCPU at the boundary after the return.
    public var cycle: UInt64 = 0
    public var instruction: UInt64 = 0
    /// RAX after the return.
    public var result: UInt64 = 0

    public init() {}
}

/// Something that came in from outside, with its instant.
public struct Input: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// Bytes typed at the serial console.
        case console = 0
        /// An injected external interrupt; `number` is the vector.
        case interrupt = 1
        case nmi = 2
        case machineCheck = 3
    }
    public var kind: Kind = .console
    public var cpu: UInt8 = 0
    public var number: UInt32 = 0
    /// Machine time at which it took effect.
    public var cycle: UInt64 = 0
    /// Instruction count of the CPU it concerned, then.
    public var instruction: UInt64 = 0
    public var bytes: [UInt8] = []
    public init() {}
}

/// How a run ended.
public enum OutcomeKind: UInt8, Sendable, CaseIterable {
    case shutdown = 0
    case hostPanic = 1
    case guestKilled = 2
    case guestPanic = 3
    case tripleFault = 4
    case limit = 5

    /// The name in `info --json`.
    public var name: String {
        switch self {
        case .shutdown: "shutdown"
        case .hostPanic: "host-panic"
        case .guestKilled: "guest-killed"
        case .guestPanic: "guest-panic"
        case .tripleFault: "triple-fault"
        case .limit: "limit"
        }
    }
}
