import Foundation
import Testing
import Trace

/// Recorders that are killed, disks that fill up, files that are cut and flipped.
@Suite struct DamagedTraceTests {
    @Test(arguments: [60, 150, 300, 700])
    func aKilledRecorderLeavesAReadableTrace(_ milliseconds: Int) throws {
        let scratch = try Scratch()
        let trace = scratch.path("killed.pvt")
        let process = Tool.process(
            [
                "record", "-q", "-o", trace, "--append", "work=100000", "--checkpoint-interval",
                "20M",
            ])
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        usleep(UInt32(milliseconds * 1000))
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        guard FileManager.default.fileExists(atPath: trace) else { return }
        let info = try Tool.run(["info", trace, "--json"])
        #expect(info.status == 30)
        let show = try Tool.run(["show", trace, "--json"])
        #expect(show.status == 30)
        if let fields = try? info.json(), let events = fields["events"] as? Int {
            #expect(fields["complete"] as? Bool == false)
            #expect(show.text.split(separator: "\n").count == events)
            let replay = try Tool.run(["replay", trace])
            #expect(replay.status == 30, "\(replay.text)\(replay.error)")
            #expect(replay.text.contains("reproduced exactly"))
        }
    }

    @Test func aFullDiskIsExit74AndKeepsWhatWasRecorded() throws {
        let scratch = try Scratch()
        let trace = scratch.path("full.pvt")
        // A file size limit stands for the full disk: write(2) fails in the middle.
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = [
            "-c", "trap '' XFSZ; ulimit -f 300; exec \"$0\" record -q -o \"$1\"", Tool.path, trace,
        ]
        let error = Pipe()
        shell.standardError = error
        try shell.run()
        let message = String(
            decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 74, "\(message)")
        #expect(message.contains("kept"))
        let info = try Tool.run(["info", trace, "--json"])
        #expect(info.status == 30)
        #expect(try info.json()["complete"] as? Bool == false)

        let device = try Tool.run(["record", "-q", "-o", "/dev/full"])
        #expect(device.status == 74)
    }

    @Test func cutAndFlippedTracesNeverCrashATool() throws {
        let scratch = try Scratch()
        let whole = scratch.path("whole.pvt")
        #expect(try Tool.run(["record", "-q", "-o", whole, "--append", "work=1"]).status == 0)
        let bytes = [UInt8](try scratch.data("whole.pvt"))
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        func draw(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        for round in 0..<24 {
            var damaged = bytes
            if round % 2 == 0 {
                damaged.removeLast(1 + draw(bytes.count - 1))
            } else {
                damaged[draw(bytes.count)] ^= UInt8(1 << draw(8))
            }
            let path = scratch.path("damaged.pvt")
            try Data(damaged).write(to: URL(filePath: path))
            for command in [["info", path, "--verify"], ["show", path], ["replay", path]] {
                let result = try Tool.run(command)
                #expect(result.status == 30, "\(command[0]) gave \(result.status)")
                #expect(!result.error.isEmpty)
            }
        }
    }

    /// Sound checksums around metadata of which no machine can be made: the trace is at fault.
    @Test(arguments: [("memory", "12345678"), ("memory", "8192"), ("cpus", "65")])
    func impossibleMachinesAreBadTraces(_ key: String, _ value: String) throws {
        let scratch = try Scratch()
        let made = scratch.path("made.pvt")
        #expect(try Tool.run(["record", "-q", "-o", made, "--append", "work=1"]).status == 0)
        let reader = try TraceReader(path: made)
        var metadata = reader.metadata
        metadata[key] = value
        let forged = scratch.path("forged.pvt")
        let writer = try TraceWriter(
            path: forged, metadata: metadata, options: TraceWriterOptions())
        for (n, image) in reader.images.enumerated() {
            try writer.append(image: image, contents: try reader.loadImage(n))
        }
        let result = try Tool.run(["replay", forged])
        #expect(result.status == 30, "\(result.error)")
        #expect(result.error.contains("cannot run"), "\(result.error)")
    }

    @Test func otherFilesAreNotTraces() throws {
        let scratch = try Scratch()
        for (name, content) in [("empty", ""), ("text", "this is not a trace\n")] {
            try content.write(toFile: scratch.path(name), atomically: true, encoding: .utf8)
            for command in ["info", "show", "replay"] {
                let result = try Tool.run([command, scratch.path(name)])
                #expect(result.status == 30)
            }
        }
        #expect(try Tool.run(["info", scratch.path("missing")]).status == 74)
        #expect(try Tool.run(["record", "-o", scratch.path("no/such/folder.pvt")]).status == 74)
    }
}
