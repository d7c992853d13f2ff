import Foundation
import Testing

/// A kernel that holds the processors and the board to what they promise (Promises/): instructions,
/// control bits and MSRs by what CPUID says of them, the local APIC's modes, interrupt lines, x87
/// errors, clocks of several processors, MONITOR and MWAIT.
@Suite(.serialized) struct PromiseGuestTests {
    private static let image = BuiltKernel.image("Promises")

    private static func record(
        _ scratch: Scratch, _ model: String, _ cpus: Int, _ executor: String
    ) throws -> (text: String, trace: Data) {
        let run = try Tool.run([
            "record", "-q", "--kernel", scratch.path("promises.elf"), "--cpu", model,
            "--cpus", "\(cpus)", "--memory", "64M", "--executor", executor,
            "--console", scratch.path("text"), "-o", scratch.path("t.pvt"),
        ])
        #expect(run.status == 0, "\(run.text)")
        return (
            String(decoding: try scratch.data("text"), as: UTF8.self), try scratch.data("t.pvt")
        )
    }

    @Test(arguments: ["intel", "amd"], [1, 2, 4])
    func noPromiseIsBroken(model: String, cpus: Int) throws {
        let scratch = try Scratch()
        try Self.image.get().write(to: scratch.url.appending(path: "promises.elf"))
        let stepwise = try Self.record(scratch, model, cpus, "stepwise")
        let blocks = try Self.record(scratch, model, cpus, "blocks")
        #expect(blocks.trace == stepwise.trace)
        #expect(!blocks.text.contains("broken: "), "\(blocks.text)")
        #expect(blocks.text.hasPrefix("\(cpus) processors, "), "\(blocks.text)")
        #expect(blocks.text.hasSuffix(" checks, 0 broken\n"), "\(blocks.text)")
        #expect(try Tool.run(["replay", scratch.path("t.pvt")]).status == 0)
    }
}
