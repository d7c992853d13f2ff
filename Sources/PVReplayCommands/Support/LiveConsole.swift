import Glibc
import Replay

/// Standard input as the machine's serial console: a person at a terminal, or a pipe. When bytes
/// come is the world's affair; the recorder notes the instant.
///
/// On a terminal the line discipline is turned off for the run (the guest echoes and edits), but
/// signals stay on: Ctrl-C ends the recording, whose trace stays readable.
final class LiveConsole: ConsoleSource {
    private let descriptor: Int32
    private var saved: termios?
    private var ended = false

    init(descriptor: Int32 = 0) {
        self.descriptor = descriptor
        guard isatty(descriptor) == 1 else { return }
        var mode = termios()
        guard tcgetattr(descriptor, &mode) == 0 else { return }
        saved = mode
        mode.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(descriptor, TCSANOW, &mode)
    }

    deinit { restore() }

    func restore() {
        guard var mode = saved else { return }
        tcsetattr(descriptor, TCSANOW, &mode)
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
        return Array(buffer[0..<count])
    }
}
