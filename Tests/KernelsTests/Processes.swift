import Foundation

/// What a program printed, standard error included, and how it ended.
struct ProcessResult: Sendable {
    var status: Int32
    var output: String
}

/// Runs a program with `input` as its standard input, and ends it if it takes longer than `seconds`.
func run(
    _ path: String, _ arguments: [String], input: String = "", seconds: Double = 120
) throws -> ProcessResult {
    let process = Process()
    let pipe = Pipe()
    let typed = Pipe()
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    process.standardInput = typed
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    try typed.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try typed.fileHandleForWriting.close()
    let watchdog = DispatchWorkItem { process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: watchdog)
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    watchdog.cancel()
    return ProcessResult(
        status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
}
