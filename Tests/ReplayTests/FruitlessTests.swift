import Machine
import Testing
import Trace

@testable import Replay

/// Machines that execute nothing any more and do not stop: only exceptions are left.
@Suite struct FruitlessTests {
    /// A multiboot kernel in 32-bit protected mode whose #UD handler begins with UD2, or with NOP
    /// before it. Its stack is where there is no memory, so that no frame ever runs into anything.
    private static func kernel(isEndless: Bool) -> [UInt8] {
        let base: UInt32 = 0x10_0000
        var bytes: [UInt8] = []
        func put(_ words: UInt32...) {
            for word in words {
                bytes += (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
            }
        }
        let flags: UInt32 = 0x1_0000
        let size: UInt32 = 0x200
        put(0x1BAD_B002, flags, 0 &- (0x1BAD_B002 + flags), base, base, base + size, base + size)
        put(base + 0x20)
        bytes += [0x0F, 0x01, 0x15] + [0x80, 0x00, 0x10, 0x00]  // LGDT
        bytes += [0x0F, 0x01, 0x1D] + [0x86, 0x00, 0x10, 0x00]  // LIDT
        bytes += [0xEA, 0x35, 0x00, 0x10, 0x00, 0x08, 0x00]  // JMP 8:100035
        bytes += [0xBC, 0x00, 0x00, 0x00, 0x80]  // MOV ESP, 80000000
        bytes += isEndless ? [0x0F, 0x0B] : [0x90, 0x0F, 0x0B]  // the handler, at 10003A
        bytes += [UInt8](repeating: 0, count: 0x80 - bytes.count)
        bytes += [0x17, 0x00, 0x90, 0x00, 0x10, 0x00]
        bytes += [0x37, 0x00, 0xA8, 0x00, 0x10, 0x00]
        bytes += [UInt8](repeating: 0, count: 0x90 - bytes.count)
        put(0, 0, 0xFFFF, 0x00CF_9A00, 0xFFFF, 0x00CF_9200)
        bytes += [UInt8](repeating: 0, count: 6 * 8)
        put(0x0008_003A, 0x0010_8E00)
        return bytes + [UInt8](repeating: 0, count: Int(size) - bytes.count)
    }

    private static func record(
        isEndless: Bool, fruitless: UInt64, writer: TraceWriter?
    ) throws -> RunSummary {
        let image = SessionImage(name: "storm", bytes: kernel(isEndless: isEndless))
        var configuration = SessionConfiguration(
            host: image, guest: nil, memory: 1 << 24, costs: WhatIfTests.costs("test", scale: 1))
        configuration.platform = .pc
        configuration.limits = RunLimits(cycles: 10_000_000)
        var options = RecordingOptions()
        options.limits = SessionLimits(fruitless: fruitless)
        return try Recorder(configuration, options: options, writer: writer).run()
    }

    @Test(arguments: [false, true]) func itIsStopped(isRecorded: Bool) throws {
        var metadata = TraceMetadata()
        metadata[TraceMetadata.Key.tool] = "test"
        let writer = isRecorded ? try TraceWriter(metadata: metadata) : nil
        let summary = try Self.record(isEndless: true, fruitless: 5000, writer: writer)
        #expect(summary.end.outcome == .limit)
        #expect(summary.end.stop == .request)
        #expect(summary.end.reason.hasPrefix("5000 exceptions or interrupts came"))
    }

    @Test func aHandlerThatRunsIsNot() throws {
        let summary = try Self.record(isEndless: false, fruitless: 2000, writer: nil)
        #expect(summary.end.reason == "the limit of cycles was reached")
    }
}
