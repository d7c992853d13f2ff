import Glibc

/// The console's bytes on their way to standard output and to a file. Lines go out whole, or when
/// a prompt waits: on a terminal every byte at once. There what would steer the terminal is
/// escaped, unless a person sits before it who types to the guest.
final class ConsoleText {
    private let toOutput: Bool
    private let path: String?
    private let descriptor: Int32
    private var pending: [UInt8] = []
    private var failure: Int32 = 0
    let isTerminal: Bool
    private let escapes: Bool

    /// - Throws: `FileError` where the file cannot be created.
    init(file: String?, toOutput: Bool, isInteractive: Bool = false) throws(FileError) {
        self.toOutput = toOutput
        path = file
        isTerminal = toOutput && isatty(1) == 1
        escapes = isTerminal && !isInteractive
        if let file {
            descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            if descriptor < 0 { throw FileError(path: file, call: "open", number: errno) }
        } else {
            descriptor = -1
        }
    }

    func put(_ byte: UInt8) {
        pending.append(byte)
        if isTerminal || byte == 0x0A || pending.count >= 4096 { flush() }
    }

    private func flush() {
        if toOutput { Output.write(1, escapes ? TerminalText.safe(pending) : pending) }
        if descriptor >= 0, failure == 0 { failure = Files.writeAll(descriptor, pending) }
        pending.removeAll(keepingCapacity: true)
    }

    /// - Throws: `FileError` where the file did not take everything.
    func finish() throws(FileError) {
        flush()
        guard descriptor >= 0, let path else { return }
        if close(descriptor) != 0, failure == 0 { failure = errno }
        if failure != 0 { throw FileError(path: path, call: "write", number: failure) }
    }
}
