import ArgumentParser
import Kernels
import Machine
import Replay

/// What a recorded world is run under: a built-in design, or images of the user's own.
struct Variant {
    /// For tables: `rfc,roots=one`, `host.elf`.
    var name: String
    /// In a sentence: `design rfc,roots=one`, `host host.elf`.
    var description: String
    var configuration: SessionConfiguration

    /// A kernel of its own on a `pc` has neither a design nor a guest to put another in the place
    /// of; what remains to vary is the kernel itself and the cost profile.
    /// - Throws: `ValidationError` where `design` or `guest` is asked for all the same.
    static func check(
        _ recorded: SessionConfiguration, design: Bool, guest: Bool
    ) throws(ValidationError) {
        guard recorded.platform == .pc, design || guest else { return }
        throw ValidationError(
            "the trace is of a kernel on a PC (\(recorded.host.name), recorded with --kernel), "
                + "which has no \(design ? "design" : "guest") to change; compare such kernels "
                + "with `pvreplay diff` on two traces, or give another build of it with --host")
    }

    /// The recorded session under a built-in design. The design's guest comes with it where the
    /// recorded one was a built-in guest and the user gives no other.
    /// - Throws: `ImageBuildError` where the images cannot be built.
    init(design: Design, recorded: SessionConfiguration, guest: SessionImage?) throws {
        var configuration = recorded
        configuration.host = SessionImage(try Kernels.host(design))
        configuration.design = design.name
        if let guest {
            configuration.guest = guest
        } else if let own = recorded.guest, let old = try? Design(recorded.design),
            own.bytes == (try Kernels.guest(old)).bytes
        {
            configuration.guest = SessionImage(try Kernels.guest(design))
        }
        name = design.name
        description = "design \(design.name)"
        self.configuration = configuration
    }

    /// The recorded session with other images.
    init(
        host: SessionImage?, guest: SessionImage?, recorded: SessionConfiguration
    ) {
        var configuration = recorded
        if let host { configuration.host = host }
        if let guest { configuration.guest = guest }
        let images = [host.map { ("host", $0.name) }, guest.map { ("guest", $0.name) }]
            .compactMap { $0 }
        name = images.isEmpty ? "recorded" : images.map(\.1).joined(separator: "+")
        description =
            images.isEmpty
            ? "the recorded images" : images.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        self.configuration = configuration
    }

    /// - Throws: `FileError` where it cannot be read.
    static func image(_ path: String) throws -> SessionImage {
        SessionImage(name: Files.lastComponent(path), bytes: try Files.read(path))
    }
}
