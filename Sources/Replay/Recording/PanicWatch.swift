import Machine
import X86

/// Notices that a kernel on a `pc` has given up. Linux says so on its console, and then loops for
/// ever or resets the machine; neither looks like a failure from outside.
///
/// The words alone prove nothing: a program may print them. A kernel that has panicked never runs
/// a program again, on the processor that said so at once and, when the panic has been told to its
/// end, on any. So the words count only until something does, and once they are complete, only
/// while no processor waits for interrupts. A machine of which all of that holds for `quietPolls`
/// polls will do nothing any more.
struct PanicWatch {
    /// Linux, kernel/panic.c: how a panic begins, and how it ends where it does not reset.
    static let beginning = Array("Kernel panic - not syncing".utf8)
    static let ending = Array("---[ end Kernel panic - not syncing".utf8)
    /// A quarter of a second of the machine's time.
    static let quietPolls = 250
    private static let lineLimit = 1024

    /// What the kernel gave as the reason, since it began to panic.
    private(set) var reason: String?
    /// Whether the reason is set, for those who ask at every event.
    private(set) var isAlert = false
    /// Whether `isOver` has said so.
    private(set) var hasEnded = false
    private var cpu: UInt8 = 0
    private var isTold = false
    private var polls = 0
    private var line: [UInt8] = []

    mutating func printed(_ byte: UInt8, cpu: UInt8) {
        polls = 0
        guard byte == 0x0A || line.count == Self.lineLimit else {
            line.append(byte)
            return
        }
        defer { line.removeAll(keepingCapacity: true) }
        if Self.end(of: Self.ending, in: line) != nil {
            isTold = isAlert
        } else if let start = Self.end(of: Self.beginning, in: line) {
            let text = line[start...].drop { $0 == 0x3A || $0 == 0x20 }
                .prefix { $0 != 0x0D }.map { 0x20...0x7E ~= $0 ? $0 : 0x3F }
            reason = String(decoding: text, as: UTF8.self)
            isAlert = true
            isTold = false
            self.cpu = cpu
        }
    }

    /// A program ran on a processor.
    mutating func userRan(cpu: UInt8) {
        if isTold || cpu == self.cpu { forget() }
    }

    /// Called at each poll; true when the machine is to be stopped.
    mutating func isOver(_ machine: Machine) -> Bool {
        guard isAlert else { return false }
        for index in 0..<machine.cpuCount {
            let state = machine.cpu(index).pointee
            let waits =
                state.activity == Activity.monitorWaitUnmasked
                || machine.cpu(index).isWaiting && state.rflags & RFLAGS.interruptEnable != 0
            let runsUser = state.cpl == 3 && state.activity == Activity.active
            if waits || runsUser, isTold || UInt8(index) == cpu {
                forget()
                return false
            }
        }
        polls += 1
        hasEnded = isTold && polls >= Self.quietPolls
        return hasEnded
    }

    private mutating func forget() {
        reason = nil
        isAlert = false
        isTold = false
        polls = 0
    }

    /// Where the first `text` in `line` ends.
    private static func end(of text: [UInt8], in line: [UInt8]) -> Int? {
        guard line.count >= text.count else { return nil }
        for start in 0...(line.count - text.count)
        where line[start..<(start + text.count)].elementsEqual(text) {
            return start + text.count
        }
        return nil
    }
}
