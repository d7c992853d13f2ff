import Replay

/// What a recorded world came to in another machine, in words.
public enum WhatIfText {
    /// What was put in the recorded one's place, e.g. `design rfc,roots=one`.
    public static func text(_ result: WhatIfResult, variant: String, reference: Bool) -> String {
        var lines = [headline(result, variant: variant)]
        if let difference = result.difference {
            lines += explanation(difference, reference: reference)
        }
        lines.append(contentsOf: [
            "", "under \(variant):", RunText.summary(result.summary, trace: nil),
        ])
        if !result.sameGuest {
            lines.append(
                "The guest's image is another, so calls are compared by kind and number only.")
        }
        if result.ticksOutOfStep > 0 {
            lines.append(
                "Timer ticks that could not be kept to the recorded instant of the guest's world: "
                    + "\(result.ticksOutOfStep).")
        }
        return lines.joined(separator: "\n")
    }

    public static func headline(_ result: WhatIfResult, variant: String) -> String {
        let agreed =
            "\(RunText.grouped(UInt64(result.agreeing))) system calls, hypercalls, "
            + "exceptions and virtual interrupts"
        guard let difference = result.difference else {
            return "the guest saw the same world under \(variant): \(agreed), and the console text"
        }
        return "the worlds part under \(variant): \(what(difference)), after "
            + "\(RunText.grouped(difference.guestInstructions)) guest instructions "
            + "and \(agreed) that agreed"
    }

    /// What differs, in a few words.
    public static func what(_ difference: GuestDifference) -> String {
        switch difference.kind {
        case .item(_?, _?): "the guest does or sees something else"
        case .item(nil, _): "the guest goes on where the recorded one had ended"
        case .item(_, nil): "the run ends before the recorded one's next step"
        case .console: "the console text differs"
        case .end: "the runs end differently"
        }
    }

    static func explanation(_ difference: GuestDifference, reference: Bool) -> [String] {
        func item(_ item: GuestItem?) -> String {
            item.map { GuestItemText.text($0, reference: reference) } ?? "nothing"
        }
        var lines = [""]
        switch difference.kind {
        case .item(let expected, let actual):
            lines.append("recorded: \(item(expected))")
            lines.append("here:     \(item(actual))")
            if let reason = reason(expected, actual) { lines.append(reason) }
        case .console(let offset, let expected, let actual):
            lines.append("from byte \(offset) of the console text on:")
            lines.append("recorded: \(EventLine.quoted(expected))")
            lines.append("here:     \(EventLine.quoted(actual))")
        case .end(let expected, let actual):
            lines.append("recorded: \(RunText.sentence(expected))")
            lines.append("here:     \(RunText.sentence(actual))")
        }
        let place =
            difference.vcpu > 0 ? "VCPU \(difference.vcpu - 1), " : ""
        lines.append(
            "at \(place)event \(RunText.grouped(difference.event)), "
                + "cycle \(RunText.grouped(difference.cycle))")
        if !difference.before.isEmpty {
            lines.append("")
            lines.append("the last steps that agreed:")
            lines += difference.before.map { "  " + item($0) }
        }
        return lines
    }

    /// Why two items differ, where that can be told.
    static func reason(_ expected: GuestItem?, _ actual: GuestItem?) -> String? {
        guard let expected, let actual else { return nil }
        if expected.kind != actual.kind {
            return actual.kind == .interrupt || expected.kind == .interrupt
                ? "a virtual interrupt comes at another point of the guest's work"
                : "the guest's kernel or user takes another way"
        }
        if expected.number != actual.number { return "the numbers differ" }
        if expected.rip != actual.rip { return "the same, but from another place" }
        if expected.arguments != actual.arguments { return "the arguments differ" }
        return "the same, but after another number of guest instructions"
    }
}
