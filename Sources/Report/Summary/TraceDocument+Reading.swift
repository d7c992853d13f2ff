import Replay
import Trace

extension TraceDocument {
    /// Reads all events of a trace for the counts.
    /// - Throws: `TraceError` where a chunk is damaged, `ReplayError` where the metadata are.
    public init(_ reader: TraceReader) throws {
        let configuration = try SessionConfiguration(reader)
        var byKind = [UInt64](repeating: 0, count: EventKind.allCases.count)
        var totals = Totals()
        let cursor = reader.cursor()
        while let kind = try cursor.next() {
            switch kind {
            case .event:
                let event = cursor.event
                byKind[Int(event.pointee.kind.rawValue)] += 1
                totals.cycles = max(totals.cycles, event.pointee.cycle)
                totals.instructions = max(totals.instructions, event.pointee.instruction)
            case .eventReturn: totals.returns += 1
            case .input: totals.inputs += 1
            case .console: break
            }
        }
        format = "\(Format.major).\(Format.minor)"
        complete = reader.complete
        damage = reader.damage?.description
        tool = reader.metadata[TraceMetadata.Key.tool] ?? ""
        design = configuration.design
        cpu = SessionConfiguration.name(of: configuration.vendor)
        cpus = configuration.cpus
        memory = configuration.memory
        commandLine = configuration.commandLine
        costProfile = configuration.costs.name
        level = SessionConfiguration.name(of: configuration.level)
        host = ImageDocument(configuration.host)
        guest = configuration.guest.map { ImageDocument($0) }
        if !configuration.disks.isEmpty {
            let directory = try reader.diskDirectory()
            disks = configuration.disks.enumerated().map { number, disk in
                DiskDocument(
                    name: disk.name, size: disk.size, readOnly: disk.isReadOnly,
                    chunksRead: directory.numbers(disk: number).count)
            }
        }
        let end = reader.outcome
        outcome = end?.kind.name
        reason = end?.reason
        // A limit, and the panic of a kernel without a note, have no code of the guest's.
        let isPlain = try configuration.paravirtLayout() == nil
        exitCode = end.flatMap {
            $0.kind == .limit || $0.kind == .hostPanic && isPlain ? nil : $0.exitCode
        }
        events = byKind.reduce(0, +)
        eventsByKind = RunDocument.byName(byKind)
        returns = totals.returns
        inputs = totals.inputs
        checkpoints = reader.checkpoints.count
        eventBytes = reader.eventBytes
        fileBytes = reader.byteCount
        instructions = end?.instructions ?? totals.instructions
        cycles = end?.cycles ?? totals.cycles
        digest = end.map { hex($0.machineDigest) }
    }

    private struct Totals {
        var cycles: UInt64 = 0
        var instructions: UInt64 = 0
        var returns: UInt64 = 0
        var inputs: UInt64 = 0
    }

    /// The same for people.
    public var text: String {
        var rows: [(String, String)] = [
            ("outcome", outcome.map { "\($0): \(reason ?? "")" } ?? "none: the trace is torn"),
            ("design", design.isEmpty ? "(a host of your own)" : design),
            ("host", describe(host)),
        ]
        if let guest { rows.append(("guest", describe(guest))) }
        for (number, disk) in (disks ?? []).enumerated() {
            rows.append(
                (
                    "disk \(number)",
                    "\(disk.name), \(RunText.grouped(disk.size)) bytes"
                        + (disk.readOnly ? ", read-only" : "")
                        + ", \(RunText.grouped(UInt64(disk.chunksRead) * 4096)) of them read"
                ))
        }
        rows += [
            ("command line", commandLine.isEmpty ? "(empty)" : commandLine),
            (
                "machine",
                "\(cpus) \(cpu) CPU\(cpus == 1 ? "" : "s"), \(memory >> 20) MiB, "
                    + "costs \(costProfile)"
            ),
            ("events", RunText.grouped(events)),
        ]
        for kind in EventKind.allCases {
            let name = EventNames.kind(kind)
            if let count = eventsByKind[name], count > 0 {
                rows.append(("  " + name, RunText.grouped(count)))
            }
        }
        let perEvent = events == 0 ? 0 : Int((eventBytes * 100 + events / 2) / events)
        rows += [
            ("inputs", RunText.grouped(inputs)),
            ("instructions", RunText.grouped(instructions)),
            ("cycles", RunText.grouped(cycles)),
            ("checkpoints", "\(checkpoints)"),
            (
                "event bytes",
                "\(RunText.grouped(eventBytes)), \(perEvent / 100)."
                    + "\(perEvent % 100 < 10 ? "0" : "")\(perEvent % 100) an event"
            ),
            ("file bytes", RunText.grouped(fileBytes)),
            ("digest", digest ?? "unknown"),
            ("format", "\(format), written by \(tool), \(complete ? "complete" : "torn")"),
        ]
        return rows.map { EventLine.pad($0.0, 22, left: false) + $0.1 }.joined(separator: "\n")
    }

    private func describe(_ image: ImageDocument) -> String {
        "\(image.name), \(RunText.grouped(UInt64(image.size))) bytes, sha256 "
            + image.sha256.prefix(16)
    }
}
