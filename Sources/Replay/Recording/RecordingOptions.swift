import Machine

/// What a recording is asked for, beside what it records.
public struct RecordingOptions {
    public var executor: Executor = .blocks
    public var limits = SessionLimits()
    /// Machine cycles between two checkpoints.
    public var checkpointInterval: UInt64 = RecordingOptions.defaultCheckpointInterval
    public var injections: [Injection] = []
    public var console: (any ConsoleSource)?
    /// By disk of the session.
    public var disks: [any DiskFile] = []
    /// Whether the person has asked for an end; the run stops at the next event.
    public var isInterrupted: () -> Bool = { false }
    /// Receives every byte of console output, as it comes.
    public var consoleOutput: ((UInt8) -> Void)?
    /// Called at each checkpoint with the figures so far.
    public var progress: ((_ cycles: UInt64, _ instructions: UInt64, _ events: UInt64) -> Void)?

    /// A fifth of a second of a 1 GHz machine: a seek re-executes at most this much.
    public static let defaultCheckpointInterval: UInt64 = 200_000_000

    public init() {}
}
