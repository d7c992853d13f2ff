import Trace
import X86

/// The account of a run that failed, for a person who has to find out why: what ended it, what that
/// points to, where each side stood (source line, registers, code, stack), and the last events of
/// both kernels. A pure function of its input.
public struct Diagnosis {
    private let input: DiagnosisInput
    private var lines: [String] = []

    /// How many events of each kernel are shown.
    static let eventCount = 8
    /// How many lines of the kernel's log.
    static let logCount = 16

    /// The text, lines ending with a newline, at most about 100 columns.
    public static func text(_ input: DiagnosisInput) -> String {
        var diagnosis = Diagnosis(input: input)
        diagnosis.build()
        return diagnosis.lines.joined(separator: "\n") + "\n"
    }

    private init(input: DiagnosisInput) { self.input = input }

    private mutating func build() {
        headline()
        for hint in DiagnosisHints.find(input) { lines.append("  - " + hint) }
        log()
        for place in input.places { section(place) }
        if input.isPlain {
            events("Last events", of: [.hostKernel, .hostUser], none: "There was no event.")
        } else {
            events(
                "Last events from the guest", of: [.guestKernel, .guestUser],
                none: "The guest caused no event.")
            events(
                "Last events from the host", of: [.hostKernel, .hostUser],
                none: "The host caused no event of its own.")
        }
        for fault in input.symbols.faults { lines.append("note: symbols of " + fault) }
        if !input.advice.isEmpty {
            lines.append("")
            lines += input.advice
        }
    }

    // MARK: What ended it

    private mutating func headline() {
        let outcome = input.outcome
        if input.isPlain, outcome.kind == .hostPanic {
            lines.append("The kernel panicked: \(Self.printable(outcome.reason))")
        } else if input.isPlain, outcome.kind == .limit, input.limit == nil {
            lines.append("The machine stopped: \(Self.printable(outcome.reason)).")
        } else {
            lines.append(Self.sentence(outcome, limit: input.limit))
            if !outcome.reason.isEmpty {
                lines.append("  It said: \(Self.printable(outcome.reason))")
            }
        }
        if let place = source { lines.append("  At \(place)") }
        lines.append(
            "  On CPU \(outcome.cpu), after \(outcome.instructions) instructions, "
                + "\(outcome.cycles) cycles and \(outcome.events) events")
    }

    private static func sentence(_ outcome: Outcome, limit: String?) -> String {
        switch outcome.kind {
        case .shutdown: "The machine shut down in order."
        case .hostPanic: "The host panicked."
        case .guestKilled: "The host killed the guest."
        case .guestPanic: "The guest panicked."
        case .tripleFault:
            "The processor shut down: delivering a double fault failed (triple fault)."
        case .limit: limit.map { "A limit was reached (\($0))." } ?? "The run was stopped."
        }
    }

    /// What a guest printed must not reach a terminal as control characters.
    static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.value >= 0x20 && scalar.value != 0x7f && !(0x80..<0xa0 ~= scalar.value) {
                result.unicodeScalars.append(scalar)
            } else if scalar == "\n" {
                result += " / "
            } else {
                result += "\\x" + String(scalar.value, radix: 16)
            }
        }
        return result
    }

    /// Where RIP is; for a kernel that gave up, who made it do so.
    private var source: String? {
        guard let place = input.places.first else { return nil }
        if input.searchesStacks, input.outcome.kind == .hostPanic {
            // It need not be the processor that ran last: a panic stops the others.
            return input.places.lazy.compactMap { panicCaller($0) }.first
        }
        if [.guestPanic, .hostPanic].contains(input.outcome.kind) {
            let frames = StackWalk.frames(place, input.symbols)
            let named = frames.compactMap { frame in
                input.symbols.lookup(
                    frame.isReturn ? frame.address &- 1 : frame.address, in: place.context)
            }
            let culprit = named.first { place in
                place.symbol.map { name in
                    !["hypercall", "panic", "crash", "end_run"].contains { name.contains($0) }
                } ?? false
            }
            if let culprit { return Self.text(culprit) }
        }
        return input.symbols.lookup(place.registers.rip, in: place.context).map {
            Self.text($0) + (input.outcome.kind == .limit ? interrupted(place) : "")
        }
    }

    /// A limit may be reached in a handler of the timer's; what that interrupted is what matters.
    private func interrupted(_ place: DiagnosisPlace) -> String {
        guard input.searchesStacks, place.context == .hostKernel else { return "" }
        let frames = frames(place)
        if let kernel = frames.dropFirst().first(where: { !$0.isReturn }) {
            let named = input.symbols.lookup(kernel.address, in: place.context)
            return ", which interrupted \(named.map(Self.text) ?? Hex.short(kernel.address))"
        }
        // Above the stub of an interrupt of a program the stack is empty.
        guard let event = input.interrupt(at: place), event.from == .hostUser,
            let first = frames.last, first.isReturn || frames.count == 1,
            let stub = input.symbols.lookup(first.address &- 1, in: place.context)?.symbol,
            stub.hasPrefix("asm_")
        else { return "" }
        return ", which interrupted a program at \(Hex.short(event.rip))"
    }

    /// Who called the function `panic`, on the place's stack; and what that had interrupted: an
    /// exception's handler that gives up says of itself only that it did.
    private func panicCaller(_ place: DiagnosisPlace) -> String? {
        let frames = frames(place)
        let callers = frames.map {
            input.symbols.lookup($0.isReturn ? $0.address &- 1 : $0.address, in: place.context)
        }
        guard let panic = callers.dropFirst().lastIndex(where: { $0?.symbol == "panic" }),
            panic + 1 < callers.count, let caller = callers[panic + 1]
        else { return nil }
        let interrupted = frames.indices.dropFirst(panic + 1).first { !frames[$0].isReturn }
        let after = interrupted.flatMap { callers[$0] }
        return Self.text(caller) + (after.map { ", which interrupted \(Self.text($0))" } ?? "")
    }

    private func frames(_ place: DiagnosisPlace) -> [StackWalk.Frame] {
        if input.searchesStacks, place.context == .hostKernel,
            place.registers.codeSize == .bits64
        {
            if let known = input.callers(place), known.count > 1 {
                return known.enumerated().map { number, frame in
                    StackWalk.Frame(
                        address: frame.address, isReturn: frame.isReturn,
                        note: number > 0 && !frame.isReturn ? "(interrupted here)" : "")
                }
            }
            return StackSearch.frames(place, input.symbols)
        }
        return StackWalk.frames(place, input.symbols)
    }

    private static func text(_ place: SourcePlace) -> String {
        place.name + (place.source.map { " (\($0))" } ?? "")
    }

    // MARK: The kernel's log

    /// The end of it; of a panic, what led to it and what it said.
    private mutating func log() {
        guard !input.log.isEmpty else { return }
        var shown = input.log.suffix(Self.logCount)
        let isPanic = { (line: String) in
            line.contains("Kernel panic - not syncing") && !line.contains("---[ end")
        }
        if let panic = input.log.lastIndex(where: isPanic) {
            let first = max(0, panic - 8)
            shown = input.log[first..<min(input.log.count, first + 2 * Self.logCount)]
        }
        lines.append("")
        lines.append("The end of the kernel's log:")
        lines += shown.map { "  " + Self.printable($0) }
    }

    // MARK: A place

    private mutating func section(_ place: DiagnosisPlace) {
        lines.append("")
        lines.append(place.title.prefix(1).uppercased() + place.title.dropFirst() + ":")
        lines += RegisterText.lines(place.registers).map { "  " + $0 }
        lines.append("")
        lines.append("  Code:")
        lines += CodeWindow.lines(place, input.symbols).map { "  " + $0 }
        lines.append("")
        // Nothing is known of a program's stack.
        if input.isPlain, place.context == .hostUser { return }
        lines.append("  Stack:")
        let frames = frames(place).map { Self.frame($0, place.context, input.symbols) }
        lines += Self.withoutRepeats(frames).map { "    " + $0 }
    }

    /// A recursion's frames are told once, with their number.
    static func withoutRepeats(_ frames: [String]) -> [String] {
        var result: [String] = []
        var at = 0
        while at < frames.count {
            let same = frames[at...].prefix { $0 == frames[at] }.count
            result.append(frames[at])
            if same > 3 {
                result.append("    ... the same \(same - 1) times more")
                at += same
            } else {
                at += 1
            }
        }
        return result
    }

    private static func frame(
        _ frame: StackWalk.Frame, _ context: Context, _ symbols: SymbolTable
    ) -> String {
        let address = Hex.address(frame.address)
        // A call's return address may lie in the next line or even symbol: its place is told by
        // the call's last byte.
        let place = symbols.lookup(frame.isReturn ? frame.address &- 1 : frame.address, in: context)
        guard var place else { return address + "  " + frame.note }
        if frame.isReturn { place.offset &+= 1 }
        let source = place.source.map { "  " + $0 } ?? ""
        let note = frame.note.isEmpty ? "" : "  " + frame.note
        return address + "  " + place.name + source + note
    }

    // MARK: Events

    private mutating func events(_ title: String, of contexts: [Context], none: String) {
        lines.append("")
        let chosen = input.events.filter { contexts.contains($0.event.from) }
        guard !chosen.isEmpty else {
            lines.append(none)
            return
        }
        lines.append(title + ":")
        for event in chosen.suffix(Self.eventCount) {
            lines.append(
                "  "
                    + EventText.line(
                        event, input.symbols, input.callName, isPlain: input.isPlain))
        }
    }
}

/// Hexadecimal of fixed width.
enum Hex {
    /// 16 digits.
    static func address(_ value: UInt64) -> String { padded(value, 16) }

    static func padded(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    static func short(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
