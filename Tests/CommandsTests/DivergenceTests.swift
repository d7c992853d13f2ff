import Foundation
import Testing

/// A replay with other images says where they part.
@Suite struct DivergenceTests {
    /// The guest with one byte of its code changed: a constant or an opcode somewhere on the path
    /// of every boot.
    private func changed(_ image: String, symbolText: String, in scratch: Scratch) throws -> String
    {
        var bytes = [UInt8](try scratch.data(image))
        let needle = Array(symbolText.utf8)
        let place = try #require(
            (0..<bytes.count - needle.count).first {
                Array(bytes[$0..<$0 + needle.count]) == needle
            }
        )
        bytes[place] ^= 0x20
        let path = scratch.path("changed-\(image)")
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }

    @Test(arguments: [
        ("guest.elf", "--guest", "paravirt kernel"), ("host.elf", "--host", "guest(s) of"),
    ])
    func aChangedImageIsReportedAtTheFirstDifference(
        _ image: String, _ option: String, _ text: String
    ) throws {
        let scratch = try Scratch()
        let trace = scratch.path("boot.pvt")
        #expect(try Tool.run(["record", "-q", "-o", trace, "--append", "work=1"]).status == 0)
        #expect(try Tool.run(["kernels", "-o", scratch.url.path]).status == 0)
        let other = try changed(image, symbolText: text, in: scratch)
        let junit = scratch.path("result.xml")
        let replay = try Tool.run(["replay", trace, option, other, "--junit", junit])
        #expect(replay.status == 20, "\(replay.text)\(replay.error)")
        #expect(replay.text.contains("recorded") && replay.text.contains("replayed"))
        #expect(
            String(decoding: try scratch.data("result.xml"), as: UTF8.self).contains("<failure"))
        let document = try Tool.run(["replay", trace, option, other, "--json"])
        #expect(document.status == 20)
        #expect(try document.json()["diverged"] as? Bool == true)
        #expect(try document.json()["divergence"] != nil)
    }

    @Test func theSameImagesDoNotDiverge() throws {
        let scratch = try Scratch()
        let trace = scratch.path("boot.pvt")
        #expect(try Tool.run(["record", "-q", "-o", trace, "--append", "work=1"]).status == 0)
        #expect(try Tool.run(["kernels", "-o", scratch.url.path]).status == 0)
        let replay = try Tool.run([
            "replay", trace, "--host", scratch.path("host.elf"), "--guest",
            scratch.path("guest.elf"),
        ])
        #expect(replay.status == 0, "\(replay.text)\(replay.error)")
    }
}
