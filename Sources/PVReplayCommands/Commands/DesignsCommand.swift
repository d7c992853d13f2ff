import ArgumentParser
import Kernels
import Report

struct DesignsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "designs",
        abstract: "List the designs: the axes, their values, and the designs that have a name.",
        discussion: """
            A design is a choice on every axis. It is written as a named design and what differs
            from it. Images of the named designs come with the program; any other is built when it
            is asked for, which needs clang and ld.lld (of a Swift toolchain, of PATH, or as CLANG
            and LLD name them).

            Examples:
              pvreplay designs
              pvreplay designs --json
              pvreplay record --design hardened
              pvreplay record --design rfc,roots=one --append 'probe=read-kernel'

            Exit codes: 0.
            """)

    @Flag(help: "Print a JSON document.")
    var json = false

    func run() throws {
        let document = DesignsDocument()
        Output.print(json ? JSONText.pretty(document) : document.text)
    }
}

/// What `designs` prints.
struct DesignsDocument: Encodable {
    struct Axis: Encodable {
        var name, summary, proposal: String
        var values: [Value]
    }
    struct Value: Encodable {
        var name, summary, price: String
    }
    struct Named: Encodable {
        var name, summary: String
        var values: [String: String]
    }
    struct Refusal: Encodable {
        var values: [String: String]
        var reason: String
    }

    let axes = DesignAxis.all.map { axis in
        Axis(
            name: axis.name, summary: axis.summary, proposal: axis.section,
            values: axis.values.map { Value(name: $0.name, summary: $0.summary, price: $0.price) })
    }
    let designs = Design.named.map { named in
        Named(
            name: named.name, summary: named.summary, values: Self.dictionary(named.design.values))
    }
    let refused = Design.refusals.map { refusal in
        Refusal(
            values: Self.dictionary(refusal.values), reason: refusal.reason)
    }

    private static func dictionary(_ values: [(axis: String, value: String)]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: values.map { ($0.axis, $0.value) })
    }

    var text: String {
        var lines = ["Axes (the section of the proposal in brackets):"]
        for axis in axes {
            lines += ["", "  \(axis.name): \(axis.summary) [\(axis.proposal)]"]
            for value in axis.values {
                lines += Self.wrapped("    \(value.name): \(value.summary)", indent: 6)
                lines += Self.wrapped("      price: \(value.price)", indent: 8)
            }
        }
        lines += ["", "Combinations that make no sense:", ""]
        for refusal in Design.refusals {
            lines.append(
                "  " + refusal.values.map { "\($0.axis)=\($0.value)" }.joined(separator: ", "))
            lines += Self.wrapped("    \(refusal.reason)", indent: 4)
        }
        lines += ["", "Named designs:"]
        for named in Design.named {
            lines += [""] + Self.wrapped("  \(named.name): \(named.summary)", indent: 4)
            let values = named.design.values.map { "\($0.axis)=\($0.value)" }
            lines += Self.wrapped("    " + values.joined(separator: " "), indent: 4)
        }
        return lines.joined(separator: "\n")
    }

    /// Lines of at most 96 columns; all but the first begin with `indent` spaces.
    private static func wrapped(_ text: String, indent: Int) -> [String] {
        var lines: [String] = []
        var line = String(text.prefix { $0 == " " })
        var empty = true
        for word in text.split(separator: " ") {
            if !empty && line.count + 1 + word.count > 96 {
                lines.append(line)
                line = String(repeating: " ", count: indent)
                empty = true
            }
            line += (empty ? "" : " ") + word
            empty = false
        }
        return lines + [line]
    }
}
