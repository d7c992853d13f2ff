import Foundation
import Testing

/// The same images under QEMU print the same text: a test of both sides.
@Suite struct QEMUConsoleTests {
    static let qemu = ["/usr/bin/qemu-system-x86_64", "/usr/local/bin/qemu-system-x86_64"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test(arguments: ["", "work=3", "fail=panic", "fail=stack-overflow"])
    func theConsoleIsTheSameUnderQEMU(_ commandLine: String) throws {
        try compare(design: "rfc", commandLine)
    }

    /// Every named design that lives, every value of each axis, and what dies with a text: a host
    /// that panics says at which address, so the text compares where it died too.
    @Test(arguments: [
        "rfc-swap-gdt-idt", "rfc-task", "hardened", "pvm", "rfc,entry-stack=task", "rfc,roots=one",
        "rfc,moves=host", "rfc,selectors=virtual", "rfc,vcpu-pointer=tss", "rfc,entry-hook=lstar",
        "rfc,hypercall-mark=mode", "rfc,guest-return=iret", "rfc,guards=open", "rfc,guards=full",
    ]) func everyDesignEndsTheSameUnderQEMU(_ design: String) throws {
        try compare(design: design, "work=5 probe=read-kernel")
    }

    /// The one that cannot say anything: the processor shuts down.
    @Test func swappedGDTShutsQEMUDownToo() throws {
        guard let qemu = Self.qemu else { return }
        let theirs = try run(qemu, design: "rfc-swap-gdt", "work=5")
        // -no-reboot: QEMU itself ends well; isa-debug-exit would have given an odd status.
        #expect(theirs.status == 0)
        #expect(!theirs.text.contains("panic") && !theirs.text.contains("end of run"))
        #expect(theirs.text.hasPrefix("host: design rfc-swap-gdt, 1 guest(s) of 64 MiB\n"))
    }

    private func compare(design: String, _ commandLine: String) throws {
        guard let qemu = Self.qemu else {
            print("NOT TESTED: qemu-system-x86_64 is not installed; run make setup")
            return
        }
        let scratch = try Scratch()
        let ours = try Tool.run(
            try ["record", "--no-trace", "-q", "--console", scratch.path("ours")]
                + ExportedKernels.arguments(design) + ["--append", commandLine])
        #expect([0, 10].contains(ours.status))
        let theirs = try run(qemu, design: design, commandLine)
        #expect(theirs.status & 1 == 1, "isa-debug-exit gives an odd status")
        let text = String(decoding: try scratch.data("ours"), as: UTF8.self)
        #expect(!text.isEmpty)
        #expect(text == theirs.text)
    }

    private func run(
        _ qemu: String, design: String, _ commandLine: String
    ) throws -> Tool.Result {
        let kernels = try ExportedKernels.folder(design)
        return try Tool.run(
            [
                "-accel", "tcg", "-kernel", kernels.path("host.elf"), "-initrd",
                kernels.path("guest.elf"), "-m", "256", "-device",
                "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", "stdio", "-display", "none",
                "-no-reboot", "-append", commandLine,
            ], path: qemu)
    }
}
