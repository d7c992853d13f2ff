import Glibc
import Machine

/// The command line and what it asks for.
struct OracleCommand {
    private var arguments: [String]
    private var seed: UInt64 = 1
    private var count: UInt64 = 1
    private var cycles: UInt64 = 300_000
    private var folder: String?
    private var failures = 0

    init(_ arguments: [String]) { self.arguments = arguments }

    static let usage = """
        executor-oracle guests [--seed N] [--count N] [--cycles N] [--no-replay] [--verbose]
        executor-oracle check [--cycles N] [--no-replay] FILE...
        executor-oracle traces [--seed N] [--count N] FILE...
        executor-oracle write SEED FILE
        """

    /// Does it, and returns the exit code: 0 all agree, 1 they do not, 64 usage, 74 a file.
    mutating func run() -> Int32 {
        seed = option("seed") ?? seed
        count = option("count") ?? count
        cycles = option("cycles") ?? cycles
        if !flag("no-replay") { folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }
        let isVerbose = flag("verbose")
        CrashNotice.install()
        let files = arguments.dropFirst()
        switch arguments.first {
        case "guests" where files.isEmpty: checkGuests(isVerbose)
        case "check" where !files.isEmpty: for path in files { checkFile(path) }
        case "traces" where !files.isEmpty: for path in files { checkTrace(path) }
        case "write" where files.count == 2:
            guard let seed = UInt64(arguments[1]) else { return 64 }
            return Self.write(HostileGuest(seed: seed).image, to: arguments[2]) ? 0 : 74
        default:
            say(Self.usage)
            return 64
        }
        return failures == 0 ? 0 : 1
    }

    /// Takes `--name NUMBER` off the arguments.
    private mutating func option(_ name: String) -> UInt64? {
        guard let at = arguments.firstIndex(of: "--" + name), at + 1 < arguments.count,
            let value = UInt64(arguments[at + 1])
        else { return nil }
        arguments.removeSubrange(at...(at + 1))
        return value
    }

    private mutating func flag(_ name: String) -> Bool {
        guard let at = arguments.firstIndex(of: "--" + name) else { return false }
        arguments.remove(at: at)
        return true
    }

    // MARK: - Guests

    private mutating func check(_ guest: HostileGuest, _ name: String) -> GuestComparison {
        CrashNotice.expect(name, seconds: 120)
        var comparison = GuestComparison(guest, cycles: cycles)
        do {
            try comparison.run(traceFolder: folder)
        } catch {
            failures += 1
            say("\(name): \(error)")
        }
        return comparison
    }

    private mutating func checkGuests(_ isVerbose: Bool) {
        var instructions: UInt64 = 0
        var stops = 0
        var endings: [String: Int] = [:]
        for n in (0..<count).map({ seed &+ $0 }) {
            let guest = HostileGuest(seed: n)
            let result = check(guest, "seed \(n)")
            if isVerbose {
                say("seed \(n): \(result.instructions) instructions, \(result.ending)")
            }
            instructions += result.instructions
            stops += result.stops
            endings[String(result.ending.prefix { $0 != "(" }), default: 0] += 1
        }
        let ends = endings.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        say(
            "\(count) guests, \(instructions) instructions, \(stops) cuts, "
                + "\(failures) disagreements; ends: " + ends.joined(separator: ", "))
    }

    private mutating func checkFile(_ path: String) {
        guard let bytes = Self.read(path) else {
            failures += 1
            say("\(path): cannot be read")
            return
        }
        let result = check(HostileGuest(file: bytes), path)
        say(
            "\(path): \(result.instructions) instructions, \(result.stops) cuts, \(result.ending)")
    }

    private mutating func checkTrace(_ path: String) {
        CrashNotice.expect(path, seconds: 3600)
        do {
            var cuts = 0
            for n in 0..<count {
                cuts += try TraceReplayComparison(path: path, seed: seed &+ n).run()
            }
            say("\(path): \(cuts) cuts")
        } catch {
            failures += 1
            say("\(path): \(error)")
        }
    }

    /// A line that is seen at once, whatever happens next.
    private func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    // MARK: - Files

    private static func read(_ path: String) -> [UInt8]? {
        guard let stream = fopen(path, "rb") else { return nil }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { return bytes }
            bytes += buffer[0..<count]
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) -> Bool {
        guard let stream = fopen(path, "wb") else { return false }
        let count = fwrite(bytes, 1, bytes.count, stream)
        return fclose(stream) == 0 && count == bytes.count
    }
}
