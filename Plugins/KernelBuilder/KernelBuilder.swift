import Foundation
import PackagePlugin

/// Compiles the kernel images of the named designs (`Images/designs`) with the toolchain's own
/// clang and lld, one command an image, into Swift files that hold the ELFs' bytes; and packs the
/// sources, from which any other design is built when it is asked for.
@main struct KernelBuilder: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
        let images = target.directoryURL.appending(path: "Images")
        let script = images.appending(path: "build.sh")
        let list = images.appending(path: "designs")
        let clang = try context.tool(named: "clang").url
        let linker = try context.tool(named: "ld.lld").url
        let output = context.pluginWorkDirectoryURL
        let common = try files(under: images.appending(path: "common"))
        let wanted = try wantedImages(list)
        var commands = try wanted.map { image, design in
            let constant = "\(image)_\(design)".replacingOccurrences(of: "-", with: "_")
            let file = output.appending(path: "\(constant).swift")
            return Command.buildCommand(
                displayName: "Building the \(image) kernel image of design \(design)",
                executable: URL(filePath: "/bin/sh"),
                arguments: [script.path, image, file.path, design],
                environment: ["CLANG": clang.path, "LLD": linker.path],
                inputFiles: try [script, list, clang, linker] + common
                    + files(under: images.appending(path: image)),
                outputFiles: [file])
        }
        let packer = images.appending(path: "pack.sh")
        let packed = output.appending(path: "ImageSources.swift")
        commands.append(
            .buildCommand(
                displayName: "Packing the kernel sources",
                executable: URL(filePath: "/bin/sh"),
                arguments: [packer.path, packed.path] + wanted.map { "\($0)=\($1)" },
                inputFiles: try [packer] + files(under: images), outputFiles: [packed]))
        return commands
    }

    /// The host of each named design, and for each value of `moves` among them the guest, named
    /// after the first design that has it: nothing else of a design concerns the guest.
    private func wantedImages(_ list: URL) throws -> [(image: String, design: String)] {
        var hosts: [(String, String)] = []
        var guests: [(String, String)] = []
        var moves: Set<Substring> = []
        for line in try String(contentsOf: list, encoding: .utf8).split(separator: "\n")
        where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            hosts.append(("host", String(words[0])))
            if let value = words.first(where: { $0.hasPrefix("moves=") }),
                moves.insert(value).inserted
            {
                guests.append(("guest", String(words[0])))
            }
        }
        return hosts + guests
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
