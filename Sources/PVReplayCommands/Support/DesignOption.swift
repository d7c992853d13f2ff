import ArgumentParser
import Kernels

/// `--design` on the command line.
enum DesignOption {
    /// - Throws: `ValidationError` with the reason, which is exit 64.
    static func parse(_ text: String) throws -> Design {
        do {
            return try Design(text)
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
