import ArgumentParser
import Kernels
import Replay
import Report
import Trace

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Run a trace again and check every event and digest.",
        discussion: """
            The trace holds all that is needed: images, command line, inputs. A trace of a failing
            boot replays with exit 0 when the failure comes back exactly.

            Examples:
              pvreplay replay boot.pvt
              pvreplay replay boot.pvt --junit result.xml
              pvreplay replay boot.pvt --guest fixed.elf     where does another guest part from it?
              pvreplay replay boot.pvt --design rfc          does the guest see the same world?
              pvreplay replay boot.pvt --host mine.elf --what-if
              pvreplay replay linux.pvt --disk-out after.img --disk root.img

            A what-if replay (--design, or --what-if with other images) gives another machine the
            recorded inputs and timer ticks at the same guest progress, and compares what the guest
            does and sees: system calls, hypercalls, exceptions and virtual interrupts that reach
            it, the console text.

            Exit codes: 0 it reproduces, or the guest saw the same world; 20 it diverged, or the
            worlds part; 30 the trace is damaged or torn (what is there was checked).
            """)

    @Argument(help: ArgumentHelp("The trace.", valueName: "file"))
    var trace: String

    @Option(help: ArgumentHelp("Replay with this host instead.", valueName: "file"))
    var host: String?

    @Option(help: ArgumentHelp("Replay with this guest instead.", valueName: "file"))
    var guest: String?

    @Option(
        help: ArgumentHelp("What if the host had this design?", valueName: "design"),
        transform: DesignOption.parse)
    var design: Design?

    @Flag(help: "Compare what the guest sees, not every event.")
    var whatIf = false

    @Option(
        help: ArgumentHelp(
            "With a what-if replay: other costs, by name or file.", valueName: "name|file"))
    var cost: String?

    @Option(help: "Executor: blocks, or stepwise (the slow oracle).")
    var executor: ExecutorName = .blocks

    @Flag(help: "Print the console text too.")
    var console = false

    @Option(
        help: ArgumentHelp(
            "Write a disk out as it is at the end. May be repeated: the trace's disks in order.",
            valueName: "file"))
    var diskOut: [String] = []

    @Option(
        help: ArgumentHelp(
            "With --disk-out: the disk as it was before, for what the guest neither read nor "
                + "wrote, which the trace does not hold. May be repeated.", valueName: "file"))
    var disk: [String] = []

    @Option(help: ArgumentHelp("Write a JUnit document for CI.", valueName: "file"))
    var junit: String?

    @Flag(help: "Print a JSON document.")
    var json = false

    func validate() throws {
        if design != nil && host != nil {
            throw ValidationError("--design and --host exclude each other")
        }
        if cost != nil && !whatIf && design == nil {
            throw ValidationError("--cost is for what-if replays: add --what-if or --design")
        }
        if disk.count > diskOut.count {
            throw ValidationError("there are more --disk than --disk-out")
        }
        if !diskOut.isEmpty && (whatIf || design != nil) {
            throw ValidationError("--disk-out is not for what-if replays")
        }
    }

    func run() throws {
        try Failures.reported {
            if whatIf || design != nil { try replayWhatIf() } else { try replay() }
        }
    }

    private func replayWhatIf() throws {
        let reader = try TraceReader(path: trace)
        let recorded = try SessionConfiguration(reader)
        try Variant.check(recorded, design: design != nil, guest: guest != nil)
        let guestImage = try guest.map(Variant.image)
        var variant: Variant
        if let design {
            variant = try Variant(design: design, recorded: recorded, guest: guestImage)
        } else {
            variant = Variant(
                host: try host.map(Variant.image), guest: guestImage, recorded: recorded)
        }
        if let cost {
            variant.configuration.costs = try CostOption.profile(cost)
            variant.description += ", costs \(variant.configuration.costs.name)"
        }
        let world = try Failures.ofTrace {
            try RecordedWorld(reader, executor: executor.executor)
        }
        let text = try ConsoleText(file: nil, toOutput: console && !json)
        let run = try WhatIfRun(
            variant.configuration, world: world, executor: executor.executor,
            stopsAtDifference: true, consoleOutput: { text.put($0) })
        let result = run.run()
        try text.finish()
        try present(result, variant, reader)
    }

    private func present(
        _ result: WhatIfResult, _ variant: Variant, _ reader: TraceReader
    ) throws {
        let reference = !variant.configuration.design.isEmpty
        let words = WhatIfText.text(result, variant: variant.description, reference: reference)
        if let junit {
            let failure =
                result.difference == nil
                ? nil : WhatIfText.headline(result, variant: variant.description)
            let document = JUnitReport.document(
                trace: Files.lastComponent(trace), failure: failure, text: words)
            try Files.write(junit, Array(document.utf8))
        }
        if json {
            Output.print(
                JSONText.pretty(
                    WhatIfDocument(
                        result, variant: variant.description, reference: reference)))
        } else {
            Output.print(words)
        }
        if result.difference != nil { throw ExitStatus.diverged }
        if let damage = reader.damage {
            Output.error("\(trace): the trace is torn; \(damage.description)")
            throw ExitStatus.badTrace
        }
    }

    private func replay() throws {
        let reader = try TraceReader(path: trace)
        var configuration = try SessionConfiguration(reader)
        if let host {
            configuration.host = SessionImage(
                name: Files.lastComponent(host), bytes: try Files.read(host))
        }
        if let guest {
            configuration.guest = SessionImage(
                name: Files.lastComponent(guest), bytes: try Files.read(guest))
        }
        let text = try ConsoleText(file: nil, toOutput: console && !json)
        let make = {
            let replayer = try Replayer(
                configuration, executor: executor.executor, reader: reader,
                consoleOutput: { text.put($0) })
            return (replayer, try replayer.run())
        }
        let isRecorded = host == nil && guest == nil
        var (replayer, result) = try isRecorded ? Failures.ofTrace(make) : make()
        try text.finish()
        try writeDisks(replayer, configuration)
        if let divergence = result.divergence {
            result.divergence?.instruction = try FirstDifference.find(
                divergence, reader: reader, replayed: configuration)
        }
        try present(result, reader, CallABI(configuration))
    }

    private func writeDisks(_ replayer: Replayer, _ configuration: SessionConfiguration) throws {
        guard diskOut.count <= configuration.disks.count else {
            throw Refusal(
                description: "\(trace) has \(configuration.disks.count) disks, and --disk-out was "
                    + "given \(diskOut.count) times")
        }
        let bases = try disk.map { (text) throws(FileError) in try HostDisk(option: text) }
        try DiskExport.check(diskOut, bases)
        for (n, path) in diskOut.enumerated() {
            let base = n < bases.count ? bases[n] : nil
            var failure: ReplayError?
            try DiskExport.write(configuration.disks[n], to: path, base: base) { put in
                do throws(ReplayError) {
                    try replayer.forEachFinalChunk(disk: n, put)
                } catch { failure = error }
            }
            if let failure { throw failure }
            if base == nil {
                Output.error(
                    "\(path): what the guest neither read nor wrote is zeros; --disk gives the rest"
                )
            }
        }
    }

    private func present(
        _ result: ReplayResult, _ reader: TraceReader, _ abi: CallABI
    ) throws {
        if let junit {
            let document = JUnitReport.document(
                trace: Files.lastComponent(trace), result, abi: abi)
            try Files.write(junit, Array(document.utf8))
        }
        if json {
            Output.print(JSONText.pretty(ReplayDocument(result, abi: abi)))
        } else if let divergence = result.divergence {
            Output.print(DivergenceText.text(divergence, abi: abi))
        } else {
            Output.print(
                "reproduced exactly: \(RunText.grouped(result.summary.events)) events, "
                    + "\(RunText.grouped(result.summary.instructions)) instructions, "
                    + "digest \(hex(result.summary.digest))")
            if reader.outcome != nil { Output.print(RunText.sentence(result.summary.end)) }
        }
        if result.divergence != nil { throw ExitStatus.diverged }
        if let damage = reader.damage {
            Output.error("\(trace): the trace is torn; \(damage.description)")
            throw ExitStatus.badTrace
        }
    }
}
