/// Which executor runs the instructions. All give bit-identical state, cycles and events.
public enum Executor: UInt8, Sendable, CaseIterable {
    /// Executor A: decodes and executes one instruction at a time; the oracle.
    case stepwise
    /// Executor B3: predecoded blocks.
    case blocks
}

/// Which devices stand around the processors.
public enum Platform: UInt8, Sendable, CaseIterable {
    /// What a paravirt host needs: local APICs, a polled serial port, isa-debug-exit, and 8259s
    /// that no line reaches.
    case bare
    /// A PC as other people's kernels expect it (Docs/platform.md): interrupt lines, timers, clock,
    /// firmware tables.
    case pc
}

/// A disk of a `pc`: a virtio block device.
public struct Disk: Equatable, Sendable {
    /// Of 512 bytes: 1...`maximumSectors`.
    public var sectors: UInt64
    public var isReadOnly: Bool

    /// 2 TiB.
    public static let maximumSectors: UInt64 = 1 << 32

    public init(sectors: UInt64, isReadOnly: Bool = false) {
        self.sectors = sectors
        self.isReadOnly = isReadOnly
    }
}

/// Which console of a `pc` typed bytes reach.
public enum ConsoleInput: UInt8, Sendable, CaseIterable {
    case serial
    case virtio
}

/// How a machine behaves where it once behaved otherwise, so that traces replay as they were
/// recorded. Each edition has what the one before has.
public enum MachineEdition: UInt8, Sendable, CaseIterable, Comparable {
    /// Machines whose traces name none: several vCPUs read clocks up to `Machine.quantum` cycles
    /// apart, STI does not hold NMIs off, MONITOR is absent, IA32_MISC_ENABLE is storage;
    /// a `pc` has no BIOS, no screen, no memory type ranges, and starts with the IDT of reset.
    case first = 1
    /// Clocks are read in the order of cycles; MONITOR and MWAIT; IA32_MISC_ENABLE as described;
    /// STI's shadow covers NMIs; CPUID follows IA32_APIC_BASE; a `pc` has a BIOS, a screen, memory
    /// type ranges, the MSRs that go with a model, and starts with real mode's interrupt table.
    case second = 2
    /// A `pc` has high-precision event timers; its fw_cfg has files, what was loaded, and DMA; it
    /// goes off by Bochs's port too, and multiboot kernels find their section headers. Intel's
    /// processors have the registers of their idle states. A disk's discard is a hint.
    case third = 3
    /// Of several processors every leaf of CPUID says that they are the cores of one package. A
    /// disk takes requests of as many segments as it says.
    case fourth = 4

    public static let latest = MachineEdition.fourth

    public static func < (a: MachineEdition, b: MachineEdition) -> Bool { a.rawValue < b.rawValue }
}

/// What a machine is made of. Everything here is fixed for the machine's life and, but for the
/// executor, decides what the guest sees.
public struct MachineConfiguration: Sendable {
    /// Bytes of RAM from guest-physical 0: a multiple of 4096, at most `maximumMemory`.
    public var memory: UInt64
    /// Number of vCPUs, 1...`maximumCPUs`. CPU 0 starts at once; the others wait for INIT and SIPI.
    public var cpus: Int
    /// Whose rules apply where Intel's and AMD's processors differ.
    public var vendor: Vendor
    /// Cycles of each class of operation.
    public var costs: CostProfile
    public var executor: Executor
    /// Cycles between two polls of `Machine.inputs`; rounded up to a multiple of
    /// `Machine.quantum`, so that polling never changes how vCPUs interleave.
    public var inputPollCycles: UInt64
    /// Decides what RDRAND and RDSEED give.
    public var seed: UInt64
    public var platform: Platform
    /// What the battery-backed clock of a `pc` shows at cycle 0: seconds since 1970 (UTC).
    public var epoch: UInt64
    /// A `pc`'s, in the order of their PCI device numbers from 3 on; at most `maximumDisks`. Their
    /// contents are `Machine.diskSource`'s.
    public var disks: [Disk] = []
    /// Whether a `pc` has a virtio console, at the device number after the disks'.
    public var hasVirtioConsole = false
    public var consoleInput = ConsoleInput.serial
    public var edition: MachineEdition

    public static let maximumDisks = 24
    /// RAM ends below the local APIC and firmware area that every PC keeps under 4 GiB.
    public static let maximumMemory: UInt64 = 0xC000_0000
    public static let maximumCPUs = 64

    public init(
        memory: UInt64 = 256 << 20, cpus: Int = 1, vendor: Vendor = .intel,
        costs: CostProfile = .uniform, executor: Executor = .blocks,
        inputPollCycles: UInt64 = 1 << 20, seed: UInt64 = 0, platform: Platform = .bare,
        epoch: UInt64 = 0, edition: MachineEdition = .latest
    ) {
        self.memory = memory
        self.cpus = cpus
        self.vendor = vendor
        self.costs = costs
        self.executor = executor
        self.inputPollCycles = inputPollCycles
        self.seed = seed
        self.platform = platform
        self.epoch = epoch
        self.edition = edition
    }
}

/// How far a run may go. Both are absolute counts from machine reset, so that a run in pieces
/// and a run at one go end in the same states.
public struct RunLimits: Equatable, Sendable {
    /// The run stops at the first instruction boundary, in schedule order, at which the vCPU
    /// whose turn it is has reached this cycle.
    public var cycles: UInt64
    /// The run stops when the vCPUs together have retired this many instructions.
    public var instructions: UInt64

    public static let unlimited = RunLimits()

    public init(cycles: UInt64 = .max, instructions: UInt64 = .max) {
        self.cycles = cycles
        self.instructions = instructions
    }
}

/// Why `Machine.run` returned.
public enum StopReason: Equatable, Sendable {
    /// The guest wrote this value to isa-debug-exit (QEMU would exit with `value << 1 | 1`).
    case debugExit(UInt32)
    /// The guest entered ACPI's S5 by the power-management control port.
    case poweredOff
    /// The guest reset the machine by this port: 0x64, 0x92 or 0xCF9.
    case reset(port: UInt16)
    /// A vCPU shut down: an exception while delivering #DF (triple fault).
    case shutdown(cpu: Int)
    case cycleLimit
    case instructionLimit
    /// An observer or input source called `requestStop`.
    case requested
    /// Every vCPU waits for something that nothing scheduled can bring.
    case idle
    /// The opcode table knows this instruction, the processor cannot execute it yet.
    case notExecutable(cpu: Int, rip: UInt64, name: String)
}

/// What can be wrong with what a machine is given. Each says what, and where.
public enum MachineError: Error, Equatable, Sendable {
    /// The configuration is impossible: what is wrong with it.
    case configuration(String)
    /// The host gave no memory for the guest's RAM.
    case outOfMemory(bytes: UInt64)
    /// A kernel image cannot be loaded: what is wrong, and at which file offset.
    case image(String, offset: UInt64)
    /// A snapshot is damaged or of another machine: what is wrong, and at which byte.
    case snapshot(String, offset: Int)
}
