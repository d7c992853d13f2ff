/// How far a recording's trace may grow, beside the session's own limits of cycles and
/// instructions. Reaching one is an outcome (`limit`), not a failure of ours.
public struct SessionLimits: Equatable, Sendable {
    /// Events in the trace.
    public var events: UInt64
    /// Bytes of the trace file.
    public var bytes: UInt64

    /// Instructions: enough for any boot that works, few enough that a hang ends within a minute.
    public static let defaultInstructions: UInt64 = 4_000_000_000

    public init(events: UInt64 = .max, bytes: UInt64 = .max) {
        self.events = events
        self.bytes = bytes
    }
}
