import Machine
import Paravirt
import Trace

/// What stopped a run that had not ended by itself, or showed that its end was a panic. The raw
/// value is the exit code in the trace's outcome, which such a run has no other use for.
public enum LimitKind: UInt32, Sendable {
    case cycles = 1
    case instructions = 2
    /// A limit of events or bytes: right after the last record.
    case request = 3
    /// Every vCPU halted for good.
    case idle = 4
    /// An instruction that we cannot execute yet.
    case notExecutable = 5
    /// At the last poll for input that the run's cycles leave room for: a kernel without a note has
    /// panicked and does nothing any more, or the recording was interrupted.
    case poll = 6
    /// A kernel without a note that had panicked was reset, powered off or halted for good.
    case panicked = 7
}

/// How a run ended, in the words of a trace's outcome.
public struct RunEnd: Equatable, Sendable {
    public var outcome: OutcomeKind
    /// What the debug-exit port was written with, where that ended the run.
    public var exitCode: UInt32?
    /// One sentence; from the host itself where it left one.
    public var reason: String
    /// What stopped the run, where the outcome is `limit`, or made it the panic of a kernel that
    /// has no note to say so.
    public var stop: LimitKind?
    /// The CPU on which it ended, where one is to be named.
    public var cpu: Int = 0
    /// True where the run ended for a gap of ours: an instruction that we cannot execute yet.
    public var isDefect: Bool { stop == .notExecutable }

    public init(
        outcome: OutcomeKind, exitCode: UInt32? = nil, reason: String, stop: LimitKind? = nil
    ) {
        self.outcome = outcome
        self.exitCode = exitCode
        self.reason = reason
        self.stop = stop
    }

    /// The panic of a kernel without a note, as its console told it.
    init(panic: String, _ stop: LimitKind) {
        self.init(outcome: .hostPanic, reason: panic, stop: stop)
    }

    /// Whether a trace's outcome was stopped at a poll. A debug exit's code cannot be taken for it:
    /// without a note such an exit is a shutdown.
    static func isAtPoll(_ outcome: Outcome, layout: ParavirtLayout?) -> Bool {
        outcome.exitCode == LimitKind.poll.rawValue
            && (outcome.kind == .limit || outcome.kind == .hostPanic && layout == nil)
    }

    /// Whether a trace's outcome is a panic that only the console told.
    static func isToldPanic(_ outcome: Outcome, layout: ParavirtLayout?) -> Bool {
        outcome.kind == .hostPanic && layout == nil
            && [LimitKind.poll.rawValue, LimitKind.panicked.rawValue].contains(outcome.exitCode)
    }

    /// - Parameter limit: which of the session's own limits asked for the stop, if one did.
    init(_ stop: StopReason, layout: ParavirtLayout?, limit: String?, machine: Machine) {
        switch stop {
        case .debugExit(let code):
            self.init(code: code, layout: layout, machine: machine)
        case .poweredOff:
            self.init(outcome: .shutdown, reason: "the machine was powered off")
        case .reset(let port):
            self.init(
                outcome: .shutdown,
                reason: "the machine was reset through port 0x\(String(port, radix: 16))")
        case .shutdown(let cpu):
            self.init(
                outcome: .tripleFault,
                reason:
                    "CPU \(cpu) shut down: #DF could not be delivered, or a machine check came "
                    + "with CR4.MCE clear")
            self.cpu = cpu
        case .cycleLimit:
            self.init(
                outcome: .limit, reason: "the limit of cycles was reached", stop: .cycles)
        case .instructionLimit:
            self.init(
                outcome: .limit, reason: "the limit of instructions was reached",
                stop: .instructions)
        case .requested:
            self.init(outcome: .limit, reason: limit ?? "stopped on request", stop: .request)
        case .idle:
            self.init(
                outcome: .limit,
                reason: "every CPU is halted and nothing is scheduled that could wake one",
                stop: .idle)
        case .notExecutable(let cpu, let rip, let name):
            self.init(
                outcome: .limit,
                reason: "CPU \(cpu) met \(name) at 0x\(String(rip, radix: 16)), "
                    + "which pvreplay cannot execute yet",
                stop: .notExecutable)
            self.cpu = cpu
        }
    }

    private init(code: UInt32, layout: ParavirtLayout?, machine: Machine) {
        guard let layout else {
            self.init(
                outcome: .shutdown, exitCode: code,
                reason: "the debug-exit port was written with 0x\(String(code, radix: 16))")
            return
        }
        let outcome: OutcomeKind
        switch code {
        case layout.exitShutdown: outcome = .shutdown
        case layout.exitGuestKilled: outcome = .guestKilled
        case layout.exitGuestPanic: outcome = .guestPanic
        default: outcome = .hostPanic
        }
        let text = Self.text(at: layout.reasonPhysical, machine) ?? ""
        self.init(
            outcome: outcome, exitCode: code,
            reason: text.isEmpty ? "the host wrote 0x\(String(code, radix: 16))" : text)
    }

    /// The NUL-ended text at a physical address, at most 256 bytes; bytes that are not printable
    /// ASCII become `?`, for it is the host's memory and may hold anything.
    private static func text(at address: UInt64, _ machine: Machine) -> String? {
        guard let bytes = machine.readPhysical(address, count: 256) else { return nil }
        let printable = bytes.prefix { $0 != 0 }.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }
        return String(decoding: printable, as: UTF8.self)
    }
}
