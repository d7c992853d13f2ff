import Foundation
import Testing

/// `pvreplay diff` as users run it: on recorded boots that differ in one known thing.
@Suite struct DiffCommandTests {
    private func record(_ scratch: Scratch, _ name: String, _ more: [String] = []) throws -> String
    {
        let trace = scratch.path(name)
        let append = more.contains("--append") ? [] : ["--append", "work=5"]
        let result = try Tool.run(["record", "-q", "-o", trace] + append + more)
        #expect(result.status == 0, "\(result.error)")
        return trace
    }

    private func guest(_ document: [String: Any]) throws -> [String: Any] {
        let streams = try #require(document["streams"] as? [[String: Any]])
        return try #require(
            streams.first { ($0["stream"] as? String)?.hasPrefix("guest") == true })
    }

    @Test func theSameTraceTwiceIsExit0() throws {
        let scratch = try Scratch()
        let a = try record(scratch, "a.pvt")
        let b = try record(scratch, "b.pvt")
        let result = try Tool.run(["diff", a, b])
        #expect(result.status == 0, "\(result.text)\(result.error)")
        #expect(result.text.contains("the same run"))
        #expect(try Tool.run(["diff", a, a, "--json"]).json()["same"] as? Bool == true)
        // Where checkpoints are is nothing of the run's.
        let other = try record(scratch, "c.pvt", ["--checkpoint-interval", "3M"])
        #expect(try Tool.run(["diff", a, other, "-q"]).status == 0)
    }

    @Test func anotherCommandLineIsExplained() throws {
        let scratch = try Scratch()
        let a = try record(scratch, "a.pvt")
        let b = try record(scratch, "b.pvt", ["--append", "work=6"])
        let page = scratch.path("page.html")
        let result = try Tool.run(["diff", a, b, "--html", page])
        #expect(result.status == 21)
        #expect(result.text.contains("command line") && result.text.contains("rax: 0x5 -> 0x6"))
        let html = String(decoding: try scratch.data("page.html"), as: UTF8.self)
        #expect(html.contains("<svg") && html.hasSuffix("</html>\n"))
        for fetched in ["http:", "https:", "src=", "<script", "@import", "url("] {
            #expect(!html.contains(fetched), "the page fetches something: \(fetched)")
        }
        let document = try Tool.run(["diff", a, b, "--json"]).json()
        #expect(document["same"] as? Bool == false)
        // Most of the run is the same and is found to be.
        let stream = try guest(document)
        let same = try #require(stream["same"] as? Int)
        let missing = try #require(stream["missing"] as? Int)
        #expect(same > 10 * missing)
        #expect(try Tool.run(["diff", a, b]).output == result.output)
    }

    @Test func anInjectedNMIIsTheMachinesFirst() throws {
        let scratch = try Scratch()
        let a = try record(scratch, "a.pvt")
        let b = try record(scratch, "b.pvt", ["--inject", "nmi@event:500"])
        let result = try Tool.run(["diff", a, b])
        #expect(result.status == 21)
        #expect(result.text.contains("after 501 events") && result.text.contains("injected NMI"))
        let stream = try guest(try Tool.run(["diff", a, b, "--json"]).json())
        let places = try #require(stream["places"] as? Int)
        let same = try #require(stream["same"] as? Int)
        #expect(places * 20 < same, "the differences drown: \(places) places of \(same)")
    }

    /// A constant in the guest's code: the number of getpid becomes that of an unknown call.
    @Test func aFlippedConstantInTheGuestIsNamed() throws {
        let scratch = try Scratch()
        let a = try record(scratch, "a.pvt")
        #expect(try Tool.run(["kernels", "-o", scratch.url.path]).status == 0)
        var bytes = [UInt8](try scratch.data("guest.elf"))
        // B8 27 00 00 00: MOV EAX, 39.
        let getpid: [UInt8] = [0xB8, 39, 0, 0, 0]
        let places = (0..<bytes.count - 5).filter { Array(bytes[$0..<$0 + 5]) == getpid }
        let place = try #require(places.first, "the guest has no such instruction")
        for one in places { bytes[one + 1] = 0x99 }
        #expect(place > 0)
        try Data(bytes).write(to: URL(filePath: scratch.path("edited.elf")))
        let b = scratch.path("b.pvt")
        _ = try Tool.run([
            "record", "-q", "-o", b, "--append", "work=5", "--guest", scratch.path("edited.elf"),
        ])
        let result = try Tool.run(["diff", a, b])
        #expect(result.status == 21)
        #expect(result.text.contains("guest image"))
        #expect(result.text.contains("number: 39 getpid -> 153"), "\(result.text)")
    }

    @Test func designsAreComparedByWhatTheGuestSees() throws {
        let scratch = try Scratch()
        let a = try record(scratch, "a.pvt")
        let b = try record(scratch, "b.pvt", ["--design", "pvm"])
        let result = try Tool.run(["diff", a, b])
        #expect(result.status == 21)
        #expect(result.text.contains("only sums are shown"))
        let stream = try guest(try Tool.run(["diff", a, b, "--json"]).json())
        let same = try #require(stream["same"] as? Int)
        let missing = try #require(stream["missing"] as? Int)
        #expect(same > 4 * missing)
    }

    @Test func tornAndBadTracesAreTold() throws {
        let scratch = try Scratch()
        let a = try record(scratch, "a.pvt")
        let bytes = try scratch.data("a.pvt")
        let torn = scratch.path("torn.pvt")
        try bytes.dropLast(700).write(to: URL(filePath: torn))
        let result = try Tool.run(["diff", a, torn])
        #expect(result.status == 30, "\(result.text)\(result.error)")
        #expect(result.text.contains("torn"))
        try Data("no trace\n".utf8).write(to: URL(filePath: scratch.path("text")))
        #expect(try Tool.run(["diff", a, scratch.path("text")]).status == 30)
        #expect(try Tool.run(["diff", a, scratch.path("missing")]).status == 74)
        let folder = scratch.path("no/page.html")
        #expect(try Tool.run(["diff", a, a, "--html", folder]).status == 74)
        #expect(try Tool.run(["diff", a]).status == 64)
        #expect(try Tool.run(["diff", a, a, "--places", "900"]).status == 64)
    }

    /// Half a million events a side within 384 MiB of address space, of which most is the program.
    @Test func longTracesAreComparedInLittleMemory() throws {
        let scratch = try Scratch()
        let a = try record(scratch, "a.pvt", ["--append", "work=1500"])
        let b = try record(
            scratch, "b.pvt", ["--append", "work=1500", "--inject", "nmi@event:999"])
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = [
            "-c", "ulimit -v 393216; exec \"$0\" diff -q \"$1\" \"$2\"", Tool.path, a, b,
        ]
        try shell.run()
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 21)
    }
}
