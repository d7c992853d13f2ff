import ArgumentParser
import Glibc
import Replay
import Report
import Trace

struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print a trace's events, one a line.",
        discussion: """
            Filters combine: an event must pass all of them. Kinds are syscall, exception,
            interrupt, hypercall, nmi, machine-check, software-interrupt, guest-switch,
            system-register, triple-fault. Contexts are those an event came from: host-kernel,
            host-user, guest-kernel, guest-user.

            Examples:
              pvreplay show boot.pvt --kind hypercall --last 20
              pvreplay show boot.pvt --from 5000 --to 5100 --returns
              pvreplay show boot.pvt --context guest-user --kind exception --json
              pvreplay show boot.pvt --console            the console text alone (on a
                                                          terminal with controls escaped)
              pvreplay show linux.pvt --syscall openat --returns

            Linux's system calls are shown by name with their arguments and results, addresses in
            its kernel by the symbols that it carries in memory.

            Exit codes: 0, or 30 where the trace is damaged or torn (what is there is shown).
            """)

    @Argument(help: ArgumentHelp("The trace.", valueName: "file"))
    var trace: String

    @Option(help: "Only events of this kind. May be repeated.")
    var kind: [KindName] = []

    @Option(help: "Only events that came from this context. May be repeated.")
    var context: [ContextName] = []

    @Option(help: "Only events of this CPU.")
    var cpu: UInt8?

    @Option(help: "Only events with this number (vector, system call, hypercall).")
    var number: UInt32?

    @Option(
        help: ArgumentHelp(
            "Only this system call, by name: openat. May be repeated.", valueName: "name"))
    var syscall: [String] = []

    @Option(
        help: ArgumentHelp(
            "Symbols of a kernel that is no ELF file, or keeps none: a vmlinux or System.map.",
            valueName: "file"))
    var symbols: String?

    @Option(help: ArgumentHelp("First event, by sequence number.", valueName: "event"))
    var from: Count?

    @Option(help: ArgumentHelp("Last event, by sequence number.", valueName: "event"))
    var to: Count?

    @Option(help: "Only the first N events that pass.")
    var first: Count?

    @Option(help: "Only the last N events that pass.")
    var last: Count?

    @Flag(help: "Returns (with the path's cost) and inputs too, where they happened.")
    var returns = false

    @Flag(help: "Print the console text and nothing else.")
    var console = false

    @Flag(help: "One JSON object a line.")
    var json = false

    func validate() throws {
        if first != nil && last != nil {
            throw ValidationError("--first and --last exclude each other")
        }
    }

    func run() throws {
        try Failures.reported {
            let reader = try TraceReader(path: trace)
            if console { try showConsole(reader) } else { try showEvents(reader) }
            if let damage = reader.damage {
                Output.error("\(trace): the trace is torn; \(damage.description)")
                throw ExitStatus.badTrace
            }
        }
    }

    private func showConsole(_ reader: TraceReader) throws {
        let cursor = reader.cursor()
        let escapes = isatty(1) == 1
        while let kind = try cursor.next() {
            guard kind == .console else { continue }
            let bytes = cursor.console.bytes
            Output.write(1, escapes ? TerminalText.safe(bytes) : bytes)
        }
    }

    private func showEvents(_ reader: TraceReader) throws {
        let configuration = try SessionConfiguration(reader)
        let abi = CallABI(configuration)
        let calls = try callNames(abi)
        let names = json ? nil : try symbols(configuration, reader, abi)
        let symbol = { (address: UInt64, context: Context) in
            names?.lookup(address, in: context).flatMap { $0.symbol == nil ? nil : $0.name }
        }
        // Events shown whose return has not come.
        var open: [UInt64: Event] = [:]
        var lines = LineBuffer(last: last.map { Int(clamping: $0.value) })
        if !json { lines.title(EventLine.title) }
        let cursor = reader.cursor()
        if let from {
            guard try cursor.seek(toEvent: from.value) else { return }
        }
        var shown: UInt64 = 0
        while let record = try cursor.next() {
            switch record {
            case .event:
                let event = cursor.event.pointee
                if let to, event.sequence > to.value { break }
                guard passes(event), calls.isEmpty || abi.isSyscall(event, named: calls) else {
                    continue
                }
                if let first, shown == first.value { break }
                shown += 1
                if returns { open[event.sequence] = event }
                let changes = cursor.sharedChanges()
                lines.add(
                    json
                        ? EventJSON(event, changes: changes, abi: abi).line
                        : EventLine.text(
                            event, changes: changes, abi: abi, symbol: symbol))
                continue
            case .eventReturn where returns:
                let back = cursor.eventReturn
                guard let event = open.removeValue(forKey: back.event) else { continue }
                lines.add(
                    json
                        ? EventJSON(back, from: event, abi: abi).line
                        : EventLine.text(back, from: event, abi: abi))
                continue
            case .input where returns:
                let input = cursor.input
                lines.add(json ? EventJSON(input).line : EventLine.text(input))
                continue
            default: continue
            }
            break
        }
        lines.finish()
    }

    private func callNames(_ abi: CallABI) throws -> Set<String> {
        if let unknown = syscall.first(where: { !abi.hasSyscall(named: $0) }) {
            throw ValidationError("--syscall '\(unknown)': this trace's kernel has no such call")
        }
        return Set(syscall)
    }

    /// Of a Linux kernel, those it carries, as the trace's last checkpoint has them.
    private func symbols(
        _ configuration: SessionConfiguration, _ reader: TraceReader, _ abi: CallABI
    ) throws -> SymbolTable {
        let file = try symbols.map {
            (name: Files.lastComponent($0), bytes: try Files.read($0))
        }
        guard abi == .linux else {
            var table = SymbolTable(of: configuration)
            if let file {
                table.add(
                    image: file.bytes, name: file.name, contexts: [.hostKernel, .hostUser])
            }
            return table
        }
        guard let machine = try configuration.machineAtLastCheckpoint(reader) else {
            return SymbolTable(of: configuration)
        }
        return LinuxSymbols(file: file, machine: machine).table
    }

    private func passes(_ event: Event) -> Bool {
        (kind.isEmpty || kind.contains { $0.kind == event.kind })
            && (context.isEmpty || context.contains { $0.context == event.from })
            && (cpu == nil || cpu == event.cpu) && (number == nil || number == event.number)
    }
}

/// Lines on their way out: in blocks, or the last few only.
private struct LineBuffer {
    private let last: Int?
    private var kept: [String] = []
    private var next = 0
    private var text = ""

    init(last: Int?) { self.last = last }

    mutating func title(_ line: String) { text += line + "\n" }

    mutating func add(_ line: String) {
        guard let last else {
            text += line + "\n"
            if text.utf8.count > 1 << 16 { flush() }
            return
        }
        if kept.count < last {
            kept.append(line)
        } else if last > 0 {
            kept[next] = line
            next = (next + 1) % last
        }
    }

    mutating func finish() {
        for line in kept[next...] + kept[..<next] { text += line + "\n" }
        flush()
    }

    private mutating func flush() {
        Output.print(text, terminator: "")
        text = ""
    }
}

/// An event kind by its name in reports.
struct KindName: ExpressibleByArgument {
    var kind: EventKind

    init?(argument: String) {
        guard let kind = EventKind.allCases.first(where: { EventNames.kind($0) == argument })
        else { return nil }
        self.kind = kind
    }

    static var allValueStrings: [String] { EventKind.allCases.map { EventNames.kind($0) } }
}

/// A context by its name in reports.
struct ContextName: ExpressibleByArgument {
    var context: Context

    init?(argument: String) {
        guard let found = Context.allCases.first(where: { EventNames.context($0) == argument })
        else { return nil }
        context = found
    }

    static var allValueStrings: [String] { Context.allCases.map { EventNames.context($0) } }
}
