import Foundation
import Report

/// The figures of `Docs/rfc-answers.md`: each block of the document that begins with
/// `<!-- figures: NAME -->` is what `block(NAME)` gives, made from runs of the commands that the
/// document names.
enum AnswerFigures {
    static let document = Tool.root.appending(path: "Docs/rfc-answers.md")
    static let vendors = ["intel", "amd"]
    static let profiles = ["core2", "zen3"]

    /// The designs that are compared, in the document's order.
    static let designs = [
        "rfc", "rfc-task", "rfc,vcpu-pointer=tss", "rfc,entry-hook=lstar",
        "rfc,hypercall-mark=mode",
        "rfc,guest-return=iret", "rfc,roots=one", "rfc,selectors=virtual", "rfc-swap-gdt-idt",
        "rfc,moves=host", "hardened", "pvm",
    ]

    /// One path's figures in one session under one profile.
    struct Path {
        var count = 0
        var median = 0
        var total = 0
    }

    /// A comparison of all designs on one trace, by vendor.
    struct Comparison {
        /// By vendor, design, profile and path.
        var paths: [String: [String: [String: [String: Path]]]] = [:]
        /// Busy cycles, by vendor, design and profile.
        var busy: [String: [String: [String: Int]]] = [:]
        /// TLB misses, by vendor, design and profile.
        var misses: [String: [String: [String: Int]]] = [:]
        /// Designs in which the guest did not see the recorded world to the end.
        var apart: Set<String> = []
    }

    /// Records a trace on each vendor's processor and compares designs on it.
    static func compare(_ designs: [String], record: [String]) throws -> Comparison {
        var comparison = Comparison()
        for vendor in vendors {
            let scratch = try Scratch()
            let trace = scratch.path("trace.pvt")
            let recorded = try Tool.run(["record", "-q", "--cpu", vendor, "-o", trace] + record)
            guard recorded.status == 0 else { throw Failure(recorded.error) }
            let result = try Tool.run(
                ["compare", trace, "--json"] + designs.flatMap { ["--design", $0] })
            guard result.status == 0 else { throw Failure(result.error) }
            try add(result.json(), vendor, to: &comparison)
        }
        return comparison
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    private static func add(
        _ document: [String: Any], _ vendor: String, to comparison: inout Comparison
    ) throws {
        for case let session as [String: Any] in document["sessions"] as? [Any] ?? [] {
            let design = session["design"] as? String ?? ""
            for case let run as [String: Any] in session["runs"] as? [Any] ?? [] {
                let profile = run["profile"] as? String ?? ""
                comparison.busy[vendor, default: [:]][design, default: [:]][profile] =
                    run["busyCycles"] as? Int
                comparison.misses[vendor, default: [:]][design, default: [:]][profile] =
                    run["tlbMisses"] as? Int
                if run["sameWorld"] as? Bool != true { comparison.apart.insert(design) }
                for (name, value) in run["paths"] as? [String: [String: Any]] ?? [:] {
                    let path = Path(
                        count: value["count"] as? Int ?? 0, median: value["median"] as? Int ?? 0,
                        total: value["total"] as? Int ?? 0)
                    comparison.paths[vendor, default: [:]][design, default: [:]][
                        profile, default: [:]][name] = path
                }
            }
        }
    }

    // MARK: Tables

    /// A table of designs by profile and vendor; a figure that the vendors share stands once.
    static func table(
        _ designs: [String],
        _ figure: (_ vendor: String, _ design: String, _ profile: String) -> String
    ) -> String {
        var lines = ["| design | core2 | zen3 |", "| --- | --- | --- |"]
        for design in designs {
            let cells = profiles.map { profile in
                let values = vendors.map { figure($0, design, profile) }
                return values[0] == values[1]
                    ? values[0] : "\(values[0]) (AMD \(values[1]))"
            }
            lines.append("| `\(design)` | " + cells.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n")
    }

    /// A share against the first design's, in tenths of a per cent: `+3.1 %`.
    static func change(_ value: Int, from base: Int) -> String {
        guard base > 0 else { return "" }
        let tenths = (value - base) * 1000 / base
        let sign = tenths < 0 ? "-" : "+"
        return "\(sign)\(abs(tenths) / 10).\(abs(tenths) % 10) %"
    }
}
