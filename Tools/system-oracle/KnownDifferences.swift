import Foundation
import Machine
import X86

/// The differences that are explained, from a file of one rule a line:
///
///     ID ENGINE bits PLACE MASK [NAME]       words at a place that differ in these bits alone
///     ID ENGINE case MODE NAMES OURS THEIRS  cases that end by these vectors
///     ID ENGINE smap                         loads of segments at CPL 0 to 3 with SMAP and AC set
///     ID ENGINE smap-fault                   a #PF of theirs at a supervisor's access, with SMAP
///
/// ENGINE may be followed by `/intel` or `/amd`: for these cases alone. PLACE is a field's name or,
/// ending in `*`, its beginning; MODE the beginning of a mode, as `long64.3`; NAMES an instruction
/// that the case has; `*` is anything. What follows a `#` is a remark.
struct KnownDifferences {
    private enum Condition {
        case bits(place: Substring, mask: UInt64, name: Substring)
        case allowedImplicitly
        case refusedBySMAP
        case outcome(mode: Substring, name: Substring, ours: Substring, theirs: Substring)
    }
    private struct Rule {
        var id: String
        var engine: Substring
        var condition: Condition
    }
    private var rules: [Rule] = []

    private let vendor: Vendor

    init(_ path: String?, vendor: Vendor) throws {
        self.vendor = vendor
        guard let path else { return }
        guard
            let text = FileManager.default.contents(atPath: path).map({
                String(decoding: $0, as: UTF8.self)
            })
        else { throw OracleError(description: "no rules at \(path)") }
        for line in text.split(separator: "\n") {
            let words = line.prefix { $0 != "#" }.split(separator: " ")
            if words.isEmpty { continue }
            if words.count == 5 || words.count == 6, words[2] == "bits",
                let mask = UInt64(words[4], radix: 16)
            {
                let name = words.count == 6 ? words[5] : "*"
                rules.append(
                    Rule(
                        id: String(words[0]), engine: words[1],
                        condition: .bits(place: words[3], mask: mask, name: name)))
            } else if words.count == 3, words[2] == "smap" {
                rules.append(
                    Rule(
                        id: String(words[0]), engine: words[1], condition: .allowedImplicitly))
            } else if words.count == 3, words[2] == "smap-fault" {
                rules.append(
                    Rule(id: String(words[0]), engine: words[1], condition: .refusedBySMAP))
            } else if words.count == 7, words[2] == "case" {
                rules.append(
                    Rule(
                        id: String(words[0]), engine: words[1],
                        condition: .outcome(
                            mode: words[3], name: words[4], ours: words[5], theirs: words[6])))
            } else {
                throw OracleError(description: "bad rule: \(line)")
            }
        }
    }

    /// The differences that no rule explains; counts those that are.
    func unexplained(
        _ all: [Difference], engine: String, text: CaseText, ours: UnsafeRawPointer,
        theirs: UnsafeRawPointer, counts: inout [String: Int]
    ) -> [Difference] {
        var rest = all
        for rule in rules where !rest.isEmpty {
            guard rule.engine == engine || rule.engine == "\(engine)/\(vendor)" else { continue }
            let before = rest.count
            switch rule.condition {
            case .bits(let place, let mask, let name):
                if !text.has(name) { continue }
                rest.removeAll {
                    matches(place, $0.field) && ($0.ours ^ $0.theirs) & ~mask == 0
                }
            case .allowedImplicitly:
                let isSet =
                    text.record.word(Field.cr4, 4) & CR4.smap != 0
                    && text.record.word(Field.frame + 16, 8) & RFLAGS.ac != 0
                if isSet && ours.word(ResultField.vector, 4) == UInt64(Vector.pageFault) {
                    rest = []
                }
            case .refusedBySMAP:
                if text.record.word(Field.cr4, 4) & CR4.smap != 0,
                    theirs.word(ResultField.vector, 4) == UInt64(Vector.pageFault),
                    ours.word(ResultField.vector, 4) != UInt64(Vector.pageFault)
                        || rest.contains(where: { $0.field == "cr2" })
                {
                    rest = []
                }
            case .outcome(let mode, let name, let mine, let other):
                let ends = (outcome(ours), outcome(theirs))
                if mine == "*" || mine == ends.0, other == "*" || other == ends.1,
                    mode == "*" || text.mode.hasPrefix(mode),
                    text.has(name)
                {
                    rest = []
                }
            }
            if rest.count < before { counts[rule.id, default: 0] += 1 }
        }
        return rest
    }

    private func matches(_ place: Substring, _ field: String) -> Bool {
        place.last == "*" ? field.hasPrefix(place.dropLast()) : field == place
    }

    /// A vector, or `down` for a shutdown.
    private func outcome(_ result: UnsafeRawPointer) -> String {
        result.word(ResultField.status, 4) == Status.done
            ? String(result.word(ResultField.vector, 4)) : "down"
    }
}
