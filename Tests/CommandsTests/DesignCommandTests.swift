import Foundation
import Testing

/// `--design`, `designs` and `kernels` as a user meets them.
@Suite struct DesignCommandTests {
    @Test(arguments: [
        ("xen", "there is no design 'xen'"),
        ("rfc,roots=three", "its values are one, two"),
        ("rfc,selectors=swap-gdt", "make no sense together: SYSRET takes SS from the slot before"),
        ("rfc-swap-gdt-idt,guest-return=sysret", "make no sense together"),
    ]) func refusesWithTheReason(design: String, reason: String) throws {
        for command in [["record", "--no-trace"], ["kernels", "-o", "/nowhere/at/all"]] {
            let result = try Tool.run(command + ["--design", design])
            #expect(result.status == 64)
            #expect(result.error.contains(reason), "\(result.error)")
        }
    }

    @Test func listsWhatThereIs() throws {
        let text = try Tool.run(["designs"])
        #expect(text.status == 0)
        let json = try Tool.run(["designs", "--json"])
        #expect(json.status == 0)
        let document = try json.json()
        let axes = try #require(document["axes"] as? [[String: Any]])
        let designs = try #require(document["designs"] as? [[String: Any]])
        #expect(axes.count == 9)
        #expect(designs.count == 6)
        #expect((document["refused"] as? [[String: Any]])?.count == 2)
        for axis in axes {
            let name = try #require(axis["name"] as? String)
            #expect(text.text.contains("\n  \(name): "))
            let values = try #require(axis["values"] as? [[String: Any]])
            #expect(values.count >= 2)
            for value in values {
                let value = try #require(value["name"] as? String)
                #expect(text.text.contains("\n    \(value): "))
            }
            for design in designs {
                let chosen = (design["values"] as? [String: String])?[name]
                #expect(values.contains { $0["name"] as? String == chosen })
            }
        }
        #expect(text.text.split(separator: "\n").allSatisfy { $0.count <= 100 })
    }

    @Test func aMissingCompilerIsNamed() throws {
        let scratch = try Scratch()
        let arguments = [
            Tool.path, "kernels", "-o", scratch.url.path, "--design", "rfc,roots=one",
        ]
        let missing = try Tool.run(["CLANG=/nowhere/clang"] + arguments, path: "/usr/bin/env")
        #expect(missing.status == 74)
        #expect(missing.error.contains("/nowhere/clang, which is needed"), "\(missing.error)")
        let without = ["-u", "CLANG", "-u", "LLD", "PATH=/nowhere"]
        let none = try Tool.run(without + arguments, path: "/usr/bin/env")
        #expect(none.status == 74)
        #expect(none.error.contains("install"), "\(none.error)")
        let named = try Tool.run(
            [
                "PATH=/nowhere", Tool.path, "kernels", "-o", scratch.url.path, "--design", "pvm",
            ], path: "/usr/bin/env")
        #expect(named.status == 0, "a named design needs no compiler: \(named.error)")
    }

    /// The trace holds the images, so replaying needs no compiler.
    @Test func recordsADesignThatIsNotBuiltIn() throws {
        let scratch = try Scratch()
        let trace = scratch.path("iret.pvt")
        let record = try Tool.run([
            "record", "-q", "-o", trace, "--design", "rfc,roots=two,guest-return=iret", "--append",
            "work=1",
        ])
        #expect(record.status == 0, "\(record.error)")
        let info = try Tool.run(["info", trace, "--json"]).json()
        #expect(info["design"] as? String == "rfc,guest-return=iret")
        let replay = try Tool.run(
            ["PATH=/nowhere", Tool.path, "replay", trace], path: "/usr/bin/env")
        #expect(replay.status == 0, "\(replay.error)")
    }

    /// A compiler that refuses our sources is a defect of ours, or of the compiler.
    @Test func aCompilerThatFailsIsADefect() throws {
        let result = try Tool.run(
            [
                "CLANG=/bin/false", Tool.path, "kernels", "-o", "/nowhere", "--design",
                "rfc,roots=one",
            ],
            path: "/usr/bin/env")
        #expect(result.status == 70)
        #expect(result.error.contains("could not be built"), "\(result.error)")
    }

    @Test func exportsAnyDesignWithItsGuest() throws {
        let scratch = try Scratch()
        for (design, host, guest) in [
            ("pvm,moves=host", "pvm,moves=host", UInt64(0xFFFF_8100_0010_0000)),
            ("rfc,guards=full,hypercall-mark=mode", "hardened", 0xFFFF_8000_0010_0000),
        ] {
            let result = try Tool.run(["kernels", "-o", scratch.url.path, "--design", design])
            #expect(result.status == 0, "\(result.error)")
            #expect(try scratch.data("host.elf").range(of: Data("\(host)\0".utf8)) != nil)
            let entry = try scratch.data("guest.elf")[24..<32]
                .reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            #expect(entry == guest)
        }
    }
}
