import Replay
import Trace

/// A run as JSON: what `record --json` prints. Fields are added, never renamed.
public struct RunDocument: Encodable {
    var outcome: String
    var reason: String
    var exitCode: UInt32?
    var design: String
    var cpu: String
    var commandLine: String
    var host: ImageDocument
    var guest: ImageDocument?
    var events: UInt64
    var eventsByKind: [String: UInt64]
    var instructions: UInt64
    var cycles: UInt64
    var digest: String
    var trace: String?
    var diagnosis: String?
    /// A PC's text screen, line by line, where there is something on it.
    var screen: [String]?

    public init(
        _ summary: RunSummary, configuration: SessionConfiguration, trace: String?,
        diagnosis: String?, screen: [String]? = nil
    ) {
        outcome = summary.end.outcome.name
        reason = summary.end.reason
        exitCode = summary.end.exitCode
        design = configuration.design
        cpu = SessionConfiguration.name(of: configuration.vendor)
        commandLine = configuration.commandLine
        host = ImageDocument(configuration.host)
        guest = configuration.guest.map { ImageDocument($0) }
        events = summary.events
        eventsByKind = Self.byName(summary.eventsByKind)
        instructions = summary.instructions
        cycles = summary.cycles
        digest = hex(summary.digest)
        self.trace = trace
        self.diagnosis = diagnosis
        self.screen = screen
    }

    /// All kinds, also those that did not occur; the encoder sorts the keys.
    static func byName(_ counts: [UInt64]) -> [String: UInt64] {
        var named: [String: UInt64] = [:]
        for kind in EventKind.allCases {
            named[EventNames.kind(kind)] = counts[Int(kind.rawValue)]
        }
        return named
    }
}

public struct ImageDocument: Encodable {
    var name: String
    var sha256: String
    var size: Int

    init(_ image: SessionImage) {
        name = image.name
        sha256 = image.sha256
        size = image.bytes.count
    }
}
