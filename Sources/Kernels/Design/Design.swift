/// A choice on every axis. As text it is the name of a named design, or such a name and what
/// differs from it: `rfc,roots=one,guest-return=iret`.
public struct Design: Equatable, Sendable, CustomStringConvertible {
    /// By axis, in `DesignAxis.all`'s order: the chosen value's place in the axis.
    private var choices: [Int]

    /// A design that has a name, and for which the package carries images.
    public struct Named: Sendable {
        public let name: String
        public let summary: String
        public let design: Design
    }

    /// A combination that makes no sense: these values of these axes together.
    public struct Refusal: Sendable {
        public let values: [(axis: String, value: String)]
        public let reason: String
    }

    /// - Throws: `DesignError` where the text names what does not exist, an axis twice, or a
    ///   combination that makes no sense.
    public init(_ text: String) throws(DesignError) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard let base = Self.named.first(where: { $0.name == parts[0] }) else {
            throw .unknownDesign(parts[0])
        }
        choices = base.design.choices
        try override(parts.dropFirst())
        try refuseNonsense()
    }

    /// A value for every axis, none twice.
    private init(values: some Sequence<String>) throws(DesignError) {
        choices = DesignAxis.all.map { _ in -1 }
        try override(values)
        for (axis, choice) in zip(DesignAxis.all, choices) where choice < 0 {
            throw .missingAxis(axis.name)
        }
        try refuseNonsense()
    }

    private mutating func override(_ values: some Sequence<String>) throws(DesignError) {
        var seen: [String] = []
        for text in values {
            guard let equals = text.firstIndex(of: "=") else { throw .malformed(text) }
            let name = String(text[..<equals])
            let value = String(text[text.index(after: equals)...])
            guard let axis = DesignAxis.all.firstIndex(where: { $0.name == name }) else {
                throw .unknownAxis(name)
            }
            guard
                let choice = DesignAxis.all[axis].values.firstIndex(where: { $0.name == value })
            else { throw .unknownValue(axis: axis, value: value) }
            guard !seen.contains(name) else { throw .repeatedAxis(name) }
            seen.append(name)
            choices[axis] = choice
        }
    }

    private func refuseNonsense() throws(DesignError) {
        for refusal in Self.refusals
        where refusal.values.allSatisfy({ self[$0.axis] == $0.value }) {
            throw .senseless(refusal)
        }
    }

    /// The value on an axis.
    /// - Precondition: there is an axis of that name.
    public subscript(axis: String) -> String {
        guard let index = DesignAxis.all.firstIndex(where: { $0.name == axis }) else {
            preconditionFailure("there is no axis '\(axis)'")
        }
        return DesignAxis.all[index].values[choices[index]].name
    }

    /// `axis=value` for every axis, in their order.
    public var values: [(axis: String, value: String)] {
        zip(DesignAxis.all, choices).map { ($0.name, $0.values[$1].name) }
    }

    /// The one way to write this design: its name if it has one, else the named design from which
    /// the fewest axes differ (the first of them), and those axes' values in the axes' order.
    public var name: String {
        let nearest = Self.named.min { distance($0.design) < distance($1.design) }
        guard let nearest else { preconditionFailure("there is no named design") }
        let overrides = zip(values, nearest.design.values)
            .filter { $0.value != $1.value }
            .map { mine, _ in ",\(mine.axis)=\(mine.value)" }
        return nearest.name + overrides.joined()
    }

    public var description: String { name }

    private func distance(_ other: Design) -> Int {
        zip(choices, other.choices).count { $0 != $1 }
    }

    /// The design that a guest for this one is built as: all that concerns a guest's image is where
    /// its addresses are.
    public var ofGuest: Design {
        var design = Self.rfc
        let axis = DesignAxis.all.firstIndex { $0.name == DesignAxis.moves.name }
        if let axis { design.choices[axis] = choices[axis] }
        return design
    }

    /// Combinations that make no sense, with the reasons.
    public static let refusals: [Refusal] = ["swap-gdt", "swap-gdt-idt"].map {
        Refusal(
            values: [("selectors", $0), ("guest-return", "sysret")],
            reason: "SYSRET takes SS from the slot before CS's, and the host kernel's selectors, "
                + "which the guest kernel has here, are the other way round (CS 0x10, SS 0x18): no "
                + "value of STAR returns to it; add guest-return=iret")
    }

    /// The named designs, from the file `Images/designs`, in its order.
    public static let named: [Named] = {
        let text = KernelImage.designsBase64.withUTF8Buffer { Base64.decode($0) }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        return lines.filter { !$0.hasPrefix("#") }.map { line in
            do { return try named(line) } catch {
                preconditionFailure("Images/designs: \(line): \(error)")
            }
        }
    }()

    public static var rfc: Design { named[0].design }

    private static func named(_ line: Substring) throws(DesignError) -> Named {
        let words = line.split(separator: " ").map(String.init)
        guard let colon = words.firstIndex(of: ":"), colon > 0 else {
            throw .malformed(String(line))
        }
        return Named(
            name: words[0], summary: words[(colon + 1)...].joined(separator: " "),
            design: try Design(values: words[1..<colon]))
    }
}
