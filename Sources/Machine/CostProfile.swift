import X86

/// Cycles by class of operation. A profile changes cycles only, never results.
public struct CostProfile: Equatable, Sendable {
    /// The profile's name, as it is written in traces.
    public var name: String
    /// By `CostClass.rawValue`; each at least 1, so that time always advances.
    public private(set) var cycles: [UInt16]

    /// A profile in which every class costs the same.
    public init(name: String, uniform: UInt16 = 1) {
        self.name = name
        cycles = Array(repeating: max(1, uniform), count: CostClass.allCases.count)
    }

    public subscript(_ cost: CostClass) -> UInt16 {
        get { cycles[Int(cost.rawValue)] }
        set { cycles[Int(cost.rawValue)] = max(1, newValue) }
    }

    public static let `default` = CostProfile(name: "zen3")
}
