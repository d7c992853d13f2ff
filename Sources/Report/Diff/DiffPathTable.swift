import Analysis
import Trace

/// Counts and cycles by path, side by side.
enum DiffPathTable {
    struct Row {
        var key: PathKey
        var a: PathCount
        var b: PathCount
        /// The same by number, where there is more than one or the counts differ.
        var numbers: [Row] = []
    }

    static func rows(_ difference: TraceDifference) -> [Row] {
        var rows: [Row] = []
        let keys = Set(difference.a.paths.keys).union(difference.b.paths.keys)
        for key in keys.sorted(by: PathKey.precedes) {
            var whole = key
            whole.number = nil
            let one = Row(
                key: key, a: difference.a.paths[key] ?? PathCount(),
                b: difference.b.paths[key] ?? PathCount())
            if let place = rows.firstIndex(where: { $0.key == whole }) {
                rows[place].a = sum(rows[place].a, one.a)
                rows[place].b = sum(rows[place].b, one.b)
                rows[place].numbers.append(one)
            } else {
                rows.append(Row(key: whole, a: one.a, b: one.b, numbers: [one]))
            }
        }
        return rows
    }

    private static func sum(_ x: PathCount, _ y: PathCount) -> PathCount {
        var sum = PathCount()
        sum.events = x.events + y.events
        sum.ended = x.ended + y.ended
        sum.cycles = x.cycles &+ y.cycles
        sum.instructions = x.instructions &+ y.instructions
        sum.leastCycles = min(x.leastCycles, y.leastCycles)
        sum.mostCycles = max(x.mostCycles, y.mostCycles)
        return sum
    }

    static func lines(_ difference: TraceDifference) -> [String] {
        var lines = ["", "Counts and cycles by path (cycles a path: those of paths that ended)"]
        lines.append(
            "  " + EventLine.pad("", 44, left: false) + EventLine.pad("A", 11)
                + EventLine.pad("B", 11) + EventLine.pad("B-A", 11)
                + EventLine.pad("cycles A", 11) + EventLine.pad("cycles B", 11)
                + EventLine.pad("mean A", 9) + EventLine.pad("mean B", 9))
        for row in rows(difference) {
            lines.append(line(row, difference.isReference, indent: ""))
            let differing = row.numbers.filter { $0.a.events != $0.b.events }
            guard row.numbers.count > 1 else { continue }
            for one in differing.prefix(8) {
                lines.append(line(one, difference.isReference, indent: "  "))
            }
            if differing.count > 8 {
                lines.append("    ... and \(differing.count - 8) numbers more")
            }
        }
        let a = difference.a
        let b = difference.b
        lines.append(
            "  " + EventLine.pad("all events", 44, left: false)
                + EventLine.pad(RunText.grouped(a.events), 11)
                + EventLine.pad(RunText.grouped(b.events), 11)
                + EventLine.pad(DiffNames.delta(a.events, b.events), 11))
        lines.append("  " + total("cycles of the run", a.cycles, b.cycles))
        lines.append("  " + total("instructions of the run", a.instructions, b.instructions))
        return lines
    }

    private static func total(_ name: String, _ a: UInt64, _ b: UInt64) -> String {
        EventLine.pad(name, 26, left: false) + "A " + RunText.grouped(a) + ", B "
            + RunText.grouped(b) + ", B-A " + DiffNames.delta(a, b)
    }

    private static func line(_ row: Row, _ reference: Bool, indent: String) -> String {
        let name = indent + DiffNames.path(row.key, reference: reference)
        return "  " + EventLine.pad(name, 44, left: false)
            + EventLine.pad(RunText.grouped(row.a.events), 11)
            + EventLine.pad(RunText.grouped(row.b.events), 11)
            + EventLine.pad(DiffNames.delta(row.a.events, row.b.events), 11)
            + EventLine.pad(cycles(row.a), 11) + EventLine.pad(cycles(row.b), 11)
            + EventLine.pad(mean(row.a), 9) + EventLine.pad(mean(row.b), 9)
    }

    private static func cycles(_ count: PathCount) -> String {
        count.ended == 0 ? "-" : String(count.cycles)
    }

    private static func mean(_ count: PathCount) -> String {
        count.ended == 0 ? "-" : String(count.cycles / count.ended)
    }
}
