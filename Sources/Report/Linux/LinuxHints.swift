import Linux

/// What the words of a Linux kernel point to: its panics, and what it said before them.
enum LinuxHints {
    /// A part of a panic's reason, and what it means for whoever set up the machine.
    private static let panics = [
        (
            "Unable to mount root fs on unknown-block(0,0)",
            "the kernel found neither an initramfs that it could use nor a root device: give "
                + "--initrd with a sound archive that has /init (or what rdinit= names), or a disk "
                + "and root="
        ),
        (
            "Unable to mount root fs",
            "the root device was found but not mounted: its file system is damaged, or not one "
                + "that this kernel has a driver for"
        ),
        (
            "No working init found",
            "the root file system has none of /sbin/init, /etc/init, /bin/init and /bin/sh"
        ),
        (
            "Requested init",
            "the program that init= or rdinit= names could not be run"
        ),
        ("System is deadlocked on memory", "the machine is too small: give more --memory"),
        ("Out of memory", "the machine is too small: give more --memory"),
        ("Failed to allocate", "the machine is too small: give more --memory"),
        ("sysrq triggered crash", "a program asked for it by /proc/sysrq-trigger"),
        ("IO-APIC", "the kernel could not make interrupts arrive: which parameters are odd?"),
    ]
    /// What a kernel says of trouble that it goes on with.
    private static let warnings = [
        "BUG: ", "Oops: ", "general protection fault", "soft lockup", "hard LOCKUP",
        "self-detected stall", "detected stalls", "blocked for more than",
        "Initramfs unpacking failed",
        "Out of memory: ", "invoked oom-killer", "Kernel panic - not syncing",
        "Failed to execute", "Malformed early option", "Unknown kernel command line parameters",
    ]

    static func find(_ input: DiagnosisInput) -> [String] {
        var hints: [String] = []
        let reason = input.outcome.reason
        let isPanic = input.outcome.kind == .hostPanic
        if isPanic, let known = panics.first(where: { reason.contains($0.0) }) {
            hints.append(known.1)
        }
        if isPanic, let died = initDied(reason) { hints.append(died) }
        var told: [String] = []
        for warning in warnings where told.count < 4 {
            if isPanic && warning.hasPrefix("Kernel panic") { continue }
            guard let line = input.log.first(where: { $0.contains(warning) }), !told.contains(line)
            else { continue }
            told.append(line)
        }
        hints += told.map { "the kernel's log says: \(Diagnosis.printable(withoutTime($0)))" }
        return hints
    }

    /// `Attempted to kill init! exitcode=0x00000100`: a wait status, as wait(2) gives it.
    private static func initDied(_ reason: String) -> String? {
        let parts = reason.split(separator: "exitcode=0x")
        guard reason.contains("Attempted to kill init"), parts.count == 2,
            let status = UInt32(parts[1].prefix { $0.isHexDigit }, radix: 16)
        else { return nil }
        let signal = status & 0x7F
        let names = [
            4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV",
        ]
        if signal != 0 {
            let name = names[Int(signal)].map { " (\($0))" } ?? ""
            return "the first process was killed by signal \(signal)\(name)"
        }
        return "the first process ended, with status \(status >> 8 & 0xFF): /init must not return"
    }

    private static func withoutTime(_ line: String) -> String {
        guard line.hasPrefix("["), let end = line.firstIndex(of: "]") else { return line }
        return String(line[line.index(after: end)...].drop { $0 == " " })
    }
}
