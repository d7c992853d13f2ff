/// What a trace holds of the machine's run. These are plain values: the trace knows their shape and
/// stores them compactly, the meaning is the recorder's.

/// Where the processor was or goes.
public enum Context: UInt8, Sendable, CaseIterable {
    case hostKernel = 0
    case hostUser = 1
    case guestKernel = 2
    case guestUser = 3

    /// Whether a guest ran, its kernel or one of its users.
    @inlinable public var isGuest: Bool { rawValue >= Self.guestKernel.rawValue }
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

/// A run of bytes of the shared page that differ from those at the last event with the same VCPU.
public struct SharedChange: Equatable, Sendable {
    /// Offset in the shared page, bytes.
    public var offset: UInt16
    public var bytes: [UInt8]
    public init(offset: UInt16, bytes: [UInt8]) {
        self.offset = offset
        self.bytes = bytes
    }
}

/// One event. Counters are the vCPU's own, at the boundary after the event. Plain data without
/// references: the shared page travels beside it (`TraceWriter.append(event:sharedPage:)`,
/// `TraceCursor.sharedPage`).
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
    /// Of an exception; `call32` for a call of a 32-bit program.
    public var errorCode: UInt32 = 0
    /// CR2 of a #PF, else 0.
    public var cr2: UInt64 = 0
    /// RDI RSI RDX R10 R8 R9 at entry of a syscall or hypercall; of one by a 32-bit program EBX
    /// ECX EDX ESI EDI EBP, and of its INT 0x80 EAX EBX ECX EDX ESI EDI; else zeros.
    public var arguments: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
    /// Digest of the vCPU's registers at this event chained with the digest of the event before.
    public var digest: UInt64 = 0
    /// Whether `digest` is there. A trace stores the digest of every 16th event and of the last
    /// of every chunk; as the digests are chained, those vouch for the events between. Always true
    /// of an event that was observed; the writer ignores it.
    public var digestKnown: Bool = true
    /// Whether the shared page at this event is known. The writer sets it from what it is given.
    public var sharedPageKnown: Bool = false

    public init() {}

    /// Marks, in `errorCode`, a system call by the convention of 32-bit programs.
    public static let call32: UInt32 = 32

    public static func == (a: Event, b: Event) -> Bool {
        a.sequence == b.sequence && a.cpu == b.cpu && a.vcpu == b.vcpu && a.kind == b.kind
            && a.number == b.number && a.from == b.from && a.to == b.to && a.cycle == b.cycle
            && a.instruction == b.instruction && a.rip == b.rip && a.rsp == b.rsp
            && a.errorCode == b.errorCode && a.cr2 == b.cr2 && a.arguments == b.arguments
            && a.digest == b.digest && a.digestKnown == b.digestKnown
            && a.sharedPageKnown == b.sharedPageKnown
    }
}

/// The return that ended an event's path.
public struct EventReturn: Equatable, Sendable {
    /// `Event.sequence` of the entry.
    public var event: UInt64 = 0
    /// The CPU that returned.
    public var cpu: UInt8 = 0
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

/// A run of bytes that left the serial port with no other record between them.
public struct ConsoleOutput: Equatable, Sendable {
    public var cpu: UInt8 = 0
    /// Of the first byte.
    public var cycle: UInt64 = 0
    public var bytes: [UInt8] = []
    public init() {}
}

/// One record of a trace, in the order in which they happened.
public enum Record: Equatable, Sendable {
    /// `changes` are the shared page's bytes that changed since the last event with this VCPU (all
    /// that are not zero for the first such event that was read).
    case event(Event, changes: [SharedChange])
    case eventReturn(EventReturn)
    case console(ConsoleOutput)
    case input(Input)
}
