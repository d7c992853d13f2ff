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
    /// Cases in which each of the three has an answer of its own.
    private var threeAnswers = 0

    init(_ options: Options) throws {
        self.options = options
        generator = Generator(
            seed: options.seed, vendor: options.vendor, world: options.world,
            isMatrix: options.isMatrix, longest: options.longest)
        known = try KnownDifferences(options.known, vendor: options.vendor)
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
            let results = try runAll(cases, count: count)
            for n in 0..<count {
                let range = n * Layout.recordSize..<(n + 1) * Layout.recordSize
                let record = Array(cases[range])
                var own = results.map { Array($0[range]) }
                if count > 1 && differs(record, own) {
                    // Alone, so that nothing of another case is in it.
                    for engine in engines { try engine.refresh() }
                    own = try runAll(record, count: 1)
                }
                compare(number + n, record, own)
            }
            number += count
        }
        summarise()
        if options.isAdvisory { return differing["ours-blocks", default: 0] > 0 }
        return outvoted > 0
    }

    private func runAll(_ cases: [UInt8], count: Int) throws -> [[UInt8]] {
        for engine in engines { try engine.begin(cases, count: count) }
        return try engines.map { try $0.finish() }
    }

    /// Whether an engine's result is not the machine's for a reason that no rule gives.
    private func differs(_ record: [UInt8], _ results: [[UInt8]]) -> Bool {
        var counts: [String: Int] = [:]
        return record.withUnsafeBytes { record in
            results[0].withUnsafeBytes { ours in
                (1..<engines.count).contains { k in
                    results[k].withUnsafeBytes { theirs in
                        let all = Comparison.differences(ours.baseAddress!, theirs.baseAddress!)
                        let text = CaseText(record: record.baseAddress!)
                        return !all.isEmpty
                            && !known.unexplained(
                                all, engine: engines[k].name, text: text, ours: ours.baseAddress!,
                                theirs: theirs.baseAddress!, counts: &counts
                            ).isEmpty
                    }
                }
            }
        }
    }

    private func compare(_ number: Int, _ record: [UInt8], _ results: [[UInt8]]) {
        record.withUnsafeBytes { record in
            results[0].withUnsafeBytes { ours in
                let text = CaseText(record: record.baseAddress!)
                let mine = ours.baseAddress!
                statuses[mine.word(0, 4), default: 0] += 1
                if options.single { describe(text, mine, "ours") }
                var dissent: [String: [Difference]] = [:]
                for k in 1..<engines.count {
                    results[k].withUnsafeBytes { theirs in
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
        if qemu.isEmpty || bochs.isEmpty { return }
        let shared = qemu.filter { one in
            bochs.contains { $0.field == one.field && $0.theirs == one.theirs }
        }
        // Emulators that end elsewhere agree on a word by chance.
        let ends = ["status", "vector", "rsp"].allSatisfy { end in
            qemu.first { $0.field == end }?.theirs == bochs.first { $0.field == end }?.theirs
        }
        let isOutvoted = !shared.isEmpty && ends
        if isOutvoted { outvoted += 1 } else { threeAnswers += 1 }
        let fields = (isOutvoted ? shared : qemu).prefix(3).map(\.field).joined(separator: ",")
        let kind = isOutvoted ? "OUTVOTED" : "THREE ANSWERS"
        groups["\(kind) [\(text.names)] \(text.mode.prefix(6)) \(fields)", default: (0, number)]
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
        if options.isVerbose && !found.isEmpty { say("case \(number):") }
        for difference in options.single ? all[...] : options.isVerbose ? found.prefix(16) : [] {
            say(
                "  \(difference.field): ours \(hex(difference.ours)), "
                    + "\(engine) \(hex(difference.theirs))")
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
            for mark in ["OUTVOTED", "THREE ANSWERS"] {
                let marks = ($0.key.hasPrefix(mark), $1.key.hasPrefix(mark))
                if marks.0 != marks.1 { return marks.0 }
            }
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
                + names.joined(separator: ", ") + "; outvoted by both emulators \(outvoted), "
                + "three answers \(threeAnswers)")
        for (name, count) in explained.sorted(by: { $0.key < $1.key }) {
            say("known: \(name): \(count)")
        }
    }
}
