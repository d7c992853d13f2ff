import Analysis
import Trace

/// Two traces under comparison, for whoever presents it: what they are called and their symbols.
public struct DiffLabels: Sendable {
    public var nameA: String
    public var nameB: String
    public var symbolsA: SymbolTable
    public var symbolsB: SymbolTable

    public init(
        nameA: String, nameB: String, symbolsA: SymbolTable = SymbolTable(),
        symbolsB: SymbolTable = SymbolTable()
    ) {
        self.nameA = nameA
        self.nameB = nameB
        self.symbolsA = symbolsA
        self.symbolsB = symbolsB
    }

    /// Takes the symbols from the images that the traces hold. An image that cannot be read has no
    /// symbols, and nothing else is lost.
    public init(_ a: TraceReader, _ nameA: String, _ b: TraceReader, _ nameB: String) {
        self.init(
            nameA: nameA, nameB: nameB, symbolsA: Self.symbols(a), symbolsB: Self.symbols(b))
    }

    private static func symbols(_ reader: TraceReader) -> SymbolTable {
        var table = SymbolTable()
        for (number, image) in reader.images.enumerated() {
            guard let bytes = try? reader.loadImage(number) else { continue }
            switch image.role {
            case .host:
                table.add(image: bytes, name: "host", contexts: [.hostKernel, .hostUser])
            case .guest:
                table.add(image: bytes, name: "guest", contexts: [.guestKernel, .guestUser])
            case .other: break
            }
        }
        return table
    }
}

/// Words for the parts of a comparison.
enum DiffNames {
    static func stream(_ stream: StreamID) -> String {
        switch stream {
        case .guest(let vcpu): "guest on vcpu \(vcpu)"
        case .machine(let cpu): "machine, cpu \(cpu)"
        }
    }

    static func path(_ key: PathKey, reference: Bool) -> String {
        var text = EventNames.context(key.from) + " " + EventNames.kind(key.kind)
        if let number = key.number {
            var event = Event()
            event.kind = key.kind
            event.number = number
            let name = EventNames.number(event, reference: reference)
            if !name.isEmpty { text += " " + name }
        }
        switch key.handler {
        case .any: break
        case .guest: text += ", by the guest"
        case .host: text += ", by the host"
        }
        return text
    }

    /// What an item is, without where: `getpid()`, `return of brk: 0x10000000`.
    static func what(_ item: StreamItem) -> String {
        let event = item.event
        let number = EventNames.number(event, reference: item.isReference)
        if item.form == .result {
            return "return of \(EventNames.kind(event.kind)) \(number): \(hex(item.result))"
        }
        switch event.kind {
        case .syscall, .hypercall:
            let arguments = (0..<Int(item.argumentCount)).map { hex(item.argument($0)) }
            return "\(EventNames.kind(event.kind)) \(number)(\(arguments.joined(separator: ", ")))"
        case .exception where event.number == 14:
            return "#PF at \(hex(event.cr2)) (\(EventText.pageFault(event.errorCode)))"
        case .exception:
            return event.errorCode == 0 ? number : "\(number) error \(hex(event.errorCode))"
        case .interrupt: return "interrupt \(hex(event.number))"
        case .nmi: return "NMI"
        case .machineCheck: return "machine check"
        case .softwareInterrupt: return "INT \(event.number)"
        case .guestSwitch:
            return event.number == 1 ? "guest switched in" : "guest switched out"
        case .systemRegister: return "\(number) = \(hex(event.arguments.0))"
        case .tripleFault: return "triple fault"
        }
    }

    /// An item as one line: what, from where, at which event.
    static func line(_ item: StreamItem, _ symbols: SymbolTable) -> String {
        let event = item.event
        var text = "event \(event.sequence)  \(what(item))"
        if item.form == .result {
            text += "  at cycle \(event.cycle)"
        } else {
            text += "  from \(EventNames.context(event.from)) \(place(event, symbols))"
            text += "  cycle \(event.cycle)"
        }
        if item.interrupts > 0 {
            text += "  after " + interrupts(item.interruptVector, item.interrupts)
        }
        return text
    }

    /// Virtual interrupts in words, with the vectors of the reference ABI named.
    static func interrupts(_ vector: UInt16, _ count: UInt16) -> String {
        if count == 0 { return "none" }
        let names: [UInt16: String] = [32: "timer interrupt", 33: "console interrupt"]
        let name = names[vector] ?? (vector == 0 ? "interrupt" : "interrupt \(vector)")
        return "virtual \(name)" + (count == 1 ? "" : " and \(count - 1) more")
    }

    static func place(_ event: Event, _ symbols: SymbolTable) -> String {
        guard let found = symbols.lookup(event.rip, in: event.from) else { return hex(event.rip) }
        return found.name + (found.source.map { " (\($0))" } ?? "")
    }

    /// A field's value in the words of its kind. `item` is the thing that has it.
    static func value(_ field: Field, _ value: UInt64, of event: Event?, reference: Bool) -> String
    {
        switch field {
        case .kind:
            return EventKind(rawValue: UInt8(truncatingIfNeeded: value)).map(EventNames.kind)
                ?? String(value)
        case .from, .to:
            return Context(rawValue: UInt8(truncatingIfNeeded: value)).map(EventNames.context)
                ?? String(value)
        case .number:
            guard let event else { return String(value) }
            let name = EventNames.number(event, reference: reference)
            return name == String(value) || name.isEmpty ? String(value) : "\(value) \(name)"
        case .vcpu: return value == 0 ? "none" : String(value - 1)
        case .cpu, .cycle, .instruction, .endedEvent: return String(value)
        case .text: return "\(value) bytes"
        case .interrupts:
            return interrupts(
                UInt16(truncatingIfNeeded: value >> 16), UInt16(truncatingIfNeeded: value))
        case .sharedKnown: return value == 1 ? "yes" : "no"
        case .sharedBytes(let offset) where offset == SharedPageCopy.capacity: return "..."
        case .shared(let field) where field.name != "cr2" && !field.name.hasPrefix("irq"):
            return String(value)
        default: return hex(value)
        }
    }

    /// A field's name where it is more than the trace's: what the byte range is.
    static func field(_ field: Field) -> String {
        if case .sharedBytes(SharedPageCopy.capacity) = field {
            return "shared[\(SharedPageCopy.capacity)...]"
        }
        return field.name
    }

    static func setup(_ subject: SetupDifference.Subject) -> String {
        switch subject {
        case .metadata("cpu"): "cpu model"
        case .metadata("commandLine"): "command line"
        case .metadata(let key): key
        case .image(.host, 0): "host image"
        case .image(.guest, 0): "guest image"
        case .image(.host, let number): "host image \(number)"
        case .image(.guest, let number): "guest image \(number)"
        case .image(.other, let number): "other image \(number)"
        case .disk(let number): "contents of disk \(number)"
        case .input(nil): "inputs"
        case .input(let number?): "input \(number)"
        }
    }

    /// A difference of two counts with its sign.
    static func delta(_ a: UInt64, _ b: UInt64) -> String {
        if a == b { return "=" }
        return b > a ? "+" + RunText.grouped(b - a) : "-" + RunText.grouped(a - b)
    }

    static func console(_ line: ConsoleLine) -> String { EventLine.quoted(line.bytes) }
}
