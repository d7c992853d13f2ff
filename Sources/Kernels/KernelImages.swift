/// A kernel image that was built with the package: an ELF file with its symbols.
public struct KernelImage: Sendable, CustomStringConvertible {
    /// The image's folder under `Images`, and its file name without `.elf` when it is exported.
    public let name: String
    /// What it is, in a line.
    public let summary: String
    private let base64: StaticString

    init(name: String, summary: String, base64: StaticString) {
        self.name = name
        self.summary = summary
        self.base64 = base64
    }

    /// The ELF file's bytes.
    public var bytes: [UInt8] { base64.withUTF8Buffer { Base64.decode($0) } }

    public var description: String { "\(name): \(summary)" }
}

/// The images that the package carries.
public enum Kernels {
    /// In the order in which `pvreplay kernels` lists them.
    public static let images: [KernelImage] = [
        KernelImage(
            name: "host", summary: "the reference host, design rfc",
            base64: KernelImage.hostBase64),
        KernelImage(
            name: "guest", summary: "the reference guest", base64: KernelImage.guestBase64),
    ]

    /// The image of that name, if there is one.
    public static func image(named name: String) -> KernelImage? {
        images.first { $0.name == name }
    }
}
