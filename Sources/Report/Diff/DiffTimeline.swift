import Analysis
import Trace

/// A stream's course through both traces as a picture: two lanes of parts, coloured by what lies in
/// them, lines between events that belong together, and marks at the places that differ.
enum DiffTimeline {
    static let same = "#c3cad6"
    static let changed = "#e39b1c"
    static let missing = "#cf2e38"
    static let inserted = "#2b9348"
    private static let width = 960
    private static let laneHeight = 26
    private static let topA = 16
    private static let topB = 96

    static func svg(_ report: StreamReport, _ difference: TraceDifference, stream: Int) -> String {
        let eventsA = max(1, difference.a.events)
        let eventsB = max(1, difference.b.events)
        var svg = "<svg viewBox=\"-18 0 \(width + 36) 146\" role=\"img\" "
        svg += "aria-label=\"timeline of \(DiffNames.stream(report.stream))\">\n"
        svg += links(report, eventsA, eventsB)
        svg += lane(report.timeline.a, topA, missing)
        svg += lane(report.timeline.b, topB, inserted)
        svg += "<text x=\"-16\" y=\"\(topA + 18)\" font-size=\"13\">A</text>"
        svg += "<text x=\"-16\" y=\"\(topB + 18)\" font-size=\"13\">B</text>\n"
        for (number, hunk) in report.hunks.enumerated() {
            svg += mark(hunk, number, stream, eventsA, eventsB)
        }
        svg += "<text x=\"0\" y=\"138\" font-size=\"11\" fill=\"#5a6372\">event 0</text>"
        svg += "<text x=\"\(width)\" y=\"138\" font-size=\"11\" fill=\"#5a6372\" "
        svg += "text-anchor=\"end\">A to \(eventsA), B to \(eventsB)</text>\n</svg>\n"
        return svg
    }

    /// Neighbouring parts of one colour are one rectangle.
    private static func lane(_ parts: [Timeline.Part], _ top: Int, _ alone: String) -> String {
        var svg = ""
        var start = 0
        func colour(_ part: Timeline.Part) -> String? {
            if part.alone > 0 && part.alone >= part.changed { return alone }
            if part.changed > 0 { return changed }
            return part.same > 0 ? same : nil
        }
        while start < parts.count {
            let fill = colour(parts[start])
            var end = start + 1
            while end < parts.count && colour(parts[end]) == fill { end += 1 }
            if let fill {
                let x = start * width / parts.count
                let right = end * width / parts.count
                svg += "<rect x=\"\(x)\" y=\"\(top)\" width=\"\(right - x)\" "
                svg += "height=\"\(laneHeight)\" fill=\"\(fill)\"/>\n"
            }
            start = end
        }
        return svg
    }

    private static func place(_ event: UInt64, _ events: UInt64) -> Int {
        Int(min(event, events) * UInt64(width) / events)
    }

    /// At most one line for every dozen parts.
    private static func links(
        _ report: StreamReport, _ eventsA: UInt64, _ eventsB: UInt64
    ) -> String {
        var svg = ""
        var next = 0
        for link in report.timeline.links {
            let x = place(link.a, eventsA)
            guard x >= next else { continue }
            next = x + 24
            svg += "<line x1=\"\(x)\" y1=\"\(topA + laneHeight)\" "
            svg += "x2=\"\(place(link.b, eventsB))\" y2=\"\(topB)\" stroke=\"#dfe3ea\"/>\n"
        }
        return svg
    }

    private static func mark(
        _ hunk: Hunk, _ number: Int, _ stream: Int, _ eventsA: UInt64, _ eventsB: UInt64
    ) -> String {
        let a = place(hunk.startA?.event ?? 0, eventsA)
        let b = place(hunk.startB?.event ?? 0, eventsB)
        let colour =
            hunk.missing > max(hunk.changed, hunk.inserted)
            ? missing : hunk.inserted > hunk.changed ? inserted : changed
        var svg = "<a href=\"#s\(stream)p\(number)\">"
        svg += "<path d=\"M\(a) \(topA - 8)V\(topA + laneHeight)L\(b) \(topB)"
        svg += "V\(topB + laneHeight + 8)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.4\""
        if hunk.isTiming || hunk.followsInterrupt { svg += " stroke-dasharray=\"3 3\"" }
        svg += "><title>after event \(hunk.after?.a.event ?? 0) of A, "
        svg +=
            "\(hunk.after?.b.event ?? 0) of B: \(hunk.changed) changed, \(hunk.missing) missing, "
        return svg + "\(hunk.inserted) inserted</title></path></a>\n"
    }
}
