import Glibc
import Replay

/// Standard input as the machine's serial console: a person at a terminal, or a pipe. When bytes
/// come is the world's affair; the recorder notes the instant.
///
/// On a terminal every key is the machine's, Ctrl-C and Ctrl-Z too, but Ctrl-]: it ends the
/// recording, whose trace stays readable, and a second one the program.
final class LiveConsole: ConsoleSource {
    /// Ctrl-], as in telnet.
    static let leave: UInt8 = 0x1D

    private let descriptor: Int32
    private let onLeave: () -> Void
    private var saved: termios?
    private var ended = false

    init(descriptor: Int32 = 0, onLeave: @escaping () -> Void = Interruption.ask) {
        self.descriptor = descriptor
        self.onLeave = onLeave
        guard isatty(descriptor) == 1 else { return }
        var mode = termios()
        guard tcgetattr(descriptor, &mode) == 0 else { return }
        saved = mode
        Interruption.keep(terminal: (descriptor, mode))
        // What is printed keeps its line ends; what is typed is not touched.
        mode.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        mode.c_iflag &= ~tcflag_t(ICRNL | INLCR | IGNCR | IXON | ISTRIP)
        tcsetattr(descriptor, TCSANOW, &mode)
    }

    deinit { restore() }

    var isTerminal: Bool { saved != nil }

    func explain(quiet: Bool) {
        guard isTerminal, !quiet, isatty(2) == 1 else { return }
        let text = "Ctrl-] ends the recording; all other keys go to the machine.\n"
        _ = Files.writeAll(2, Array(text.utf8))
    }

    func restore() {
        guard var mode = saved else { return }
        tcsetattr(descriptor, TCSANOW, &mode)
        Interruption.keep(terminal: nil)
        saved = nil
    }

    /// Real milliseconds to wait for input at a poll of an idle machine: about the simulated time
    /// between two polls, so that an idle guest runs at the pace of its person.
    private static let idleWait: Int32 = 1

    var isOpen: Bool { !ended }

    func typed(at cycle: UInt64, machineIdle: Bool) -> [UInt8] {
        guard !ended else { return [] }
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, machineIdle ? Self.idleWait : 0) > 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &buffer, buffer.count)
        if count <= 0 {
            ended = count == 0 || errno != EINTR
            return []
        }
        return taken(Array(buffer[0..<count]))
    }

    /// What is the machine's of the bytes typed.
    private func taken(_ bytes: [UInt8]) -> [UInt8] {
        guard isTerminal else { return bytes }
        for byte in bytes where byte == Self.leave { onLeave() }
        return bytes.filter { $0 != Self.leave }
    }
}
