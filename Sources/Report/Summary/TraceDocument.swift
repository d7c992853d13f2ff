import Replay
import Trace

/// A trace as JSON: what `info --json` prints. Fields are added, never renamed.
public struct TraceDocument: Encodable {
    public var format: String
    public var complete: Bool
    public var damage: String?
    public var tool: String
    public var design: String
    public var cpu: String
    public var cpus: Int
    public var memory: UInt64
    public var commandLine: String
    public var costProfile: String
    public var level: String
    public var host: ImageDocument
    public var guest: ImageDocument?
    /// Nil where there are none.
    public var disks: [DiskDocument]?
    public var outcome: String?
    public var reason: String?
    public var exitCode: UInt32?
    public var events: UInt64
    public var eventsByKind: [String: UInt64]
    public var returns: UInt64
    public var inputs: UInt64
    public var checkpoints: Int
    /// Compressed bytes of events, returns, console and inputs; no checkpoints, no images.
    public var eventBytes: UInt64
    public var fileBytes: UInt64
    public var instructions: UInt64
    public var cycles: UInt64
    public var digest: String?

    /// The counts alone: what a stored baseline holds.
    public var counts: CountsDocument {
        CountsDocument(
            cycles: cycles, eventBytes: eventBytes, events: events, eventsByKind: eventsByKind,
            instructions: instructions, returns: returns)
    }
}

/// The deterministic figures of a run: equal on every machine, or something changed.
public struct CountsDocument: Encodable {
    var cycles: UInt64
    var eventBytes: UInt64
    var events: UInt64
    var eventsByKind: [String: UInt64]
    var instructions: UInt64
    var returns: UInt64
}

/// A disk of the session.
public struct DiskDocument: Encodable {
    var name: String
    /// Bytes.
    var size: UInt64
    var readOnly: Bool
    /// Chunks of 4096 bytes that the guest read, which the trace holds.
    var chunksRead: Int
}
