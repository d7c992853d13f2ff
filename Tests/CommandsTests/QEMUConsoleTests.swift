import Foundation
import Testing

/// The same images under QEMU print the same text: a test of both sides.
@Suite struct QEMUConsoleTests {
    static let qemu = ["/usr/bin/qemu-system-x86_64", "/usr/local/bin/qemu-system-x86_64"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test(arguments: ["", "work=3", "fail=panic", "fail=stack-overflow"])
    func theConsoleIsTheSameUnderQEMU(_ commandLine: String) throws {
        guard let qemu = Self.qemu else {
            print("NOT TESTED: qemu-system-x86_64 is not installed; run make setup")
            return
        }
        let scratch = try Scratch()
        #expect(try Tool.run(["kernels", "-o", scratch.url.path]).status == 0)
        let ours = try Tool.run([
            "record", "--no-trace", "-q", "--console", scratch.path("ours"), "--append",
            commandLine,
        ])
        #expect([0, 10].contains(ours.status))
        let theirs = try Tool.run(
            [
                "-accel", "tcg", "-kernel", scratch.path("host.elf"), "-initrd",
                scratch.path("guest.elf"), "-m", "256", "-device",
                "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", "stdio", "-display", "none",
                "-append", commandLine,
            ], path: qemu)
        #expect(theirs.status & 1 == 1, "isa-debug-exit gives an odd status")
        let text = String(decoding: try scratch.data("ours"), as: UTF8.self)
        #expect(!text.isEmpty)
        #expect(text == theirs.text)
    }
}
