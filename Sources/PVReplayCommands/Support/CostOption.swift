import CostProfiles
import Machine

/// What `--cost` names: a built-in profile, or a file.
enum CostOption {
    /// A cost profile's file is not one.
    struct Refusal: Error, CustomStringConvertible {
        var path: String
        var reason: CostProfileError

        var description: String { "\(path): \(reason) (Docs/cost-profiles.md has the form)" }
    }

    /// - Throws: `FileError`, or `Refusal`.
    static func profile(_ name: String) throws -> CostProfile {
        if let file = CostProfiles.file(named: name) { return file.profile }
        let bytes = try Files.read(name)
        do {
            return try CostProfileFile(bytes).profile
        } catch {
            throw Refusal(path: name, reason: error)
        }
    }
}
