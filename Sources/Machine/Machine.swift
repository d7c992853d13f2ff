import X86

/// A deterministic x86-64 machine: vCPUs, RAM, devices and one schedule. Not thread-safe; one
/// thread owns it. Machines share nothing, so several may run on different threads.
public final class Machine {
    /// Cycles for which one of several running vCPUs goes on before the next has its turn: time is
    /// cut at multiples of it, and in each slot the vCPUs run in index order. It never depends on
    /// the executor, on limits or on polling.
    public static let quantum: UInt64 = 1024

    public let configuration: MachineConfiguration
    /// Who watches. The caller keeps it alive while it is set.
    public unowned var observer: (any MachineObserver)?
    /// Where console input comes from. The caller keeps it alive while it is set.
    public unowned var inputs: (any InputSource)?

    let shared: UnsafeMutablePointer<SharedState>
    let bus: Bus
    let cpus: [CPU]
    /// Filled by the executor that meets an instruction it cannot execute: its name and place.
    var notExecutable: (cpu: Int, rip: UInt64, name: String)?
    /// Set by `requestStop`, cleared when `run` returns.
    var stopRequested = false

    public init(_ configuration: MachineConfiguration) throws(MachineError) {
        fatalError("not landed")
    }

    public var cpuCount: Int { cpus.count }

    /// vCPU `n`. Valid for the machine's life.
    public func cpu(_ n: Int) -> CPU { cpus[n] }

    /// For an observer or input source: stop at the current boundary.
    public func requestStop() {
        stopRequested = true
        for cpu in cpus { cpu.pointee.attention |= Attention.stop }
    }
}
