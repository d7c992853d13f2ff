import X86

/// Cycles by class of operation. A profile changes cycles only, never results.
public struct CostProfile: Equatable, Sendable {
    /// Which classes a profile gives figures for.
    public enum Edition: UInt8, Sendable {
        /// Profiles of traces from before translations were charged: LIDT and LLDT cost what LGDT
        /// does, and misses, walks and flushes nothing. Their machines' snapshots have the form of
        /// that time, which keeps no `Tally`.
        case first = 1
        case second = 2
    }

    /// The profile's name, as it is written in traces.
    public var name: String
    public let edition: Edition
    /// By `CostClass.rawValue`; at least 1 unless the class may be free, so that time always
    /// advances.
    public private(set) var cycles: [UInt16]

    /// A profile in which every class costs the same, but for those that may be free: they are.
    public init(name: String, uniform: UInt16 = 1, edition: Edition = .second) {
        self.name = name
        self.edition = edition
        cycles = CostClass.allCases.map { $0.mayBeFree ? 0 : max(1, uniform) }
    }

    /// Setting a figure that must not be 0 to 0 sets it to 1.
    public subscript(_ cost: CostClass) -> UInt16 {
        get { cycles[Int(cost.rawValue)] }
        set { cycles[Int(cost.rawValue)] = cost.mayBeFree ? newValue : max(1, newValue) }
    }

    /// The classes that its edition names.
    public var namedClasses: ArraySlice<CostClass> {
        CostClass.allCases.prefix(
            edition == .first ? CostClass.firstEditionCount : CostClass.allCases.count)
    }

    /// Every instruction and event costs one cycle, translations nothing: for machines whose time
    /// does not matter.
    public static let uniform = CostProfile(name: "uniform")
}
