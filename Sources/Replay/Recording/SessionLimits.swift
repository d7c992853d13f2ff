/// How far a recording may go. Reaching one is an outcome (`limit`), not a failure of ours.
public struct SessionLimits: Equatable, Sendable {
    public var cycles: UInt64
    public var instructions: UInt64
    /// Events in the trace.
    public var events: UInt64
    /// Bytes of the trace file.
    public var bytes: UInt64

    /// Enough for any boot that works, small enough that a hang ends within a minute or two.
    public static let defaultInstructions: UInt64 = 4_000_000_000

    public init(
        cycles: UInt64 = .max, instructions: UInt64 = Self.defaultInstructions,
        events: UInt64 = .max, bytes: UInt64 = .max
    ) {
        self.cycles = cycles
        self.instructions = instructions
        self.events = events
        self.bytes = bytes
    }
}
