import SeededRandom
import Testing

@testable import Trace

/// Blocks whose checksums are right and whose content is not.
@Suite struct ForgeryTests {
    private static func recording(_ seed: UInt64) -> Recording {
        Recording(
            seed: seed, style: seed % 2 == 0 ? .wild : .regular, count: 300, cpus: 2,
            sharedSize: 40)
    }

    /// Reads all there is; what matters is that it comes back, and how.
    private static func readEverything(_ bytes: [UInt8]) {
        guard let reader = try? TraceReader(bytes: bytes) else { return }
        _ = readAll(reader)
        for number in reader.checkpoints.indices { _ = try? reader.loadCheckpoint(number) }
        for number in reader.images.indices { _ = try? reader.loadImage(number) }
        _ = try? reader.verify()
    }

    /// Random bytes in the columns of a chunk.
    @Test(arguments: [1, 2] as [UInt64])
    func columnsMayHoldAnything(seed: UInt64) throws {
        var blocks = try RawBlocks(try Self.recording(seed).bytes())
        let place = try #require(blocks.blocks.firstIndex { $0.type == BlockType.chunk })
        blocks.blocks.removeSubrange((place + 1)...)
        let (header, raw) = try RawBlocks.columns(blocks.blocks[place].payload)
        var numbers = SplitMix64(seed)
        var refused = 0
        for _ in 0..<1500 {
            var changed = raw
            for _ in 0...numbers.below(6) {
                // Half of the changes go to the table of columns and the first column.
                let limit = numbers.chance(50) ? min(raw.count, 600) : raw.count
                let value = [0, 0xff, 0x80, UInt8(numbers.below(256))][numbers.below(4)]
                changed[numbers.below(limit)] = value
            }
            if numbers.chance(20) { changed.removeLast(numbers.below(changed.count)) }
            blocks.blocks[place].payload = RawBlocks.chunk(header, changed)
            guard let reader = try? TraceReader(bytes: blocks.bytes) else { continue }
            let (records, fault) = readAll(reader)
            #expect(records.count <= Int(header.records))
            if fault != nil { refused += 1 }
        }
        #expect(refused > 1000)
    }

    /// Random bytes in the payload of any block, checksums made right again.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func payloadsMayHoldAnything(seed: UInt64) throws {
        let original = try RawBlocks(try Self.recording(seed).bytes())
        var numbers = SplitMix64(seed)
        for _ in 0..<1500 {
            var blocks = original
            let place = numbers.below(blocks.blocks.count)
            let count = blocks.blocks[place].payload.count
            for _ in 0...numbers.below(4) where count > 0 {
                let limit = numbers.chance(70) ? min(count, 64) : count
                let value = [0, 0xff, 0x7f, UInt8(numbers.below(256))][numbers.below(4)]
                blocks.blocks[place].payload[numbers.below(limit)] = value
            }
            Self.readEverything(blocks.bytes)
        }
    }

    @Test func headersThatAskForTooMuchAreRefused() throws {
        let recording = Self.recording(1)
        var limits = TraceLimits()
        limits.imageBytes = 299
        let bytes = try recording.bytes()
        // Without its image a trace is useless: the walk stops there and says so.
        let reader = try TraceReader(bytes: bytes, limits: limits)
        #expect(reader.images.isEmpty)
        guard case .limit(_, _, 300..., 299)? = reader.damage?.error else {
            Issue.record("\(String(describing: reader.damage))")
            return
        }
    }

    @Test func aBombIsRefusedBeforeItIsUnpacked() throws {
        var blocks = try RawBlocks(try Self.recording(1).bytes())
        let place = try #require(blocks.blocks.firstIndex { $0.type == BlockType.chunk })
        blocks.blocks.removeSubrange((place + 1)...)
        let (header, _) = try RawBlocks.columns(blocks.blocks[place].payload)
        // A frame of 32 MiB of zeros in a chunk that declares 1000 bytes.
        var bomb = RawBlocks.chunk(header, [UInt8](repeating: 0, count: 32 << 20))
        bomb.withUnsafeMutableBytes { $0.baseAddress!.store(UInt32(1000), at: 24) }
        blocks.blocks[place].payload = bomb
        let fault = readAll(try TraceReader(bytes: blocks.bytes)).fault
        guard case .compression(_, "the frame declares another size")? = fault else {
            Issue.record("\(String(describing: fault))")
            return
        }
    }

    @Test func tooManyBlocksAreRefused() throws {
        var limits = TraceLimits()
        limits.blocks = 2
        let bytes = try Self.recording(1).bytes()
        let reader = try TraceReader(bytes: Array(bytes.dropLast(8)), limits: limits)
        #expect(
            reader.damage?.error
                == .limit(
                    offset: reader.damage!.offset, what: "the number of blocks", value: 3,
                    limit: 2))
    }

    @Test func unknownBlocksArePassedOver() throws {
        let recording = Recording(seed: 9, count: 400, eventsPerChunk: 100)
        let original = try RawBlocks(try recording.bytes())
        var blocks = RawBlocks()
        for block in original.blocks
        where block.type != BlockType.index && block.type != BlockType.end {
            blocks.blocks.append(block)
            blocks.blocks.append(
                .init(type: BlockType.code("what"), payload: [UInt8](repeating: 9, count: 1001)))
        }
        var bytes = blocks.bytes
        let walked = try TraceReader(bytes: bytes)
        #expect(walked.damage == TraceDamage(offset: UInt64(bytes.count), error: nil))
        #expect(readAll(walked).records.count == recording.records.count)
        #expect(walked.outcome != nil)
        try walked.verify()

        // And with an index and an end that know nothing of them.
        var index: [IndexEntry] = []
        var offset = UInt64(Format.fileHeaderSize)
        for block in blocks.blocks {
            var entry = IndexEntry(
                offset: offset, type: block.type, events: 0, sequence: 0, cycle: 0)
            if block.type == BlockType.chunk {
                let header = try RawBlocks.columns(block.payload).header
                (entry.events, entry.sequence) = (header.events, header.firstSequence)
            }
            if block.type != BlockType.code("what") { index.append(entry) }
            offset += BlockHeader.stride(UInt64(block.payload.count))
        }
        bytes += RawBlocks.seal(
            .init(type: BlockType.index, payload: IndexEntry.payload(index)))
        var end = ByteBuilder()
        end.append(offset)
        end.append(UInt64(bytes.count + Format.endBlockSize))
        end.append(UInt64(0))
        bytes += RawBlocks.seal(.init(type: BlockType.end, payload: end.bytes))
        let indexed = try TraceReader(bytes: bytes)
        #expect(indexed.complete)
        #expect(readAll(indexed).records.count == recording.records.count)
        try indexed.verify()
    }

    /// The minor-version rule: columns and payload parts that are not known are ignored.
    @Test func unknownColumnsAreIgnored() throws {
        let recording = Recording(seed: 10, count: 300)
        var blocks = try RawBlocks(try recording.bytes())
        let place = try #require(blocks.blocks.firstIndex { $0.type == BlockType.chunk })
        blocks.blocks.removeSubrange((place + 1)...)
        var (header, raw) = try RawBlocks.columns(blocks.blocks[place].payload)
        raw.insert(contentsOf: [3, 0, 0, 0], at: 4 * Int(header.columns))
        raw += [1, 2, 3]
        header.columns += 1
        blocks.blocks[place].payload = RawBlocks.chunk(header, raw)
        let (records, fault) = readAll(try TraceReader(bytes: blocks.bytes))
        #expect(fault == nil)
        #expect(records.count == Int(header.records) && records.count > 20)
    }

    @Test func aGapInTheSequenceIsNoticed() throws {
        let recording = Recording(seed: 9, count: 400, eventsPerChunk: 50)
        var blocks = try RawBlocks(try recording.bytes())
        let chunks = blocks.blocks.indices.filter { blocks.blocks[$0].type == BlockType.chunk }
        blocks.blocks.remove(at: chunks[1])
        let reader = try TraceReader(bytes: blocks.bytes)
        #expect(!reader.complete)
        #expect(reader.chunks.count == 1)
    }
}
