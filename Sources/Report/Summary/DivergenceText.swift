import Replay
import Trace
import X86

/// A divergence as text that a person can act on: what differs, both sides, where it began, and
/// what happened before.
public enum DivergenceText {
    public static func text(_ divergence: Divergence, abi: CallABI) -> String {
        var lines = [headline(divergence)]
        if !divergence.fields.isEmpty {
            lines.append("")
            lines.append(row("", "recorded", "replayed"))
            for field in divergence.fields {
                lines.append(row(field.name, field.expected, field.actual))
            }
        }
        lines += sides(divergence.kind, abi)
        if let instruction = divergence.instruction { lines += origin(instruction) }
        if !divergence.before.isEmpty {
            lines.append("")
            lines.append("the last events that agreed:")
            lines.append(EventLine.title)
            for event in divergence.before.suffix(8) {
                lines.append(EventLine.text(event, changes: [], abi: abi))
            }
        }
        return lines.joined(separator: "\n")
    }

    static func headline(_ divergence: Divergence) -> String {
        let what =
            switch divergence.kind {
            case .event(let expected, _): "event \(expected.sequence) differs"
            case .extraEvent: "the replay goes on where the recording ends"
            case .missingEvent(let expected):
                "the replay ended before event \(expected.sequence)"
            case .pathReturn(let expected, let actual):
                "the return of event "
                    + ((expected ?? actual).map { String($0.event) } ?? "?") + " differs"
            case .console: "the console text differs"
            case .outcome: "all events agree, but the end differs"
            case .input(let expected):
                "the input of cycle \(expected.cycle) was not asked for at its instant"
            }
        return "replay diverged: \(what), after \(RunText.grouped(divergence.agreeingEvents)) "
            + "events that agreed, at cycle \(RunText.grouped(divergence.cycle))"
    }

    private static func sides(_ kind: Divergence.Kind, _ abi: CallABI) -> [String] {
        func line(_ event: Event) -> String {
            EventLine.text(event, changes: [], abi: abi)
        }
        switch kind {
        case .event(let expected, let actual):
            return ["", "recorded:", line(expected), "replayed:", line(actual)]
        case .extraEvent(let actual): return ["", "replayed:", line(actual)]
        case .missingEvent(let expected): return ["", "recorded:", line(expected)]
        case .console(let expected, let actual):
            return [
                "", "recorded: \(EventLine.quoted(Array(expected.prefix(80))))",
                "replayed: \(EventLine.quoted(Array(actual.prefix(80))))",
            ]
        case .pathReturn(let expected, let actual):
            return [
                "", "recorded:", expected.map { EventLine.text($0) } ?? "  nothing", "replayed:",
                actual.map { EventLine.text($0) } ?? "  nothing",
            ]
        case .outcome: return []
        case .input(let expected): return ["", EventLine.text(expected)]
        }
    }

    /// Where the two machines first differ, instruction by instruction.
    private static func origin(_ found: InstructionDivergence) -> [String] {
        var lines = [
            "",
            "the first instruction after which the machines differ is number "
                + "\(RunText.grouped(found.instruction + 1)) of cpu\(found.cpu):",
            "  recorded  \(hex(found.expectedRIP))  "
                + disassembly(found.expectedBytes, found.expectedRIP),
            "  replayed  \(hex(found.actualRIP))  "
                + disassembly(found.actualBytes, found.actualRIP),
        ]
        for field in found.registers {
            lines.append(row(field.name, field.expected, field.actual))
        }
        return lines
    }

    private static func disassembly(_ bytes: [UInt8], _ address: UInt64) -> String {
        var instruction = Instruction()
        let failure = bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map {
                Decoder.decode($0, count: buffer.count, codeSize: .bits64, into: &instruction)
            } ?? .truncated
        }
        return failure == nil ? disassemble(instruction, at: address) : "(not an instruction)"
    }

    private static func row(_ name: String, _ expected: String, _ actual: String) -> String {
        "  " + EventLine.pad(name, 20, left: false) + EventLine.pad(expected, 24, left: false)
            + actual
    }
}
