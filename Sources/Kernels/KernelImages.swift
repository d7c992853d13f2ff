/// A kernel image, an ELF file with its symbols.
public struct KernelImage: Sendable, CustomStringConvertible {
    public enum Kind: String, Sendable, CaseIterable {
        /// The folder under `Images`.
        case host, guest
    }

    public let kind: Kind
    /// The design it is built as.
    public let design: Design
    /// What it is called in traces: `host-rfc`, `guest`, or `guest-moves-host`.
    public let name: String
    /// The ELF file.
    public let bytes: [UInt8]

    public var description: String { "\(name), \(bytes.count) bytes" }
}

/// The reference kernels. The package carries those of the named designs; any other is built, from
/// sources that it carries too, when it is asked for.
public enum Kernels {
    /// - Throws: `ImageBuildError` where the image is not carried and cannot be built.
    public static func host(_ design: Design) throws(ImageBuildError) -> KernelImage {
        try image(.host, design, name: "host-\(design.name)")
    }

    /// The guest that runs under a host of this design.
    public static func guest(_ design: Design) throws(ImageBuildError) -> KernelImage {
        let own = design.ofGuest
        let moved = own["moves"] == "guest" ? "" : "-moves-\(own["moves"])"
        return try image(.guest, own, name: "guest\(moved)")
    }

    /// Whether the package carries the image, so that no compiler is needed.
    public static func carries(_ kind: KernelImage.Kind, _ design: Design) -> Bool {
        carried(kind, design) != nil
    }

    private static func carried(_ kind: KernelImage.Kind, _ design: Design) -> StaticString? {
        KernelImage.builtIn.first { $0.image == kind.rawValue && $0.design == design.name }?.base64
    }

    private static func image(
        _ kind: KernelImage.Kind, _ design: Design, name: String
    ) throws(ImageBuildError) -> KernelImage {
        let bytes: [UInt8]
        if let base64 = carried(kind, design) {
            bytes = base64.withUTF8Buffer { Base64.decode($0) }
        } else {
            bytes = try ImageBuilder.build(kind, design: design)
        }
        return KernelImage(kind: kind, design: design, name: name, bytes: bytes)
    }
}
