import Foundation
import Testing

@Suite struct BIOSTests {
    /// The BIOS in `Sources/Machine/Boot` is what its source assembles to.
    @Test func committedCodeIsCurrent() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../..").standardizedFileURL
        let made = try run(root.appending(path: "Tools/bios/build").path, [])
        #expect(made.status == 0)
        let committed = try String(
            contentsOf: root.appending(path: "Sources/Machine/Boot/BIOSCode.swift"),
            encoding: .utf8)
        #expect(
            made.output == committed,
            "run: Tools/bios/build > Sources/Machine/Boot/BIOSCode.swift")
    }
}
