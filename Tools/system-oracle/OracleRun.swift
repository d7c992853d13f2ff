import Foundation
import Machine

/// A run of cases through all engines, and what came of it.
final class OracleRun {
    private let options: Options
    private let generator: Generator
    private var engines: [any Engine] = []
    private var processes: [ProcessEngine] = []
    private var groups: [String: (count: Int, first: Int)] = [:]
    private var statuses: [UInt64: Int] = [:]
    private var differing: [String: Int] = [:]
    private var explained: [String: Int] = [:]
    private let known: KnownDifferences
    /// Cases in which both emulators give one answer and the machine another, unexplained.
    private var outvoted = 0

    init(_ options: Options) throws {
        self.options = options
        generator = Generator(
            seed: options.seed, vendor: options.vendor, world: options.world,
            isMatrix: options.isMatrix, longest: options.longest)
        known = try KnownDifferences(options.known)
        guard
            let harness = FileManager.default.contents(atPath: options.harness).map({ [UInt8]($0) })
        else { throw OracleError(description: "no harness at \(options.harness)") }
        engines.append(
            try MachineEngine(harness: harness, vendor: options.vendor, executor: .stepwise))
        (engines[0] as? MachineEngine)?.isVerbose = options.single
        (engines[0] as? MachineEngine)?.isTraced = options.trace
        if options.blocks {
            engines.append(
                try MachineEngine(harness: harness, vendor: options.vendor, executor: .blocks))
        }
        if let qemu = options.qemu { try add(try makeQEMU(qemu, harness)) }
        if let bochs = options.bochs {
            try add(
                try ProcessEngine(
                    name: "bochs", file: file("bochs"), executable: bochs,
                    arguments: [options.script, file("bochs")],
                    environment: options.preload.map { ["LD_PRELOAD": $0] } ?? [:],
                    harness: harness))
        }
    }

    private func add(_ engine: ProcessEngine) throws {
        engines.append(engine)
        processes.append(engine)
    }

    private func file(_ name: String) -> String {
        "\(options.work)/\(name)-\(getpid()).mem"
    }

    private func makeQEMU(_ executable: String, _ harness: [UInt8]) throws -> ProcessEngine {
        // The models' features that TCG has; PCID and INVPCID it has not.
        let features = "+smep,+smap,+umip,+fsgsbase,+pdpe1gb,+rdtscp,+xsave,+movbe,+sep,+nx,+erms"
        let model = options.vendor == .intel ? "Nehalem" : "Opteron_G3,-misalignsse"
        let memory = file("qemu")
        return try ProcessEngine(
            name: "qemu", file: memory, executable: executable,
            arguments: [
                "-accel", "tcg", "-machine", "pc,memory-backend=ram", "-m", "64M", "-object",
                "memory-backend-file,id=ram,size=64M,share=on,mem-path=\(memory)", "-cpu",
                "\(model),\(features)", "-display", "none", "-nodefaults", "-no-user-config",
                "-kernel", options.harness,
            ], harness: harness)
    }

    func stop() {
        for process in processes { process.stop() }
        processes = []
    }

    /// Whether both emulators contradict the machine in a way that is not explained.
    func run() throws -> Bool {
        var number = options.first
        let end = options.first + options.count
        while number < end {
            let count = min(Layout.batch, end - number)
            var cases = [UInt8](repeating: 0, count: count * Layout.recordSize)
            cases.withUnsafeMutableBytes {
                for n in 0..<count {
                    generator.write(number + n, to: $0.baseAddress! + n * Layout.recordSize)
                }
            }
            for engine in engines { try engine.begin(cases, count: count) }
            var results: [[UInt8]] = []
            for engine in engines { results.append(try engine.finish()) }
            for n in 0..<count { compare(number + n, n, cases, results) }
            number += count
        }
        summarise()
        if options.isAdvisory { return differing["ours-blocks", default: 0] > 0 }
        return outvoted > 0
    }

    private func compare(_ number: Int, _ n: Int, _ cases: [UInt8], _ results: [[UInt8]]) {
        let range = n * Layout.recordSize..<(n + 1) * Layout.recordSize
        let record = Array(cases[range])
        let ours = Array(results[0][range])
        record.withUnsafeBytes { record in
            ours.withUnsafeBytes { ours in
                let text = CaseText(record: record.baseAddress!)
                let mine = ours.baseAddress!
                statuses[mine.word(0, 4), default: 0] += 1
                if options.single { describe(text, mine, "ours") }
                var dissent: [String: [Difference]] = [:]
                for k in 1..<engines.count {
                    results[k][range].withUnsafeBytes { theirs in
                        dissent[engines[k].name] = note(
                            number, text, mine, theirs.baseAddress!, engines[k].name)
                    }
                }
                judge(number, text, dissent)
            }
        }
    }

    /// Whether the emulators agree on what the machine has otherwise, or its executors differ.
    private func judge(_ number: Int, _ text: CaseText, _ dissent: [String: [Difference]]) {
        if let blocks = dissent["ours-blocks"], !blocks.isEmpty { outvoted += 1 }
        guard let qemu = dissent["qemu"], let bochs = dissent["bochs"] else { return }
        let shared = qemu.filter { one in
            bochs.contains { $0.field == one.field && $0.theirs == one.theirs }
        }
        if shared.isEmpty { return }
        outvoted += 1
        let fields = shared.prefix(3).map(\.field).joined(separator: ",")
        groups["OUTVOTED [\(text.names)] \(text.mode.prefix(6)) \(fields)", default: (0, number)]
            .count += 1
    }

    private func note(
        _ number: Int, _ text: CaseText, _ ours: UnsafeRawPointer, _ theirs: UnsafeRawPointer,
        _ engine: String
    ) -> [Difference] {
        if options.single { describe(text, theirs, engine) }
        let all = Comparison.differences(ours, theirs)
        if all.isEmpty { return [] }
        let found = known.unexplained(
            all, engine: engine, text: text, ours: ours, theirs: theirs, counts: &explained)
        if options.single {
            for difference in all.prefix(16) {
                say(
                    "  \(difference.field): ours \(hex(difference.ours)), "
                        + "\(engine) \(hex(difference.theirs))")
            }
        }
        if found.isEmpty { return [] }
        differing[engine, default: 0] += 1
        let vectors = "\(ours.word(4, 4))/\(theirs.word(4, 4))"
        let fields = found.prefix(3).map(\.field).joined(separator: ",")
        let key = "\(engine) \(vectors) [\(text.names)] \(text.mode.prefix(6)) \(fields)"
        groups[key, default: (0, number)].count += 1
        return found
    }

    private func describe(_ text: CaseText, _ result: UnsafeRawPointer, _ name: String) {
        if name == "ours" { for line in text.lines() { say(line) } }
        let fields = ResultField.all.prefix(14).filter { $0.name != "bits" }.map {
            "\($0.name) \(hex(result.word($0.offset, $0.size)))"
        }
        say("\(name): " + fields.joined(separator: ", "))
        let sp = Int(result.word(0x30, 8) & 0xFFFF)
        if sp >= 0x2000 && sp < 0x4000 || sp > 0x1_0000 {
            let at = Layout.area + sp
            let resultText = CaseText(record: result)
            say("  " + resultText.memory("frame", at, 12))
        } else if Int(result.word(0x30, 8)) & 0xF_0000 == Layout.area {
            say("  " + CaseText(record: result).memory("frame", Int(result.word(0x30, 8)), 12))
        }
    }

    private func summarise() {
        let sorted = groups.sorted {
            let marks = ($0.key.hasPrefix("OUTVOTED"), $1.key.hasPrefix("OUTVOTED"))
            if marks.0 != marks.1 { return marks.0 }
            return ($0.value.count, $0.key) > ($1.value.count, $1.key)
        }
        for (key, value) in sorted.prefix(options.reports) {
            say("\(value.count)x, first \(value.first): \(key)")
        }
        if sorted.count > options.reports {
            say("... \(sorted.count - options.reports) more groups")
        }
        let names = engines.dropFirst().map { "\($0.name) \(differing[$0.name] ?? 0)" }
        say(
            "\(options.count) cases (\(statuses[Status.shutdown] ?? 0) shut down, "
                + "\(statuses[Status.hang] ?? 0) do not end); differing: "
                + names.joined(separator: ", ") + "; outvoted by both emulators \(outvoted)")
        for (name, count) in explained.sorted(by: { $0.key < $1.key }) {
            say("known: \(name): \(count)")
        }
    }
}
