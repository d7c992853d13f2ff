import Machine
import Paravirt
import Replay
import Trace
import X86

/// Puts together the diagnosis of a machine that stopped: what `Diagnosis` needs, read from the
/// machine, the run's history and the images. Nothing in the machine changes.
public struct MachineDiagnosis {
    private let summary: RunSummary
    private let recorder: Recorder
    private let machine: Machine
    private let configuration: SessionConfiguration
    private let symbolFile: (name: String, bytes: [UInt8])?
    /// Where the machine runs Linux.
    private let linux: LinuxSymbols?

    /// - Parameters:
    ///   - symbols: a file with the kernel's symbols, where its own are not enough.
    ///   - trace: the trace's path, if one was written.
    /// - Returns: lines ending with a newline.
    public static func text(
        _ summary: RunSummary, recorder: Recorder, configuration: SessionConfiguration,
        symbols: (name: String, bytes: [UInt8])? = nil, trace: String?
    ) -> String {
        let linux =
            CallABI(configuration) == .linux
            ? LinuxSymbols(file: symbols, machine: recorder.machine) : nil
        let diagnosis = MachineDiagnosis(
            summary: summary, recorder: recorder, machine: recorder.machine,
            configuration: configuration, symbolFile: symbols, linux: linux)
        return Diagnosis.text(diagnosis.input(trace: trace))
    }

    private func input(trace: String?) -> DiagnosisInput {
        var input = DiagnosisInput()
        input.outcome = summary.record
        input.limit = limit
        if input.limit != nil { input.outcome.reason = "" }
        input.isPlain = configuration.platform == .pc && recorder.layout == nil
        setSymbols(&input)
        input.places = places()
        input.brokenDevices = machine.brokenDevices
        input.events = recorder.history.lastOfEachSide.map {
            DiagnosisEvent($0.event, back: $0.back)
        }
        let isReference = !configuration.design.isEmpty
        input.callName = { event in
            switch event.kind {
            case .hypercall where isReference: EventNames.hypercall(event.number)
            case .syscall where isReference: EventNames.syscall(event.number)
            default: nil
            }
        }
        input.advice = advice(trace)
        return input
    }

    private func setSymbols(_ input: inout DiagnosisInput) {
        input.symbols = SymbolTable(of: configuration)
        guard let linux else {
            if let symbolFile {
                input.symbols.add(
                    image: symbolFile.bytes, name: symbolFile.name,
                    contexts: [.hostKernel, .hostUser])
            }
            return
        }
        // The kernel's own are where it runs; an ELF image's are where it was linked to run.
        if linux.kernel != nil || symbolFile != nil { input.symbols = linux.table }
        input.searchesStacks = true
        input.log = linux.kernel?.log ?? []
        input.callers = { place in
            linux.kernel?.callers(rip: place.registers.rip, general: place.registers.general)
                .map { $0.map { ($0.address, $0.isReturn) } }
        }
    }

    /// The limit that was reached, in words.
    private var limit: String? {
        switch summary.end.stop {
        case .cycles: "\(RunText.grouped(configuration.limits.cycles)) cycles"
        case .instructions: "\(RunText.grouped(configuration.limits.instructions)) instructions"
        case .request: summary.end.reason
        case .poll: summary.end.outcome == .limit ? summary.end.reason : nil
        case .idle, .notExecutable, .panicked, nil: nil
        }
    }

    // MARK: Where things stood

    /// The place that explains the end comes first.
    private func places() -> [DiagnosisPlace] {
        let layout = recorder.layout
        if [.guestKilled, .guestPanic].contains(summary.end.outcome) {
            // The host has gone on without the guest: its own place says nothing of it.
            let ended = layout.map { $0.endedVCPU(machine) } ?? 0
            if let place = savedPlace(ended != 0 ? ended : recorder.lastVCPU) { return [place] }
        }
        var order = Array(0..<machine.cpuCount)
        if let first = order.firstIndex(of: summary.end.cpu) {
            order.swapAt(0, first)
        }
        var places = order.filter {
            machine.cpu($0).pointee.activity != Activity.waitForStartup
        }.map(processorPlace)
        let isGuestShown = places.contains { $0.context.isGuest }
        if !isGuestShown, let guest = savedPlace(recorder.lastVCPU) { places.append(guest) }
        return places
    }

    /// A guest as the host saved it.
    private func savedPlace(_ pointer: UInt64) -> DiagnosisPlace? {
        guard let layout = recorder.layout,
            let saved = SavedGuest(at: pointer, layout, machine)
        else { return nil }
        var registers = RegisterFile()
        registers.general = saved.general
        registers.rip = saved.rip
        registers.rflags = saved.rflags
        let context: Context = saved.isKernel ? .guestKernel : .guestUser
        let machine = machine
        return DiagnosisPlace(
            title: "\(EventText.context(context)), VCPU \(saved.id), as saved at its last exit",
            context: context, registers: registers,
            takesInterrupts: layout.takesInterrupts(pointer, machine),
            read: { saved.read($0, $1, machine) })
    }

    private func processorPlace(_ index: Int) -> DiagnosisPlace {
        let cpu = machine.cpu(index)
        let context = context(cpu)
        let machine = machine
        let root = cpu.pointee.cr3
        let state = cpu.isWaiting ? ", halted" : ""
        let isPlain = configuration.platform == .pc && recorder.layout == nil
        let name = isPlain ? EventText.plainContext(context) : EventText.context(context)
        let task =
            linux?.kernel?.task(cpu).map {
                ", task \(Diagnosis.printable($0.name)) (pid \($0.pid))"
            } ?? ""
        return DiagnosisPlace(
            title:
                "CPU \(index), in \(isPlain && context == .hostUser ? "a program" : "the \(name)")"
                + "\(task)\(state)", cpu: index, context: context,
            registers: Self.registers(cpu),
            takesInterrupts: context.isGuest
                ? recorder.layout?.takesInterrupts(recorder.lastVCPU, machine) : nil,
            read: { address, count in
                machine.readLinear(address, count: count) { machine.translate($0, cr3: root) }
            })
    }

    private func context(_ cpu: CPU) -> Context {
        guard cpu.pointee.cpl == 3 else { return .hostKernel }
        guard let layout = recorder.layout else { return .hostUser }
        let pointer = layout.currentVCPU(cpu: Int(cpu.pointee.index), machine)
        if pointer == 0 { return .hostUser }
        return layout.isKernelMode(pointer, machine) ? .guestKernel : .guestUser
    }

    private static func registers(_ cpu: CPU) -> RegisterFile {
        var file = RegisterFile()
        for number in 0..<16 { file.general[number] = cpu.registers[number] }
        file.rip = cpu.pointee.rip
        file.rflags = cpu.pointee.rflags
        file.selectors = (0..<6).map { cpu.segments[$0].selector }
        file.fsBase = cpu.pointee.fs.base
        file.gsBase = cpu.pointee.gs.base
        file.control = (
            cpu.pointee.cr0, cpu.pointee.cr2, cpu.pointee.cr3, cpu.pointee.cr4, cpu.pointee.efer
        )
        file.codeSize = CodeSize(rawValue: cpu.pointee.codeSize) ?? .bits64
        return file
    }

    // MARK: How to go on

    private func advice(_ trace: String?) -> [String] {
        guard let trace else { return ["Nothing was recorded; leave out --no-trace to keep it."] }
        if configuration.platform == .pc && recorder.layout == nil {
            return [
                "Reproduce it:      pvreplay replay \(trace)",
                "What led to it:    pvreplay show \(trace) --last 40 --returns",
            ]
        }
        return [
            "Reproduce it:      pvreplay replay \(trace)",
            "What led to it:    pvreplay show \(trace) --last 40",
            "The guest's side:  pvreplay show \(trace) --context guest-kernel --last 40",
        ]
    }
}
