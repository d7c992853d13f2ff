import ArgumentParser
import Machine
import Replay
import Report
import Trace

struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Run a host and a guest, and write down everything that happens.",
        discussion: """
            The guest's console appears on standard output as it comes; what ended the run follows.
            The trace is readable at any moment, also after a crash or a full disk.

            Examples:
              pvreplay record -o boot.pvt
              pvreplay record --append 'work=1000' --console boot.txt -o boot.pvt
              pvreplay record --append 'fail=null-trap' -o crash.pvt
              pvreplay record --design rfc,roots=one --append 'probe=read-kernel'
              pvreplay record --append shell --input -          type at the guest's prompt
              pvreplay record --kernel vmlinuz --initrd i.gz --type '/ # =>ls' --type '/ # =>exit'
              pvreplay record --inject nmi@event:500 --inject irq:0x40@cycle:900000
              pvreplay record --host bench.elf --append 'syscall' --no-trace
              pvreplay record --kernel vmlinuz --initrd initrd.img --disk root.img
                  --append 'console=ttyS0 root=/dev/vda' --disk-out after.img

            Ctrl-C ends the run at its next event, with a whole trace; a second one at once. With
            --input - on a terminal Ctrl-C goes to the machine, and Ctrl-] does so.

            Exit codes: 0 clean shutdown, 10 the machine failed, or a --kernel wrote another value
            to isa-debug-exit than --expect-exit says (trace written), 11 a limit was reached
            (trace written), 70 an instruction that pvreplay lacks, 74 output failed.
            """)

    @OptionGroup var session: SessionOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where the trace goes. Default: boot.pvt.", valueName: "file"))
    var output: String?

    @Flag(help: "Run without recording.")
    var noTrace = false

    @Option(
        help: ArgumentHelp("Keep the console text in this file too.", valueName: "file"))
    var console: String?

    @Option(
        help: ArgumentHelp(
            "Console input: a file, or - for standard input (terminal or pipe).",
            valueName: "file"))
    var input: String?

    @Option(
        name: .customLong("type"),
        help: ArgumentHelp(
            "When the console shows PROMPT, type TEXT and Enter (not Enter where it ends in \\c). "
                + "May be repeated: one after the other.", valueName: "PROMPT=>TEXT"))
    var typing: [String] = []

    @Option(
        help: ArgumentHelp(
            "The same from a file, one a line; # begins a comment where no => follows.",
            valueName: "file"))
    var expect: String?

    @Option(
        help: ArgumentHelp(
            "Seconds of the machine's time to wait for each prompt of --type and --expect.",
            valueName: "seconds"))
    var patience: UInt64 = 120

    @Option(
        help: ArgumentHelp(
            "Symbols for the diagnosis of a kernel that is no ELF file, or keeps none: a vmlinux "
                + "or System.map.", valueName: "file"))
    var symbols: String?

    @Option(
        help: ArgumentHelp(
            "Inject nmi, mce or irq:VECTOR at event:N, cycle:N or instruction:N, e.g. "
                + "nmi@event:500. May be repeated.", valueName: "what@when"))
    var inject: [String] = []

    @Option(
        help: ArgumentHelp(
            "Write a disk out as it is at the end, in the order of --disk. May be repeated.",
            valueName: "file"))
    var diskOut: [String] = []

    @Option(
        help: ArgumentHelp(
            "With --kernel: what it writes to isa-debug-exit (port 0xf4) when all is well. QEMU's "
                + "exit status is twice that and 1. Default: 0, or any other clean end.",
            valueName: "value"))
    var expectExit: Count?

    @Option(help: "Executor: blocks, or stepwise (the slow oracle).")
    var executor: ExecutorName = .blocks

    @Option(help: "Stop after this many instructions.")
    var limitInstructions = Count(SessionLimits.defaultInstructions)

    @Option(help: "Stop after this many cycles.")
    var limitCycles: Count?

    @Option(help: "Stop after this many events.")
    var limitEvents: Count?

    @Option(help: "Stop when the trace has this many bytes, e.g. 100M.")
    var limitBytes: ByteCount?

    @Option(help: "Cycles between checkpoints.")
    var checkpointInterval = Count(RecordingOptions.defaultCheckpointInterval)

    @Flag(help: "Print a JSON document instead of the console and the summary.")
    var json = false

    @Flag(name: .shortAndLong, help: "Do not print the console or the summary.")
    var quiet = false

    func validate() throws {
        for text in inject where Injection(text) == nil {
            throw ValidationError(
                "--inject '\(text)': give nmi, mce or irq:VECTOR, an @, and event:N, cycle:N or "
                    + "instruction:N (and ,cpu:N), e.g. irq:0x40@cycle:900000")
        }
        for text in inject {
            if let injection = Injection(text), injection.cpu >= session.cpus {
                throw ValidationError("--inject '\(text)': there is no CPU \(injection.cpu)")
            }
        }
        if diskOut.count > session.disk.count {
            throw ValidationError("there are more --disk-out than --disk")
        }
        if input != nil && !(typing.isEmpty && expect == nil) {
            throw ValidationError("--input and --type or --expect exclude each other")
        }
        for text in typing where ConsoleScript.Step(text) == nil {
            throw ValidationError(
                "--type '\(text)': give PROMPT=>TEXT; \\n \\r \\t \\e \\\\ \\xNN are known in both")
        }
        if patience == 0 || patience > 1 << 32 {
            throw ValidationError("--patience must be 1 to \(UInt64(1) << 32) seconds")
        }
        if noTrace && output != nil {
            throw ValidationError("--no-trace and --output exclude each other")
        }
        if checkpointInterval.value == 0 {
            throw ValidationError("--checkpoint-interval must be at least 1")
        }
    }

    func run() throws {
        try Failures.reported { try record() }
    }

    private func record() throws {
        var configuration = try session.configuration()
        configuration.limits = RunLimits(
            cycles: limitCycles?.value ?? .max, instructions: limitInstructions.value)
        let disks = try session.disk.map { (text) throws(FileError) in
            try HostDisk(option: text)
        }
        try DiskExport.check(diskOut + [output ?? "boot.pvt"] + (console.map { [$0] } ?? []), disks)
        configuration.disks = disks.map(\.description)
        var options = RecordingOptions()
        options.disks = disks
        options.executor = executor.executor
        options.limits = SessionLimits(
            events: limitEvents?.value ?? .max, bytes: limitBytes?.bytes ?? .max)
        options.checkpointInterval = checkpointInterval.value
        options.injections = inject.compactMap { Injection($0) }
        var live: LiveConsole?
        if input == "-" {
            live = LiveConsole()
            live?.explain(quiet: quiet)
            options.console = live
        } else if let input {
            options.console = ScriptedConsole(try Files.read(input))
        } else if let script = try script() {
            options.console = ScriptedConversation(
                script, patience: patience * Machine.cyclesPerSecond)
        }
        let symbolFile = try symbols.map {
            (name: Files.lastComponent($0), bytes: try Files.read($0))
        }
        defer { live?.restore() }
        let text = try ConsoleText(
            file: console, toOutput: !json && !quiet, isInteractive: input == "-")
        options.consoleOutput = { text.put($0) }
        Interruption.watch()
        options.isInterrupted = { Interruption.wasAsked }
        let progress = Progress(quiet: quiet || json || text.isTerminal)
        options.progress = { cycles, instructions, events in
            progress.show("\(instructions / 1_000_000) M instructions, \(events) events")
        }
        let path = output ?? "boot.pvt"
        let writer = noTrace ? nil : try configuration.makeWriter(path: path)
        let recorder = try Recorder(configuration, options: options, writer: writer)
        let summary = try recorder.run()
        progress.clear()
        try text.finish()
        live?.restore()
        for (n, path) in diskOut.enumerated() {
            try DiskExport.write(configuration.disks[n], to: path, base: disks[n]) { put in
                recorder.machine.forEachFinalChunk(disk: n, put)
            }
        }
        try present(summary, recorder, configuration, symbolFile, path: noTrace ? nil : path)
    }

    /// What is to be typed at which prompt; nil where nothing is.
    private func script() throws -> ConsoleScript? {
        var steps: [ConsoleScript.Step] = []
        if let expect {
            let text = String(decoding: try Files.read(expect), as: UTF8.self)
            do {
                steps = try ConsoleScript(file: text).steps
            } catch {
                throw ValidationError("\(expect), line \(error.line): this is not PROMPT=>TEXT")
            }
        }
        steps += typing.compactMap { ConsoleScript.Step($0) }
        return steps.isEmpty ? nil : ConsoleScript(steps)
    }

    private func present(
        _ summary: RunSummary, _ recorder: Recorder, _ configuration: SessionConfiguration,
        _ symbolFile: (name: String, bytes: [UInt8])?, path: String?
    ) throws {
        let failed = summary.end.outcome != .shutdown
        let verdict =
            configuration.platform == .pc
            ? GuestVerdict(summary.end, expected: expectExit?.value) : nil
        let diagnosis =
            failed
            ? MachineDiagnosis.text(
                summary, recorder: recorder, configuration: configuration,
                symbols: symbolFile, trace: path) : nil
        if json {
            Output.print(
                JSONText.pretty(
                    RunDocument(
                        summary, configuration: configuration, trace: path, diagnosis: diagnosis,
                        screen: recorder.machine.textScreen)))
        } else if !quiet {
            Output.print("")
            if let screen = recorder.machine.textScreen { Output.print(ScreenText.text(screen)) }
            if let diagnosis { Output.print(diagnosis) }
            Output.print(RunText.summary(summary, trace: path))
            if let verdict { Output.print(verdict.text) }
        }
        if summary.end.isDefect { throw ExitStatus.defect }
        switch summary.end.outcome {
        case .shutdown:
            if let verdict, !verdict.isGood { throw ExitStatus.machineFailed }
        case .limit: throw ExitStatus.limitReached
        case .hostPanic, .guestKilled, .guestPanic, .tripleFault: throw ExitStatus.machineFailed
        }
    }
}
