import Machine
import Paravirt
import Trace
import X86

/// Everything that determines a run but its inputs. Two runs with equal configurations and equal
/// inputs are equal to the bit. The executor is not here: it must not matter.
public struct SessionConfiguration: Equatable, Sendable {
    public var host: SessionImage
    public var guest: SessionImage?
    /// Initial RAM disk and modules of a kernel on a `pc`; empty otherwise.
    public var modules: [SessionModule] = []
    public var platform: Platform = .bare
    /// Of a kernel on a `pc`. Their contents come from files while recording, then from the trace.
    public var disks: [SessionDisk] = []
    public var hasVirtioConsole = false
    /// Where typed bytes arrive.
    public var consoleInput = ConsoleInput.serial
    /// What the clock of a `pc` shows at the start: seconds since 1970 (UTC).
    public var epoch: UInt64 = SessionConfiguration.defaultEpoch
    public var calls32 = Calls32.none
    /// Given to the host by PVH start info; the reference host hands it on to its guest.
    public var commandLine: String
    /// Bytes of RAM.
    public var memory: UInt64
    public var cpus: Int
    public var vendor: Vendor
    public var costs: CostProfile
    public var level: ObservationLevel
    /// The design the host was built for, as the user named it; empty for a foreign host.
    public var design: String
    /// Seeds whatever draws numbers: in the machine RDRAND and RDSEED.
    public var seed: UInt64
    /// How the machine behaves where it once behaved otherwise.
    public var edition = MachineEdition.latest
    /// Where the machine is stopped if it has not ended before.
    public var limits = RunLimits.unlimited

    /// 2007-01-01T00:00:00Z.
    public static let defaultEpoch: UInt64 = 1_167_609_600

    public init(
        host: SessionImage, guest: SessionImage?, commandLine: String = "",
        memory: UInt64 = 256 << 20, cpus: Int = 1, vendor: Vendor = .intel,
        costs: CostProfile, level: ObservationLevel = .paths, design: String = "",
        seed: UInt64 = 0
    ) {
        self.host = host
        self.guest = guest
        self.commandLine = commandLine
        self.memory = memory
        self.cpus = cpus
        self.vendor = vendor
        self.costs = costs
        self.level = level
        self.design = design
        self.seed = seed
    }

    /// Makes the machine and loads the images.
    /// - Parameter disks: where the disks' contents come from.
    public func makeMachine(
        executor: Executor, disks source: (any DiskSource)? = nil
    ) throws(ReplayError) -> Machine {
        var machineConfiguration = MachineConfiguration(
            memory: memory, cpus: cpus, vendor: vendor, costs: costs, executor: executor,
            seed: seed, platform: platform, epoch: platform == .pc ? epoch : 0, edition: edition)
        machineConfiguration.disks = disks.map {
            Disk(sectors: $0.size / 512 + ($0.size % 512 == 0 ? 0 : 1), isReadOnly: $0.isReadOnly)
        }
        machineConfiguration.hasVirtioConsole = hasVirtioConsole
        machineConfiguration.consoleInput = consoleInput
        do {
            let machine = try Machine(machineConfiguration)
            machine.diskSource = source
            if platform == .pc {
                try machine.boot(
                    kernel: host.bytes, name: host.name,
                    modules: modules.map {
                        BootModule(
                            name: $0.image.name, bytes: $0.image.bytes,
                            commandLine: $0.commandLine)
                    }, commandLine: commandLine)
            } else {
                try machine.load(
                    kernel: host.bytes, initrd: guest?.bytes, commandLine: commandLine)
            }
            return machine
        } catch {
            throw .machine(error)
        }
    }

    /// What the host's note says, or nil for a host without one.
    public func paravirtLayout() throws(ReplayError) -> ParavirtLayout? {
        // A bzImage or a flat multiboot kernel has nowhere to put one.
        if platform == .pc && !host.bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) { return nil }
        do {
            let file = try ELFFile(host.bytes)
            let note = try file.notes().first {
                $0.name == Array(ParavirtLayout.noteName.utf8)
                    && $0.type == ParavirtLayout.noteType
            }
            guard let note else { return nil }
            return try ParavirtLayout(descriptor: Array(host.bytes[note.descriptor]))
        } catch let error as MachineError {
            throw .machine(error)
        } catch let error as ParavirtNoteError {
            throw .note(error)
        } catch {
            preconditionFailure("only these two are thrown")
        }
    }
}

/// A file that a kernel is given beside its own, and the text that goes with it.
public struct SessionModule: Equatable, Sendable {
    public var image: SessionImage
    public var commandLine: String

    public init(image: SessionImage, commandLine: String = "") {
        self.image = image
        self.commandLine = commandLine
    }
}

/// A disk by what its file is: the trace has no more of it than the guest read.
public struct SessionDisk: Equatable, Sendable {
    /// A file name without its folders.
    public var name: String
    /// Bytes; the last sector is filled up with zeros.
    public var size: UInt64
    public var isReadOnly: Bool

    public init(name: String, size: UInt64, isReadOnly: Bool = false) {
        self.name = name
        self.size = size
        self.isReadOnly = isReadOnly
    }
}

/// Why a session cannot be made or go on. Divergence is not an error but a result.
public enum ReplayError: Error, Equatable, Sendable {
    /// The machine refuses its configuration or an image.
    case machine(MachineError)
    /// The host's `pvreplay` note is malformed.
    case note(ParavirtNoteError)
    /// The trace cannot be written or read.
    case trace(TraceError)
    /// The trace's metadata lack this key or hold a value that makes no sense for it.
    case metadata(key: String, value: String?)
    /// A trace does not come out as recorded when it is run again.
    case notReproduced
    /// The file of a disk, by number, is not what it was when the guest read it first.
    case diskChanged(Int)
    /// An input names a vCPU that the machine does not have.
    case noSuchCPU(Int)
}
