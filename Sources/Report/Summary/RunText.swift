import Replay
import Trace

/// The end of a run in a few lines.
public enum RunText {
    public static func summary(_ summary: RunSummary, trace: String?) -> String {
        var lines = [sentence(summary.end)]
        lines.append(
            "\(grouped(summary.events)) events (\(kinds(summary.eventsByKind))), "
                + "\(grouped(summary.instructions)) instructions, "
                + "\(grouped(summary.cycles)) cycles")
        lines.append("digest \(hex(summary.digest))")
        if let trace { lines.append("trace \(trace)") }
        return lines.joined(separator: "\n")
    }

    /// How it ended, in one sentence.
    public static func sentence(_ end: RunEnd) -> String {
        let how =
            switch end.outcome {
            case .shutdown: "clean shutdown"
            case .hostPanic: end.stop == nil ? "the host panicked" : "the kernel panicked"
            case .guestKilled: "the host killed the guest"
            case .guestPanic: "the guest panicked"
            case .tripleFault: "triple fault"
            case .limit: "stopped"
            }
        return "\(how): \(end.reason)"
    }

    /// `10,002 syscall, 1,204 exception`, kinds that did not occur left out.
    public static func kinds(_ byKind: [UInt64]) -> String {
        EventKind.allCases.filter { byKind[Int($0.rawValue)] > 0 }
            .map { "\(grouped(byKind[Int($0.rawValue)])) \(EventNames.kind($0))" }
            .joined(separator: ", ")
    }

    /// Digits in groups of three.
    public static func grouped(_ value: UInt64) -> String {
        var text = ""
        for (place, digit) in String(value).reversed().enumerated() {
            if place > 0 && place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
