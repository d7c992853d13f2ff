/// What a trace says of itself: keys and values in the order in which they were set.
///
/// The writer stores them as they are. Whoever records must not put anything in that differs
/// between two runs of the same command (time, host name, paths of temporary files).
public struct TraceMetadata: Equatable, Sendable {
    public struct Entry: Equatable, Sendable {
        public var key: String
        public var value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    public private(set) var entries: [Entry] = []

    public init() {}

    /// The value for a key; setting nil removes it, setting a key again keeps its place.
    public subscript(key: String) -> String? {
        get { entries.first { $0.key == key }?.value }
        set {
            let place = entries.firstIndex { $0.key == key }
            switch (place, newValue) {
            case (let place?, let value?): entries[place].value = value
            case (let place?, nil): entries.remove(at: place)
            case (nil, let value?): entries.append(Entry(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    /// Adds an entry whose key is known to be new.
    mutating func add(_ entry: Entry) { entries.append(entry) }

    /// Keys that pvreplay itself writes and reads. Others may be there: keep them.
    public enum Key {
        public static let tool = "tool"
        public static let design = "design"
        public static let hostSHA256 = "host.sha256"
        public static let guestSHA256 = "guest.sha256"
        public static let commandLine = "commandLine"
        public static let cpuModel = "cpu"
        /// Bytes of guest-physical memory, decimal.
        public static let memory = "memory"
        public static let cpus = "cpus"
        public static let costProfile = "costProfile"
        /// `class=cycles` pairs separated by commas, in the order of `CostClass`. Traces from
        /// before translations were charged have the first 48 classes only.
        public static let costFigures = "costProfile.figures"
        public static let seed = "seed"
        /// Level of observation.
        public static let level = "level"
        /// Bytes of the shared page that are in use, decimal.
        public static let sharedSize = "sharedSize"
    }
}

/// An ELF image (or other file) that the run needs, embedded in the trace.
public struct TraceImage: Equatable, Sendable {
    public enum Role: UInt16, Sendable {
        case host = 1
        case guest = 2
        /// Anything else; the name says what.
        case other = 3
    }
    public var role: Role
    /// For people; no path.
    public var name: String
    /// SHA-256 of the uncompressed bytes, 32 bytes, worked out by the caller.
    public var sha256: [UInt8]
    /// Uncompressed size in bytes.
    public var size: Int

    public init(role: Role, name: String, sha256: [UInt8], size: Int) {
        self.role = role
        self.name = name
        self.sha256 = sha256
        self.size = size
    }
}

/// A state of the whole machine from which a replay can start.
public struct CheckpointInfo: Equatable, Sendable {
    public enum Kind: UInt32, Sendable {
        /// Complete in itself.
        case full = 0
        /// What changed since the checkpoint before it.
        case incremental = 1
    }
    public var kind: Kind = .full
    /// Events before it: the sequence number of the next.
    public var sequence: UInt64 = 0
    /// Machine time.
    public var cycle: UInt64 = 0
    /// Instructions retired by each CPU.
    public var instructions: [UInt64] = []
    /// Running event digest, as of the last event before it.
    public var eventDigest: UInt64 = 0

    public init() {}
}
