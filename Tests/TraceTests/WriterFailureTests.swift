import Foundation
import Testing

@testable import Trace

/// When writing fails, the error says so and what was written stays readable.
@Suite struct WriterFailureTests {
    /// A file in the temporary directory whose name parent and child of an exit test agree on.
    static func path(_ name: String, owner: Int32) -> String {
        FileManager.default.temporaryDirectory
            .appending(path: "pvreplay-trace-\(name)-\(owner).pvt").path
    }

    static let recording = Recording(
        seed: 4, style: .wild, count: 6000, cpus: 2, eventsPerChunk: 64)

    @Test func aFullDeviceIsASystemError() throws {
        do {
            _ = try TraceWriter(path: "/dev/full", metadata: TraceMetadata())
            Issue.record("writing to /dev/full succeeded")
        } catch { #expect(error == .system(call: "write", errno: ENOSPC)) }
    }

    @Test func aMissingFolderIsASystemError() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        do {
            _ = try TraceWriter(
                path: folder.appending(path: "a.pvt").path, metadata: TraceMetadata())
            Issue.record("a file in no folder was created")
        } catch { #expect(error == .system(call: "open", errno: ENOENT)) }
    }

    /// A file-size limit stands in for a full disk: the write that crosses it is cut short, the
    /// next one fails.
    @Test func aFullDiskKeepsWhatWasRecorded() async throws {
        await #expect(processExitsWith: .exitCode(74)) {
            signal(SIGXFSZ, SIG_IGN)
            let path = WriterFailureTests.path("full", owner: getppid())
            var limit = rlimit(rlim_cur: 60_001, rlim_max: 60_001)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let recording = WriterFailureTests.recording
            let writer = try TraceWriter(
                path: path, metadata: recording.metadata, options: recording.options)
            do {
                try recording.feed(writer)
            } catch let error as TraceError {
                // Every further call gives the same error, and none writes.
                do {
                    try writer.finish(outcome: recording.outcome)
                } catch let again {
                    if again as? TraceError == error, error == .system(call: "write", errno: EFBIG)
                    {
                        exit(74)
                    }
                }
            }
            exit(1)
        }
        let path = Self.path("full", owner: getpid())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let reader = try TraceReader(path: path)
        #expect(!reader.complete)
        // Cut back to the last whole block, of which many fit.
        #expect(reader.damage == TraceDamage(offset: reader.byteCount, error: nil))
        #expect(reader.byteCount > 50_000)
        let (records, fault) = readAll(reader)
        #expect(fault == nil)
        #expect(records.count > 500)
        expectPrefix(records, of: Self.recording.records)
    }

    @Test func aKilledRecorderLeavesATrace() async throws {
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let recording = WriterFailureTests.recording
            let writer = try TraceWriter(
                path: WriterFailureTests.path("killed", owner: getppid()),
                metadata: recording.metadata, options: recording.options)
            try recording.feed(writer)
            kill(getpid(), SIGKILL)
        }
        let path = Self.path("killed", owner: getpid())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let reader = try TraceReader(path: path)
        #expect(!reader.complete)
        #expect(reader.outcome == nil)
        let (records, fault) = readAll(reader)
        #expect(fault == nil)
        expectPrefix(records, of: Self.recording.records)
        // At most one chunk of 64 events, with what lies between them, is lost.
        #expect(Self.recording.records.count - records.count < 64 * 4)
    }

    @Test func aTraceGoesThroughAPipe() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let small = Recording(seed: 8, count: 200)
        let writer = try TraceWriter(
            descriptor: ends[1], metadata: small.metadata, options: small.options)
        try small.feed(writer)
        try writer.finish(outcome: small.outcome)
        close(ends[1])
        let bytes = try FileHandle(fileDescriptor: ends[0], closeOnDealloc: true).readToEnd()
        #expect(Array(try #require(bytes)) == (try small.bytes()))
    }

    @Test func aFileHoldsTheBytesOfMemory() throws {
        let path = Self.path("file", owner: getpid())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let recording = Self.recording
        let writer = try TraceWriter(
            path: path, metadata: recording.metadata, options: recording.options)
        try recording.feed(writer)
        try writer.finish(outcome: recording.outcome)
        let bytes = try recording.bytes()
        #expect(FileManager.default.contents(atPath: path).map(Array.init) == bytes)
        #expect(writer.byteCount == UInt64(bytes.count))
        let reader = try TraceReader(path: path)
        #expect(reader.complete)
        #expect(reader.eventBytes == writer.eventBytes)
        try reader.verify()
        #expect(throws: TraceError.closed) { try writer.flush() }
        #expect(throws: TraceError.closed) {
            try writer.append(console: 1, cpu: 0, cycle: 0)
        }
    }

    /// Another process may read while the trace is being written.
    @Test func aTraceIsReadableWhileItGrows() throws {
        let recording = Recording(seed: 6, count: 600, eventsPerChunk: 50)
        let path = Self.path("growing", owner: getpid())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = try TraceWriter(
            path: path, metadata: recording.metadata, options: recording.options)
        var event = Event()
        var seen: UInt64 = 0
        for sequence in 0..<300 as Range<UInt64> {
            event.sequence = sequence
            try writer.append(event: &event, sharedPage: nil)
            if sequence % 25 == 0 {
                let reader = try TraceReader(path: path)
                #expect(reader.eventCount >= seen && reader.eventCount <= sequence)
                seen = reader.eventCount
            }
        }
        #expect(seen >= 250)
        try writer.flush()
        #expect(try TraceReader(path: path).eventCount == 300)
    }
}
