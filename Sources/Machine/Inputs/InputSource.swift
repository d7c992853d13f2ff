/// Where undetermined console input comes from: the one seam. A recorder's source asks the world
/// and logs the answer; a replayer's answers from the trace.
public protocol InputSource: AnyObject {
    /// Called at fixed instants: each multiple of the machine's poll interval, before anything
    /// else scheduled for that cycle. The bytes returned go to the serial port's receiver.
    func poll(at cycle: UInt64, machine: Machine) -> [UInt8]
    /// Every vCPU waits and nothing that is scheduled can wake one, but console input would. True
    /// lets time go on to the next poll; false ends the run.
    func awaitsInput(machine: Machine) -> Bool
}

extension InputSource {
    public func awaitsInput(machine: Machine) -> Bool { false }
}

/// Something that happens to the machine from outside.
public enum Stimulus: Equatable, Sendable {
    /// A fixed interrupt with this vector (16...255) arrives at the vCPU's local APIC.
    case interrupt(UInt8)
    case nmi
    case machineCheck
    /// Bytes arrive at the serial port (the vCPU number only says whose clock counts).
    case console([UInt8])
}

/// When a stimulus happens: at the first instruction boundary of its vCPU that has reached this.
public enum Instant: Equatable, Sendable {
    case cycle(UInt64)
    /// The vCPU's own count of retired instructions.
    case instruction(UInt64)
}
