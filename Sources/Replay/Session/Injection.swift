import Machine

/// A stimulus that the user asked for, and the moment: `nmi@event:500`.
public struct Injection: Equatable, Sendable {
    public enum Moment: Equatable, Sendable {
        /// Right after the event with this sequence number.
        case event(UInt64)
        /// At the first boundary of the vCPU that has reached this cycle.
        case cycle(UInt64)
        /// At the boundary at which the vCPU has retired this many instructions.
        case instruction(UInt64)
    }
    public var stimulus: Stimulus
    public var moment: Moment
    public var cpu: Int

    public init(_ stimulus: Stimulus, at moment: Moment, cpu: Int = 0) {
        self.stimulus = stimulus
        self.moment = moment
        self.cpu = cpu
    }

    /// Reads `nmi@event:500`, `mce@cycle:0x1000`, `irq:0x30@instruction:7000`, each optionally
    /// followed by `,cpu:1`. Nil where the text is none of these.
    public init?(_ text: String) {
        let halves = text.split(separator: "@", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        switch halves[0] {
        case "nmi": stimulus = .nmi
        case "mce": stimulus = .machineCheck
        default:
            guard halves[0].hasPrefix("irq:"),
                let vector = Self.number(halves[0].dropFirst(4)), (16...255).contains(vector)
            else { return nil }
            stimulus = .interrupt(UInt8(vector))
        }
        cpu = 0
        moment = .event(0)
        for (position, part) in halves[1].split(separator: ",").enumerated() {
            let pair = part.split(separator: ":")
            guard pair.count == 2, let value = Self.number(pair[1]) else { return nil }
            switch (position, pair[0]) {
            case (0, "event"): moment = .event(value)
            case (0, "cycle"): moment = .cycle(value)
            case (0, "instruction"): moment = .instruction(value)
            case (1, "cpu") where value < UInt64(MachineConfiguration.maximumCPUs):
                cpu = Int(value)
            default: return nil
            }
        }
        guard !halves[1].isEmpty else { return nil }
    }

    private static func number(_ text: Substring) -> UInt64? {
        text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    }
}
