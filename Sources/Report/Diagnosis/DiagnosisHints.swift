import Trace
import X86

/// What the values themselves point to. Each rule says what it saw; none is sure.
enum DiagnosisHints {
    static func find(_ input: DiagnosisInput) -> [String] {
        var hints: [String] = []
        repeatedFault(input, &hints)
        lastException(input, &hints)
        for place in input.places { self.place(place, input.symbols, &hints) }
        interruptsOff(input, &hints)
        return hints
    }

    /// A fault that comes back at once to the same instruction and address is not being mended.
    private static func repeatedFault(_ input: DiagnosisInput, _ hints: inout [String]) {
        let faults = input.events.map(\.event).filter { $0.kind == .exception }
        guard let last = faults.last else { return }
        let same = faults.reversed().prefix {
            $0.rip == last.rip && $0.cr2 == last.cr2 && $0.number == last.number
        }
        guard same.count >= 3 else { return }
        let place = name(last.rip, last.from, input.symbols)
        hints.append(
            "the last \(same.count) exceptions are the same \(EventText.vector(last.number)) at "
                + "\(place): its handler returns without mending the cause")
    }

    private static func lastException(_ input: DiagnosisInput, _ hints: inout [String]) {
        let exceptions = input.events.map(\.event).filter { $0.kind == .exception }
        if exceptions.last?.number == UInt32(Vector.doubleFault) {
            let first = exceptions.dropLast().last
            let after =
                first.map {
                    ", \($0.sequence == exceptions.last!.sequence - 1 ? "just " : "")"
                        + "after \(EventText.what($0, nil))"
                } ?? ""
            hints.append("a double fault was delivered\(after): no usable stack or handler")
        }
        guard let fault = exceptions.last(where: { $0.number == UInt32(Vector.pageFault) }),
            fault.sequence == exceptions.last?.sequence
                || exceptions.last?.number == UInt32(Vector.doubleFault)
        else { return }
        let place = name(fault.rip, fault.from, input.symbols)
        if fault.errorCode & 8 != 0 {
            hints.append(
                "the page fault at \(place) is for a reserved bit: a page table that maps "
                    + "\(Hex.short(fault.cr2)) is corrupted")
        } else if fault.errorCode & 16 != 0 || fault.cr2 == fault.rip {
            hints.append(
                "code was to be fetched from \(Hex.short(fault.cr2)), "
                    + (fault.errorCode & 1 != 0
                        ? "which may not be executed" : "where none is mapped")
                    + ": a wild jump or call")
        } else if fault.cr2 < 4096 {
            hints.append(
                "\(place) used address \(Hex.short(fault.cr2)): a NULL pointer, or a field at "
                    + "that offset of one")
        } else if isNearStack(fault) {
            hints.append(
                "the faulting address \(Hex.short(fault.cr2)) is at the stack pointer "
                    + "\(Hex.short(fault.rsp)): the stack has overflowed into an unmapped page")
        }
    }

    /// Pushes and calls touch just below RSP, a function's locals up to a few pages below.
    private static func isNearStack(_ fault: Event) -> Bool {
        fault.cr2 &- (fault.rsp &- 16384) <= 16384 + 64
    }

    private static func place(
        _ place: DiagnosisPlace, _ symbols: SymbolTable, _ hints: inout [String]
    ) {
        let rip = place.registers.rip
        if place.read(rip, 1) == nil {
            hints.append(
                "\(place.title): RIP is \(Hex.short(rip)), where nothing is mapped"
                    + (rip < 4096 ? " (a NULL function pointer?)" : ""))
        } else if symbols.lookup(rip, in: place.context) == nil {
            hints.append("\(place.title): RIP \(Hex.short(rip)) lies in no image (a wild jump?)")
        }
    }

    private static func interruptsOff(_ input: DiagnosisInput, _ hints: inout [String]) {
        guard input.outcome.kind == .limit, let place = input.places.first,
            place.registers.rflags & RFLAGS.interruptEnable == 0
        else { return }
        hints.append(
            "\(place.title): interrupts are off (IF = 0), so nothing can take the processor away: "
                + "a deadlock if it waits or loops")
    }

    private static func name(
        _ address: UInt64, _ context: Context, _ symbols: SymbolTable
    ) -> String {
        symbols.lookup(address, in: context)?.name ?? Hex.short(address)
    }
}
