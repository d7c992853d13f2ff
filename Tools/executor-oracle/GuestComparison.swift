import Glibc
import Machine
import Replay
import SeededRandom
import Trace

/// What a comparison found wrong; nil where nothing was.
struct Disagreement: Error, CustomStringConvertible {
    var description: String
}

/// Runs a guest under every executor, cut at random places, and compares the machines' whole state;
/// then records it and replays the recording.
struct GuestComparison {
    let guest: HostileGuest
    let cycles: UInt64
    var instructions: UInt64 = 0
    var stops = 0

    /// The end of the last run, for statistics.
    private(set) var ending = ""

    init(_ guest: HostileGuest, cycles: UInt64) {
        self.guest = guest
        self.cycles = cycles
    }

    private var session: SessionConfiguration {
        var session = SessionConfiguration(
            host: SessionImage(name: "hostile", bytes: guest.image), guest: nil,
            commandLine: "", memory: guest.memory, cpus: guest.cpus, vendor: guest.vendor,
            costs: .uniform, seed: guest.seed)
        session.platform = .pc
        session.disks = (0..<guest.disks).map {
            SessionDisk(name: "disk\($0)", size: 300 * 512 - UInt64($0), isReadOnly: $0 == 1)
        }
        session.hasVirtioConsole = guest.hasConsole
        session.consoleInput = guest.typesAtConsole ? .virtio : .serial
        session.limits = RunLimits(cycles: cycles)
        return session
    }

    private func machine(_ executor: Executor) throws -> Machine {
        let machine = try session.makeMachine(executor: executor, disks: PatternDisk())
        var numbers = SplitMix64(guest.seed ^ 0x1213)
        for _ in 0..<numbers.below(24) {
            let kinds: [Stimulus] = [
                .nmi, .interrupt(UInt8(16 + numbers.below(240))),
                .interrupt(UInt8(16 + numbers.below(240))),
                .console((0..<numbers.below(40)).map { _ in numbers.byte() }),
            ]
            var stimulus = numbers.pick(kinds)
            if numbers.below(400) == 0 { stimulus = .machineCheck }
            let index = numbers.below(guest.cpus)
            // After the guest's own set-up, which takes 12,000 cycles.
            let instant: Instant =
                numbers.chance(60)
                ? .cycle(15_000 + UInt64(numbers.below(Int(cycles))))
                : .instruction(60 + numbers.next() % 40_000)
            machine.schedule(stimulus, cpu: index, at: instant)
        }
        return machine
    }

    mutating func run(traceFolder: String?) throws {
        try compareExecutors()
        if let traceFolder { try compareReplay(traceFolder) }
    }

    /// A and B3 stop at the same random limits, at every one of which they must be equal; a third
    /// machine goes in one piece, and a fourth goes on from snapshots of the first.
    private mutating func compareExecutors() throws {
        let a = try machine(.stepwise)
        let b = try machine(.blocks)
        let whole = try machine(.blocks)
        var numbers = SplitMix64(guest.seed ^ 0xC07)
        var reason = StopReason.requested
        var last = (cycles: UInt64(0), instructions: UInt64(0))
        var cuts: [RunLimits] = []
        var copy = SnapshotCopy()
        for stop in 0... {
            let limits = nextLimits(a, &numbers)
            cuts.append(limits)
            reason = a.run(limits)
            let other = b.run(limits)
            guard reason == other else {
                throw Disagreement(
                    description: "stop \(stop) after \(last): \(reason) and \(other)")
            }
            let isDone = !Self.goesOn(reason) || a.cycles >= cycles && reason == .cycleLimit
            let isWhole = isDone || stop % 64 == 0
            let equal =
                isWhole ? a.digest() == b.digest() : a.stateDigest() == b.stateDigest()
            guard equal else {
                throw Disagreement(
                    description: "stop \(stop) at \(limits): " + (try narrow(cuts)))
            }
            last = (a.cycles, a.instructions)
            stops += 1
            if isDone { break }
            if numbers.chance(2) { try copy.take(a) { try machine(.blocks) } }
        }
        try copy.finish(RunLimits(cycles: cycles), b, reason)
        let reasonWhole = whole.run(RunLimits(cycles: cycles))
        guard reasonWhole == reason, whole.digest() == b.digest() else {
            throw Disagreement(
                description:
                    "in one piece: \(reasonWhole) and \(reason), \(Self.difference(whole, b))")
        }
        instructions = a.instructions
        ending = "\(reason)"
    }

    private static func goesOn(_ reason: StopReason) -> Bool {
        reason == .cycleLimit || reason == .instructionLimit
    }

    /// Single steps, small primes, and long stretches, in instructions or cycles.
    private func nextLimits(_ machine: Machine, _ numbers: inout SplitMix64) -> RunLimits {
        let steps: [UInt64] = [1, 1, 2, 3, 5, 7, 31, 127, 997, UInt64(1 + numbers.below(5000))]
        let step = numbers.pick(steps)
        var limits = RunLimits(cycles: cycles)
        if numbers.chance(50) {
            limits.instructions = machine.instructions + step
            // Faults retire nothing.
            limits.cycles = min(cycles, machine.cycles + step * 64 + 512)
        } else {
            limits.cycles = min(cycles, machine.cycles + step * 4)
        }
        return limits
    }

    /// The machines of both executors after the same cuts.
    private func pair(_ cuts: [RunLimits]) throws -> (a: Machine, b: Machine) {
        let pair = (a: try machine(.stepwise), b: try machine(.blocks))
        for cut in cuts { _ = (pair.a.run(cut), pair.b.run(cut)) }
        return pair
    }

    /// Finds the instruction after which the machines differ, between the last two cuts, or between
    /// earlier ones where it was memory that nobody had looked at.
    private func narrow(_ cuts: [RunLimits]) throws -> String {
        var first = cuts.count
        while first > 0 {
            let (a, b) = try pair(Array(cuts.prefix(first - 1)))
            if a.digest() == b.digest() { break }
            first -= 1
        }
        let before = Array(cuts.prefix(max(first, 1) - 1))
        var low = try pair(before).a.instructions
        var high = try pair(Array(cuts.prefix(first))).a.instructions
        while high > low + 1 {
            let middle = low + (high - low) / 2
            let (a, b) = try pair(before + [RunLimits(cycles: cycles, instructions: middle)])
            if a.digest() == b.digest() { low = middle } else { high = middle }
        }
        let (a, b) = try pair(before + [RunLimits(cycles: cycles, instructions: low)])
        let places = (0..<a.cpuCount).map { n -> String in
            let cpu = a.cpu(n)
            let linear = cpu.pointee.rip &+ cpu.pointee.cs.base
            let bytes =
                cpu.translateQuietly(linear, cr3: cpu.pointee.cr3)
                .flatMap { a.readPhysical($0, count: 15) } ?? []
            let code = bytes.map { String($0, radix: 16) }.joined(separator: " ")
            return "cpu\(n) \(cpu.pointee.codeSize * 8) bits \(String(linear, radix: 16)): \(code)"
        }
        let sound = a.digest() == b.digest() ? "equal" : "already different"
        let end = try pair(before + [RunLimits(cycles: cycles, instructions: high)])
        return "\(sound) after \(low) instructions, at " + places.joined(separator: "; ")
            + "; then " + Self.difference(end.a, end.b)
    }

    static func difference(_ a: Machine, _ b: Machine) -> String {
        var found: [String] = []
        func hex(_ v: UInt64) -> String { String(v, radix: 16) }
        for n in 0..<a.cpuCount {
            let (x, y) = (a.cpu(n), b.cpu(n))
            for r in 0..<16 where x.registers[r] != y.registers[r] {
                found.append("cpu\(n) r\(r) \(hex(x.registers[r])) \(hex(y.registers[r]))")
            }
            let pairs = [
                ("rip", x.pointee.rip, y.pointee.rip),
                ("rflags", x.pointee.rflags, y.pointee.rflags),
                ("cycles", x.pointee.cycles, y.pointee.cycles),
                ("instructions", x.pointee.instructions, y.pointee.instructions),
                ("cr2", x.pointee.cr2, y.pointee.cr2), ("cr3", x.pointee.cr3, y.pointee.cr3),
                ("cs", UInt64(x.pointee.cs.selector), UInt64(y.pointee.cs.selector)),
                ("codeSize", UInt64(x.pointee.codeSize), UInt64(y.pointee.codeSize)),
                ("dr6", x.pointee.dr6, y.pointee.dr6),
            ]
            for (name, u, v) in pairs where u != v {
                found.append("cpu\(n) \(name) \(hex(u)) \(hex(v))")
            }
        }
        let (s, t) = (a.save(), b.save())
        if s.pageNumbers != t.pageNumbers { found.append("other pages are used") }
        if s.pages != t.pages, s.pageNumbers == t.pageNumbers {
            let at = zip(s.pages, t.pages).enumerated().first { $0.element.0 != $0.element.1 }
            let place = at.map {
                UInt64(s.pageNumbers[$0.offset >> 12]) << 12 | UInt64($0.offset & 4095)
            }
            found.append("memory at \(hex(place ?? 0))")
        }
        if s.state != t.state {
            let at = zip(s.state, t.state).enumerated().first { $0.element.0 != $0.element.1 }
            found.append("state byte \(at?.offset ?? -1) of \(s.state.count)")
        }
        let rip = a.cpu(0).pointee.rip
        found.append("cpu0 a at \(hex(a.cpu(0).pointee.cs.base)):\(hex(rip))")
        return found.joined(separator: ", ")
    }

    // MARK: - Record and replay

    private func compareReplay(_ folder: String) throws {
        let path = "\(folder)/hostile-\(getpid()).pvt"
        defer { unlink(path) }
        var options = RecordingOptions()
        options.checkpointInterval = 100_000
        options.console = ScriptedConsole(Array("hostile\n".utf8))
        options.disks = (0..<guest.disks).map { PatternDisk(number: $0) }
        var session = self.session
        session.level = guest.seed & 1 == 0 ? .tables : .paths
        let writer = try session.makeWriter(path: path)
        let recorded = try Recorder(session, options: options, writer: writer).run()
        let reader = try TraceReader(path: path)
        for executor in Executor.allCases {
            let replayer = try Replayer(
                SessionConfiguration(reader), executor: executor, reader: reader)
            let result = try replayer.run()
            if let divergence = result.divergence {
                throw Disagreement(
                    description: "replay by \(executor) diverges at cycle \(divergence.cycle): "
                        + "\(divergence.fields)")
            }
            guard result.summary.digest == recorded.digest else {
                throw Disagreement(description: "replay by \(executor) ends in another state")
            }
        }
    }
}
