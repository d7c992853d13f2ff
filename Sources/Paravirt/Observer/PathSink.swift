import Machine
import Trace

/// Where an observer sends what it has understood. The recorder stores it, the replayer compares
/// it; neither changes the machine, except that the replayer may ask it to stop.
public protocol PathSink: AnyObject {
    /// An event, complete but for its return. `sharedPage` is the used part of the shared page of
    /// the VCPU that `event.vcpu` names, as it is now (nil where none runs or its page lies outside
    /// memory); it points into the machine and is valid during the call only.
    func observed(
        _ event: UnsafePointer<Event>, sharedPage: UnsafeRawPointer?, machine: Machine)
    /// The return that ends an earlier event's path.
    func returned(_ back: EventReturn, machine: Machine)
    /// A byte left the serial port at this machine cycle.
    func printed(_ byte: UInt8, cpu: UInt8, cycle: UInt64, machine: Machine)
}

/// How much an observer reports.
public enum ObservationLevel: UInt8, Sendable, CaseIterable {
    /// System calls, exceptions, interrupts, hypercalls and guest switches.
    case paths = 0
    /// Also writes of system tables and registers: LGDT, LIDT, LLDT, LTR, CR0, CR3, CR4, MSRs,
    /// SWAPGS.
    case tables = 1
}
