import ArgumentParser
import Kernels

struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Write the reference host and guest as ELF files with symbols.",
        discussion: """
            The design's own guest comes with it: it depends on where its addresses are (the axis
            `moves`), and on nothing else.

            Examples:
              pvreplay kernels --output kernels
              pvreplay kernels --design rfc,moves=host --output kernels
              qemu-system-x86_64 -accel tcg -kernel kernels/host.elf -initrd kernels/guest.elf \\
                -m 256 -device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio

            Exit codes: 0, 64 no such design, 74 a file could not be written, or the compiler for
            a design that is not built in is missing.
            """)

    @Option(
        name: .shortAndLong, help: ArgumentHelp("Folder for the files.", valueName: "folder"))
    var output: String

    @Option(
        help: ArgumentHelp("Design of the host (see `pvreplay designs`).", valueName: "design"),
        transform: DesignOption.parse)
    var design = Design.rfc

    func run() throws {
        try Failures.reported {
            let images = [
                ("host.elf", try Kernels.host(design)), ("guest.elf", try Kernels.guest(design)),
            ]
            try Files.makeFolder(output)
            for (name, image) in images {
                try Files.write("\(output)/\(name)", image.bytes)
                Output.print("\(output)/\(name)")
            }
        }
    }
}
