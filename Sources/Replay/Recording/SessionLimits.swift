/// How far a recording's trace may grow, beside the session's own limits of cycles and
/// instructions. Reaching one is an outcome (`limit`), not a failure of ours.
public struct SessionLimits: Equatable, Sendable {
    /// Events in the trace.
    public var events: UInt64
    /// Bytes of the trace file.
    public var bytes: UInt64
    /// Exceptions and interrupts in a row between which no vCPU retires an instruction: a handler
    /// that cannot run its first instruction goes on for ever, and no limit of instructions ends
    /// it.
    public var fruitless: UInt64

    /// Frames of 24 bytes or more without an end: beyond what any stack holds.
    public static let defaultFruitless: UInt64 = 1 << 24
    /// Instructions: enough for any boot that works, few enough that a hang ends within a minute.
    public static let defaultInstructions: UInt64 = 4_000_000_000

    public init(
        events: UInt64 = .max, bytes: UInt64 = .max, fruitless: UInt64 = Self.defaultFruitless
    ) {
        self.events = events
        self.bytes = bytes
        self.fruitless = fruitless
    }
}
