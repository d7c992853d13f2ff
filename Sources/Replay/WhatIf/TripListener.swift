import Machine
import Trace

/// What became of a guest's entry into the host, told when the guest goes on.
public enum Departure: Equatable, Sendable {
    /// Not a return to a guest.
    case toHost
    /// The guest goes on where it was.
    case resumed
    /// The guest kernel's handler for the exception that it had raised.
    case exception
    /// The guest kernel's handler for a virtual interrupt.
    case interrupt
    /// Elsewhere: the first entry, a system call on its way to the guest kernel, a hypercall's
    /// destination.
    case elsewhere
}

/// What one vCPU has counted up to an instant.
public struct Counts: Equatable, Sendable {
    public var cycles: UInt64 = 0
    public var instructions: UInt64 = 0
    public var misses: UInt64 = 0
    public var walks: UInt64 = 0
    public var loads: UInt64 = 0
    /// Cycles during which it was halted.
    public var idle: UInt64 = 0
    public init() {}

    public static func - (a: Counts, b: Counts) -> Counts {
        var c = Counts()
        c.cycles = a.cycles &- b.cycles
        c.instructions = a.instructions &- b.instructions
        c.misses = a.misses &- b.misses
        c.walks = a.walks &- b.walks
        c.loads = a.loads &- b.loads
        c.idle = a.idle &- b.idle
        return c
    }

    public mutating func add(_ other: Counts) {
        cycles &+= other.cycles
        instructions &+= other.instructions
        misses &+= other.misses
        walks &+= other.walks
        loads &+= other.loads
        idle &+= other.idle
    }
}

/// Hears where a run's cycles go: every way into the host's kernel and every way out.
public protocol TripListener: AnyObject {
    /// A vCPU has been in a context; `counts` are the difference.
    func ran(_ context: Context, cpu: Int, counts: Counts)
    /// An event began at `start`, before its delivery or its instruction. `task` is the running
    /// task (nil where the host does not tell).
    func entered(_ event: UnsafePointer<Event>, start: Counts, task: UInt64?, guest: UInt16)
    /// A vCPU has returned with SYSRET or IRET to `context` at `end`.
    func left(
        to context: Context, cpu: Int, end: Counts, task: UInt64?, guest: UInt16,
        departure: Departure)
    /// The return that ends an event's path, at `end`.
    func ended(event: UInt64, cpu: Int, end: Counts)
}
