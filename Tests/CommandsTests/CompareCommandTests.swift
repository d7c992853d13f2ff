import Foundation
import Testing

/// `compare`, what-if `replay` and `--cost` as a user meets them.
@Suite struct CompareCommandTests {
    private func recorded(_ scratch: Scratch, _ arguments: [String] = []) throws -> String {
        let path = scratch.path("boot.pvt")
        let result = try Tool.run(
            ["record", "-q", "--append", "work=4", "-o", path] + arguments)
        #expect(result.status == 0)
        return path
    }

    private func paths(
        _ document: [String: Any], _ session: Int, _ profile: Int
    ) throws -> [String: [String: Int]] {
        let sessions = try #require(document["sessions"] as? [[String: Any]])
        let runs = try #require(sessions[session]["runs"] as? [[String: Any]])
        return try #require(runs[profile]["paths"] as? [String: [String: Int]])
    }

    @Test func designsAreComparedPathByPath() throws {
        let scratch = try Scratch()
        let trace = try recorded(scratch)
        let page = scratch.path("page.html")
        let result = try Tool.run([
            "compare", trace, "--design", "rfc", "--design", "pvm", "--design", "rfc,roots=one",
            "--design", "rfc-swap-gdt", "--json", "--html", page,
        ])
        #expect(result.status == 0)
        let document = try result.json()
        #expect(document["profiles"] as? [String] == ["core2", "zen3"])
        let rfc = try paths(document, 0, 0)
        let pvm = try paths(document, 1, 0)
        let one = try paths(document, 2, 0)
        for name in [
            "host-system-call", "guest-system-call", "guest-system-call-bounce", "hypercall",
            "guest-exception", "guest-exception-reflection", "shadow-fault", "interrupt-host",
            "interrupt-guest-user", "interrupt-guest-kernel", "guest-switch-in",
            "guest-switch-out", "context-switch",
        ] { #expect((rfc[name]?["count"] ?? 0) > 0, "\(name) did not occur") }
        #expect(rfc["guest-system-call"]?["count"] == pvm["guest-system-call"]?["count"])
        // The VCPU test is in every host system call of rfc, and LSTAR spares pvm it.
        let tested = try #require(rfc["host-system-call"]?["median"])
        #expect(try #require(pvm["host-system-call"]?["median"]) < tested)
        // One root needs no CR3 load on the way to the guest's kernel.
        #expect(one["guest-system-call-bounce"]?["tableLoads"] == 0)
        #expect((rfc["guest-system-call-bounce"]?["tableLoads"] ?? 0) > 0)
        let sessions = try #require(document["sessions"] as? [[String: Any]])
        let dead = try #require(sessions[3]["runs"] as? [[String: Any]])
        let failure = try #require(dead[0]["failure"] as? [String: Any])
        #expect(failure["outcome"] as? String == "triple-fault")
        let conclusions = try #require(document["conclusions"] as? [String: [String: Any]])
        let winners = conclusions["host-system-call"]?["winners"] as? [String: [String]]
        #expect(winners?["core2"] == ["pvm"] && winners?["zen3"] == ["pvm"])
        let html = String(decoding: try scratch.data("page.html"), as: UTF8.self)
        #expect(html.contains("<svg") && html.contains("rfc,roots=one"))
        for network in ["http:", "https:", "src=", "@import", "url("] {
            #expect(!html.contains(network))
        }
    }

    @Test func theTableSaysWhoIsCheapest() throws {
        let scratch = try Scratch()
        let trace = try recorded(scratch)
        let result = try Tool.run(["compare", trace, "--design", "pvm", "--cost", "zen3"])
        #expect(result.status == 0)
        #expect(result.text.contains("host system call, VCPU pointer NULL"))
        #expect(result.text.contains("recorded"))
        #expect(result.text.contains("the guest saw the recorded world"))
        #expect(result.text.contains("marks the cheapest"))
        #expect(!result.text.contains("core2"))
        #expect(
            try Tool.run(["compare", trace, "--design", "pvm", "--cost", "zen3"]).output
                == result.output)
    }

    @Test func anotherHostIsAFile() throws {
        let scratch = try Scratch()
        let trace = try recorded(scratch)
        #expect(
            try Tool.run(["kernels", "--output", scratch.path("k"), "--design", "hardened"]).status
                == 0)
        let host = scratch.path("k/host.elf")
        let result = try Tool.run(["compare", trace, "--host", host, "--json"])
        #expect(result.status == 0)
        let whatIf = try Tool.run(["replay", trace, "--host", host, "--what-if"])
        #expect(whatIf.status == 0 && whatIf.text.contains("same world"))
        #expect(try Tool.run(["replay", trace, "--host", host]).status == 20, "exact by default")
    }

    @Test func whatIfReplaysSayWhereWorldsPart() throws {
        let scratch = try Scratch()
        let trace = try recorded(scratch)
        let junit = scratch.path("out.xml")
        let dead = try Tool.run([
            "replay", trace, "--design", "rfc-swap-gdt", "--json", "--junit", junit,
        ])
        #expect(dead.status == 20)
        let document = try dead.json()
        #expect(document["parted"] as? Bool == true)
        #expect(document["outcome"] as? String == "triple-fault")
        #expect(
            String(decoding: try scratch.data("out.xml"), as: UTF8.self).contains("failures=\"1\""))
        let same = try Tool.run(["replay", trace, "--design", "pvm", "--cost", "core2", "--json"])
        #expect(same.status == 0)
        #expect(try same.json()["parted"] as? Bool == false)
    }

    /// Traces of earlier hosts, with input, injections and observed tables.
    @Test(arguments: ["shell", "nmi-amd-tables", "deadlock"])
    func oldTracesHaveTheirWorldsToo(_ name: String) throws {
        let trace = Tool.root.appending(path: "Traces/\(name).pvt").path
        for other in [["--design", "hardened"], ["--what-if", "--cost", "core2"]] {
            let result = try Tool.run(["replay", trace] + other)
            #expect(result.status == 0, "\(result.text)\(result.error)")
        }
    }

    @Test func costsAreChosenAndChecked() throws {
        let scratch = try Scratch()
        let file = scratch.path("mine.json")
        func write(_ text: String) throws {
            try text.write(toFile: file, atomically: true, encoding: .utf8)
        }
        let head =
            "{\"schema\": \"pvreplay-cost-profile/1\", \"name\": \"mine\", \"base\": \"zen3\", "
        try write(head + "\"cycles\": {\"syscall\": 3000}}")
        let trace = try recorded(scratch, ["--cost", file])
        try FileManager.default.removeItem(atPath: file)
        #expect(try Tool.run(["replay", trace]).status == 0, "a replay needs no file")
        let info = try Tool.run(["info", trace])
        #expect(info.text.contains("costs mine"))
        for (text, words) in [
            ("\"cycles\": {\"syscal\": 1}}", "cycles.syscal"),
            ("\"cycles\": {\"syscall\": -4}}", "-4"),
            ("\"cycles\": {\"syscall\": 70000}}", "65535"),
            ("\"cycles\": {\"syscall\": \"x\"}}", "not a number"),
            ("\"cycles\": {", "not JSON"),
        ] {
            try write(head + text)
            let result = try Tool.run(["record", "-q", "--no-trace", "--cost", file])
            #expect(result.status == 64 && result.error.contains(words), "\(result.error)")
        }
        #expect(try Tool.run(["record", "-q", "--cost", scratch.path("none.json")]).status == 74)
        #expect(try Tool.run(["compare", trace]).status == 64)
        #expect(try Tool.run(["compare", trace, "--design", "rfc,roots=three"]).status == 64)
        #expect(try Tool.run(["compare", scratch.path("no.pvt"), "--design", "rfc"]).status == 74)
    }
}
