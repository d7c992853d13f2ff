/// What all vCPUs of a machine share, reachable from each without reference counting.
public struct SharedState {
    /// Guest-physical memory, `memorySize` bytes from guest-physical 0.
    public var memory: UnsafeMutableRawPointer
    public var memorySize: UInt64
    /// One byte per 4 KiB page: bits of `PageFlag`.
    public var pageFlags: UnsafeMutablePointer<UInt8>
    /// The bus, for port I/O and for physical addresses outside memory. Unretained; the machine
    /// owns it.
    public var bus: Unmanaged<Bus>
    /// Cycles by `CostClass.rawValue`.
    public var costs: UnsafeMutablePointer<UInt16>
    /// The decoded-code cache of the block executor. Unretained; the machine owns it.
    public var blocks: UnsafeMutableRawPointer?
    /// The machine itself, for the event seam. Unretained.
    public var machine: Unmanaged<Machine>
    /// The vendor's rules in force, where they differ.
    public var vendor: Vendor
    /// Seeds the numbers of RDRAND and RDSEED.
    public var seed: UInt64 = 0
    public var edition = MachineEdition.latest
    /// The observer, if there is one: the one thing asked before an event is made. Unretained; the
    /// machine owns it.
    var observer: Unmanaged<ObserverLink>?
    /// Whether writes of system registers are events for it.
    var observesRegisters = false
}

public enum PageFlag {
    /// Written since the dirty map was last cleared.
    public static let dirty: UInt8 = 1 << 0
    /// Decoded code lies on this page: writes must invalidate it.
    public static let code: UInt8 = 1 << 1
    /// Written at any time since reset: all other pages are zero.
    public static let used: UInt8 = 1 << 2
    /// A vCPU may monitor a line of this page: writes must look whether one does.
    public static let monitored: UInt8 = 1 << 3
}

/// Whose rules apply where Intel's and AMD's processors differ.
public enum Vendor: UInt8, Sendable, CaseIterable {
    case intel
    case amd
}
