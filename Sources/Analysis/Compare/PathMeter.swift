import Machine
import Replay
import Trace

/// Measures the ways through the host as a run makes them. It hears entries and departures from
/// `GuestObserver` and needs nothing else from the host or the emulator.
///
/// A stay is what lies between an entry into the host's kernel and the return that leaves it; an
/// interrupt of the kernel itself opens a stay within the stay.
public final class PathMeter: TripListener {
    private struct Stay {
        var event = Event()
        var start = Counts()
        var task: UInt64?
        var guest: UInt16 = 0
    }

    /// A way that ends with an event's own return, beyond the stay.
    private struct Open {
        var kind: PathKind
        var start: Counts
        var cpu: Int
        var isReflected = false
    }

    private var stays: [[Stay]]
    private var open: [UInt64: Open] = [:]
    private var samples: [[UInt64]]
    private var sums: [Counts]
    private var contexts: [Counts]

    public init(cpus: Int) {
        stays = Array(repeating: [], count: cpus)
        samples = Array(repeating: [], count: PathKind.allCases.count)
        sums = Array(repeating: Counts(), count: PathKind.allCases.count)
        contexts = Array(repeating: Counts(), count: Context.allCases.count)
    }

    // MARK: What the observer tells

    public func ran(_ context: Context, cpu: Int, counts: Counts) {
        contexts[Int(context.rawValue)].add(counts)
    }

    public func entered(
        _ event: UnsafePointer<Event>, start: Counts, task: UInt64?, guest: UInt16
    ) {
        let cpu = Int(event.pointee.cpu)
        if event.pointee.from != .hostKernel { stays[cpu].removeAll(keepingCapacity: true) }
        // Stays that were left by a switch to another task's stack never end.
        if stays[cpu].count > 16 { stays[cpu].removeFirst() }
        stays[cpu].append(Stay(event: event.pointee, start: start, task: task, guest: guest))
        switch (event.pointee.kind, event.pointee.from) {
        case (.syscall, .guestUser):
            open[event.pointee.sequence] = Open(kind: .guestSystemCall, start: start, cpu: cpu)
        case (.exception, .guestUser), (.exception, .guestKernel), (.softwareInterrupt, .guestUser),
            (.softwareInterrupt, .guestKernel):
            open[event.pointee.sequence] = Open(kind: .guestException, start: start, cpu: cpu)
        default: break
        }
    }

    public func left(
        to context: Context, cpu: Int, end: Counts, task: UInt64?, guest: UInt16,
        departure: Departure
    ) {
        guard let stay = stays[cpu].last else { return }
        if context == .hostKernel {
            stays[cpu].removeLast()
            if stay.event.kind == .interrupt && stay.event.from == .hostKernel {
                add(.interruptHost, end - stay.start)
            }
            return
        }
        stays[cpu].removeAll(keepingCapacity: true)
        let cost = end - stay.start
        let from = stay.event.from
        let isSwitch = stay.task != task
        if isSwitch { add(.contextSwitch, cost) }
        let oldGuest = stay.guest
        if context.isGuest && (!from.isGuest || oldGuest != guest) { add(.guestSwitchIn, cost) }
        if from.isGuest && (!context.isGuest || oldGuest != guest) { add(.guestSwitchOut, cost) }
        if isSwitch || from.isGuest != context.isGuest || from == .hostKernel { return }
        if from.isGuest {
            if oldGuest == guest { countGuest(stay.event, cost, departure) }
        } else if stay.event.kind == .syscall && guest == 0 {
            add(.hostSystemCall, cost)
        } else if stay.event.kind == .interrupt {
            add(.interruptHost, cost)
        }
    }

    /// A stay that began and ended in the same guest.
    private func countGuest(_ event: Event, _ cost: Counts, _ departure: Departure) {
        switch event.kind {
        case .syscall: add(.guestSystemCallBounce, cost)
        case .hypercall: add(.hypercall, cost)
        case .exception, .softwareInterrupt:
            if departure == .exception {
                add(.guestExceptionReflection, cost)
                open[event.sequence]?.isReflected = true
            } else {
                add(.shadowFault, cost)
                open[event.sequence] = nil
            }
        case .interrupt:
            add(event.from == .guestUser ? .interruptGuestUser : .interruptGuestKernel, cost)
        default: break
        }
    }

    public func ended(event: UInt64, cpu: Int, end: Counts) {
        guard let way = open.removeValue(forKey: event) else { return }
        if way.kind == .guestException && !way.isReflected { return }
        if way.cpu == cpu { add(way.kind, end - way.start) }
    }

    // MARK: Figures

    /// Halted time is nobody's cost.
    private func add(_ kind: PathKind, _ cost: Counts) {
        samples[kind.rawValue].append(cost.cycles &- cost.idle)
        sums[kind.rawValue].add(cost)
    }

    /// Cycles and counts by context, halted time apart; up to the last change of context.
    public var contextCounts: [Counts] { contexts }

    /// By `PathKind.rawValue`; nil for a kind that did not occur.
    public func figures() -> [PathFigures?] {
        PathKind.allCases.map { kind in
            let sorted = samples[kind.rawValue].sorted()
            guard !sorted.isEmpty else { return nil }
            var sum = sums[kind.rawValue]
            sum.cycles &-= sum.idle
            return PathFigures(
                count: sorted.count, median: sorted[(sorted.count - 1) / 2],
                p99: sorted[(sorted.count - 1) * 99 / 100], sum: sum)
        }
    }
}

/// What the ways of one kind have cost in a run.
public struct PathFigures: Equatable, Sendable {
    public var count: Int
    /// Cycles: the lower median, and the 99th percentile by nearest rank.
    public var median: UInt64
    public var p99: UInt64
    /// Cycles without halted time, and what else was counted, of all together.
    public var sum: Counts

    /// Whether this costs less than another: by median, then by mean if that differs by more than
    /// a hundredth. A mean has the few paths in it on which a tick or a miss happened to fall.
    func isCheaper(than other: PathFigures) -> Bool {
        if median != other.median { return median < other.median }
        return Double(sum.cycles) / Double(count) * 1.01
            < Double(other.sum.cycles) / Double(other.count)
    }
}
