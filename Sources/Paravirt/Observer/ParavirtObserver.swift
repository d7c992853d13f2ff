import CXXHash
import Machine
import Trace
import X86

/// Reads what the processor did as the RFC's story: who was running, whether a SYSCALL is a system
/// call or a hypercall, where each path begins and ends, and what changed in the shared page.
///
/// It only reads the machine. Without a layout (a host with no `pvreplay` note) there are two
/// contexts, host kernel and host user, and no hypercalls.
///
/// Invariants:
/// - every event gets the next sequence number, in the order of the machine's schedule;
/// - `digest` chains over all events of all CPUs;
/// - a return is reported after its event, at most once for each.
public final class ParavirtObserver: MachineObserver {
    /// Behind a pointer: it is read at every event, and large.
    let layout: UnsafeMutablePointer<ParavirtLayout>?
    private let level: ObservationLevel
    private let sink: any PathSink
    private var open = OpenPaths()
    private var sequence: UInt64 = 0
    private var digest: UInt64 = 0
    /// By CPU: the VCPU descriptor's virtual address that the CPU's pointer held at the last event,
    /// and the hypercall that was the last entry, if it is still open.
    let cpus: UnsafeMutablePointer<PerCPU>
    private let cpuCount: Int
    private let calls32: Calls32
    struct PerCPU {
        var vcpu: UInt64 = 0
        var vcpuID: UInt32 = 0
        var hypercall: UInt64 = .max
    }

    /// VCPU ids beyond this are taken for garbage in a host's memory and treated as no guest.
    static let vcpuLimit: UInt32 = 64

    public init(
        layout: ParavirtLayout?, level: ObservationLevel, cpuCount: Int,
        calls32: Calls32 = .none, sink: any PathSink
    ) {
        self.calls32 = calls32
        if let layout {
            let place = UnsafeMutablePointer<ParavirtLayout>.allocate(capacity: 1)
            place.initialize(to: layout)
            self.layout = place
        } else {
            self.layout = nil
        }
        self.level = level
        self.sink = sink
        self.cpuCount = cpuCount
        cpus = .allocate(capacity: cpuCount)
        cpus.initialize(repeating: PerCPU(), count: cpuCount)
    }

    deinit {
        open.deallocate()
        layout?.deallocate()
        cpus.deallocate()
    }

    public var observesRegisters: Bool { level == .tables }

    /// Events seen so far.
    public var eventCount: UInt64 { sequence }
    /// The running digest after the last event.
    public var currentDigest: UInt64 { digest }
    /// The VCPU descriptor (kernel virtual) of the guest that ran last; 0 before one has run.
    public private(set) var lastVCPU: UInt64 = 0

    public func observe(_ event: UnsafePointer<MachineEvent>, cpu: CPU, machine: Machine) {
        refreshVCPU(cpu, machine)
        switch event.pointee.kind {
        case .syscall: enterSyscall(event, cpu, machine)
        case .exception: enter(event, cpu, machine, kind: .exception)
        case .interrupt: enter(event, cpu, machine, kind: .interrupt)
        case .softwareInterrupt: enter(event, cpu, machine, kind: .softwareInterrupt)
        case .nmi: enter(event, cpu, machine, kind: .nmi)
        case .machineCheck: enter(event, cpu, machine, kind: .machineCheck)
        case .sysret, .interruptReturn: leave(event, cpu, machine)
        case .tripleFault: note(event, cpu, machine, kind: .tripleFault)
        case .systemRegister: note(event, cpu, machine, kind: .systemRegister)
        case .halt, .farTransfer: break
        }
    }

    public func consoleOutput(_ byte: UInt8, cpu: CPU, machine: Machine) {
        sink.printed(
            byte, cpu: cpu.pointee.index, cycle: cpu.pointee.cycles, machine: machine)
    }

    // MARK: The guest that runs

    /// Reads the CPU's VCPU pointer; a change is an event of its own.
    @inline(__always)
    private func refreshVCPU(_ cpu: CPU, _ machine: Machine) {
        guard let layout else { return }
        let index = Int(cpu.pointee.index)
        let view = PhysicalView(cpu)
        var pointer = view.word(
            layout.pointee.vcpuPointerPhysical
                &+ UInt64(index) &* layout.pointee.vcpuPointerStride)
        if let offset = layout.pointee.taskVCPU, pointer != 0 {
            pointer = view.word(physical(pointer, layout) &+ offset)
        }
        if pointer != cpus[index].vcpu { switchGuest(pointer, layout, cpu, machine) }
    }

    private func switchGuest(
        _ pointer: UInt64, _ layout: UnsafeMutablePointer<ParavirtLayout>, _ cpu: CPU,
        _ machine: Machine
    ) {
        let index = Int(cpu.pointee.index)
        var id: UInt32 = 0
        if pointer != 0 {
            let view = PhysicalView(cpu)
            id = view.halfWord(physical(pointer, layout) &+ layout.pointee.vcpuID)
            guard id < Self.vcpuLimit else { return }
        }
        let wasRunning = cpus[index].vcpu != 0
        if pointer != 0 {
            cpus[index].vcpuID = id
            lastVCPU = pointer
        }
        var event = Event()
        event.kind = .guestSwitch
        event.number = pointer != 0 ? 1 : 0
        event.vcpu = pointer != 0 || wasRunning ? UInt16(cpus[index].vcpuID) + 1 : 0
        cpus[index].vcpu = pointer
        event.rip = cpu.pointee.rip
        event.rsp = cpu.pointee.rsp
        emit(&event, cpu, machine)
    }

    @inline(__always)
    func physical(_ pointer: UInt64, _ layout: UnsafeMutablePointer<ParavirtLayout>)
        -> UInt64
    {
        layout.pointee.physical(pointer)
    }

    /// Context of code at this privilege level, now.
    @inline(__always)
    func context(_ cpl: UInt8, _ cpu: CPU) -> Context {
        if cpl != 3 { return .hostKernel }
        guard let layout else { return .hostUser }
        let pointer = cpus[Int(cpu.pointee.index)].vcpu
        if pointer == 0 { return .hostUser }
        let mode = PhysicalView(cpu).halfWord(
            physical(pointer, layout) &+ layout.pointee.vcpuKernelMode)
        return mode != 0 ? .guestKernel : .guestUser
    }

    // MARK: Entries and returns

    private func enterSyscall(
        _ event: UnsafePointer<MachineEvent>, _ cpu: CPU, _ machine: Machine
    ) {
        var kind = EventKind.syscall
        let index = Int(cpu.pointee.index)
        if event.pointee.oldCPL == 3, let layout, cpus[index].vcpu != 0 {
            if isHypercall(physical(cpus[index].vcpu, layout), layout, PhysicalView(cpu)) {
                kind = .hypercall
            }
        }
        enter(event, cpu, machine, kind: kind)
    }

    /// Whether a SYSCALL of the guest whose descriptor lies there is a hypercall.
    @inline(__always)
    private func isHypercall(
        _ vcpu: UInt64, _ layout: UnsafeMutablePointer<ParavirtLayout>, _ view: PhysicalView
    ) -> Bool {
        if layout.pointee.hypercallsByMode {
            return view.halfWord(vcpu &+ layout.pointee.vcpuKernelMode) != 0
        }
        let shared = view.word(vcpu &+ layout.pointee.vcpuShared)
        return view.halfWord(physical(shared, layout) &+ layout.pointee.sharedFlag) != 0
    }

    private func enter(
        _ source: UnsafePointer<MachineEvent>, _ cpu: CPU, _ machine: Machine, kind: EventKind
    ) {
        var event = Event()
        event.kind = kind
        event.from = context(source.pointee.oldCPL, cpu)
        event.to = context(source.pointee.newCPL, cpu)
        event.rip = source.pointee.oldRIP
        event.rsp = source.pointee.oldRSP
        if kind == .syscall || kind == .hypercall {
            event.number = UInt32(truncatingIfNeeded: cpu.pointee.rax)
            event.arguments = (
                cpu.pointee.rdi, cpu.pointee.rsi, cpu.pointee.rdx, cpu.pointee.r10,
                cpu.pointee.r8, cpu.pointee.r9
            )
        } else {
            event.number = source.pointee.number
            event.errorCode = source.pointee.errorCode
            if kind == .exception && source.pointee.number == UInt32(Vector.pageFault) {
                event.cr2 = source.pointee.address
            }
        }
        if calls32 != .none { note32(&event, source, cpu) }
        let isCall32 = calls32 == .paths && event.errorCode == Event.call32 && kind == .syscall
        let entry = OpenPaths.Entry(
            sequence: sequence, rip: event.rip, rsp: event.rsp, cr3: cpu.pointee.cr3,
            slack: isCall32 ? OpenPaths.agreedReturn : 0)
        cpus[Int(cpu.pointee.index)].hypercall = kind == .hypercall ? sequence : .max
        emit(&event, cpu, machine)
        open.open(entry)
    }

    /// The calls of 32-bit programs: SYSENTER, SYSCALL that goes elsewhere than 64-bit code's, and
    /// INT 0x80 from CPL 3. Their arguments lie in other registers.
    private func note32(
        _ event: inout Event, _ source: UnsafePointer<MachineEvent>, _ cpu: CPU
    ) {
        guard source.pointee.oldCPL == 3 else { return }
        switch event.kind {
        case .syscall
        where source.pointee.newRIP != cpu.pointee.lstar || cpu.pointee.longMode == 0:
            event.arguments = (
                cpu.pointee.rbx, cpu.pointee.rcx, cpu.pointee.rdx, cpu.pointee.rsi,
                cpu.pointee.rdi, cpu.pointee.rbp
            )
        case .softwareInterrupt where event.number == 0x80:
            event.arguments = (
                cpu.pointee.rax, cpu.pointee.rbx, cpu.pointee.rcx, cpu.pointee.rdx,
                cpu.pointee.rsi, cpu.pointee.rdi
            )
        default: return
        }
        event.errorCode = Event.call32
    }

    /// An event that opens no path.
    private func note(
        _ source: UnsafePointer<MachineEvent>, _ cpu: CPU, _ machine: Machine, kind: EventKind
    ) {
        var event = Event()
        event.kind = kind
        event.number = source.pointee.number
        event.from = context(source.pointee.oldCPL, cpu)
        event.to = event.from
        event.rip = source.pointee.oldRIP
        event.rsp = source.pointee.oldRSP
        if kind == .systemRegister {
            event.arguments.0 = source.pointee.value
            event.arguments.1 = source.pointee.address
        }
        emit(&event, cpu, machine)
    }

    /// A return ends the path that came from where it goes. A hypercall that was the last entry on
    /// this CPU ends at any return: one like IRET or NEW_PGTABLE never goes back to where it came
    /// from.
    private func leave(
        _ source: UnsafePointer<MachineEvent>, _ cpu: CPU, _ machine: Machine
    ) {
        let index = Int(cpu.pointee.index)
        var back = EventReturn()
        back.cpu = cpu.pointee.index
        back.cycle = source.pointee.cycles
        back.instruction = source.pointee.instructions
        back.result = cpu.pointee.rax
        let matched = open.close(
            rip: source.pointee.newRIP, rsp: source.pointee.newRSP, cr3: cpu.pointee.cr3)
        if let matched {
            back.event = matched
            sink.returned(back, machine: machine)
        }
        let hypercall = cpus[index].hypercall
        cpus[index].hypercall = .max
        if hypercall != .max, hypercall != matched, open.close(sequence: hypercall) {
            back.event = hypercall
            sink.returned(back, machine: machine)
        }
    }

    // MARK: What every event carries

    @inline(__always)
    private func emit(_ event: inout Event, _ cpu: CPU, _ machine: Machine) {
        event.sequence = sequence
        sequence &+= 1
        event.cpu = cpu.pointee.index
        event.cycle = cpu.pointee.cycles
        event.instruction = cpu.pointee.instructions
        let index = Int(cpu.pointee.index)
        var sharedPage: UnsafeRawPointer?
        if let layout, cpus[index].vcpu != 0 {
            event.vcpu = UInt16(cpus[index].vcpuID) + 1
            let view = PhysicalView(cpu)
            let shared = view.word(physical(cpus[index].vcpu, layout) &+ layout.pointee.vcpuShared)
            sharedPage = view.bytes(physical(shared, layout), layout.pointee.sharedSize)
        }
        digest = RegisterDigest.chained(digest, cpu)
        event.digest = digest
        withUnsafePointer(to: &event) {
            sink.observed($0, sharedPage: sharedPage, machine: machine)
        }
    }
}

/// The part of a vCPU's state that the running digest covers: general registers, RIP and RFLAGS as
/// they lie in `CPUState`, chained with CR3, CS and the digest before.
enum RegisterDigest {
    /// RAX...R15, the zero register, RIP and RFLAGS: 19 words.
    static let byteCount = 19 * 8

    @inline(__always)
    static func chained(_ previous: UInt64, _ cpu: CPU) -> UInt64 {
        let context = cpu.pointee.cr3 ^ UInt64(cpu.pointee.cs.selector) &<< 48
        let seed = (previous &<< 1 | previous &>> 63) ^ context
        return XXH3_64bits_withSeed(UnsafeRawPointer(cpu), byteCount, seed)
    }
}
