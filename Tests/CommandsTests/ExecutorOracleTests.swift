import Foundation
import Testing

@testable import PVReplayCommands

/// The executors against one another, in a process of their own that may crash: random kernels that
/// do what no sane guest does, kernels that once brought a defect of ours to light, and the golden
/// traces. ORACLE_SEED and ORACLE_GUESTS in the environment choose other and more kernels.
@Suite struct ExecutorOracleTests {
    static let environment = ProcessInfo.processInfo.environment
    static let tool = URL(filePath: Tool.debugPath).deletingLastPathComponent()
        .appending(path: "executor-oracle").path

    /// Kernels from `Crashers/`: dropping a file there adds a test.
    static let crashers = files(in: "Tests/CommandsTests/Crashers", ending: ".elf")
    static let traces = files(in: "Traces", ending: ".pvt")

    static func files(in folder: String, ending: String) -> [String] {
        let folder = Tool.root.appending(path: folder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(ending) }.sorted()
            .map { folder.appending(path: $0).path }
    }

    private func agrees(_ arguments: [String]) throws -> String {
        let result = try Tool.run(arguments, path: Self.tool)
        #expect(result.status == 0, "\(result.text)\(result.error)")
        return result.text
    }

    @Test func hostileGuests() throws {
        let seed = Self.environment["ORACLE_SEED"] ?? "1"
        let count = Self.environment["ORACLE_GUESTS"] ?? "30"
        print(try agrees(["guests", "--seed", seed, "--count", count]))
    }

    @Test func thereAreFiles() {
        #expect(!Self.crashers.isEmpty)
        #expect(!Self.traces.isEmpty)
    }

    @Test(arguments: crashers)
    func crasher(_ path: String) throws { _ = try agrees(["check", path]) }

    @Test func goldenTraces() throws {
        _ = try agrees(["traces", "--seed", Self.environment["ORACLE_SEED"] ?? "1"] + Self.traces)
    }
}

/// What a guest prints or a trace names must not steer the terminal of who looks at it.
@Suite struct TerminalTextTests {
    @Test func consoleBytes() {
        let bytes = Array("a\u{1b}[2Jb\r\nc\td\rx\u{7}".utf8) + [0x9B, 0xFF, 0x00]
        let safe = String(decoding: TerminalText.safe(bytes), as: UTF8.self)
        #expect(safe == "a\\x1b[2Jb\r\nc\td\\x0dx\\x07\\x9b\\xff\\x00")
    }

    @Test func plainConsoleBytesStay() {
        let bytes = Array("plain text\r\n\tonly\n".utf8)
        #expect(TerminalText.safe(bytes) == bytes)
    }

    @Test func names() {
        #expect(TerminalText.safe("ü\u{9B}31m\u{202E}\n") == "ü\\x9b31m\\u202e\n")
    }
}
