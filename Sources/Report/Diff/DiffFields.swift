import Analysis
import Trace

/// What of a changed pair is worth telling.
enum DiffFields {
    /// The fields that say what changed: what the guest sees; where that is nothing, what it sees
    /// of time; else what the machine does, without the counters that differ ever after.
    static func telling(_ a: StreamItem, _ b: StreamItem, in stream: StreamID) -> [FieldDifference]
    {
        let fields = a.differences(from: b, in: stream).filter {
            $0.field != .cycle && $0.field != .instruction && $0.field != .digest
        }
        for sight in [Sight.guest, .timing] {
            let seen = fields.filter { $0.sight == sight }
            if !seen.isEmpty { return seen }
        }
        return fields
    }

    /// Of a group: `inserted: syscall write(...)`.
    static func title(_ group: EditGroup) -> String {
        switch group.sort {
        case .missing: return "missing: " + sort(group.a)
        case .inserted: return "inserted: " + sort(group.b)
        case .changed:
            let names = group.fields.map(DiffNames.field).joined(separator: ", ")
            return "changed: \(sort(group.a)) in \(names.isEmpty ? "nothing named" : names)"
        }
    }

    /// What an item is without its details.
    private static func sort(_ item: StreamItem?) -> String {
        guard let item else { return "" }
        let event = item.event
        let number = EventNames.number(event, reference: item.isReference)
        let kind = EventNames.kind(event.kind)
        if item.form == .result { return "return of \(kind) \(number)" }
        let from = EventNames.context(event.from)
        return [kind, number, "from", from].filter { !$0.isEmpty }.joined(separator: " ")
    }
}
