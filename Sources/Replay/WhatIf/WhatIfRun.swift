import Machine
import Paravirt
import Trace

/// What a run in another machine came to.
public struct WhatIfResult: Equatable, Sendable {
    /// The first thing that a guest could tell the two runs apart by; nil where there is none.
    public var difference: GuestDifference?
    public var summary: RunSummary
    /// Items of the guest-visible stream that agreed.
    public var agreeing: Int
    /// Instructions retired in guest contexts.
    public var guestInstructions: UInt64
    /// Ticks that could not be kept to the recorded instant of the guests' world.
    public var ticksOutOfStep: Int
    /// Whether the recorded guest's image is used: else calls are compared by number only.
    public var sameGuest: Bool
}

/// Runs a recorded world in another machine: the trace's inputs and ticks at the same guest
/// progress, its guest-visible stream compared as it comes.
public final class WhatIfRun {
    public let machine: Machine
    public let configuration: SessionConfiguration

    private let world: RecordedWorld
    private let layout: ParavirtLayout?
    private let clock: GoverningClock
    private let observer: GuestObserver
    private let sameGuest: Bool

    /// - Parameters:
    ///   - configuration: the recorded one with another host, guest, design or profile in it.
    ///   - stopsAtDifference: whether the run ends where the streams part; else it goes on, with
    ///     its own time.
    public init(
        _ configuration: SessionConfiguration, world: RecordedWorld, executor: Executor,
        stopsAtDifference: Bool, listener: (any TripListener)? = nil,
        consoleOutput: ((UInt8) -> Void)? = nil
    ) throws(ReplayError) {
        self.configuration = configuration
        self.world = world
        layout = try configuration.paravirtLayout()
        machine = try configuration.makeMachine(executor: executor)
        guard machine.cpuCount == world.ticks.count else {
            throw .noSuchCPU(machine.cpuCount)
        }
        sameGuest = configuration.guest?.bytes == world.configuration.guest?.bytes
        clock = GoverningClock(ticks: world.ticks, inputs: world.inputs)
        observer = GuestObserver(
            layout, level: .paths, cpuCount: machine.cpuCount,
            stream: GuestStream(comparedWith: world.stream, sameGuest: sameGuest), clock: clock,
            listener: listener, eventLimit: .max, stopsAtDifference: stopsAtDifference,
            consoleOutput: consoleOutput)
        clock.observer = observer
        machine.observer = observer
        machine.inputs = clock
        machine.governor = clock
    }

    deinit {
        machine.inputs = nil
        machine.governor = nil
        machine.observer = nil
    }

    /// The context in which a vCPU stands.
    public func context(cpu: Int) -> Context { observer.context(machine.cpu(cpu)) }

    /// The last events and the end of the console text.
    public var history: RunHistory { observer.history }

    /// Runs to the end, to a limit well beyond the recording, or to the first difference.
    public func run() -> WhatIfResult {
        let recorded = world.summary
        let stop = machine.run(
            RunLimits(
                cycles: recorded.cycles &* 16 &+ 1_000_000_000,
                instructions: recorded.instructions &* 4 &+ 50_000_000))
        let end = RunEnd(stop, layout: layout, limit: nil, machine: machine)
        let summary = RunSummary(
            end, machine, observer.history, eventDigest: observer.eventDigest)
        observer.stream.finish(
            end, expected: recorded.end, isWhole: world.isWhole, observer.place(machine))
        return WhatIfResult(
            difference: observer.stream.difference, summary: summary,
            agreeing: observer.stream.itemCount, guestInstructions: observer.guestInstructions,
            ticksOutOfStep: clock.outOfStep, sameGuest: sameGuest)
    }
}
