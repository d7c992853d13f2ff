import Foundation
import PackagePlugin

/// Compiles every kernel image under the target's `Images` folder with the toolchain's own clang
/// and lld, one command an image, into a Swift file that holds the ELF's bytes.
@main struct KernelBuilder: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
        let images = target.directoryURL.appending(path: "Images")
        let script = images.appending(path: "build.sh")
        let clang = try context.tool(named: "clang").url
        let linker = try context.tool(named: "ld.lld").url
        let common = try files(under: images.appending(path: "common"))
        return try FileManager.default.contentsOfDirectory(atPath: images.path)
            .filter { FileManager.default.fileExists(atPath: "\(images.path)/\($0)/link.ld") }
            .sorted()
            .map { name in
                let output = context.pluginWorkDirectoryURL.appending(path: "\(name)Image.swift")
                return .buildCommand(
                    displayName: "Building the \(name) kernel image",
                    executable: URL(filePath: "/bin/sh"),
                    arguments: [script.path, name, output.path],
                    environment: ["CLANG": clang.path, "LLD": linker.path],
                    inputFiles: try [script, clang, linker] + common
                        + files(under: images.appending(path: name)),
                    outputFiles: [output])
            }
    }

    /// Every regular file below a folder, in the order of their paths.
    private func files(under folder: URL) throws -> [URL] {
        let walk = FileManager.default.enumerator(
            at: folder, includingPropertiesForKeys: [.isRegularFileKey])
        var found: [URL] = []
        for case let url as URL in walk ?? .init()
        where try url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true {
            found.append(url)
        }
        return found.sorted { $0.path < $1.path }
    }
}
