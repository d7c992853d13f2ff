import SeededRandom
import Testing

@testable import Trace

/// A trace that was cut, flipped or forged gives what is whole and a typed error, never a crash, a
/// hang or records that were not recorded.
@Suite struct DamageTests {
    /// Small, yet with every kind of block and several chunks.
    static let recording = Recording(
        seed: 42, style: .regular, count: 260, cpus: 2, eventsPerChunk: 40)

    @Test func everyCutIsRead() throws {
        let whole = try Self.recording.bytes()
        let fed = Self.recording.records
        var most = 0
        for length in 0..<whole.count {
            let reader: TraceReader
            do {
                reader = try TraceReader(bytes: Array(whole[..<length]))
            } catch {
                // Only before the metadata are whole is there nothing to read.
                #expect(!error.isSystem)
                #expect(most == 0, "nothing readable at \(length) bytes: \(error)")
                continue
            }
            #expect(!reader.complete)
            let damage = try #require(reader.damage)
            #expect(damage.offset <= UInt64(length))
            if length % 8 != 0 { #expect(damage.error != nil) }
            let (records, fault) = readAll(reader)
            #expect(fault == nil, "a whole chunk must be readable")
            #expect(records.count >= most, "a longer file has no fewer records")
            most = records.count
            expectPrefix(records, of: fed)
            try reader.verify()
        }
        #expect(most == fed.count)
    }

    /// Any changed bit is found by `verify` at the latest, and what is read before it is right.
    @Test func everyFlipIsFound() throws {
        let whole = try Self.recording.bytes()
        let fed = Self.recording.records
        var numbers = SplitMix64(1)
        var bits = (0..<4000).map { _ in numbers.below(whole.count * 8) }
        bits += (0..<(Format.fileHeaderSize * 8)).map { $0 }
        for bit in bits {
            var flipped = whole
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            var found = false
            do {
                let reader = try TraceReader(bytes: flipped)
                found = !reader.complete
                let (records, fault) = readAll(reader)
                if fault != nil { found = true }
                expectPrefix(records, of: fed)
                try reader.verify()
            } catch {
                found = true
                #expect(error.offset != nil)
            }
            #expect(found, "bit \(bit) of \(whole.count * 8)")
        }
    }

    @Test func overwrittenRangesAreFound() throws {
        let whole = try Self.recording.bytes()
        let fed = Self.recording.records
        var numbers = SplitMix64(2)
        for _ in 0..<1000 {
            var changed = whole
            let start = numbers.below(whole.count)
            for i in start..<min(whole.count, start + 1 + numbers.below(64)) {
                changed[i] = UInt8(numbers.below(256))
            }
            if changed == whole { continue }
            guard let reader = try? TraceReader(bytes: changed) else { continue }
            let (records, fault) = readAll(reader)
            expectPrefix(records, of: fed)
            let verified = (try? reader.verify()) != nil
            #expect(fault != nil || !reader.complete || !verified)
        }
    }

    /// A damaged index costs the convenience, not the records.
    @Test func withoutItsIndexATraceIsWalked() throws {
        let whole = try Self.recording.bytes()
        let place = whole.count - Format.endBlockSize - 1
        var changed = whole
        changed[place] ^= 0xff
        let reader = try TraceReader(bytes: changed)
        #expect(!reader.complete)
        #expect(reader.damage?.error != nil)
        #expect(readAll(reader).records.count == Self.recording.records.count)
        #expect(reader.outcome != nil)
        #expect(reader.checkpoints.count > 0)
    }

    @Test func bytesAfterTheEndAreDamage() throws {
        let reader = try TraceReader(bytes: try Self.recording.bytes() + [0, 0, 0, 0])
        #expect(!reader.complete)
        #expect(readAll(reader).records.count == Self.recording.records.count)
    }

    @Test func otherFilesAreNotTraces() {
        let texts: [[UInt8]] = [
            [], Array("hello, this is not a trace at all".utf8), [0x7f, 0x45, 0x4c, 0x46],
            [UInt8](repeating: 0, count: 4096),
        ]
        for bytes in texts {
            #expect(throws: TraceError.notATrace) { try TraceReader(bytes: bytes) }
        }
        #expect(throws: TraceError.truncated(offset: 0, what: "the file header")) {
            try TraceReader(bytes: Array(FileHeader.bytes()[..<20]))
        }
    }

    @Test func aLaterMajorVersionIsRefused() throws {
        var bytes = try Self.recording.bytes()
        bytes.withUnsafeMutableBytes { room in
            let base = room.baseAddress!
            base.store(UInt16(Format.major + 1), at: Format.headerVersionOffset)
            base.store(
                checksum(base, Format.headerChecksumOffset), at: Format.headerChecksumOffset)
        }
        #expect(
            throws: TraceError.unsupportedVersion(major: Format.major + 1, minor: Format.minor)
        ) { try TraceReader(bytes: bytes) }
    }

    @Test func missingAndSpecialFilesAreSystemErrors() {
        for path in ["/nonexistent/trace.pvt", "/", "/dev/null"] {
            do {
                _ = try TraceReader(path: path)
                Issue.record("\(path) was opened")
            } catch { #expect(error.isSystem) }
        }
    }
}
