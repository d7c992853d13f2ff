import Foundation
import Kernels
import Testing

/// The images boot, unchanged, on somebody else's machine.
enum QEMU {
    static let path: String? = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
        .map { "\($0)/qemu-system-x86_64" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// isa-debug-exit makes QEMU's status from the value written.
    static func status(_ value: Int32) -> Int32 { 2 * value + 1 }

    static let shutdown: Int32 = 0x10
    static let hostPanic: Int32 = 0x11
    static let guestKilled: Int32 = 0x12
    static let guestPanic: Int32 = 0x13

    static func boot(
        _ commandLine: String, design: Design = .rfc, guest: [UInt8]? = nil,
        options: [String] = [], input: String = ""
    ) throws -> ProcessResult {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appending(path: UUID().uuidString)
        try files.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? files.removeItem(at: folder) }
        let host = folder.appending(path: "host.elf")
        try Data(Kernels.host(design).bytes).write(to: host)
        var arguments = [
            "-accel", "tcg", "-kernel", host.path, "-m", "256", "-device",
            "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", "stdio", "-display", "none",
            "-no-reboot", "-append", commandLine,
        ]
        if let guest {
            let path = folder.appending(path: "guest.elf")
            try Data(guest).write(to: path)
            arguments += ["-initrd", path.path]
        }
        return try run(try #require(path), arguments + options, input: input)
    }

    static func guest() throws -> [UInt8] { try Kernels.guest(.rfc).bytes }
}

@Suite struct QEMUPresence {
    @Test func isInstalled() {
        if QEMU.path == nil {
            Issue.record(
                """
                qemu-system-x86_64 is NOT installed: the images were NOT booted on a second \
                machine. On Debian: apt-get install qemu-system-x86
                """, severity: .warning)
        }
    }
}

@Suite(.enabled(if: QEMU.path != nil, "qemu-system-x86_64 is not installed"), .serialized)
struct QEMUTests {
    @Test func hostRunsItsProcessesAlone() throws {
        let result = try QEMU.boot("host.work=100 host.workers=3")
        #expect(result.status == QEMU.status(QEMU.shutdown))
        #expect(result.output.hasPrefix("host: design rfc, no guest\n"))
        for worker in 0..<3 {
            #expect(result.output.contains("host: worker \(worker): 100 rounds, result "))
        }
        #expect(result.output.hasSuffix("host: end of run: shutdown: no guest was given\n"))
    }

    /// The whole workload, twice, with clocks so different that interrupts fall elsewhere: the same
    /// text, and a host process's result that does not depend on whether a guest ran.
    @Test func consoleDoesNotDependOnTiming() throws {
        let guest = try QEMU.guest()
        let real = try QEMU.boot("", guest: guest)
        let counted = try QEMU.boot("", guest: guest, options: ["-icount", "shift=1,sleep=off"])
        #expect(real.status == QEMU.status(QEMU.shutdown))
        #expect(real.output == counted.output)
        #expect(real.output.contains("host: end of run: shutdown: guest 0 shut down with code 0\n"))
        let alone = try QEMU.boot("")
        let workers = { (text: String) in
            text.split(separator: "\n").filter { $0.hasPrefix("host: worker ") }
        }
        #expect(workers(alone.output).count == 2)
        #expect(workers(real.output) == workers(alone.output))
    }

    /// Two guests of one host: the VCPU pointer follows the launchers through the scheduler. Their
    /// lines fall among each other as the clock has it, so lines are counted.
    @Test func twoGuestsRunSideBySide() throws {
        let one = try QEMU.boot("", guest: QEMU.guest())
        let two = try QEMU.boot("host.guests=2 host.guest-memory=32", guest: QEMU.guest())
        #expect(two.status == QEMU.status(QEMU.shutdown))
        #expect(two.output.hasPrefix("host: design rfc, 2 guest(s) of 32 MiB\n"))
        let lines = { (text: String) in text.split(separator: "\n") }
        for line in lines(one.output)
        where !line.hasPrefix("host:") && !line.hasPrefix("guest: paravirt") {
            let count = lines(two.output).count { $0 == line }
            #expect(count == 2 * lines(one.output).count { $0 == line }, "\(line)")
        }
    }

    /// What is typed reaches the guest's shell, by way of the host's poll at each tick.
    @Test func typingReachesTheShell() throws {
        let result = try QEMU.boot(
            "host.work=20 shell", guest: QEMU.guest(), input: "echo typed words\nexit\n")
        #expect(result.status == QEMU.status(QEMU.shutdown))
        #expect(result.output.contains("\ntyped words\n"), "\(result.output)")
    }

    /// Each way to fail, its exit value and the reason a person reads.
    @Test(arguments: [
        ("wild-jump", QEMU.guestKilled, "page fault (error 0x10) for address"),
        ("null-trap", QEMU.guestKilled, "no handler for vector 13 in its trap table"),
        ("stack-overflow", QEMU.guestKilled, "double fault: cannot store the frame of vector 14"),
        ("page-fault-loop", QEMU.guestKilled, "page faults in a row for 0x0 at rip"),
        ("bad-pagetable", QEMU.guestKilled, "names a frame beyond the guest's 64 MiB of memory"),
        ("panic", QEMU.guestPanic, "cannot mount the root file system"),
        ("init-dies", QEMU.guestPanic, "init (process 1) exited"),
    ]) func failureIsNamed(failure: String, exit: Int32, reason: String) throws {
        let result = try QEMU.boot("host.work=20 fail=\(failure)", guest: QEMU.guest())
        #expect(result.status == QEMU.status(exit))
        let last = try #require(result.output.split(separator: "\n").last)
        let outcome = exit == QEMU.guestPanic ? "guest panic" : "guest killed"
        #expect(last.hasPrefix("host: end of run: \(outcome): "), "\(result.output)")
        #expect(last.contains(reason), "\(last)")
        #expect(result.output.contains("host: worker 1: 20 rounds, result "), "the host goes on")
    }

    /// An image that no guest could be started from is the launcher's to refuse.
    @Test func refusesWhatIsNoGuest() throws {
        var torn = try QEMU.guest()
        torn.removeLast(torn.count - 4096)
        for (image, reason) in [
            (Array("not an image".utf8), "not an ELF file"), (torn, "outside the file"),
            (try Kernels.host(.rfc).bytes, "refused the guest's entry"),
        ] {
            let result = try QEMU.boot("host.work=20", guest: image)
            #expect(result.status == QEMU.status(QEMU.guestKilled))
            #expect(result.output.contains(reason), "\(result.output)")
        }
    }
}
