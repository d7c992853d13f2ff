import Foundation
import Testing

/// The benchmark image under pvreplay, at small sizes: what its tests print is computed here again,
/// independently, and every recording replays.
@Suite struct BenchmarkImageTests {
    static let image: Result<Data, any Error> = Result {
        let scratch = try Scratch()
        let build = Process()
        build.executableURL = URL(filePath: "/bin/sh")
        build.arguments = [
            Tool.root.appending(path: "Benchmarks/Images/build").path, scratch.path("bench.elf"),
        ]
        try build.run()
        build.waitUntilExit()
        #expect(build.terminationStatus == 0)
        return try scratch.data("bench.elf")
    }

    struct Expectation: CustomStringConvertible, Sendable {
        var test: String
        var n: UInt64
        var result: @Sendable (UInt64) -> UInt64
        var description: String { test }
    }

    static let expectations = [
        Expectation(test: "boot", n: 5) { $0 },
        Expectation(test: "integer", n: 3000, result: integer),
        Expectation(test: "sieve", n: 1) { $0 * 564_163 },
        Expectation(test: "syscall", n: 2000, result: systemCalls),
        Expectation(test: "pagefault", n: 2000, result: pageFaults),
        Expectation(test: "cr3", n: 2000, result: addressSpaces),
        Expectation(test: "timer", n: 50) { $0 },
    ]

    @Test(arguments: expectations)
    func itPrintsWhatTheModelComputes(_ expectation: Expectation) throws {
        let scratch = try Scratch()
        try Self.image.get().write(to: URL(filePath: scratch.path("bench.elf")))
        let append = "\(expectation.test) n=\(expectation.n)"
        let value = String(expectation.result(expectation.n), radix: 16)
        let line = "bench: \(append) result=0x\(value)\n"
        let trace = scratch.path("bench.pvt")
        let record = try Tool.run(
            ["record", "--host", scratch.path("bench.elf"), "--append", append, "-o", trace])
        #expect(record.status == 0, "\(record.text)\(record.error)")
        #expect(record.text.contains(line), "expected \(line)got \(record.text)")
        let replay = try Tool.run(["replay", trace])
        #expect(replay.status == 0, "\(replay.text)\(replay.error)")
    }

    @Test func anUnknownTestRunsNothing() throws {
        let scratch = try Scratch()
        try Self.image.get().write(to: URL(filePath: scratch.path("bench.elf")))
        let record = try Tool.run(
            ["record", "--host", scratch.path("bench.elf"), "--append", "nonsense", "--no-trace"])
        #expect(record.text.contains("bench: give boot,"))
        #expect(!record.text.contains("result="))
    }

    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value << count | value >> (64 - count)
    }

    /// Multiples of 2^64 divided by the golden ratio: the image's patterns.
    private static let golden: UInt64 = 0x9e37_79b9_7f4a_7c15

    @Sendable static func integer(_ n: UInt64) -> UInt64 {
        var a = golden
        var b: UInt64 = 1
        var c: UInt64 = 0
        for i in 0..<n {
            a ^= a << 13
            a ^= a >> 7
            a ^= a << 17
            b = b &* 6_364_136_223_846_793_005 &+ a
            c &+= (b >> 33) ^ i
            c = b & 0x700 == 0x300 ? rotate(c, 9) : c &- (a & 0xff)
        }
        return a ^ b ^ c
    }

    /// Each call's result, three times its argument and the count of calls, is the next's argument.
    @Sendable static func systemCalls(_ n: UInt64) -> UInt64 {
        (1...n).reduce(0) { $0 &* 3 &+ $1 }
    }

    /// Each fault maps the next of 64 frames, whose first word the user mixes in.
    @Sendable static func pageFaults(_ n: UInt64) -> UInt64 {
        (0..<n).reduce(0) { rotate($0, 5) ^ ($1 % 64 &* golden) } ^ n
    }

    @Sendable static func addressSpaces(_ n: UInt64) -> UInt64 {
        var spaces = (0..<4).map { space in (0..<4).map { UInt64(space * 17 + $0) } }
        var checksum: UInt64 = 0
        for i in 0..<n {
            for page in 0..<4 {
                checksum = rotate(checksum, 3) &+ spaces[Int(i % 4)][page]
                spaces[Int(i % 4)][page] = checksum
            }
        }
        return checksum
    }
}
