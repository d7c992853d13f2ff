import Foundation
import Machine
import X86

/// A cost profile with what stands behind it, as a JSON file has it.
/// `Docs/cost-profile.schema.json` is the form as JSON Schema; this is the code that checks it, and
/// a test holds them together.
public struct CostProfileFile: Equatable, Sendable {
    public static let schema = "pvreplay-cost-profile/1"
    /// The most cycles that a class can cost.
    public static let greatest = Int(UInt16.max)
    static let nameLimit = 64

    /// How a figure was come by.
    public enum Basis: String, Sendable, CaseIterable {
        /// Somebody measured it and published it.
        case measured
        /// Worked out from published measurements, or one of a neighbouring processor.
        case derived
        /// A judgement, for want of any figure; the source says which.
        case estimated
    }

    public struct Figure: Equatable, Sendable {
        public var cycles: UInt16
        /// Nil where a user's file gives the bare number.
        public var basis: Basis?
        public var source: String
    }

    public var name: String
    public var about: String
    /// What the letters in brackets stand for, by letter in order.
    public var sources: [(key: String, text: String)]
    /// By `CostClass.rawValue`.
    public var figures: [Figure]

    public var profile: CostProfile {
        var profile = CostProfile(name: name)
        for cost in CostClass.allCases { profile[cost] = figures[Int(cost.rawValue)].cycles }
        return profile
    }

    public static func == (a: CostProfileFile, b: CostProfileFile) -> Bool {
        a.name == b.name && a.about == b.about && a.figures == b.figures
            && a.sources.elementsEqual(b.sources) { $0 == $1 }
    }

    /// Reads and checks a file's bytes. A file of the user's may name a built-in profile as its
    /// `base` and then gives only what differs.
    public init(_ bytes: [UInt8]) throws(CostProfileError) {
        try self.init(bytes, isBuiltIn: false)
    }

    init(_ bytes: [UInt8], isBuiltIn: Bool) throws(CostProfileError) {
        let pairs = try Self.root(bytes)
        let known = ["schema", "name", "about", "sources", "base", "cycles"]
        for key in pairs.keys.sorted() where !known.contains(key) {
            throw .unknownKey(key: key, value: "\(pairs[key] ?? .null)")
        }
        let schema = try Self.text("schema", pairs)
        guard schema == Self.schema else {
            throw .notAllowed(key: "schema", value: "\"\(schema)\"", allowed: "\"\(Self.schema)\"")
        }
        name = try Self.text("name", pairs)
        try Self.check(name: name, isBuiltIn: isBuiltIn)
        about = pairs["about"] == nil ? "" : try Self.text("about", pairs)
        sources = []
        if pairs["sources"] != nil {
            let texts = try Self.object("sources", pairs)
            for key in texts.keys.sorted() {
                sources.append((key, try Self.text("sources.\(key)", texts[key])))
            }
        }
        figures = []
        let base = try Self.base(pairs)
        let cycles = try Self.object("cycles", pairs)
        let names = CostClass.allCases.map { "\($0)" }
        for key in cycles.keys.sorted() where !names.contains(key) {
            throw .unknownKey(key: "cycles.\(key)", value: "\(cycles[key] ?? .null)")
        }
        for cost in CostClass.allCases {
            let key = "cycles.\(cost)"
            if let value = cycles["\(cost)"] {
                figures.append(try Self.figure(key, value, cost))
            } else if let base {
                figures.append(base.figures[Int(cost.rawValue)])
            } else {
                throw .missingKey(key: key)
            }
        }
        if let base, pairs["sources"] == nil { sources = base.sources }
    }
}

/// The parts of a file.
extension CostProfileFile {
    private static func root(_ bytes: [UInt8]) throws(CostProfileError) -> [String: JSONValue] {
        let value: JSONValue
        do {
            value = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        } catch let DecodingError.dataCorrupted(context) {
            let cause = context.underlyingError.map { ($0 as NSError).userInfo }
            let detail = cause?[NSDebugDescriptionErrorKey] as? String
            throw .malformed(detail ?? context.debugDescription)
        } catch {
            throw .malformed("it nests too deeply")
        }
        guard case .object(let pairs) = value else { throw .notAnObject(value: "\(value)") }
        return pairs
    }

    private static func text(
        _ key: String, _ pairs: [String: JSONValue]
    ) throws(CostProfileError) -> String {
        guard let value = pairs[key] else { throw .missingKey(key: key) }
        return try text(key, value)
    }

    private static func text(
        _ key: String, _ value: JSONValue?
    ) throws(CostProfileError) -> String {
        guard case .string(let text)? = value else {
            throw .wrongType(key: key, value: "\(value ?? .null)", wanted: "a string")
        }
        return text
    }

    private static func object(
        _ key: String, _ pairs: [String: JSONValue]
    ) throws(CostProfileError) -> [String: JSONValue] {
        guard let value = pairs[key] else { throw .missingKey(key: key) }
        guard case .object(let inner) = value else {
            throw .wrongType(key: key, value: "\(value)", wanted: "an object")
        }
        return inner
    }

    /// A name goes into traces and tables: one line of printable characters, and not a built-in
    /// profile's, whose figures it would seem to be.
    private static func check(name: String, isBuiltIn: Bool) throws(CostProfileError) {
        let isPrintable = name.unicodeScalars.allSatisfy { (0x20...0x7E).contains($0.value) }
        guard !name.isEmpty, name.utf8.count <= nameLimit, isPrintable else {
            throw .notAllowed(
                key: "name", value: "\(JSONValue.string(name))",
                allowed: "1 to \(nameLimit) printable ASCII characters")
        }
        if !isBuiltIn && CostProfiles.names.contains(name) {
            throw .notAllowed(
                key: "name", value: "\"\(name)\"", allowed: "a name of its own (it is built in)")
        }
    }

    private static func base(
        _ pairs: [String: JSONValue]
    ) throws(CostProfileError) -> CostProfileFile? {
        guard pairs["base"] != nil else { return nil }
        let name = try text("base", pairs)
        guard let base = CostProfiles.file(named: name) else {
            throw .notAllowed(
                key: "base", value: "\"\(name)\"",
                allowed: "one of \(CostProfiles.names.joined(separator: ", "))")
        }
        return base
    }

    /// A bare number, or `{"cycles": n, "basis": ..., "source": ...}`.
    private static func figure(
        _ key: String, _ value: JSONValue, _ cost: CostClass
    ) throws(CostProfileError) -> Figure {
        guard case .object(let pairs) = value else {
            return Figure(cycles: try cycles(key, value, cost), basis: nil, source: "")
        }
        for inner in pairs.keys.sorted() where !["cycles", "basis", "source"].contains(inner) {
            throw .unknownKey(key: "\(key).\(inner)", value: "\(pairs[inner] ?? .null)")
        }
        guard let number = pairs["cycles"] else { throw .missingKey(key: "\(key).cycles") }
        var figure = Figure(
            cycles: try cycles("\(key).cycles", number, cost), basis: nil, source: "")
        if let basis = pairs["basis"] {
            let word = try text("\(key).basis", basis)
            guard let known = Basis(rawValue: word) else {
                throw .notAllowed(
                    key: "\(key).basis", value: "\"\(word)\"",
                    allowed: "one of measured, derived, estimated")
            }
            figure.basis = known
        }
        if let source = pairs["source"] { figure.source = try text("\(key).source", source) }
        return figure
    }

    private static func cycles(
        _ key: String, _ value: JSONValue, _ cost: CostClass
    ) throws(CostProfileError) -> UInt16 {
        switch value {
        case .integer(let number):
            if number < 0 { throw .negative(key: key, value: "\(number)") }
            if number > greatest {
                throw .tooLarge(key: key, value: "\(number)", greatest: greatest)
            }
            if number == 0 && !cost.mayBeFree {
                throw .tooSmall(key: key, value: "0", least: 1)
            }
            return UInt16(number)
        case .number(let number):
            if number < 0 { throw .negative(key: key, value: "\(number)") }
            if number > Double(greatest) {
                throw .tooLarge(key: key, value: "\(number)", greatest: greatest)
            }
            throw .notWhole(key: key, value: "\(number)")
        default: throw .notANumber(key: key, value: "\(value)")
        }
    }
}
