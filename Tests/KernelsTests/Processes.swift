import Foundation

/// What a program printed, standard error included, and how it ended.
struct ProcessResult: Sendable {
    var status: Int32
    var output: String
}

/// Runs a program with an empty standard input, and ends it if it takes longer than `seconds`.
func run(_ path: String, _ arguments: [String], seconds: Double = 120) throws -> ProcessResult {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let watchdog = DispatchWorkItem { process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: watchdog)
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    watchdog.cancel()
    return ProcessResult(
        status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
}
