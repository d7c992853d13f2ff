import Analysis
import ArgumentParser
import CostProfiles
import Kernels
import Machine
import Replay
import Report
import Trace

struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract:
            "Run a trace's world under several designs or kernels, and compare what paths cost.",
        discussion: """
            Every session gets the recorded inputs and timer ticks at the same guest progress, under
            each cost profile. The table has, for each kind of path, its count, its cycles (median,
            99th percentile, total), instructions, table loads and TLB misses; then totals, the
            first thing by which a guest could tell the sessions apart, and what failed, where. With
            one session the recorded one is put beside it.

            Examples:
              pvreplay compare boot.pvt --design rfc --design hardened --design pvm
              pvreplay compare boot.pvt --design rfc,roots=one --html compare.html
              pvreplay compare boot.pvt --host mine.elf --json
              pvreplay compare boot.pvt --design pvm --cost zen3 --cost mine.json

            Exit codes: 0 compared (also where a session failed: the table says so), 20 the trace
            does not come out as recorded, 30 damaged trace.
            """)

    @Argument(help: ArgumentHelp("The trace.", valueName: "file"))
    var trace: String

    @Option(
        help: ArgumentHelp("A built-in design. May be repeated.", valueName: "design"),
        transform: DesignOption.parse)
    var design: [Design] = []

    @Option(help: ArgumentHelp("A host of yours. May be repeated.", valueName: "file"))
    var host: [String] = []

    @Option(
        help: ArgumentHelp("The guest for every session, instead of its own.", valueName: "file"))
    var guest: String?

    @Option(
        help: ArgumentHelp(
            "Cost profile: core2, zen3 or a file. May be repeated. Default: core2 and zen3.",
            valueName: "name|file"))
    var cost: [String] = []

    @Option(help: "Executor: blocks, or stepwise (the slow oracle).")
    var executor: ExecutorName = .blocks

    @Option(help: ArgumentHelp("Write a page with charts.", valueName: "file"))
    var html: String?

    @Flag(help: "Print a JSON document.")
    var json = false

    func validate() throws {
        guard !design.isEmpty || !host.isEmpty || guest != nil else {
            throw ValidationError(
                "name what to compare: --design, --host or --guest, e.g. --design hardened")
        }
    }

    func run() throws {
        try Failures.reported { try compare() }
    }

    private func compare() throws {
        let reader = try TraceReader(path: trace)
        let recorded = try SessionConfiguration(reader)
        try Variant.check(recorded, design: !design.isEmpty, guest: guest != nil)
        let sessions = try variants(recorded).map {
            ComparedSession(
                name: $0.name, description: $0.description, configuration: $0.configuration)
        }
        let names = cost.isEmpty ? CostProfiles.names : cost
        let profiles = try names.map { try CostOption.profile($0) }
        let progress = Progress(quiet: json)
        let comparison = try Comparison(
            reader, sessions: sessions, profiles: profiles, executor: executor.executor,
            progress: { progress.show($0) })
        progress.clear()
        let reference = sessions.contains { !$0.configuration.design.isEmpty }
        if let html {
            let page = ComparePage.page(
                comparison, title: "\(Files.lastComponent(trace)): what paths cost",
                reference: reference)
            try Files.write(html, Array(page.utf8))
        }
        if json {
            Output.print(JSONText.pretty(CompareDocument(comparison, reference: reference)))
        } else {
            Output.print(CompareText.text(comparison, reference: reference))
        }
        if let damage = reader.damage {
            Output.error("\(trace): the trace is torn; \(damage.description)")
            throw ExitStatus.badTrace
        }
    }

    /// In the order of the options: designs, hosts, and the recorded session where there is only
    /// one other.
    private func variants(_ recorded: SessionConfiguration) throws -> [Variant] {
        let guestImage = try guest.map(Variant.image)
        var variants: [Variant] = []
        for design in design {
            variants.append(try Variant(design: design, recorded: recorded, guest: guestImage))
        }
        for path in host {
            variants.append(
                Variant(host: try Variant.image(path), guest: guestImage, recorded: recorded))
        }
        if variants.isEmpty {
            variants.append(Variant(host: nil, guest: guestImage, recorded: recorded))
        }
        if variants.count == 1 {
            variants.insert(Variant(host: nil, guest: nil, recorded: recorded), at: 0)
        }
        for number in variants.indices {
            let earlier = variants[..<number].filter { $0.name == variants[number].name }.count
            if earlier > 0 { variants[number].name += " (\(earlier + 1))" }
        }
        return variants
    }
}
