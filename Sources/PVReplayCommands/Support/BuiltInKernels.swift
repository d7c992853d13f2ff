import Kernels

/// The images that the program carries, by design.
enum BuiltInKernels {
    /// Designs with a built image, in the order in which they are listed.
    static let designs = ["rfc"]

    /// - Precondition: `design` is one of `designs`.
    static func host(design: String) -> KernelImage {
        precondition(designs.contains(design))
        return image("host")
    }

    static var guest: KernelImage { image("guest") }

    private static func image(_ name: String) -> KernelImage {
        guard let image = Kernels.image(named: name) else {
            preconditionFailure("the package was built without its \(name) image")
        }
        return image
    }
}
