import Testing

@testable import Trace

/// A recording as it was fed to a writer, and the records that a reader must give back.
struct Recording {
    var steps: [Step]
    var options = TraceWriterOptions()
    var metadata = TraceMetadata()
    var images: [(TraceImage, [UInt8])] = []
    var outcome = Outcome()

    /// A recording made up from a seed, with metadata, an image and an outcome.
    init(
        seed: UInt64, style: RecordingMaker.Style = .regular, count: Int, cpus: Int = 1,
        sharedSize: Int = 64, eventsPerChunk: Int = 16384
    ) {
        var maker = RecordingMaker(
            seed: seed, style: style, cpus: cpus, sharedSize: sharedSize)
        steps = maker.steps(count)
        options.sharedSize = sharedSize
        options.eventsPerChunk = eventsPerChunk
        metadata["tool"] = "test"
        metadata["commandLine"] = "console=ttyS0 \u{e9}"
        metadata["empty"] = ""
        let contents = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let sha256 = (0..<32).map { UInt8($0) }
        images.append(
            (TraceImage(role: .host, name: "host.elf", sha256: sha256, size: 300), contents))
        outcome.kind = .guestPanic
        outcome.reason = "init died"
        outcome.cpuInstructions = [1, 2]
        outcome.cycles = 99
    }

    /// Feeds a writer; does not finish it.
    func feed(_ writer: TraceWriter) throws {
        for (image, contents) in images { try writer.append(image: image, contents: contents) }
        for step in steps {
            switch step {
            case .event(var event, let page):
                if let page {
                    try page.withUnsafeBytes {
                        try writer.append(event: &event, sharedPage: $0.baseAddress)
                    }
                } else {
                    try writer.append(event: &event, sharedPage: nil)
                }
            case .eventReturn(let back): try writer.append(return: back)
            case .console(let byte, let cpu, let cycle):
                try writer.append(console: byte, cpu: cpu, cycle: cycle)
            case .input(let input): try writer.append(input: input)
            case .checkpoint(let info, let state):
                try writer.append(checkpoint: info, state: state)
            }
        }
    }

    /// The finished trace.
    func bytes() throws -> [UInt8] {
        let writer = try TraceWriter(metadata: metadata, options: options)
        try feed(writer)
        try writer.finish(outcome: outcome)
        return writer.bytes
    }

    /// What a reader must give: console bytes joined, digests as fed.
    var records: [Record] {
        var records: [Record] = []
        var pages: [UInt16: [UInt8]] = [:]
        var console = ConsoleOutput()
        func closeConsole() {
            if !console.bytes.isEmpty { records.append(.console(console)) }
            console = ConsoleOutput()
        }
        for step in steps {
            if case .console(let byte, let cpu, let cycle) = step {
                if cpu != console.cpu || console.bytes.count == 4096 { closeConsole() }
                if console.bytes.isEmpty { (console.cpu, console.cycle) = (cpu, cycle) }
                console.bytes.append(byte)
                continue
            }
            closeConsole()
            switch step {
            case .event(let event, let page):
                var changes: [SharedChange] = []
                if let page {
                    let old = pages[event.vcpu] ?? [UInt8](repeating: 0, count: page.count)
                    changes = old.withUnsafeBytes { old in
                        page.withUnsafeBytes {
                            SharedChange.between(
                                old.baseAddress!, $0.baseAddress!, count: page.count)
                        }
                    }
                    // A reader keeps one page for VCPUs that agree in their low eight bits.
                    for other in pages.keys where other & 255 == event.vcpu & 255 {
                        pages[other] = nil
                    }
                    pages[event.vcpu] = page
                }
                records.append(.event(event, changes: changes))
            case .eventReturn(let back): records.append(.eventReturn(back))
            case .input(let input): records.append(.input(input))
            case .console, .checkpoint: break
            }
        }
        closeConsole()
        return records
    }
}

/// All records of a trace up to its end or its first fault.
func readAll(_ reader: TraceReader) -> (records: [Record], fault: TraceError?) {
    var records: [Record] = []
    var iterator = reader.records()
    do {
        while let record = try iterator.next() { records.append(record) }
    } catch { return (records, error) }
    return (records, nil)
}

/// Whether two records are equal as far as the trace stores them: an event without its digest is
/// equal to one with it.
func agree(_ read: Record, _ fed: Record) -> Bool {
    guard case .event(let a, let changes) = read, case .event(var b, let fedChanges) = fed else {
        return read == fed
    }
    if !a.digestKnown {
        b.digestKnown = false
        b.digest = 0
    }
    return a == b && changes == fedChanges
}

/// Expects `read` to be the first records of `fed`.
func expectPrefix(
    _ read: [Record], of fed: [Record], sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(read.count <= fed.count, sourceLocation: sourceLocation)
    for (number, record) in read.enumerated() where number < fed.count {
        if !agree(record, fed[number]) {
            Issue.record(
                "record \(number): \(record) instead of \(fed[number])",
                sourceLocation: sourceLocation)
            return
        }
    }
}
