import Foundation
import Testing

/// What each design comes to when it runs. Nothing in the emulator knows of designs: where one
/// breaks, the processor's rules break it, and QEMU's do the same.
@Suite struct DesignBootTests {
    /// The boot's console without its first line, which names the design, and how it ended.
    static func boot(
        _ design: String, _ words: String = "work=5", _ options: [String] = []
    ) throws -> (status: Int32, name: Substring, console: Substring) {
        let scratch = try Scratch()
        let result = try Tool.run(
            try ["record", "--no-trace", "-q", "--console", scratch.path("console")]
                + ExportedKernels.arguments(design) + ["--append", words] + options)
        return split(result.status, String(decoding: try scratch.data("console"), as: UTF8.self))
    }

    static func split(
        _ status: Int32, _ text: String
    ) -> (status: Int32, name: Substring, console: Substring) {
        let name = text.prefix { $0 != "\n" }
        return (status, name, text.dropFirst(name.count))
    }

    static let reference = Result { try boot("rfc", "") }
    static let shortReference = Result { try boot("rfc") }
    static let clean = ["rfc", "rfc-swap-gdt-idt", "rfc-task", "hardened", "pvm"]

    @Test(arguments: clean, ["intel", "amd"])
    func runsTheWholeWorkload(design: String, cpu: String) throws {
        let result = try Self.boot(design, "", ["--cpu", cpu])
        #expect(result.status == 0)
        #expect(result.name == "host: design \(design), 1 guest(s) of 64 MiB")
        #expect(result.console == (try Self.reference.get().console))
        #expect(result.console.hasSuffix("shut down with code 0\n"))
    }

    /// Each value of each axis in place of the design's own, where the combination lives and has no
    /// name of its own.
    static let overrides = [
        "selectors=virtual", "vcpu-pointer=tss", "entry-hook=lstar", "guest-return=iret",
        "roots=one", "moves=host", "guards=open",
    ]
    static let combinations =
        overrides.flatMap { ["rfc,\($0)", "hardened,\($0)"] } + [
            "hardened,vcpu-pointer=task", "rfc,hypercall-mark=mode", "rfc,guards=full",
            "rfc-swap-gdt-idt,hypercall-mark=mode,guards=full",
        ]

    @Test(arguments: combinations, ["intel", "amd"])
    func runsWithOneAxisChanged(design: String, cpu: String) throws {
        let result = try Self.boot(design, "work=5", ["--cpu", cpu])
        #expect(result.name == "host: design \(design), 1 guest(s) of 64 MiB")
        #expect(result.status == 0)
        #expect(result.console == (try Self.shortReference.get().console))
    }

    /// Recorded and replayed: the observer knows who runs, wherever the pointer is, and what is a
    /// hypercall, whatever marks it.
    @Test(arguments: ["rfc-swap-gdt-idt", "rfc-task", "hardened", "pvm"])
    func theObserverKnowsWhoRuns(design: String) throws {
        let scratch = try Scratch()
        func counts(_ design: String) throws -> [String: Int] {
            let path = scratch.path("\(design).pvt")
            let words = "work=2 host.work=10"
            let record = try Tool.run(
                ["record", "-q", "-o", path, "--design", design, "--append", words])
            #expect(record.status == 0)
            #expect(try Tool.run(["replay", path]).status == 0)
            let info = try Tool.run(["info", path, "--json"]).json()
            #expect(info["design"] as? String == design)
            return try #require(info["eventsByKind"] as? [String: Int])
        }
        let mine = try counts(design)
        let rfc = try counts("rfc")
        #expect(mine["syscall"] == rfc["syscall"])
        // Timer interrupts fall elsewhere, and with them a few wake-ups and flushes.
        for kind in ["hypercall", "exception"] {
            let difference = abs((mine[kind] ?? 0) - (rfc[kind] ?? 0))
            #expect(difference < 40, "\(kind): \(mine[kind] ?? 0) and \(rfc[kind] ?? 0)")
        }
    }

    @Test(arguments: ["intel", "amd"])
    func stackOfTheTaskIsOverwritten(cpu: String) throws {
        let result = try Self.boot("rfc,entry-stack=task", "work=5", ["--cpu", cpu])
        #expect(result.status == 10)
        let whole = try Self.shortReference.get().console
        let lines = result.console.split(separator: "\n")
        // The guest notices nothing to its end; then the launcher's system call goes back to what
        // the guest's events have left of its frames.
        #expect(whole.hasPrefix(lines.dropLast().map { "\n" + $0 }.joined()))
        #expect(lines.dropLast().last == "guest: shutdown")
        #expect(lines.last?.hasPrefix("host panic: ") == true)
    }

    @Test(arguments: [
        ("rfc", "read-kernel", "prober killed: page fault, read of 0xffff800000100000"),
        ("rfc", "hypercall", "prober killed: page fault, write to 0xffff80f000000000"),
        ("hardened", "read-kernel", "prober killed: page fault, read of 0xffff800000100000"),
        ("pvm", "hypercall", "prober killed: page fault, write to 0xffff80f000000000"),
        ("rfc,roots=one", "read-kernel", "probe: a process has read 0x"),
        ("rfc,roots=one", "hypercall", "probe: a process has made a hypercall"),
        ("hardened,roots=one", "read-kernel", "probe: a process has read 0x"),
        ("hardened,roots=one", "hypercall", "probe: its kernel has refused the system call"),
    ]) func aProcessAgainstItsKernel(design: String, probe: String, text: String) throws {
        let result = try Self.boot(design, "work=1 host.work=10 probe=\(probe)")
        #expect(result.status == 0)
        #expect(result.console.contains(text), "\(result.console)")
    }
}

/// The designs that switch tables, event by event.
@Suite struct TableSwitchTests {
    struct Recorded {
        var status: Int32
        var text: String
        var events: [[String: Any]]
    }

    static let eventLimit = 600

    static func record(_ design: String, _ options: [String] = []) throws -> Recorded {
        let scratch = try Scratch()
        let path = scratch.path("run.pvt")
        let result = try Tool.run(
            [
                "record", "-o", path, "--design", design, "--append", "work=1 host.work=20",
            ] + options)
        // Not all of them: a processor that faults at each fetch makes thousands.
        let first = try Tool.run(["show", path, "--json", "--first", "\(eventLimit)"])
        let last = try Tool.run(["show", path, "--json", "--last", "1"])
        let lines = first.text.split(separator: "\n")
        let events = try (lines + (lines.count < eventLimit ? [] : [Substring(last.text)])).map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        return Recorded(status: result.status, text: result.text, events: events)
    }

    /// swap-gdt: system calls pass, since SYSCALL does not read the GDT, and so do interrupts that
    /// find the host; the first event through the IDT that finds the guest is delivered at CPL 3,
    /// and its handler's page is the host's.
    @Test(arguments: ["intel", "amd"])
    func gdtUnderAnUnchangedIDT(cpu: String) throws {
        let run = try Self.record("rfc-swap-gdt", ["--cpu", cpu])
        #expect(run.status == 10)
        #expect(run.text.contains("triple fault"))
        let fatal = try #require(
            run.events.firstIndex {
                ($0["from"] as? String)?.hasPrefix("guest") == true
                    && $0["kind"] as? String != "hypercall" && $0["kind"] as? String != "syscall"
            })
        let before = run.events[..<fatal]
        #expect(before.contains { $0["kind"] as? String == "hypercall" })
        let first = run.events[fatal]
        #expect(first["kind"] as? String == "interrupt")
        #expect(first["from"] as? String == "guest-kernel")
        #expect(first["to"] as? String == "guest-kernel", "no change of privilege")
        let after = run.events[(fatal + 1)...]
        #expect(after.last?["kind"] as? String == "triple-fault")
        #expect(after.count > 100, "the handler of #PF faults itself")
        for event in after.dropLast() {
            #expect(event["kind"] as? String == "exception")
            #expect(event["number"] as? Int == 14)
            #expect(event["to"] as? String == "guest-kernel")
        }
    }

    /// swap-gdt-idt: an NMI between a SYSCALL and the change of tables leaves a frame that names
    /// 0x10, and its IRET reads the guest's GDT.
    @Test func aFrameThatNames0x10UnderTheWrongTable() throws {
        let run = try Self.record("rfc-swap-gdt-idt")
        #expect(run.status == 0)
        let call = try #require(run.events.firstIndex { $0["kind"] as? String == "hypercall" })
        let hit = try Self.record("rfc-swap-gdt-idt", ["--inject", "nmi@event:\(call)"])
        #expect(hit.status == 10)
        #expect(hit.text.contains("general protection (error 0x10) in the host kernel"))
        let tail = hit.events.suffix(2).map { $0["kind"] as? String }
        #expect(tail == ["nmi", "exception"])
    }

    /// The others take an NMI at any instruction of a hypercall's path.
    @Test(arguments: ["rfc", "rfc-task", "hardened", "pvm"])
    func anNMIAnywhereInAHypercall(design: String) throws {
        let run = try Self.record(design)
        let calls = run.events.filter { $0["kind"] as? String == "hypercall" }
        let call = try #require(calls.dropFirst(10).first?["instruction"] as? Int)
        for place in stride(from: call, to: call + 220, by: 11) {
            let result = try Tool.run([
                "record", "--no-trace", "-q", "--design", design, "--append",
                "work=1 host.work=20", "--inject", "nmi@instruction:\(place)",
            ])
            #expect(result.status == 0, "an NMI after \(place) instructions")
        }
    }
}
