import Foundation
import Testing

/// The house rules as a test: limits on lines, functions and files, and the identifiers that would
/// let something undetermined into machine state, a trace or output.
@Suite struct TidyTests {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    struct Source {
        var path: String
        var lines: [Substring]
        /// Table and generated files say so in their first five lines.
        var exempt: Bool
    }

    static func sources(_ folders: [String], endings: [String]) throws -> [Source] {
        var found: [Source] = []
        for folder in folders {
            let base = root.appending(path: folder)
            let walk = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil)
            for case let url as URL in walk ?? .init()
            where endings.contains(url.pathExtension) && !url.path.contains("/.build") {
                let text = try String(contentsOf: url, encoding: .utf8)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                let head = lines.prefix(5).joined(separator: "\n").lowercased()
                found.append(
                    Source(
                        path: String(url.path.dropFirst(root.path.count + 1)), lines: lines,
                        exempt: head.contains("generated") || head.contains("a table")))
            }
        }
        #expect(!found.isEmpty)
        return found.sorted { $0.path < $1.path }
    }

    static func all() throws -> [Source] {
        try sources(
            ["Sources", "Tests", "Plugins", "Tools", "Benchmarks"],
            endings: ["swift", "c", "h", "S"])
    }

    @Test func filesAreShortEnough() throws {
        for source in try Self.all() where !source.exempt {
            #expect(source.lines.count <= 601, "\(source.path) has \(source.lines.count) lines")
        }
    }

    @Test func linesAreShortEnough() throws {
        for source in try Self.all() where !source.exempt {
            for (number, line) in source.lines.enumerated() {
                #expect(
                    line.count <= 100, "\(source.path):\(number + 1) has \(line.count) columns")
            }
        }
    }

    @Test func functionsAreShortEnough() throws {
        for source in try Self.all() where source.path.hasSuffix(".swift") && !source.exempt {
            var start: (line: Int, indent: Substring)?
            for (number, line) in source.lines.enumerated() {
                let indent = line.prefix { $0 == " " }
                let code = line.dropFirst(indent.count)
                if start == nil, code.contains("func ") || code.hasPrefix("init"),
                    !code.hasPrefix("//"), !code.hasSuffix("}")
                {
                    start = (number, indent)
                } else if let (first, outer) = start, code == "}", indent == outer {
                    #expect(
                        number - first + 1 <= 70,
                        "\(source.path):\(first + 1) is \(number - first + 1) lines long")
                    start = nil
                }
            }
        }
    }

    /// In the modules that decide machine state and traces.
    static let deterministicModules = [
        "Sources/X86", "Sources/Machine", "Sources/Trace", "Sources/Paravirt", "Sources/Replay",
    ]
    static let banned = [
        "import Foundation", "Date(", "Date.now", "clock_gettime", "gettimeofday",
        "ContinuousClock",
        "SuspendingClock", "SystemRandomNumberGenerator", ".random(in", ".shuffled(", "getenv",
        "ProcessInfo", "Task.sleep", "hashValue", "Hasher(", "arc4random", "setlocale",
        "ObjectIdentifier(",
    ]

    @Test func deterministicModulesUseNothingAmbient() throws {
        for source in try Self.sources(Self.deterministicModules, endings: ["swift"]) {
            for (number, line) in source.lines.enumerated() where !isComment(line) {
                for word in Self.banned {
                    #expect(!line.contains(word), "\(source.path):\(number + 1) uses \(word)")
                }
            }
        }
    }

    @Test func nothingIsLeftOpen() throws {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X ", "HA" + "CK"]
        for source in try Self.all() {
            for (number, line) in source.lines.enumerated() {
                for mark in marks {
                    #expect(!line.contains(mark), "\(source.path):\(number + 1) has \(mark)")
                }
            }
        }
    }

    @Test func everyPageHasOneTitle() throws {
        let pages = try FileManager.default.contentsOfDirectory(atPath: Self.root.path)
            .filter { $0.hasSuffix(".md") }
        #expect(pages.contains("README.md"))
        for page in pages {
            let text = try String(
                contentsOf: Self.root.appending(path: page), encoding: .utf8)
            var inCode = false
            var titles = 0
            for line in text.split(separator: "\n") {
                if line.hasPrefix("```") { inCode.toggle() }
                if !inCode && line.hasPrefix("# ") { titles += 1 }
            }
            #expect(titles == 1, "\(page) has \(titles) titles")
        }
    }

    private func isComment(_ line: Substring) -> Bool {
        line.drop { $0 == " " }.hasPrefix("//")
    }
}
