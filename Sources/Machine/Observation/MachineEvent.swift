/// One thing the processor did that an observer may care about. Plain data, valid only during the
/// call that passes it; registers not listed here are read from the vCPU itself.
public struct MachineEvent {
    public enum Kind: UInt8, Sendable {
        /// SYSCALL or SYSENTER retired.
        case syscall
        /// SYSRET or SYSEXIT retired.
        case sysret
        /// IRET retired.
        case interruptReturn
        /// A fault, trap or abort was delivered (`number` is the vector).
        case exception
        /// INT n, INT3, INTO or INT1 was delivered.
        case softwareInterrupt
        /// An external interrupt was delivered.
        case interrupt
        case nmi
        case machineCheck
        /// HLT retired (`number` 0) or the processor woke (`number` 1).
        case halt
        /// A system table or register was written; `number` is a `SystemRegister` raw value and
        /// `value` what was written.
        case systemRegister
        /// Shutdown: an exception could not be delivered while delivering #DF.
        case tripleFault
        /// A far JMP, CALL or RET changed CS.
        case farTransfer
    }
    public enum SystemRegister: UInt32, Sendable {
        case gdtr, idtr, ldtr, tr, cr0, cr3, cr4, msr, swapgs, invlpg, debug
    }

    public var kind: Kind = .syscall
    public var cpu: UInt8 = 0
    public var oldCPL: UInt8 = 0
    public var newCPL: UInt8 = 0
    public var oldCS: UInt16 = 0
    public var newCS: UInt16 = 0
    /// Vector, or what the kind says.
    public var number: UInt32 = 0
    public var hasErrorCode: Bool = false
    public var errorCode: UInt32 = 0
    /// CR2 for a #PF; the MSR's number for `.systemRegister` of an MSR.
    public var address: UInt64 = 0
    public var value: UInt64 = 0
    /// Of the interrupted context: for SYSCALL the address of the next instruction; for a fault the
    /// faulting instruction; for a return the returning instruction's own address.
    public var oldRIP: UInt64 = 0
    public var oldRSP: UInt64 = 0
    public var oldRFLAGS: UInt64 = 0
    /// The vCPU's cycles and `Tally.tlbMisses` when the event began: before a delivery, or at the
    /// start of the instruction that made it.
    public var startCycles: UInt64 = 0
    public var startMisses: UInt64 = 0
    public var newRIP: UInt64 = 0
    public var newRSP: UInt64 = 0
    /// The vCPU's counters at the boundary after the event.
    public var cycles: UInt64 = 0
    public var instructions: UInt64 = 0

    init() {}
}

/// Who watches a machine. An observer reads; it never changes machine state.
public protocol MachineObserver: AnyObject {
    /// Whether events of kind `systemRegister` are wanted; asked once, when it is attached.
    var observesRegisters: Bool { get }
    /// Called at the boundary after each event, with the vCPU's state already that after it.
    func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine)
    /// A byte left the serial port.
    func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine)
}

extension MachineObserver {
    public var observesRegisters: Bool { true }
}

/// Holds an observer so that an event reaches it without counting references.
final class ObserverLink {
    let observer: any MachineObserver

    init(_ observer: any MachineObserver) { self.observer = observer }
}
