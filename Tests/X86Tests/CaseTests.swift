import Foundation
import Testing
import X86

/// Each `Cases/NAME.in` is a test: its lines `MODE HEX` (and comments after `#`) must disassemble
/// to the lines of `Cases/NAME.out`. With PVREPLAY_RECORD=1 in the environment the `.out` files are
/// written.
struct CaseTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Cases")

    static let names: [String] = {
        let files = try? FileManager.default.contentsOfDirectory(atPath: folder.path())
        return (files ?? []).filter { $0.hasSuffix(".in") }.map { String($0.dropLast(3)) }.sorted()
    }()

    @Test func thereAreCases() { #expect(!Self.names.isEmpty) }

    @Test(arguments: names)
    func disassembles(name: String) throws {
        let input = Self.folder.appending(path: name + ".in")
        let output = Self.folder.appending(path: name + ".out")
        var text = ""
        for line in try String(contentsOf: input, encoding: .utf8).split(separator: "\n") {
            let code = line.split(separator: "#", omittingEmptySubsequences: false)[0]
            let fields = code.split(separator: " ")
            guard !fields.isEmpty else { continue }
            text += try answer(fields) + "\n"
        }
        if ProcessInfo.processInfo.environment["PVREPLAY_RECORD"] != nil {
            try text.write(to: output, atomically: true, encoding: .utf8)
        }
        #expect(
            try String(contentsOf: output, encoding: .utf8) == text,
            "to accept: PVREPLAY_RECORD=1 swift test --filter CaseTests")
    }

    /// "MODE hex  text", at address 0x1000.
    private func answer(_ fields: [Substring]) throws -> String {
        let sizes: [Substring: CodeSize] = ["16": .bits16, "32": .bits32, "64": .bits64]
        let codeSize = try #require(sizes[fields[0]])
        let hex = fields.dropFirst().joined()
        let bytes = try stride(from: 0, to: hex.count, by: 2).map { offset in
            let start = hex.index(hex.startIndex, offsetBy: offset)
            return try #require(UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16))
        }
        var instruction = Instruction()
        if let failure = Decoder.decode(
            bytes, count: bytes.count, codeSize: codeSize, into: &instruction)
        {
            return "\(fields[0]) \(hex)  (\(failure))"
        }
        let symbols = { (address: UInt64) in address == 0x1000 ? "start" : nil }
        let text = disassemble(instruction, at: 0x1000, symbols: symbols)
        return "\(fields[0]) \(hex)  \(text)"
            + (Int(instruction.length) < bytes.count ? "  (\(instruction.length) bytes)" : "")
    }
}
