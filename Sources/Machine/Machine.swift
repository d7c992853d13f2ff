import X86

/// A deterministic x86-64 machine: vCPUs, RAM, devices and one schedule. Not thread-safe; one
/// thread owns it. Machines share nothing, so several may run on different threads.
public final class Machine {
    /// Cycles for which one of several running vCPUs goes on before the next has its turn: time is
    /// cut at multiples of it, and in each slot the vCPUs run in index order. It never depends on
    /// the executor, on limits or on polling.
    public static let quantum: UInt64 = 1024

    public let configuration: MachineConfiguration
    /// Who watches. The machine keeps it alive: it must not itself keep the machine alive.
    public var observer: (any MachineObserver)? {
        didSet {
            observerLink = observer.map { ObserverLink($0) }
            shared.pointee.observer = observerLink.map { .passUnretained($0) }
            shared.pointee.observesRegisters = observer?.observesRegisters ?? false
        }
    }
    private var observerLink: ObserverLink?
    /// Where console input comes from. The machine keeps it alive, too.
    public var inputs: (any InputSource)?
    /// Where the contents of disks come from; without one, reading what the guest has not written
    /// is an I/O error. The machine keeps it alive.
    public var diskSource: (any DiskSource)? {
        get { bus.diskSource }
        set { bus.diskSource = newValue }
    }
    /// Who decides when timers expire; nil for the timers' own time. The machine keeps it alive.
    public var governor: (any TimeGovernor)?
    /// By vCPU: the instruction count at which the governor is called, or `UInt64.max`.
    var alarms: [UInt64]
    /// By vCPU: whether the governor holds an expiry of its timer back.
    var heldTimers: [Bool]

    let memory: PhysicalMemory
    let shared: UnsafeMutablePointer<SharedState>
    let bus: Bus
    let cpus: [CPU]
    /// Cycles between polls of `inputs`: a multiple of `quantum`.
    public let pollInterval: UInt64
    /// The next poll: always a multiple of `pollInterval`.
    var nextPoll: UInt64
    /// The last instant of a scheduled event, a poll, or a limit at which all vCPUs were waiting:
    /// how far time has come while they do.
    var lastInstant: UInt64 = 0
    /// The vCPU whose turn a limit may have interrupted; its barrier is `CPUState.turnBarrier`.
    var turn: Int?
    /// Filled by the executor that meets an instruction it cannot execute: its place and name.
    var notExecutable: (cpu: Int, rip: UInt64, name: String)?
    /// Turns in a row in which a vCPU did nothing, to notice an executor that never would.
    var idleTurns = 0
    /// Set by `requestStop`, cleared when `run` returns.
    var stopRequested = false

    public init(_ configuration: MachineConfiguration) throws(MachineError) {
        CPULayout.check()
        try Machine.check(configuration)
        guard let memory = PhysicalMemory(size: Int(configuration.memory)) else {
            throw .outOfMemory(bytes: configuration.memory)
        }
        self.configuration = configuration
        self.memory = memory
        alarms = Array(repeating: .max, count: configuration.cpus)
        heldTimers = Array(repeating: false, count: configuration.cpus)
        shared = .allocate(capacity: 1)
        bus = Bus(shared: shared, configuration)
        var cpus: [CPU] = []
        for index in 0..<configuration.cpus {
            cpus.append(Machine.makeCPU(index: index, shared: shared))
        }
        self.cpus = cpus
        let polls = max(1, configuration.inputPollCycles)
        pollInterval = (polls + Machine.quantum - 1) / Machine.quantum * Machine.quantum
        nextPoll = pollInterval

        let classes = CostClass.allCases.count
        let costs = UnsafeMutablePointer<UInt16>.allocate(capacity: classes)
        for n in 0..<classes { (costs + n).initialize(to: configuration.costs.cycles[n]) }
        shared.initialize(
            to: SharedState(
                memory: memory.base, memorySize: configuration.memory,
                pageFlags: memory.pageFlags, bus: .passUnretained(bus), costs: costs,
                blocks: nil, machine: .passUnretained(self), vendor: configuration.vendor,
                seed: configuration.seed, edition: configuration.edition))
        for cpu in cpus {
            cpu.pointee.miscEnable = cpu.resetMiscEnable
            cpu.pointee.rdx = UInt64(cpu.identify(leaf: 1, subleaf: 0).eax)
        }
        if configuration.platform == .pc { bus.rescheduleIntervalTimer(after: 0, by: nil) }
    }

    deinit {
        shared.destroyDecodedCode()
        for cpu in cpus {
            cpu.pointee.vectors?.deallocate()
            cpu.pointee.dataTLB.deallocate()
            cpu.pointee.codeTLB.deallocate()
            cpu.deallocate()
        }
        shared.destroyDecodedCode()
        shared.pointee.costs.deallocate()
        shared.deallocate()
        memory.deallocate()
    }

    private static func check(_ configuration: MachineConfiguration) throws(MachineError) {
        let memory = configuration.memory
        guard memory > 0, memory & 4095 == 0, memory <= MachineConfiguration.maximumMemory else {
            throw .configuration(
                "memory must be a multiple of 4096 bytes and at most "
                    + "\(MachineConfiguration.maximumMemory), not \(memory)")
        }
        guard 1...MachineConfiguration.maximumCPUs ~= configuration.cpus else {
            throw .configuration(
                "there can be 1 to \(MachineConfiguration.maximumCPUs) vCPUs, "
                    + "not \(configuration.cpus)")
        }
        guard configuration.inputPollCycles <= 1 << 48 else {
            throw .configuration("inputs must be polled at least once in 2^48 cycles")
        }
        try checkDevices(configuration)
    }

    private static func checkDevices(
        _ configuration: MachineConfiguration
    ) throws(MachineError) {
        let disks = configuration.disks
        guard disks.count <= MachineConfiguration.maximumDisks else {
            throw .configuration(
                "there can be \(MachineConfiguration.maximumDisks) disks, not \(disks.count)")
        }
        for disk in disks where !(1...Disk.maximumSectors).contains(disk.sectors) {
            throw .configuration(
                "a disk has 1 to \(Disk.maximumSectors) sectors of 512 bytes, not "
                    + "\(disk.sectors)")
        }
        let hasDevices = !disks.isEmpty || configuration.hasVirtioConsole
        guard configuration.platform == .pc || !hasDevices else {
            throw .configuration("only a PC has disks and a virtio console")
        }
        guard configuration.hasVirtioConsole || configuration.consoleInput == .serial else {
            throw .configuration("there is no virtio console to type at")
        }
    }

    /// A vCPU in its reset state.
    private static func makeCPU(index: Int, shared: UnsafeMutablePointer<SharedState>) -> CPU {
        let dataTLB = UnsafeMutablePointer<TLBEntry>.allocate(capacity: TLB.dataEntries)
        dataTLB.initialize(repeating: TLB.empty, count: TLB.dataEntries)
        let codeTLB = UnsafeMutablePointer<TLBEntry>.allocate(capacity: TLB.codeEntries)
        codeTLB.initialize(repeating: TLB.empty, count: TLB.codeEntries)
        let vectors = UnsafeMutablePointer<VectorState>.allocate(capacity: 1)
        vectors.initialize(to: VectorState())
        let cpu = CPU.allocate(capacity: 1)
        cpu.initialize(to: CPUState(dataTLB: dataTLB, codeTLB: codeTLB, shared: shared))
        cpu.pointee.vectors = UnsafeMutableRawPointer(vectors)
        cpu.pointee.index = UInt8(index)
        cpu.resetProcessor()
        if index > 0 {
            cpu.pointee.apicBase &= ~APICBase.bootstrap
            cpu.pointee.activity = Activity.waitForStartup
        }
        return cpu
    }

    public var cpuCount: Int { cpus.count }

    /// vCPU `n`. Valid for the machine's life.
    public func cpu(_ n: Int) -> CPU { cpus[n] }

    /// Instructions retired by all vCPUs together.
    public var instructions: UInt64 { cpus.reduce(0) { $0 &+ $1.pointee.instructions } }

    /// How far time has come: the cycle that the vCPU furthest ahead has reached or, if all are
    /// waiting, the last scheduled event, poll or limit since.
    public var cycles: UInt64 { cpus.reduce(lastInstant) { max($0, $1.pointee.cycles) } }

    /// How many cycles a second of a `pc`'s timers and clock has.
    public static let cyclesPerSecond: UInt64 = 1_000_000_000

    /// The cycle at which a stimulus that is injected now takes effect on a vCPU: its own, or while
    /// it waits the machine's.
    public func now(cpu n: Int) -> UInt64 {
        cpus[n].isRunnable ? cpus[n].pointee.cycles : cycles
    }

    /// For an observer or input source: stop at the current boundary.
    public func requestStop() {
        stopRequested = true
        for cpu in cpus { cpu.pointee.attention |= Attention.stop | Attention.leaveBlock }
    }
}
