import Machine
import Replay
import Trace

/// One of the things that a comparison runs: the recorded session with something else in it.
public struct ComparedSession {
    /// Short, for columns.
    public var name: String
    /// In a sentence: `design pvm`.
    public var description: String
    public var configuration: SessionConfiguration

    public init(name: String, description: String, configuration: SessionConfiguration) {
        self.name = name
        self.description = description
        self.configuration = configuration
    }
}

/// What a session came to under one profile.
public struct ComparedRun {
    /// By `PathKind.rawValue`.
    public var paths: [PathFigures?]
    /// By `Context.rawValue`.
    public var contexts: [Counts]
    public var summary: RunSummary
    public var guestInstructions: UInt64
    /// Nil where the guests saw the recorded world.
    public var difference: GuestDifference?
    public var ticksOutOfStep: Int
    /// How it ended, where that is a failure.
    public var failure: Failure?

    public struct Failure {
        /// Where the vCPU on which it ended stood.
        public var rip: UInt64
        public var context: Context
        /// The last events, oldest first.
        public var events: [Event]
    }

    /// Cycles in which something ran, over all contexts.
    public var busy: UInt64 { contexts.reduce(0) { $0 &+ $1.cycles &- $1.idle } }
    /// Those that the host's kernel ran.
    public var hostKernel: UInt64 {
        let counts = contexts[Int(Context.hostKernel.rawValue)]
        return counts.cycles &- counts.idle
    }
    public var misses: UInt64 { contexts.reduce(0) { $0 &+ $1.misses } }
    public var loads: UInt64 { contexts.reduce(0) { $0 &+ $1.loads } }
}

/// A recorded world under several designs or images, and under several cost profiles.
public struct Comparison {
    public var sessions: [ComparedSession]
    public var profiles: [String]
    /// By session, then by profile.
    public var runs: [[ComparedRun]]
    /// The guest-visible stream's items, and instructions of the guests, in the recording.
    public var items: Int
    public var guestInstructions: UInt64
    public var recordedEnd: RunEnd
}

extension Comparison {
    /// Runs all of it.
    /// - Parameter progress: called before each run with what is to be run.
    public init(
        _ reader: TraceReader, sessions: [ComparedSession], profiles: [CostProfile],
        executor: Executor, progress: (String) -> Void = { _ in }
    ) throws(ReplayError) {
        self.sessions = sessions
        self.profiles = profiles.map(\.name)
        progress("the recording")
        let world = try RecordedWorld(reader, executor: executor)
        items = world.itemCount
        guestInstructions = world.guestInstructions
        recordedEnd = world.summary.end
        runs = []
        for session in sessions {
            var row: [ComparedRun] = []
            for profile in profiles {
                progress("\(session.name), costs \(profile.name)")
                var configuration = session.configuration
                configuration.costs = profile
                row.append(try Self.run(configuration, world, executor))
            }
            runs.append(row)
        }
    }

    /// All sessions are governed alike, the recorded one too: where ticks fall on the host's own
    /// work then differs as little as it can.
    private static func run(
        _ configuration: SessionConfiguration, _ world: RecordedWorld, _ executor: Executor
    ) throws(ReplayError) -> ComparedRun {
        let meter = PathMeter(cpus: configuration.cpus)
        let run = try WhatIfRun(
            configuration, world: world, executor: executor, stopsAtDifference: false,
            listener: meter)
        let result = run.run()
        var failure: ComparedRun.Failure?
        if result.summary.end.outcome != .shutdown {
            failure = ComparedRun.Failure(
                rip: run.machine.cpu(result.summary.end.cpu).pointee.rip,
                context: run.context(cpu: result.summary.end.cpu),
                events: run.history.lastOfEachSide.map(\.event).suffix(6))
        }
        return ComparedRun(
            paths: meter.figures(), contexts: meter.contextCounts, summary: result.summary,
            guestInstructions: result.guestInstructions, difference: result.difference,
            ticksOutOfStep: result.ticksOutOfStep, failure: failure)
    }
}
