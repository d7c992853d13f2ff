import Foundation
import Testing

/// The test kernels in folders of CommandsTests, built by their `build.sh` with the compiler and
/// linker of the Swift toolchain in use.
enum BuiltKernel {
    /// - Parameter folder: `Platform` or `Promises`.
    static func image(_ folder: String) -> Result<Data, any Error> {
        Result {
            let scratch = try Scratch()
            let script = Tool.root.appending(path: "Tests/CommandsTests/\(folder)/build.sh").path
            let words = """
                swift=$(command -v swift) && PATH=$(dirname "$(readlink -f "$swift")"):$PATH
                export PATH
                exec /bin/sh "$0" "$1"
                """
            let built = try Tool.run(
                ["-c", words, script, scratch.path("kernel.elf")], path: "/bin/sh")
            #expect(built.status == 0, "\(built.error)")
            return try scratch.data("kernel.elf")
        }
    }
}
