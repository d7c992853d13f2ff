/// The state of a machine at one instruction boundary, encoded.
public struct MachineSnapshot: Equatable, Sendable {
    /// CPUs, devices, schedule and pending inputs.
    public var state: [UInt8]
    /// True when `pages` holds every used page; false when only those written since the last mark.
    public var complete: Bool
    /// Page numbers, ascending.
    public var pageNumbers: [UInt32]
    /// 4096 bytes for each of `pageNumbers`, in that order.
    public var pages: [UInt8]
}
