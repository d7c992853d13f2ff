import Trace
import X86

/// What the values themselves point to. Each rule says what it saw; none is sure.
enum DiagnosisHints {
    static func find(_ input: DiagnosisInput) -> [String] {
        var hints: [String] = []
        if !input.log.isEmpty || input.isPlain { hints += LinuxHints.find(input) }
        hints += input.brokenDevices.map {
            "\($0) does nothing more: its driver broke a rule of virtio (a ring or buffer outside "
                + "memory, a chain without end, ...), and the device waits for a reset"
        }
        repeatedFault(input, &hints)
        unprivilegedHandler(input, &hints)
        lastException(input, &hints)
        for place in input.places {
            self.place(place, input.symbols, input.isPlain, &hints)
            privilegedInstruction(place, input, &hints)
        }
        interruptsOff(input, &hints)
        loops(input, &hints)
        silentGuest(input, &hints)
        return hints
    }

    /// A fault that comes back at once to the same instruction and address is not being mended.
    private static func repeatedFault(_ input: DiagnosisInput, _ hints: inout [String]) {
        let faults = input.events.map(\.event).filter { $0.kind == .exception }
        guard let last = faults.last else { return }
        let same = faults.reversed().prefix { isSame($0, last) }
        let place = name(last.rip, last.from, input.symbols)
        if same.count >= 3 {
            let hasReturned = input.events.contains { $0.back != nil && isSame($0.event, last) }
            hints.append(
                "the last \(same.count) exceptions are the same \(EventText.vector(last.number)) "
                    + "at \(place): "
                    + (hasReturned
                        ? "its handler returns without mending the cause"
                        : "its handler cannot run its first instruction"))
            return
        }
        nestedFault(faults, input.symbols, &hints)
    }

    /// An exception delivered from CPL 3 to CPL 3: no kernel has such gates, so the descriptor that
    /// the gate's selector names is not the one that was meant.
    private static func unprivilegedHandler(
        _ input: DiagnosisInput, _ hints: inout [String]
    ) {
        let exceptions = input.events.map(\.event).filter {
            $0.kind == .exception && $0.from != .hostKernel && $0.to != .hostKernel
        }
        guard let last = exceptions.last else { return }
        hints.append(
            "\(EventText.vector(last.number)) was delivered without leaving CPL 3: its gate's "
                + "selector names code of DPL 3 in the GDT that is loaded, so the handler was to "
                + "run with the rights of the code that it interrupted, on its stack")
    }

    private static func isSame(_ a: Event, _ b: Event) -> Bool {
        a.rip == b.rip && a.cr2 == b.cr2 && a.number == b.number && a.from == b.from
    }

    /// A fault that makes most of the last exceptions though others come between: a handler that
    /// meets the fault it is there for.
    private static func nestedFault(
        _ faults: [Event], _ symbols: SymbolTable, _ hints: inout [String]
    ) {
        let recent = faults.suffix(32)
        guard let common = recent.max(by: { a, b in count(a) < count(b) }), count(common) >= 8
        else { return }
        func count(_ event: Event) -> Int { recent.count { isSame($0, event) } }
        let address =
            common.number == UInt32(Vector.pageFault) ? " for address \(Hex.short(common.cr2))" : ""
        hints.append(
            "\(count(common)) of the last \(recent.count) exceptions are the same "
                + "\(EventText.vector(common.number)) at "
                + "\(name(common.rip, common.from, symbols))\(address): the handler of this fault "
                + "runs into it again")
    }

    private static func lastException(_ input: DiagnosisInput, _ hints: inout [String]) {
        let exceptions = input.events.map(\.event).filter { $0.kind == .exception }
        let returned = Set(input.events.compactMap { $0.back?.event })
        if exceptions.last?.number == UInt32(Vector.doubleFault) {
            let first = exceptions.dropLast().last
            let after =
                first.map {
                    ", \($0.sequence == exceptions.last!.sequence - 1 ? "just " : "")"
                        + "after \(EventText.what($0, nil))"
                } ?? ""
            hints.append("a double fault was delivered\(after): no usable stack or handler")
        }
        // A fault that was returned from has been mended (a page came in).
        guard
            let fault = exceptions.last(where: {
                $0.number == UInt32(Vector.pageFault) && !returned.contains($0.sequence)
            }),
            fault.sequence == exceptions.last?.sequence
                || exceptions.last?.number == UInt32(Vector.doubleFault)
        else { return }
        let place = name(fault.rip, fault.from, input.symbols)
        // A program's pages come in, and its stack grows, by faults; one that dies of a signal may
        // have got that when it was about to return from such a fault.
        let isMended = input.isPlain && fault.from == .hostUser && fault.errorCode & 1 == 0
        if fault.errorCode & 8 != 0 {
            hints.append(
                "the page fault at \(place) is for a reserved bit: a page table that maps "
                    + "\(Hex.short(fault.cr2)) is corrupted")
        } else if !isMended && (fault.errorCode & 16 != 0 || fault.cr2 == fault.rip) {
            hints.append(
                "code was to be fetched from \(Hex.short(fault.cr2)), "
                    + (fault.errorCode & 1 != 0
                        ? "which may not be executed" : "where none is mapped")
                    + ": a wild jump or call")
        } else if fault.cr2 < 4096 {
            hints.append(
                "\(place) used address \(Hex.short(fault.cr2)): a NULL pointer, or a field at "
                    + "that offset of one")
        } else if !isMended && isNearStack(fault) {
            hints.append(
                "the faulting address \(Hex.short(fault.cr2)) is at the stack pointer "
                    + "\(Hex.short(fault.rsp)): the stack has overflowed into an unmapped page")
        }
    }

    /// Pushes and calls touch just below RSP, a function's locals up to a few pages below.
    private static func isNearStack(_ fault: Event) -> Bool {
        fault.cr2 &- (fault.rsp &- 16384) <= 16384 + 64
    }

    /// Instructions that CPL 3 may not execute whatever RFLAGS.IOPL says, and those that IOPL
    /// decides about (Intel SDM vol. 3, 5.9).
    private static let privileged: Set<Mnemonic> = [
        .rdmsr, .wrmsr, .hlt, .lgdt, .lidt, .lldt, .ltr, .lmsw, .clts, .invlpg, .invd, .wbinvd,
        .swapgs, .sysret, .cli, .sti, .in, .out,
    ]

    /// A #GP where user code stands at an instruction that only a kernel at CPL 0 may execute.
    private static func privilegedInstruction(
        _ place: DiagnosisPlace, _ input: DiagnosisInput, _ hints: inout [String]
    ) {
        guard let fault = input.events.map(\.event).last(where: { $0.kind == .exception }),
            fault.number == UInt32(Vector.generalProtection), fault.from != .hostKernel,
            fault.rip == place.registers.rip, let bytes = place.read(fault.rip, 3)
        else { return }
        var instruction = Instruction()
        let padded = bytes + [UInt8](repeating: 0x90, count: 12)
        let failure = padded.withUnsafeBufferPointer {
            Decoder.decode(
                $0.baseAddress!, count: $0.count, codeSize: place.registers.codeSize,
                into: &instruction)
        }
        guard failure == nil, privileged.contains(instruction.mnemonic) else { return }
        let name = disassemble(instruction, at: fault.rip) { _ in nil }.uppercased()
        hints.append(
            "\(Self.name(fault.rip, fault.from, input.symbols)) is \(name), which faults at CPL 3: "
                + "a paravirt kernel must ask its host instead")
    }

    private static func place(
        _ place: DiagnosisPlace, _ symbols: SymbolTable, _ isPlain: Bool,
        _ hints: inout [String]
    ) {
        let rip = place.registers.rip
        if place.read(rip, 1) == nil {
            hints.append(
                "\(place.title): RIP is \(Hex.short(rip)), where nothing is mapped"
                    + (rip < 4096 ? " (a NULL function pointer?)" : ""))
        } else if !isPlain, symbols.lookup(rip, in: place.context) == nil {
            hints.append("\(place.title): RIP \(Hex.short(rip)) lies in no image (a wild jump?)")
        }
    }

    /// No handler of an interrupt that works takes as long.
    static let handlerCycles: UInt64 = 1_000_000

    private static func interruptsOff(_ input: DiagnosisInput, _ hints: inout [String]) {
        guard input.outcome.kind == .limit else { return }
        // Of a kernel with several processors the one that is stuck need not be the one whose
        // instruction was the last.
        for place in input.places.prefix(input.isPlain ? .max : 1) where !place.takesInterrupts {
            // A handler that has only just begun: interrupts were taken until then.
            if input.isPlain, let event = input.interrupt(at: place),
                event.cycle <= input.outcome.cycles,
                input.outcome.cycles - event.cycle < handlerCycles
            {
                continue
            }
            let why =
                place.registers.rflags & RFLAGS.interruptEnable == 0
                ? "IF = 0" : "virtual, by its shared page"
            hints.append(
                "\(place.title): interrupts are off (\(why)), so nothing can take the processor "
                    + "away: a deadlock if it waits or loops")
        }
    }

    /// How many interrupts of a processor must find it in the same function.
    static let sameFunction = 6

    /// A kernel that every interrupt finds in the same function loops there, or waits in a loop.
    private static func loops(_ input: DiagnosisInput, _ hints: inout [String]) {
        guard input.outcome.kind == .limit, input.isPlain else { return }
        let events = input.events.map(\.event)
        for cpu in Set(events.map(\.cpu)).sorted() {
            let last = events.filter { $0.cpu == cpu }.suffix(sameFunction)
            if last.count == sameFunction,
                last.allSatisfy({ $0.kind == .interrupt && $0.from == .hostUser })
            {
                hints.append(
                    "the last \(sameFunction) events of CPU \(cpu) are interrupts of a program, at "
                        + "last at \(Hex.short(last.last!.rip)): it computes or loops, and calls "
                        + "nothing")
                continue
            }
            let places = last.map { input.symbols.lookup($0.rip, in: .hostKernel) }
            guard last.count == sameFunction,
                last.allSatisfy({ $0.kind == .interrupt && $0.from == .hostKernel }),
                let first = places[0], let name = first.symbol, !name.contains("idle"),
                places.allSatisfy({ $0?.symbol == name && $0?.image == first.image })
            else { continue }
            let function = first.image.isEmpty ? name : "\(first.image)!\(name)"
            hints.append(
                "the last \(sameFunction) interrupts of CPU \(cpu) all found it in \(function): "
                    + "it loops there")
        }
    }

    /// Instructions without an event of the guest's own that are worth a word.
    static let silence: UInt64 = 100_000

    /// A guest that neither calls nor faults any more loops.
    private static func silentGuest(_ input: DiagnosisInput, _ hints: inout [String]) {
        let events = input.events.map(\.event).filter { $0.from.isGuest }
        guard input.outcome.kind == .limit, let place = input.places.first,
            place.context.isGuest, let oldest = events.first
        else { return }
        let last = events.last { $0.kind != .interrupt }
        let since = input.outcome.instructions &- (last ?? oldest).instruction
        guard since >= silence, since <= input.outcome.instructions else { return }
        hints.append(
            "the guest has neither called nor faulted for \(last == nil ? "over " : "")"
                + "\(RunText.grouped(since)) instructions: it loops at "
                + name(place.registers.rip, place.context, input.symbols))
    }

    private static func name(
        _ address: UInt64, _ context: Context, _ symbols: SymbolTable
    ) -> String {
        symbols.lookup(address, in: context)?.name ?? Hex.short(address)
    }
}
