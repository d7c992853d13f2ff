import ArgumentParser

/// The exit codes that scripts may rely on (README.md lists them).
enum ExitStatus {
    static let machineFailed = ExitCode(10)
    static let limitReached = ExitCode(11)
    static let diverged = ExitCode(20)
    static let differ = ExitCode(21)
    static let badTrace = ExitCode(30)
    static let usage = ExitCode(64)
    static let defect = ExitCode(70)
    static let inputOutput = ExitCode(74)
}
