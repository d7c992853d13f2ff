import Foundation
import Machine

/// Something that runs a batch of cases and gives their results.
protocol Engine: AnyObject {
    var name: String { get }
    /// Forgets what earlier cases may have left behind.
    func refresh() throws
    /// Begins with `count` cases.
    func begin(_ cases: [UInt8], count: Int) throws
    /// Their results, one after the other.
    func finish() throws -> [UInt8]
}

struct OracleError: Error, CustomStringConvertible {
    var description: String
}

/// What a result's status says.
enum Status {
    static let done: UInt64 = 1
    static let shutdown: UInt64 = 2
    static let hang: UInt64 = 3
}

/// Our machine, with one of its executors.
final class MachineEngine: Engine {
    let name: String
    private let harness: [UInt8]
    private let configuration: MachineConfiguration
    private var machine: Machine
    private var sequence: UInt32 = 0
    private var cases: [UInt8] = []
    private var count = 0
    /// The least case that may be the one that runs.
    private var floor = 0
    /// Says where the processor was when it shut down.
    var isVerbose = false
    /// Prints where each instruction of the case is, as it is executed.
    var isTraced = false

    init(harness: [UInt8], vendor: Vendor, executor: Executor) throws {
        name = executor == .stepwise ? "ours" : "ours-blocks"
        self.harness = harness
        configuration = MachineConfiguration(
            memory: UInt64(Layout.memory), vendor: vendor, executor: executor, platform: .pc)
        machine = try MachineEngine.start(harness, configuration)
    }

    private static func start(
        _ harness: [UInt8], _ configuration: MachineConfiguration
    ) throws -> Machine {
        let machine = try Machine(configuration)
        try machine.boot(kernel: harness, name: "harness", modules: [], commandLine: "")
        var tables = [UInt8](repeating: 0, count: 0x2_0000)
        tables.withUnsafeMutableBytes {
            PageTables.write(to: $0.baseAddress! - Layout.tables)
        }
        machine.writePhysical(UInt64(Layout.tables), tables)
        return machine
    }

    func refresh() throws {
        machine = try MachineEngine.start(harness, configuration)
        sequence = 0
    }

    func begin(_ cases: [UInt8], count: Int) {
        self.cases = cases
        self.count = count
        floor = 0
        sequence += 1
        machine.writePhysical(UInt64(Layout.cases), cases)
        put(8, UInt32(count))
        put(0, sequence)
    }

    private func put(_ offset: Int, _ value: UInt32) {
        machine.writePhysical(
            UInt64(Layout.control + offset),
            (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) })
    }

    private func get(_ offset: Int) -> Int {
        let bytes = machine.readPhysical(UInt64(Layout.control + offset), count: 4) ?? []
        return bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    func finish() throws -> [UInt8] {
        while true {
            if isTraced { trace() }
            // A case is some hundred instructions; what takes a million is a loop. Faults whose
            // handler faults are one too, and execute none.
            let most = UInt64(count) * 2000 + 1_000_000
            let limits = RunLimits(
                cycles: machine.cycles + most * 100, instructions: machine.instructions + most)
            switch machine.run(limits) {
            case .debugExit where get(4) == Int(sequence):
                let size = count * Layout.recordSize
                return machine.readPhysical(UInt64(Layout.results), count: size) ?? []
            case .debugExit, .reset: continue
            case .notExecutable(_, let rip, let name):
                throw OracleError(description: "not executable: \(name) at \(hex(rip))")
            case .shutdown:
                if isVerbose { describeShutdown() }
                try restart(Status.shutdown)
            case .idle, .cycleLimit, .instructionLimit, .poweredOff, .requested:
                try restart(Status.hang)
            }
        }
    }

    private func trace() {
        var last: StopReason = .instructionLimit
        for _ in 0..<100_000 where last == .instructionLimit {
            let cpu = machine.cpu(0).pointee
            let rip = cpu.cs.base &+ cpu.rip
            say(
                "\(hex(UInt64(cpu.cs.selector))):\(hex(cpu.rip)) sp \(hex(cpu.rsp)) "
                    + "flags \(hex(cpu.rflags)) cpl \(cpu.cpl)"
                    + (rip >> 20 == 0 ? "" : " (harness)"))
            last = machine.run(RunLimits(instructions: machine.instructions + 1))
        }
    }

    private func describeShutdown() {
        let cpu = machine.cpu(0).pointee
        say(
            "  shut down at \(hex(UInt64(cpu.cs.selector))):\(hex(cpu.rip)), rsp \(hex(cpu.rsp)), "
                + "cr2 \(hex(cpu.cr2)), tr \(hex(cpu.tr.base)), cpl \(cpu.cpl), "
                + "registers "
                + (0..<8).map { hex(machine.cpu(0).registers[$0]) }.joined(separator: " ")
                + ", control " + (0..<5).map { hex(UInt64(get($0 * 4))) }.joined(separator: " "))
    }

    /// After a shutdown or a hang: a fresh machine goes on with the next case.
    private func restart(_ status: UInt64) throws {
        // A case that wrote the control block must not have the batch run from its beginning, again
        // and again; one whose result is wrong for it is run alone.
        let next = max(floor, min(get(12), count - 1))
        floor = next + 1
        let done = machine.readPhysical(UInt64(Layout.results), count: count * Layout.recordSize)!
        machine = try MachineEngine.start(harness, configuration)
        machine.writePhysical(UInt64(Layout.cases), cases)
        machine.writePhysical(UInt64(Layout.results), done)
        put(8, UInt32(count))
        put(12, UInt32(next))
        put(0, sequence)
        put(4, sequence - 1)
        // The harness gives the case that was running this status and goes on.
        put(16, UInt32(status - 1))
    }
}

/// An emulator in another process, whose memory is a file that both map.
class ProcessEngine: Engine {
    let name: String
    private let file: String
    private let harness: [UInt8]
    let memory: UnsafeMutableRawPointer
    private var process: Process?
    private var sequence: UInt32 = 0
    private var count = 0
    private var failures = 0
    private let executable: String
    private let arguments: [String]
    private let environment: [String: String]

    init(
        name: String, file: String, executable: String, arguments: [String],
        environment: [String: String] = [:], harness: [UInt8]
    ) throws {
        self.name = name
        self.file = file
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        let descriptor = open(file, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0, ftruncate(descriptor, off_t(Layout.memory)) == 0,
            let mapped = mmap(
                nil, Layout.memory, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
            mapped != MAP_FAILED
        else { throw OracleError(description: "\(file): cannot be mapped") }
        close(descriptor)
        memory = mapped
        self.harness = harness
        try launch()
    }

    func refresh() {
        let rest = Layout.control + 0x1000
        memset(memory + rest, 0, Layout.memory - rest)
        prepare()
    }

    /// What a case that ran wild may have overwritten.
    private func prepare() {
        harness.withUnsafeBytes {
            (memory + Layout.harness).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
        PageTables.write(to: memory)
    }

    private func launch() throws {
        prepare()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
    }

    func stop() {
        if let process, process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        unlink(file)
    }

    private func get(_ offset: Int) -> UInt32 {
        UnsafeRawPointer(memory).load(fromByteOffset: Layout.control + offset, as: UInt32.self)
    }

    func begin(_ cases: [UInt8], count: Int) throws {
        self.count = count
        cases.withUnsafeBytes {
            (memory + Layout.cases).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
        sequence += 1
        memory.put32(Layout.control + 8, count)
        memory.put32(Layout.control, Int(sequence))
        if let process { kill(process.processIdentifier, SIGCONT) }
    }

    func finish() throws -> [UInt8] {
        // The case that runs. A case may write anything there: what is no later case is not
        // believed, or a loop that writes it would never be seen to hang.
        var last: UInt32 = 0
        var quiet = 0
        while get(4) != sequence {
            usleep(200)
            let next = get(12)
            let isProgress = next > last && next <= UInt32(count)
            quiet = isProgress ? 0 : quiet + 1
            if isProgress { last = next }
            if process?.isRunning != true {
                // Bochs ends at a shutdown.
                failures += 1
                if failures > 10_000 || next == 0 && get(16) == 0 {
                    throw OracleError(description: "\(name) ended; case \(next) of the batch")
                }
                try launch()
            }
            if quiet > 10_000 {
                try skip(last)
                last += 1
                quiet = -20_000
            }
        }
        if let process { kill(process.processIdentifier, SIGSTOP) }
        return Array(
            UnsafeRawBufferPointer(
                start: memory + Layout.results, count: count * Layout.recordSize))
    }

    /// A case that never ends: the process begins anew behind it.
    private func skip(_ number: UInt32) throws {
        if let process {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        let words = [sequence, sequence &- 1, UInt32(count), number, UInt32(Status.hang - 1)]
        for (n, word) in words.enumerated() { memory.put32(Layout.control + n * 4, Int(word)) }
        try launch()
        FileHandle.standardError.write(Data("\(name): case \(number) of a batch hangs\n".utf8))
    }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
