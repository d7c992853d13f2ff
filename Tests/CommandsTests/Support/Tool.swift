import Foundation

/// The program as a user runs it. Tests run the executable that `PVREPLAY` names (`make test` gives
/// the release build), else the one built beside the test bundle.
enum Tool {
    struct Result {
        var status: Int32
        var output: Data
        var error: String

        var text: String { String(decoding: output, as: UTF8.self) }
        func json() throws -> [String: Any] {
            try JSONSerialization.jsonObject(with: output) as? [String: Any] ?? [:]
        }
    }

    static let debugPath: String = {
        #if DEBUG
            let configuration = "debug"
        #else
            let configuration = "release"
        #endif
        return root.appending(path: ".build/\(configuration)/pvreplay").path
    }()
    static let path = ProcessInfo.processInfo.environment["PVREPLAY"] ?? debugPath
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func process(_ arguments: [String], path: String = path) -> Process {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.currentDirectoryURL = FileManager.default.temporaryDirectory
        return process
    }

    /// Runs to the end. Output is read while it runs, so that no pipe fills. What has not ended
    /// after `patience` seconds hangs, and is killed: `status` is then 137 (128 + SIGKILL), which
    /// no test expects of it. The slowest that the tests run takes 20 s on a busy machine.
    static func run(
        _ arguments: [String], input: String? = nil, path: String = path, patience: Double = 300
    ) throws -> Result {
        let process = process(arguments, path: path)
        let output = Pipe()
        let errorFile = FileManager.default.temporaryDirectory
            .appending(path: "pvreplay-stderr-\(UUID().uuidString)")
        try Data().write(to: errorFile)
        defer { try? FileManager.default.removeItem(at: errorFile) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errorFile)
        if let input {
            let pipe = Pipe()
            process.standardInput = pipe
            try process.run()
            pipe.fileHandleForWriting.write(Data(input.utf8))
            try pipe.fileHandleForWriting.close()
        } else {
            process.standardInput = FileHandle.nullDevice
            try process.run()
        }
        let watchdog = DispatchWorkItem { kill(process.processIdentifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + patience, execute: watchdog)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        watchdog.cancel()
        let error = try String(contentsOf: errorFile, encoding: .utf8)
        let signalled = process.terminationReason == .uncaughtSignal
        return Result(
            status: signalled ? 128 + process.terminationStatus : process.terminationStatus,
            output: data, error: error)
    }
}

/// A folder of a test's own, gone with it.
final class Scratch {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appending(path: "pvreplay-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }

    func data(_ name: String) throws -> Data {
        try Data(contentsOf: url.appending(path: name))
    }
}
