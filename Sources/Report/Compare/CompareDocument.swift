import Analysis
import Replay
import Trace

/// A comparison as JSON. Fields are added, never renamed.
public struct CompareDocument: Encodable {
    struct Path: Encodable {
        var count: Int
        var median: UInt64
        var p99: UInt64
        var total: UInt64
        var instructions: UInt64
        var tableLoads: UInt64
        var tlbMisses: UInt64
        var pageWalks: UInt64

        init(_ figures: PathFigures) {
            count = figures.count
            median = figures.median
            p99 = figures.p99
            total = figures.sum.cycles
            instructions = figures.sum.instructions
            tableLoads = figures.sum.loads
            tlbMisses = figures.sum.misses
            pageWalks = figures.sum.walks
        }
    }
    struct Stretch: Encodable {
        var cycles: UInt64
        var instructions: UInt64
        var tlbMisses: UInt64
    }
    struct Failure: Encodable {
        var outcome: String
        var reason: String
        var place: String
        var lastEvents: [EventJSON]
    }
    struct Run: Encodable {
        var profile: String
        var outcome: String
        var paths: [String: Path]
        var contexts: [String: Stretch]
        var busyCycles: UInt64
        var cycles: UInt64
        var instructions: UInt64
        var tlbMisses: UInt64
        var tableLoads: UInt64
        var events: UInt64
        var sameWorld: Bool
        var ticksOutOfStep: Int
        var difference: GuestDifferenceDocument?
        var failure: Failure?
    }
    struct Session: Encodable {
        var name: String
        var design: String
        var host: String
        var hostSHA256: String
        var runs: [Run]
    }
    struct Verdict: Encodable {
        /// By profile.
        var winners: [String: [String]]
        /// `none`, `winner` or `order`.
        var change: String
    }

    var items: Int
    var guestInstructions: UInt64
    var profiles: [String]
    var sessions: [Session]
    /// By path, and `busy-cycles`.
    var conclusions: [String: Verdict]
    var legend: [String]

    public init(_ comparison: Comparison, reference: Bool) {
        items = comparison.items
        guestInstructions = comparison.guestInstructions
        profiles = comparison.profiles
        legend = CompareWords.legend
        sessions = comparison.sessions.enumerated().map { number, session in
            Session(
                name: session.name, design: session.configuration.design,
                host: session.configuration.host.name,
                hostSHA256: session.configuration.host.sha256,
                runs: comparison.runs[number].enumerated().map { profile, run in
                    Self.run(
                        run, comparison.profiles[profile], session.configuration, reference)
                })
        }
        func verdict(_ conclusion: Conclusion) -> Verdict {
            var winners: [String: [String]] = [:]
            for (profile, numbers) in conclusion.winners.enumerated() {
                winners[comparison.profiles[profile]] = numbers.map {
                    comparison.sessions[$0].name
                }
            }
            return Verdict(winners: winners, change: conclusion.change.rawValue)
        }
        conclusions = [:]
        for kind in PathKind.allCases
        where comparison.runs.contains(where: { $0.contains { $0.paths[kind.rawValue] != nil } }) {
            conclusions[kind.name] = verdict(comparison.conclusion(kind))
        }
        conclusions["busy-cycles"] = verdict(comparison.conclusion(of: { $0.busy }))
    }

    private static func run(
        _ run: ComparedRun, _ profile: String, _ configuration: SessionConfiguration,
        _ reference: Bool
    ) -> Run {
        var paths: [String: Path] = [:]
        for kind in PathKind.allCases {
            paths[kind.name] = run.paths[kind.rawValue].map { Path($0) }
        }
        var contexts: [String: Stretch] = [:]
        for context in Context.allCases {
            let counts = run.contexts[Int(context.rawValue)]
            contexts[EventNames.context(context)] = Stretch(
                cycles: counts.cycles &- counts.idle, instructions: counts.instructions,
                tlbMisses: counts.misses)
        }
        return Run(
            profile: profile, outcome: run.summary.end.outcome.name, paths: paths,
            contexts: contexts, busyCycles: run.busy, cycles: run.summary.cycles,
            instructions: run.summary.instructions, tlbMisses: run.misses, tableLoads: run.loads,
            events: run.summary.events, sameWorld: run.difference == nil,
            ticksOutOfStep: run.ticksOutOfStep,
            difference: run.difference.map {
                GuestDifferenceDocument($0, reference: reference)
            },
            failure: run.failure.map {
                Failure(
                    outcome: run.summary.end.outcome.name, reason: run.summary.end.reason,
                    place: CompareFailure.place($0, configuration),
                    lastEvents: $0.events.map {
                        EventJSON($0, changes: [], abi: CallABI(reference: reference))
                    })
            })
    }
}
