/// Why a text is no design.
public enum DesignError: Error, Sendable, CustomStringConvertible {
    case unknownDesign(String)
    case unknownAxis(String)
    /// `axis` is the axis's place in `DesignAxis.all`.
    case unknownValue(axis: Int, value: String)
    case repeatedAxis(String)
    case missingAxis(String)
    /// Not of the form AXIS=VALUE.
    case malformed(String)
    case senseless(Design.Refusal)

    public var description: String {
        switch self {
        case .unknownDesign(let name):
            "there is no design '\(name)'; the named ones are "
                + Design.named.map(\.name).joined(separator: ", ")
        case .unknownAxis(let name):
            "there is no axis '\(name)'; the axes are "
                + DesignAxis.all.map(\.name).joined(separator: ", ")
        case .unknownValue(let axis, let value):
            "the axis \(DesignAxis.all[axis].name) has no value '\(value)'; its values are "
                + DesignAxis.all[axis].values.map(\.name).joined(separator: ", ")
        case .repeatedAxis(let name): "the axis \(name) is given twice"
        case .missingAxis(let name): "the axis \(name) has no value"
        case .malformed(let text):
            "'\(text)' is not of the form AXIS=VALUE; a design is a name, then commas and such "
                + "pairs: rfc,roots=one"
        case .senseless(let refusal):
            refusal.values.map { "\($0.axis)=\($0.value)" }.joined(separator: " and ")
                + " make no sense together: " + refusal.reason
        }
    }
}
