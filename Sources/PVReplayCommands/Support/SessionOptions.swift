import ArgumentParser
import CostProfiles
import Kernels
import Machine
import Replay

/// What is run: images, command line and machine.
struct SessionOptions: ParsableArguments {
    @Option(help: "Host kernel: an ELF file with a PVH entry. Default: the reference host.")
    var host: String?

    @Option(help: "Guest kernel, handed to the host as its module. Default: the reference guest.")
    var guest: String?

    @Flag(help: "Run the host alone, without a guest module.")
    var noGuest = false

    @Option(
        help: ArgumentHelp(
            "Any kernel on a PC instead of a host: bzImage, multiboot, PVH or plain ELF.",
            valueName: "file"))
    var kernel: String?

    @Option(
        help: ArgumentHelp(
            "With --kernel: initial RAM disk or module, and its command line after a space. May "
                + "be repeated for kernels that take several.", valueName: "file"))
    var initrd: [String] = []

    @Option(
        help: ArgumentHelp(
            "With --kernel: what the clock shows at the start, in seconds since 1970 (UTC).",
            valueName: "seconds"))
    var epoch = SessionConfiguration.defaultEpoch

    @Option(
        help: ArgumentHelp(
            "With --kernel: a disk, as a virtio block device. The file is never written. FILE,ro "
                + "is a disk that refuses writes. May be repeated.", valueName: "file"))
    var disk: [String] = []

    @Flag(help: "With --kernel: a virtio console (Linux: console=hvc0), beside the serial port.")
    var virtioConsole = false

    @Option(help: "Where --input arrives: serial or virtio.")
    var inputPort: InputPortName = .serial

    @Option(
        help: ArgumentHelp(
            "Design of the reference host: a name, or a name and values of axes, e.g. "
                + "rfc,roots=one. `pvreplay designs` lists them.", valueName: "design"),
        transform: DesignOption.parse)
    var design = Design.rfc

    @Option(
        name: .customLong("append"),
        help: ArgumentHelp(
            "Kernel command line, e.g. 'work=100' or 'fail=panic'.", valueName: "text"))
    var commandLine = ""

    @Option(help: "Whose rules the processor follows where they differ: intel or amd.")
    var cpu: CPUModel = .intel

    @Option(help: "Number of vCPUs.")
    var cpus = 1

    @Option(help: ArgumentHelp("RAM, e.g. 256M.", valueName: "size"))
    var memory = ByteCount(bytes: 256 << 20)

    @Option(help: "What to record: paths, or tables too (LGDT, LIDT, LTR, CR3, MSRs ...).")
    var level: LevelName = .paths

    @Option(
        help: ArgumentHelp(
            "Cycles of each class of operation: core2, zen3, or a JSON file of your own.",
            valueName: "name|file"))
    var cost = CostProfiles.defaultName

    @Option(help: "Seed of anything random.")
    var seed: UInt64 = 0

    func validate() throws {
        guard (1...MachineConfiguration.maximumCPUs).contains(cpus) else {
            throw ValidationError("--cpus must be 1 to \(MachineConfiguration.maximumCPUs)")
        }
        if kernel != nil && (host != nil || guest != nil || noGuest) {
            throw ValidationError("--kernel and --host, --guest or --no-guest exclude each other")
        }
        if kernel == nil && !initrd.isEmpty {
            throw ValidationError("--initrd goes with --kernel; a host's module is --guest")
        }
        if kernel == nil && (!disk.isEmpty || virtioConsole) {
            throw ValidationError("--disk and --virtio-console go with --kernel")
        }
        if disk.count > MachineConfiguration.maximumDisks {
            throw ValidationError(
                "--disk can be given \(MachineConfiguration.maximumDisks) times at most")
        }
        if inputPort == .virtio && !virtioConsole {
            throw ValidationError("--input-port virtio needs --virtio-console")
        }
    }

    /// - Throws: `FileError` where an image cannot be read, `ImageBuildError` where one cannot be
    ///   built.
    func configuration() throws -> SessionConfiguration {
        if let kernel { return try kernelConfiguration(kernel) }
        var hostImage: SessionImage
        var guestImage: SessionImage?
        if let host {
            hostImage = SessionImage(
                name: Files.lastComponent(host), bytes: try Files.read(host))
        } else {
            hostImage = SessionImage(try Kernels.host(design))
        }
        if let guest {
            guestImage = SessionImage(
                name: Files.lastComponent(guest), bytes: try Files.read(guest))
        } else if host == nil && !noGuest {
            guestImage = SessionImage(try Kernels.guest(design))
        }
        return SessionConfiguration(
            host: hostImage, guest: guestImage, commandLine: commandLine, memory: memory.bytes,
            cpus: cpus, vendor: cpu.vendor, costs: try CostOption.profile(cost),
            level: level.level, design: host == nil ? design.name : "", seed: seed)
    }

    private func kernelConfiguration(_ kernel: String) throws -> SessionConfiguration {
        let image = SessionImage(
            name: Files.lastComponent(kernel), bytes: try Files.read(kernel))
        var configuration = SessionConfiguration(
            host: image, guest: nil, commandLine: commandLine, memory: memory.bytes, cpus: cpus,
            vendor: cpu.vendor, costs: try CostOption.profile(cost), level: level.level,
            seed: seed)
        configuration.platform = .pc
        configuration.calls32 = .paths
        configuration.epoch = epoch
        configuration.hasVirtioConsole = virtioConsole
        configuration.consoleInput = inputPort.port
        for text in initrd {
            let parts = text.split(separator: " ", maxSplits: 1)
            let path = parts.first.map { String($0) } ?? ""
            let module = SessionImage(
                name: Files.lastComponent(path), bytes: try Files.read(path))
            configuration.modules.append(
                SessionModule(
                    image: module, commandLine: parts.count > 1 ? String(parts[1]) : ""))
        }
        return configuration
    }
}

extension SessionImage {
    init(_ image: KernelImage) { self.init(name: image.name, bytes: image.bytes) }
}
