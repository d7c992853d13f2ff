import Glibc

/// Names what runs on standard error if this process crashes, or if it takes longer than it may.
enum CrashNotice {
    /// Written before the handler can run, read by it; one thread.
    nonisolated(unsafe) private static let text = UnsafeMutablePointer<CChar>.allocate(
        capacity: 512)

    static func install() {
        text.initialize(repeating: 0, count: 512)
        for signal in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT, SIGPROF, SIGFPE] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                _ = write(2, CrashNotice.text, strlen(CrashNotice.text))
                raise(number)
            }
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_NODEFER
            sigaction(signal, &action, nil)
        }
    }

    /// - Parameter seconds: how much of the processor's time it may take.
    static func expect(_ name: String, seconds: Int) {
        "executor-oracle: crashed or hung in \(name)\n".withCString {
            _ = strncpy(text, $0, 511)
        }
        var timer = itimerval()
        timer.it_value.tv_sec = seconds
        setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &timer, nil)
    }
}
