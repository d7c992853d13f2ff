/// What is wrong with a cost profile's file. `key` is the path of a key, its parts joined by
/// dots; `value` what the file has there.
public enum CostProfileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file is not JSON; the parser's word for it.
    case malformed(String)
    /// The whole file is not an object.
    case notAnObject(value: String)
    case missingKey(key: String)
    case unknownKey(key: String, value: String)
    /// The value is of another type than the key asks for.
    case wrongType(key: String, value: String, wanted: String)
    case notANumber(key: String, value: String)
    case notWhole(key: String, value: String)
    case negative(key: String, value: String)
    case tooSmall(key: String, value: String, least: Int)
    case tooLarge(key: String, value: String, greatest: Int)
    /// The value is of the right type and not one of those that are allowed.
    case notAllowed(key: String, value: String, allowed: String)

    public var description: String {
        switch self {
        case .malformed(let what): "it is not JSON: \(what)"
        case .notAnObject(let value): "it is \(value), not an object"
        case .missingKey(let key): "the key '\(key)' is missing"
        case .unknownKey(let key, let value): "there is no key '\(key)' (its value is \(value))"
        case .wrongType(let key, let value, let wanted): "'\(key)' is \(value), not \(wanted)"
        case .notANumber(let key, let value): "'\(key)' is \(value), not a number of cycles"
        case .notWhole(let key, let value): "'\(key)' is \(value): cycles are whole numbers"
        case .negative(let key, let value): "'\(key)' is \(value): cycles are not negative"
        case .tooSmall(let key, let value, let least):
            "'\(key)' is \(value): it must be at least \(least), so that time always advances"
        case .tooLarge(let key, let value, let greatest):
            "'\(key)' is \(value): the most is \(greatest)"
        case .notAllowed(let key, let value, let allowed):
            "'\(key)' is \(value), which is not \(allowed)"
        }
    }
}
