import Machine
import Paravirt
import Trace

/// Watches a run as its guests see it: how far each vCPU has come in guest contexts, what the
/// guests did and had done to them, and when their host takes over and gives back. It tells the
/// guest-visible stream, the clock and whoever listens to trips.
///
/// It is the machine's observer, and has a `ParavirtObserver` behind it for the RFC's story.
public final class GuestObserver: MachineObserver {
    let history = RunHistory()
    let stream: GuestStream
    private let level: ObservationLevel
    private let clock: any GuestClock
    private let listener: (any TripListener)?
    private let consoleOutput: ((UInt8) -> Void)?
    /// The machine stops before the event with this number: the recording's last was before it.
    private let eventLimit: UInt64
    private let stopsAtDifference: Bool
    /// Whether the host's note tells guests apart from its processes.
    private let hasGuests: Bool
    /// Set right after this object, which it calls.
    private var inner: ParavirtObserver?
    private var sink: Sink?
    private let cpus: UnsafeMutablePointer<PerCPU>
    private let cpuCount: Int
    /// By VCPU id + 1: its last entry into the host.
    private let pending: UnsafeMutablePointer<Pending>
    private static let pendingCount = GuestStream.vcpus + 1

    private struct PerCPU {
        var context = Context.hostKernel
        /// As of the last change of context.
        var last = Counts()
        var idle: UInt64 = 0
        var haltedAt: UInt64 = 0
        var position = GuestPosition()
        var guestInstructions: UInt64 = 0
        var start = Counts()
        /// Whether the host's kernel was entered from a guest, and nobody has been given back to.
        var isForGuest = false
    }

    private struct Pending {
        var isOpen = false
        var event = Event()
    }

    /// Passes the inner observer's words on, without keeping this object alive.
    private final class Sink: PathSink {
        unowned let observer: GuestObserver
        init(_ observer: GuestObserver) { self.observer = observer }

        func observed(
            _ event: UnsafePointer<Event>, sharedPage: UnsafeRawPointer?, machine: Machine
        ) { observer.observed(event, machine) }

        func returned(_ back: EventReturn, machine: Machine) {
            observer.returned(back, machine)
        }

        func printed(_ byte: UInt8, cpu: UInt8, cycle: UInt64, machine: Machine) {
            observer.printed(byte, cpu, cycle, machine)
        }
    }

    init(
        _ layout: ParavirtLayout?, level: ObservationLevel, cpuCount: Int, stream: GuestStream,
        clock: any GuestClock,
        listener: (any TripListener)?, eventLimit: UInt64, stopsAtDifference: Bool,
        consoleOutput: ((UInt8) -> Void)?
    ) {
        self.level = level
        self.stream = stream
        self.clock = clock
        self.listener = listener
        self.eventLimit = eventLimit
        self.stopsAtDifference = stopsAtDifference
        self.consoleOutput = consoleOutput
        self.cpuCount = cpuCount
        cpus = .allocate(capacity: cpuCount)
        cpus.initialize(repeating: PerCPU(), count: cpuCount)
        pending = .allocate(capacity: Self.pendingCount)
        pending.initialize(repeating: Pending(), count: Self.pendingCount)
        hasGuests = layout != nil
        let sink = Sink(self)
        self.sink = sink
        inner = ParavirtObserver(layout: layout, level: level, cpuCount: cpuCount, sink: sink)
    }

    deinit {
        cpus.deallocate()
        pending.deallocate()
    }

    public var observesRegisters: Bool { level == .tables }

    var eventCount: UInt64 { inner?.eventCount ?? 0 }
    var eventDigest: UInt64 { inner?.currentDigest ?? 0 }
    var lastVCPU: UInt64 { inner?.lastVCPU ?? 0 }

    /// Instructions retired in guest contexts, on all vCPUs.
    var guestInstructions: UInt64 {
        (0..<cpuCount).reduce(0) { $0 &+ cpus[$1].guestInstructions }
    }

    /// How far the guests of a vCPU have come, now.
    func position(_ cpu: CPU) -> GuestPosition {
        let state = cpus[Int(cpu.pointee.index)]
        var position = state.position
        if state.context.isGuest {
            position.distance &+= cpu.pointee.instructions &- state.last.instructions
        }
        return position
    }

    func context(_ cpu: CPU) -> Context { inner?.contextNow(cpu) ?? .hostKernel }

    /// Whether the host is at work for the guest of a vCPU.
    func isHandlingGuest(_ cpu: CPU) -> Bool {
        !isInGuest(cpu) && (inner?.guest(on: cpu) ?? 0) != 0
    }

    func isInGuest(_ cpu: CPU) -> Bool { cpus[Int(cpu.pointee.index)].context.isGuest }

    func place(_ machine: Machine) -> GuestPlace {
        GuestPlace(
            guestInstructions: guestInstructions, cycle: machine.cycles, event: eventCount)
    }

    // MARK: What the processor does

    public func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {
        guard let inner else { return }
        let index = Int(cpu.pointee.index)
        switch event.pointee.kind {
        case .syscall, .exception, .interrupt, .softwareInterrupt, .nmi, .machineCheck,
            .tripleFault:
            change(cpu, cycles: event.pointee.startCycles, misses: event.pointee.startMisses)
            cpus[index].start = cpus[index].last
            if event.pointee.kind == .interrupt {
                clock.interrupted(
                    cpu, vector: UInt8(truncatingIfNeeded: event.pointee.number), machine)
            }
            inner.observe(event, cpu: cpu, machine: machine)
            cpus[index].context = inner.contextNow(cpu)
            clock.moved(cpu, self, machine)
        case .sysret, .interruptReturn:
            change(cpu, cycles: event.pointee.cycles, misses: cpu.pointee.tally.tlbMisses)
            inner.observe(event, cpu: cpu, machine: machine)
            let context = inner.contextNow(cpu)
            cpus[index].context = context
            var departure = Departure.toHost
            if context != .hostKernel { cpus[index].isForGuest = false }
            if context.isGuest {
                departure = depart(cpu, machine)
                clock.departed(cpu, departure, self)
            }
            listener?.left(
                to: context, cpu: index, end: cpus[index].last, task: inner.currentTask(cpu),
                guest: inner.guest(on: cpu), departure: departure)
            clock.moved(cpu, self, machine)
        case .halt:
            if event.pointee.number == 0 {
                cpus[index].haltedAt = event.pointee.cycles
            } else {
                cpus[index].idle &+= event.pointee.startCycles &- cpus[index].haltedAt
            }
            inner.observe(event, cpu: cpu, machine: machine)
        case .systemRegister, .farTransfer:
            inner.observe(event, cpu: cpu, machine: machine)
        }
    }

    public func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) {
        inner?.consoleOutput(byte, cpu: cpu, machine: machine)
    }

    /// Ends a stretch in one context: what came since the last change belongs to it.
    private func change(_ cpu: CPU, cycles: UInt64, misses: UInt64) {
        let index = Int(cpu.pointee.index)
        var now = counts(cpu)
        now.cycles = cycles
        now.misses = misses
        let context = cpus[index].context
        let difference = now - cpus[index].last
        if context.isGuest {
            cpus[index].position.distance &+= difference.instructions
            cpus[index].guestInstructions &+= difference.instructions
        }
        cpus[index].last = now
        listener?.ran(context, cpu: index, counts: difference)
    }

    private func counts(_ cpu: CPU) -> Counts {
        var now = Counts()
        now.cycles = cpu.pointee.cycles
        now.instructions = cpu.pointee.instructions
        now.misses = cpu.pointee.tally.tlbMisses
        now.walks = cpu.pointee.tally.pageWalks
        now.loads = cpu.pointee.tally.loads
        now.idle = cpus[Int(cpu.pointee.index)].idle
        return now
    }

    // MARK: The RFC's story

    private func observed(_ event: UnsafePointer<Event>, _ machine: Machine) {
        history.add(event)
        if event.pointee.sequence &+ 1 >= eventLimit { machine.requestStop() }
        switch event.pointee.kind {
        case .guestSwitch, .systemRegister, .tripleFault: return
        default: break
        }
        let index = Int(event.pointee.cpu)
        let cpu = machine.cpu(index)
        let vcpu = Int(event.pointee.vcpu)
        if event.pointee.from.isGuest, vcpu > 0, vcpu < Self.pendingCount {
            cpus[index].isForGuest = true
            pending[vcpu].isOpen = true
            pending[vcpu].event = event.pointee
            switch event.pointee.kind {
            case .syscall: call(.systemCall, event, machine)
            case .hypercall: call(.hypercall, event, machine)
            default: break
            }
        }
        listener?.entered(
            event, start: cpus[index].start, task: inner?.currentTask(cpu),
            guest: event.pointee.vcpu)
    }

    private func call(_ kind: GuestItem.Kind, _ event: UnsafePointer<Event>, _ machine: Machine) {
        var item = GuestItem(
            kind, vcpu: event.pointee.vcpu, number: event.pointee.number,
            distance: cpus[Int(event.pointee.cpu)].position.distance, rip: event.pointee.rip)
        let all = event.pointee.arguments
        item.arguments = (all.0, all.1, all.2, all.3)
        emit(item, Int(event.pointee.cpu), machine)
    }

    private func returned(_ back: EventReturn, _ machine: Machine) {
        history.add(back)
        let index = Int(back.cpu)
        listener?.ended(event: back.event, cpu: index, end: cpus[index].last)
    }

    private func printed(_ byte: UInt8, _ cpu: UInt8, _ cycle: UInt64, _ machine: Machine) {
        history.add(byte)
        consoleOutput?(byte)
        // What the host and its processes print is not the guest's.
        if hasGuests && !cpus[Int(cpu)].isForGuest { return }
        if stream.print(byte, place(machine)) { parted(machine) }
    }

    private func emit(_ item: GuestItem, _ cpu: Int, _ machine: Machine) {
        cpus[cpu].position.items &+= 1
        cpus[cpu].position.distance = 0
        if stream.add(item, place(machine)) { parted(machine) }
    }

    private func parted(_ machine: Machine) {
        clock.parted()
        if stopsAtDifference { machine.requestStop() }
    }

    // MARK: The way back

    /// A guest goes on: what became of its last entry.
    private func depart(_ cpu: CPU, _ machine: Machine) -> Departure {
        guard let inner else { return .elsewhere }
        let vcpu = Int(inner.guest(on: cpu))
        guard vcpu > 0, vcpu < Self.pendingCount, pending[vcpu].isOpen else { return .elsewhere }
        pending[vcpu].isOpen = false
        let event = pending[vcpu].event
        let index = Int(cpu.pointee.index)
        let rip = cpu.pointee.rip
        if rip == event.rip && cpu.pointee.rsp == event.rsp { return .resumed }
        let distance = cpus[index].position.distance
        let entered = entry(event, cpu)
        if case .interrupt(let number) = entered {
            emit(
                GuestItem(
                    .interrupt, vcpu: UInt16(vcpu), number: number, distance: distance, rip: 0),
                index, machine)
            return .interrupt
        }
        guard entered == .exception else { return .elsewhere }
        var item = GuestItem(
            .exception, vcpu: UInt16(vcpu), number: event.number, distance: distance,
            rip: event.rip)
        let isPageFault = event.kind == .exception && event.number == 14
        item.arguments.0 = isPageFault ? event.cr2 : UInt64(event.errorCode)
        if isPageFault { item.arguments.1 = UInt64(event.errorCode & 0x16) }
        emit(item, index, machine)
        return .exception
    }

    private enum Entry: Equatable {
        case exception
        case interrupt(UInt32)
        case none
    }

    /// Vectors at which virtual interrupts arrive (GUEST_ABI.md, section 6).
    private static let virtualVectors: Range<UInt64> = 32..<64

    /// What the guest kernel is entered for, going on elsewhere than where `event` left it. Of a
    /// host whose note does not say enough, only what the event itself tells is known: what its
    /// hypercalls return to is never taken for an entry.
    private func entry(_ event: Event, _ cpu: CPU) -> Entry {
        guard let inner, inner.contextNow(cpu) == .guestKernel else { return .none }
        let isException = event.kind == .exception || event.kind == .softwareInterrupt
        if inner.knowsEntries(cpu) {
            guard let vector = inner.enteredVector(cpu) else { return .none }
            if Self.virtualVectors.contains(vector) {
                return .interrupt(UInt32(vector - Self.virtualVectors.lowerBound))
            }
            return isException && vector == UInt64(event.number) ? .exception : .none
        }
        switch event.kind {
        case .exception, .softwareInterrupt: return .exception
        case .interrupt, .nmi, .machineCheck: return .interrupt(0)
        default: return .none
        }
    }
}
