import Machine

/// The profiles that the program carries: the files in `Profiles`, embedded in the executable.
public enum CostProfiles {
    /// In the order in which they are listed.
    public static let names = ["core2", "zen3"]
    /// What is used where nobody names one.
    public static let defaultName = "zen3"

    public static let core2 = parse(PackageResources.core2_json)
    public static let zen3 = parse(PackageResources.zen3_json)

    public static func file(named name: String) -> CostProfileFile? {
        switch name {
        case "core2": core2
        case "zen3": zen3
        default: nil
        }
    }

    /// A file of our own: a test reads it too, so a mistake in it does not get as far as here.
    private static func parse(_ bytes: [UInt8]) -> CostProfileFile {
        do {
            return try CostProfileFile(bytes, isBuiltIn: true)
        } catch {
            preconditionFailure("a built-in cost profile: \(error)")
        }
    }
}
