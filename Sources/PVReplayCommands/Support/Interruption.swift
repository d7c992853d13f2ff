import Glibc

/// Ctrl-C and SIGTERM while recording. The first asks for an orderly end, so that the trace is
/// whole; the next one ends the program, and leaves a trace that is readable up to its last chunk.
enum Interruption {
    /// Written by the signal handler, which may do nothing else.
    nonisolated(unsafe) private static var flag: sig_atomic_t = 0

    /// What the terminal is to be given back as if the program is ended at once.
    nonisolated(unsafe) private static var terminal: (descriptor: Int32, mode: termios)?

    static var wasAsked: Bool { flag != 0 }

    static func watch() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                guard Interruption.flag != 0 else {
                    Interruption.flag = 1
                    return
                }
                // All three calls are safe in a handler (signal-safety(7)).
                if var terminal = Interruption.terminal {
                    tcsetattr(terminal.descriptor, TCSANOW, &terminal.mode)
                }
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    /// As Ctrl-C, from the keyboard of a terminal that gives it to the machine.
    static func ask() { raise(SIGINT) }

    /// To be called while no signal can come for it: before `watch`, or with the mode unchanged.
    static func keep(terminal: (descriptor: Int32, mode: termios)?) { self.terminal = terminal }
}
