import Foundation

/// What a program printed, standard error included, and how it ended.
struct ProcessResult: Sendable {
    var status: Int32
    var output: String
}

/// Runs a program with `input` as its standard input, and ends it if it takes longer than
/// `seconds`.
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

/// Runs the images' script with the compiler and linker of the Swift toolchain in use, which are
/// the ones that the package's own build takes, whatever other clang comes first in PATH.
func buildImage(in folder: URL, name: String, output: URL) throws -> ProcessResult {
    let script = """
        swift=$(command -v swift) && PATH=$(dirname "$(readlink -f "$swift")"):$PATH
        export PATH
        exec /bin/sh "$0" "$@"
        """
    return try run(
        "/bin/sh", ["-c", script, folder.appending(path: "build.sh").path, name, output.path])
}
