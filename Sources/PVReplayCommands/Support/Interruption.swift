import Glibc

/// Ctrl-C and SIGTERM while recording. The first asks for an orderly end, so that the trace is
/// whole; the next one ends the program, and leaves a trace that is readable up to its last chunk.
enum Interruption {
    /// Written by the signal handler, which may do nothing else.
    nonisolated(unsafe) private static var flag: sig_atomic_t = 0

    static var wasAsked: Bool { flag != 0 }

    static func watch() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                Interruption.flag = 1
                signal(number, SIG_DFL)
            }
        }
    }
}
