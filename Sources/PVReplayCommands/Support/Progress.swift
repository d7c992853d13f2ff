import Glibc

/// One line of progress on a terminal; nothing in a pipe.
final class Progress {
    private let enabled: Bool
    private var shown = false

    init(quiet: Bool) {
        enabled = !quiet && isatty(2) == 1
    }

    func show(_ text: String) {
        guard enabled else { return }
        shown = true
        _ = Files.writeAll(2, Array("\r\u{1b}[2K\(text)".utf8))
    }

    func clear() {
        guard shown else { return }
        shown = false
        _ = Files.writeAll(2, Array("\r\u{1b}[2K".utf8))
    }
}
