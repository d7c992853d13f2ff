import Foundation

/// Why an image could not be built.
public enum ImageBuildError: Error, Sendable, CustomStringConvertible {
    /// A program that is needed was not found.
    case toolMissing(tool: String, variable: String, design: String)
    /// A file of the temporary folder could not be written or read.
    case file(path: String, reason: String)
    /// The compiler or the linker refused; what they said.
    case failed(design: String, output: String)

    public var description: String {
        switch self {
        case .toolMissing(let tool, let variable, let design):
            "there is no built-in image of design \(design), and \(tool), which is needed to build "
                + "one, was not found; install a Swift toolchain or the packages clang and lld, or "
                + "let the variable \(variable) name it"
        case .file(let path, let reason): "\(path): \(reason)"
        case .failed(let design, let output):
            "the image of design \(design) could not be built:\n\(output)"
        }
    }
}

/// Builds an image from the sources that the package carries, in a temporary folder, with build.sh:
/// the same bytes as the package's own build gives with the same compiler.
enum ImageBuilder {
    static func build(
        _ kind: KernelImage.Kind, design: Design
    ) throws(ImageBuildError) -> [UInt8] {
        let clang = try Toolchain.find("clang", variable: "CLANG", for: design)
        let linker = try Toolchain.find("ld.lld", variable: "LLD", for: design)
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "pvreplay-image-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        for file in SourceArchive.packed.files {
            try write(file, under: folder)
        }
        let output = folder.appending(path: "image.elf")
        try run(
            [folder.appending(path: "build.sh").path, kind.rawValue, output.path, design.name],
            environment: ["CLANG": clang, "LLD": linker], design: design)
        do {
            return Array(try Data(contentsOf: output))
        } catch {
            throw .file(path: output.path, reason: error.localizedDescription)
        }
    }

    private static func write(
        _ file: SourceArchive.File, under folder: URL
    ) throws(ImageBuildError) {
        let url = folder.appending(path: file.path)
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(file.bytes).write(to: url)
        } catch {
            throw .file(path: url.path, reason: error.localizedDescription)
        }
    }

    private static func run(
        _ arguments: [String], environment: [String: String], design: Design
    ) throws(ImageBuildError) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment
            .merging(environment) { _, own in own }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        do { try process.run() } catch {
            throw .file(path: "/bin/sh", reason: error.localizedDescription)
        }
        let said = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw .failed(design: design.name, output: String(decoding: said, as: UTF8.self))
        }
    }
}

/// Where the compiler and the linker are.
enum Toolchain {
    /// The path of a tool: what the variable says; else beside the `swift` of PATH, since that is
    /// the one whose bytes the package's own images have; else in PATH.
    static func find(
        _ tool: String, variable: String, for design: Design,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ImageBuildError) -> String {
        let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        func search(_ name: String, _ places: [String]) -> String? {
            places.map { $0.isEmpty ? name : "\($0)/\(name)" }
                .first { FileManager.default.isExecutableFile(atPath: $0) }
        }
        if let named = environment[variable], !named.isEmpty {
            if let path = search(named, named.contains("/") ? [""] : folders) { return path }
            throw .toolMissing(tool: named, variable: variable, design: design.name)
        }
        if let swift = search("swift", folders) {
            let real = URL(filePath: swift).resolvingSymlinksInPath().deletingLastPathComponent()
            if let path = search(tool, [real.path]) { return path }
        }
        guard let path = search(tool, folders) else {
            throw .toolMissing(tool: tool, variable: variable, design: design.name)
        }
        return path
    }
}
