import Foundation
import Testing

/// A kernel that prints what it finds on a PC (Platform/): the same here and under QEMU, and the
/// same again when its trace is replayed.
@Suite(.serialized) struct PlatformGuestTests {
    static let image = BuiltKernel.image("Platform")

    private func prepare() throws -> Scratch {
        let scratch = try Scratch()
        try Self.image.get().write(to: scratch.url.appending(path: "platform.elf"))
        try Data("first module".utf8).write(to: scratch.url.appending(path: "m1"))
        try Data("second one, longer".utf8).write(to: scratch.url.appending(path: "m2"))
        return scratch
    }

    private func record(_ scratch: Scratch, _ word: String, _ more: [String] = []) throws
        -> Tool.Result
    {
        try Tool.run(
            [
                "record", "-q", "--cpus", "4", "--kernel", scratch.path("platform.elf"),
                "--initrd", scratch.path("m1") + " a b", "--initrd",
                scratch.path("m2") + " words of two", "--append", word, "--console",
                scratch.path("ours"), "-o", scratch.path("t.pvt"),
            ] + more)
    }

    @Test(arguments: [("off", 0), ("reset", 0), ("keyboard", 0), ("port92", 0), ("triple", 10)])
    func whatAKernelFindsIsAsUnderQEMU(word: String, status: Int32) throws {
        let scratch = try prepare()
        #expect(try record(scratch, word).status == status)
        let text = String(decoding: try scratch.data("ours"), as: UTF8.self)
        #expect(text.contains("processor 3 says 3\n3 started\nend by \(word)\n"))
        guard let qemu = QEMUConsoleTests.qemu else {
            print("NOT TESTED: qemu-system-x86_64 is not installed; run make setup")
            return
        }
        let theirs = try Tool.run(
            [
                "-accel", "tcg", "-machine", "pc", "-smp", "4", "-m", "256", "-kernel",
                scratch.path("platform.elf"), "-initrd",
                "\(scratch.path("m1")) a b,\(scratch.path("m2")) words of two", "-append", word,
                "-serial", "stdio", "-display", "none", "-no-reboot", "-net", "none",
            ], path: qemu)
        #expect(theirs.status == 0)
        #expect(text == theirs.text)
    }

    /// Both executors, and a replay that has nothing but the trace.
    @Test func aKernelsTraceHoldsAllItNeeds() throws {
        let scratch = try prepare()
        #expect(try record(scratch, "off").status == 0)
        let first = try scratch.data("t.pvt")
        #expect(try record(scratch, "off", ["--executor", "stepwise"]).status == 0)
        #expect(try scratch.data("t.pvt") == first)
        for name in ["platform.elf", "m1", "m2"] {
            try FileManager.default.removeItem(at: scratch.url.appending(path: name))
        }
        for executor in ["blocks", "stepwise"] {
            let replay = try Tool.run(
                ["replay", scratch.path("t.pvt"), "--executor", executor])
            #expect(replay.status == 0, "\(replay.text)")
            #expect(replay.text.contains("the machine was powered off"))
        }
    }

    @Test func kernelExcludesHost() throws {
        for words in [["--host", "x"], ["--guest", "x"], ["--no-guest"]] {
            #expect(try Tool.run(["record", "--kernel", "k"] + words).status == 64)
        }
        #expect(try Tool.run(["record", "--initrd", "k"]).status == 64)
        let missing = try Tool.run(["record", "--kernel", "/nonexistent", "-o", "/dev/null"])
        #expect(missing.status == 74)
    }

    @Test func aKernelOfItsOwnHasNoDesignToChange() throws {
        let scratch = try prepare()
        #expect(try record(scratch, "off").status == 0)
        for words in [
            ["compare", scratch.path("t.pvt"), "--design", "rfc"],
            ["compare", scratch.path("t.pvt"), "--guest", scratch.path("m1")],
            ["replay", scratch.path("t.pvt"), "--design", "rfc"],
        ] {
            let result = try Tool.run(words)
            #expect(result.status == 64)
            #expect(result.error.contains("recorded with --kernel"), "\(result.error)")
        }
    }
}
