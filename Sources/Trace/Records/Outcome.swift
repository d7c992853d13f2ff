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

/// The end of a run, with the totals that a replay must reproduce.
public struct Outcome: Equatable, Sendable {
    public var kind: OutcomeKind = .shutdown
    /// The CPU on which it ended.
    public var cpu: UInt8 = 0
    /// What was written to isa-debug-exit, where that ended it.
    public var exitCode: UInt32 = 0
    /// Machine time at the end.
    public var cycles: UInt64 = 0
    /// Instructions retired, over all CPUs.
    public var instructions: UInt64 = 0
    public var events: UInt64 = 0
    public var returns: UInt64 = 0
    /// The running event digest at the end.
    public var eventDigest: UInt64 = 0
    /// `Machine.digest()` at the end.
    public var machineDigest: UInt64 = 0
    /// Instructions retired by each CPU.
    public var cpuInstructions: [UInt64] = []
    /// In words, as the host or guest said it; may be empty.
    public var reason: String = ""

    public init() {}
}
