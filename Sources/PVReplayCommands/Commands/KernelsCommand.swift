import ArgumentParser

struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Write the reference host and guest as ELF files with symbols.",
        discussion: """
            Examples:
              pvreplay kernels --output kernels
              qemu-system-x86_64 -accel tcg -kernel kernels/host.elf -initrd kernels/guest.elf \\
                -m 256 -device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio
            """)

    @Option(
        name: .shortAndLong, help: ArgumentHelp("Folder for the files.", valueName: "folder"))
    var output: String

    @Option(help: "Design of the host.")
    var design = "rfc"

    func validate() throws {
        guard BuiltInKernels.designs.contains(design) else {
            throw ValidationError(
                "there is no design '\(design)'; the built-in ones are: "
                    + BuiltInKernels.designs.joined(separator: ", "))
        }
    }

    func run() throws {
        try Failures.reported {
            try Files.makeFolder(output)
            for (name, image) in [
                ("host.elf", BuiltInKernels.host(design: design)),
                ("guest.elf", BuiltInKernels.guest),
            ] {
                try Files.write("\(output)/\(name)", image.bytes)
                Output.print("\(output)/\(name)")
            }
        }
    }
}
