import Testing

@testable import Trace

/// What is read is what was written.
@Suite struct RoundTripTests {
    struct Shape: CustomTestStringConvertible, Sendable {
        var style: RecordingMaker.Style
        var cpus: Int
        var sharedSize: Int
        var eventsPerChunk: Int
        var testDescription: String {
            "\(style), \(cpus) CPUs, page \(sharedSize), \(eventsPerChunk) a chunk"
        }
    }

    static let shapes: [Shape] = [
        Shape(style: .regular, cpus: 1, sharedSize: 64, eventsPerChunk: 16384),
        Shape(style: .regular, cpus: 4, sharedSize: 64, eventsPerChunk: 100),
        Shape(style: .wild, cpus: 1, sharedSize: 64, eventsPerChunk: 16384),
        Shape(style: .wild, cpus: 256, sharedSize: 61, eventsPerChunk: 500),
        Shape(style: .wild, cpus: 2, sharedSize: 4096, eventsPerChunk: 1),
        Shape(style: .regular, cpus: 2, sharedSize: 4, eventsPerChunk: 16),
        Shape(style: .regular, cpus: 3, sharedSize: 0, eventsPerChunk: 17),
    ]

    @Test(arguments: shapes, [1, 2, 3] as [UInt64])
    func recordsSurvive(shape: Shape, seed: UInt64) throws {
        let recording = Recording(
            seed: seed, style: shape.style, count: 3000, cpus: shape.cpus,
            sharedSize: shape.sharedSize, eventsPerChunk: shape.eventsPerChunk)
        let reader = try TraceReader(bytes: try recording.bytes())
        let fed = recording.records
        let (records, fault) = readAll(reader)
        #expect(fault == nil)
        #expect(records.count == fed.count)
        expectPrefix(records, of: fed)
        try reader.verify()
    }

    @Test func everythingElseSurvives() throws {
        let recording = Recording(seed: 7, count: 4000, cpus: 2, eventsPerChunk: 300)
        let reader = try TraceReader(bytes: try recording.bytes())
        #expect(reader.complete)
        #expect(reader.damage == nil)
        #expect(reader.metadata == recording.metadata)
        #expect(reader.images == recording.images.map(\.0))
        #expect(try reader.loadImage(0) == recording.images[0].1)
        var outcome = recording.outcome
        outcome.events = reader.eventCount
        outcome.returns = UInt64(
            recording.records.count { if case .eventReturn = $0 { true } else { false } })
        #expect(reader.outcome == outcome)
        var fed: [(CheckpointInfo, [UInt8])] = []
        for case .checkpoint(let info, let state) in recording.steps { fed.append((info, state)) }
        #expect(fed.count > 2)
        #expect(reader.checkpoints == fed.map(\.0))
        for number in fed.indices {
            #expect(try reader.loadCheckpoint(number) == fed[number].1)
        }
    }

    @Test func aChunkIsReadWithoutThoseBefore() throws {
        let recording = Recording(
            seed: 11, style: .wild, count: 3000, cpus: 3, eventsPerChunk: 128)
        let reader = try TraceReader(bytes: try recording.bytes())
        let fed = recording.records
        #expect(reader.chunks.count > 5)
        for (number, chunk) in reader.chunks.enumerated() {
            let cursor = reader.cursor(chunk: number)
            #expect(cursor.nextSequence == chunk.firstSequence)
            while let kind = try cursor.next(), kind != .event {}
            guard cursor.event.pointee.sequence < reader.eventCount else { continue }
            let page = Array(cursor.sharedPage)
            let event = cursor.event.pointee
            for case .event(let original, let expected) in recording.steps
            where original.sequence == event.sequence {
                #expect(agree(.event(event, changes: []), .event(original, changes: [])))
                #expect(page == expected ?? [])
            }
        }
        #expect(fed.count > 0)
    }

    @Test func seekingGoesToTheEvent() throws {
        let recording = Recording(seed: 5, count: 2500, cpus: 2, eventsPerChunk: 200)
        let reader = try TraceReader(bytes: try recording.bytes())
        let cursor = reader.cursor()
        for sequence in [0, 1, 199, 200, 201, reader.eventCount - 1] as [UInt64] {
            #expect(try cursor.seek(toEvent: sequence))
            #expect(cursor.nextSequence == sequence)
            while let kind = try cursor.next(), kind != .event {}
            #expect(cursor.event.pointee.sequence == sequence)
        }
        #expect(try cursor.seek(toEvent: reader.eventCount))
        #expect(try cursor.next() == nil)
        #expect(try !cursor.seek(toEvent: reader.eventCount + 1))
        #expect(reader.chunk(of: reader.eventCount) == nil)
    }

    @Test func aCheckpointIsFollowedByItsOwnRecords() throws {
        let recording = Recording(seed: 13, count: 6000, cpus: 2, eventsPerChunk: 200)
        let reader = try TraceReader(bytes: try recording.bytes())
        for (number, info) in reader.checkpoints.enumerated() {
            let cursor = reader.cursor(chunk: reader.chunk(afterCheckpoint: number))
            #expect(cursor.nextSequence == info.sequence)
            let range = reader.checkpoints(before: info.sequence)
            #expect(range.isEmpty || reader.checkpoints[range.lowerBound].kind == .full)
            #expect(range.dropFirst().allSatisfy { reader.checkpoints[$0].kind == .incremental })
        }
        #expect(reader.checkpoints(before: 0).allSatisfy { reader.checkpoints[$0].sequence == 0 })
    }

    @Test func digestsAreThereAsPromised() throws {
        let recording = Recording(seed: 3, count: 1000, eventsPerChunk: 100)
        let reader = try TraceReader(bytes: try recording.bytes())
        let lasts = Set(reader.chunks.map { $0.firstSequence + UInt64($0.events) - 1 })
        for case .event(let event, _) in readAll(reader).records {
            #expect(
                event.digestKnown == (event.sequence % 16 == 15 || lasts.contains(event.sequence)))
        }
    }

    @Test func sameCallsGiveSameBytes() throws {
        let recording = Recording(seed: 21, style: .wild, count: 2000, cpus: 2)
        #expect(try recording.bytes() == recording.bytes())
    }

    @Test func anEmptyRecordingIsATrace() throws {
        let recording = Recording(seed: 1, count: 0)
        let reader = try TraceReader(bytes: try recording.bytes())
        #expect(reader.complete)
        #expect(reader.eventCount == 0)
        #expect(readAll(reader).records.isEmpty)
        try reader.verify()
    }

    @Test func aLongConsoleTextIsCutIntoRecords() throws {
        var recording = Recording(seed: 1, count: 0)
        recording.steps = (0..<10000).map {
            .console(UInt8(truncatingIfNeeded: $0), cpu: 0, cycle: UInt64($0))
        }
        let (records, _) = readAll(try TraceReader(bytes: try recording.bytes()))
        #expect(records == recording.records)
        #expect(records.count == 3)
    }

    @Test func metadataKeepsOrderAndReplaces() {
        var metadata = TraceMetadata()
        metadata["b"] = "1"
        metadata["a"] = "2"
        metadata["b"] = "3"
        metadata["gone"] = "4"
        metadata["gone"] = nil
        #expect(metadata.entries.map(\.key) == ["b", "a"])
        #expect(metadata["b"] == "3")
        #expect(metadata["none"] == nil)
    }

    /// The figure that the format promises on repetitive streams.
    @Test func aRegularStreamIsSmall() throws {
        let writer = try TraceWriter(metadata: TraceMetadata(), options: TraceWriterOptions())
        var event = Event()
        var back = EventReturn()
        for number in 0..<100_000 as Range<UInt64> {
            event.sequence = number
            event.rip = 0x40_1000 + number % 5 * 16
            event.cycle += 300 + number % 5
            event.instruction += 100
            event.cr2 = number &* 4096
            event.digest = event.digest &* 0x9e37_79b9_7f4a_7c15 &+ 1
            try writer.append(event: &event, sharedPage: nil)
            back.event = number
            back.cycle = event.cycle + 50
            back.instruction = event.instruction + 10
            try writer.append(return: back)
        }
        try writer.finish(outcome: Outcome())
        #expect(Double(writer.eventBytes) / 100_000 < 0.6)
    }
}
