/// A person's part in a conversation with a guest, written down beforehand: what to wait for on the
/// console, and what to type then.
public struct ConsoleScript: Equatable, Sendable {
    public struct Step: Equatable, Sendable {
        /// Console text to wait for, since the step before; never empty.
        public var prompt: [UInt8]
        /// What is typed at it.
        public var answer: [UInt8]

        /// Reads `PROMPT=>TEXT`. Enter is typed after the text, unless that ends in `\c`. In both,
        /// `\n`, `\r`, `\t`, `\e`, `\\` and `\xNN` mean what they do in C. Nil where there is no
        /// arrow, nothing before it, or another backslash.
        public init?(_ text: String) {
            let bytes = Array(text.utf8)
            guard
                let arrow = bytes.indices.dropLast().first(where: {
                    bytes[$0] == 0x3D && bytes[$0 + 1] == 0x3E
                }), arrow > 0, let prompt = Self.unescaped(bytes[..<arrow])
            else { return nil }
            var answer = bytes[(arrow + 2)...]
            let isOpen = answer.suffix(2).elementsEqual([0x5C, 0x63])
            if isOpen { answer = answer.dropLast(2) }
            guard let typed = Self.unescaped(answer) else { return nil }
            self.prompt = prompt
            self.answer = isOpen ? typed : typed + [0x0A]
        }

        private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8]? {
            let simple: [UInt8: UInt8] = [
                0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x65: 0x1B, 0x5C: 0x5C,
            ]
            var result: [UInt8] = []
            var rest = text
            while let byte = rest.popFirst() {
                guard byte == 0x5C else {
                    result.append(byte)
                    continue
                }
                guard let letter = rest.popFirst() else { return nil }
                if let value = simple[letter] {
                    result.append(value)
                } else if letter == 0x78, rest.count >= 2,
                    let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                {
                    result.append(value)
                    rest = rest.dropFirst(2)
                } else {
                    return nil
                }
            }
            return result
        }
    }

    public var steps: [Step]

    public init(_ steps: [Step]) { self.steps = steps }

    /// Reads a script: one step a line; empty lines, and those that begin with `#` and have no
    /// arrow, are passed over.
    /// - Throws: the number of the first line that is no step, from 1.
    public init(file text: String) throws(ConsoleScriptError) {
        steps = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated() where !line.isEmpty
        {
            if line.hasPrefix("#"), !line.contains("=>") { continue }
            guard let step = Step(String(line)) else {
                throw ConsoleScriptError(line: number + 1)
            }
            steps.append(step)
        }
    }
}

public struct ConsoleScriptError: Error, Equatable, Sendable {
    /// From 1.
    public var line: Int
}

/// Types by a script. What it does depends on the machine's console and time alone, so a recording
/// with it gives the same trace again.
public final class ScriptedConversation: ConsoleSource {
    private var steps: ArraySlice<ConsoleScript.Step>
    /// Console text since the last answer, as much as can still match.
    private var seen: [UInt8] = []
    private var due: [UInt8] = []
    /// When the wait for the next prompt began.
    private var waitingSince: UInt64?
    private var lastPoll: UInt64 = 0
    private let patience: UInt64

    /// - Parameter patience: machine cycles to wait for each prompt.
    public init(_ script: ConsoleScript, patience: UInt64) {
        steps = script.steps[...]
        self.patience = patience
    }

    /// Nothing but a prompt brings the next bytes.
    public var isOpen: Bool { !due.isEmpty }

    public func printed(_ byte: UInt8) {
        guard due.isEmpty, let step = steps.first else { return }
        seen.append(byte)
        if seen.count > step.prompt.count { seen.removeFirst(seen.count - step.prompt.count) }
        guard seen == step.prompt else { return }
        due = step.answer
        steps = steps.dropFirst()
        seen = []
    }

    public func typed(at cycle: UInt64, machineIdle: Bool) -> [UInt8] {
        lastPoll = cycle
        if !due.isEmpty || waitingSince == nil { waitingSince = cycle }
        defer { due = [] }
        return due
    }

    public var reasonToStop: String? {
        guard due.isEmpty, let step = steps.first, let waitingSince,
            lastPoll &- waitingSince >= patience
        else { return nil }
        let text = step.prompt.map { 0x20...0x7E ~= $0 ? $0 : 0x3F }
        return "the console did not show '\(String(decoding: text, as: UTF8.self))' in time"
    }
}
