/// Where typed bytes come from while recording. Implementations may look at the world (a terminal,
/// a pipe): what they give is recorded with its instant, and that is all the machine ever sees.
public protocol ConsoleSource: AnyObject {
    /// Bytes typed since the last call; empty when there are none. Called at each poll of the
    /// machine, at this machine cycle. `machineIdle` says that nothing but input can be waited
    /// for right now, so a source with a person behind it may take its time.
    func typed(at cycle: UInt64, machineIdle: Bool) -> [UInt8]
    /// Whether bytes may still come while the machine does nothing but wait for them.
    var isOpen: Bool { get }
    /// A byte that the machine has printed.
    func printed(_ byte: UInt8)
    /// Why the recording is to stop, a sentence's end, or nil. Asked at each poll.
    var reasonToStop: String? { get }
}

extension ConsoleSource {
    public func printed(_ byte: UInt8) {}
    public var reasonToStop: String? { nil }
}

/// Bytes known beforehand, all there from the first poll on: a file, or a test's script.
public final class ScriptedConsole: ConsoleSource {
    private var rest: ArraySlice<UInt8>
    private let start: UInt64

    /// - Parameter start: machine cycle from which on the bytes are there.
    public init(_ bytes: [UInt8], from start: UInt64 = 0) {
        rest = bytes[...]
        self.start = start
    }

    public var isOpen: Bool { !rest.isEmpty }

    public func typed(at cycle: UInt64, machineIdle: Bool) -> [UInt8] {
        guard cycle >= start else { return [] }
        defer { rest = [] }
        return Array(rest)
    }
}
