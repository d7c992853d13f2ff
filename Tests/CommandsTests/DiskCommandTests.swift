import Foundation
import Testing

/// A kernel that drives virtio disks: as under QEMU, in both executors, from the trace alone; and
/// the disk as it is afterwards.
@Suite(.serialized) struct DiskCommandTests {
    private struct Disks {
        let scratch: Scratch
        let first: Data
        let second: Data

        init() throws {
            scratch = try Scratch()
            // 64 and 9 sectors, no two chunks alike, the second disk's last sector cut.
            first = Data((0..<64 * 512).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7 ^ $0) })
            second = Data((0..<8 * 512 + 100).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 4) })
            try PlatformGuestTests.image.get().write(to: scratch.url.appending(path: "disk.elf"))
            try first.write(to: scratch.url.appending(path: "first"))
            try second.write(to: scratch.url.appending(path: "second"))
        }

        func record(_ more: [String] = []) throws -> Tool.Result {
            try Tool.run(
                [
                    "record", "-q", "--kernel", scratch.path("disk.elf"), "--append", "disk",
                    "--disk", scratch.path("first"), "--disk", scratch.path("second") + ",ro",
                    "--console", scratch.path("ours"),
                ] + (more.contains("-o") ? more : more + ["-o", scratch.path("t.pvt")]))
        }
    }

    @Test func aDriverFindsWhatItFindsUnderQEMU() throws {
        let set = try Disks()
        #expect(try set.record().status == 0)
        let text = String(decoding: try set.scratch.data("ours"), as: UTF8.self)
        #expect(text.contains("fault 6: status 4f, used 0, after a reset 0\n"))
        #expect(text.hasSuffix("queues 1, vector ffff\n"))
        #expect(try set.scratch.data("first") == set.first)
        guard let qemu = QEMUConsoleTests.qemu else {
            print("NOT TESTED: qemu-system-x86_64 is not installed; run make setup")
            return
        }
        func device(_ name: String, _ slot: Int, _ more: String) -> [String] {
            [
                "-drive", "file=\(set.scratch.path(name)),if=none,id=\(name),format=raw,\(more)",
                "-device", "virtio-blk-pci,drive=\(name),addr=\(slot),serial=pvreplay-disk0",
            ]
        }
        let theirs = try Tool.run(
            [
                "-accel", "tcg", "-machine", "pc", "-m", "256", "-kernel",
                set.scratch.path("disk.elf"), "-append", "disk", "-serial", "stdio", "-display",
                "none", "-no-reboot", "-net", "none",
            ] + device("first", 3, "snapshot=on") + device("second", 4, "readonly=on"),
            path: qemu)
        #expect(theirs.status == 0)
        #expect(text == theirs.text)
    }

    @Test func theTraceHoldsWhatWasRead() throws {
        let set = try Disks()
        #expect(try set.record(["--disk-out", set.scratch.path("after")]).status == 0)
        let trace = try set.scratch.data("t.pvt")
        #expect(try set.record(["--executor", "stepwise"]).status == 0)
        #expect(try set.scratch.data("t.pvt") == trace)
        for name in ["first", "second", "disk.elf"] {
            try FileManager.default.moveItem(
                atPath: set.scratch.path(name), toPath: set.scratch.path("kept-" + name))
        }
        for executor in ["blocks", "stepwise"] {
            let replay = try Tool.run(
                ["replay", set.scratch.path("t.pvt"), "--executor", executor])
            #expect(replay.status == 0, "\(replay.text)\(replay.error)")
        }
        let info = try Tool.run(["info", set.scratch.path("t.pvt"), "--json", "--verify"])
        #expect(info.status == 0)
        let disks = try #require(try info.json()["disks"] as? [[String: Any]])
        #expect(disks.map { $0["name"] as? String } == ["first", "second"])
        #expect(disks.map { $0["readOnly"] as? Bool } == [false, true])
        #expect(disks.map { $0["size"] as? Int } == [32768, 4196])
        // Chunks 0 and 7 for their contents, 1 as a part of it was written over.
        #expect(disks.map { $0["chunksRead"] as? Int } == [3, 1])
    }

    @Test func theDiskComesOutAsItIsAtTheEnd() throws {
        let set = try Disks()
        #expect(try set.record(["--disk-out", set.scratch.path("after")]).status == 0)
        let after = try set.scratch.data("after")
        #expect(after.count == set.first.count)
        // The guest wrote sectors 5 to 7, and then zeros to 6.
        var expected = set.first
        for n in 0..<1536 {
            expected[5 * 512 + n] = n / 512 == 1 ? 0 : UInt8(truncatingIfNeeded: n * 7)
        }
        #expect(after == expected)
        let replay = try Tool.run(
            [
                "replay", set.scratch.path("t.pvt"), "--disk-out", set.scratch.path("again"),
                "--disk", set.scratch.path("first"), "--disk-out", set.scratch.path("part"),
            ])
        #expect(replay.status == 0)
        #expect(replay.error.contains("neither read nor wrote"))
        #expect(try set.scratch.data("again") == after)
        #expect(try set.scratch.data("part").count == 9 * 512)
        #expect(try set.scratch.data("part").prefix(4096) == set.second.prefix(4096))
    }

    @Test func otherContentsAreADifference() throws {
        let set = try Disks()
        #expect(try set.record().status == 0)
        var other = set.first
        other[700] ^= 0xFF
        try other.write(to: set.scratch.url.appending(path: "first"))
        #expect(try set.record(["-o", set.scratch.path("other.pvt")]).status == 0)
        let words = ["diff", set.scratch.path("t.pvt"), set.scratch.path("other.pvt")]
        let difference = try Tool.run(words)
        #expect(difference.status == 21)
        #expect(difference.text.contains("contents of disk 0"))
        #expect(difference.text.contains("chunk 0: sha256 "))
        #expect(!difference.text.contains("contents of disk 1"))
    }

    /// A damaged block of a disk's contents is found before anything is run.
    @Test func damagedContentsAreFound() throws {
        let set = try Disks()
        #expect(try set.record().status == 0)
        var trace = try set.scratch.data("t.pvt")
        let block = try #require(trace.range(of: Data("DISK".utf8)))
        trace[block.upperBound + 60] ^= 1
        try trace.write(to: set.scratch.url.appending(path: "t.pvt"))
        let replay = try Tool.run(["replay", set.scratch.path("t.pvt")])
        #expect(replay.status == 30)
        #expect(replay.error.contains("DISK"))
    }

    @Test func badDisksAreRefused() throws {
        let set = try Disks()
        let empty = set.scratch.path("empty")
        try Data().write(to: URL(filePath: empty))
        let kernel = ["record", "--kernel", set.scratch.path("disk.elf"), "-o", "/dev/null"]
        // Nobody writes to the pipe: it must not be waited for.
        let pipe = set.scratch.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        for disk in ["/nonexistent", "/tmp", "/dev/null", empty, pipe] {
            let refused = try Tool.run(kernel + ["--disk", disk])
            #expect(refused.status == 74, "\(disk)")
            #expect(refused.error.contains(disk))
        }
        #expect(try Tool.run(["record", "--disk", empty]).status == 64)
        #expect(try Tool.run(["record", "--virtio-console"]).status == 64)
        #expect(try Tool.run(kernel + ["--input-port", "virtio"]).status == 64)
        #expect(try Tool.run(kernel + ["--disk-out", empty]).status == 64)
        let own = try set.record(["--disk-out", set.scratch.path("second")])
        #expect(own.status == 64)
        #expect(try set.scratch.data("second") == set.second)
        #expect(try set.record().status == 0)
        let words = ["replay", set.scratch.path("t.pvt")]
        #expect(try Tool.run(words + ["--disk", empty]).status == 64)
        let many = (0..<3).flatMap { _ in ["--disk-out", set.scratch.path("x")] }
        #expect(try Tool.run(words + many).status == 64)
    }
}
