import Trace
import X86

/// A processor's registers, or what a kernel saved of them.
public struct RegisterFile: Equatable, Sendable {
    /// RAX RCX RDX RBX RSP RBP RSI RDI R8...R15, as instructions number them.
    public var general = [UInt64](repeating: 0, count: 16)
    public var rip: UInt64 = 0
    public var rflags: UInt64 = 0
    /// ES CS SS DS FS GS, as instructions number them; nil where they were not saved.
    public var selectors: [UInt16]?
    public var fsBase: UInt64?
    public var gsBase: UInt64?
    /// CR0, CR2, CR3, CR4 and EFER; nil where they were not saved.
    public var control: (cr0: UInt64, cr2: UInt64, cr3: UInt64, cr4: UInt64, efer: UInt64)?
    public var codeSize: CodeSize = .bits64

    public init() {}

    public var rsp: UInt64 { general[4] }
    public var rbp: UInt64 { general[5] }

    public static func == (a: RegisterFile, b: RegisterFile) -> Bool {
        let control =
            switch (a.control, b.control) {
            case (nil, nil): true
            case (let x?, let y?): x == y
            default: false
            }
        return control && a.general == b.general && a.rip == b.rip && a.rflags == b.rflags
            && a.selectors == b.selectors && a.fsBase == b.fsBase && a.gsBase == b.gsBase
            && a.codeSize == b.codeSize
    }
}

/// One place where something ran when the run ended: a CPU as it stands, or what was saved of a
/// guest when the host was entered.
public struct DiagnosisPlace {
    /// Of the section: "guest kernel, VCPU 0, as saved at its last exit".
    public var title: String
    /// The CPU that stands here; nil of what was saved.
    public var cpu: Int?
    public var context: Context
    public var registers: RegisterFile
    /// Whether it takes interrupts: RFLAGS.IF, or for a guest what its shared page says.
    public var takesInterrupts: Bool
    /// Bytes at a linear address of this place's address space; nil where nothing is mapped. It
    /// must not change the machine.
    public var read: (_ address: UInt64, _ count: Int) -> [UInt8]?

    public init(
        title: String, cpu: Int? = nil, context: Context, registers: RegisterFile,
        takesInterrupts: Bool? = nil,
        read: @escaping (_ address: UInt64, _ count: Int) -> [UInt8]?
    ) {
        self.title = title
        self.cpu = cpu
        self.context = context
        self.registers = registers
        self.takesInterrupts =
            takesInterrupts ?? (registers.rflags & RFLAGS.interruptEnable != 0)
        self.read = read
    }
}

/// An event of the trace's end, with its return if that came.
public struct DiagnosisEvent: Equatable, Sendable {
    public var event: Event
    public var back: EventReturn?

    public init(_ event: Event, back: EventReturn? = nil) {
        self.event = event
        self.back = back
    }
}

/// All that a diagnosis is made from: plain values, so that the text depends on them only.
public struct DiagnosisInput {
    public var outcome = Outcome()
    /// What the run was asked to stop at, for outcome `limit`: "200000000 instructions".
    public var limit: String?
    /// The place that explains the end comes first.
    public var places: [DiagnosisPlace] = []
    /// Whether there is one kernel and its programs, rather than a host and guests.
    public var isPlain = false
    /// Whether stacks are to be searched for return addresses: the kernel keeps no frame pointers.
    public var searchesStacks = false
    /// The callers of a place by the kernel's own tables; nil where they do not know any.
    public var callers: (DiagnosisPlace) -> [(address: UInt64, isReturn: Bool)]? = { _ in nil }
    /// The end of the kernel's own log, where it keeps one.
    public var log: [String] = []
    /// Virtio devices whose driver broke a rule.
    public var brokenDevices: [String] = []
    /// Memory of the machine in bytes, where it is worth a word.
    public var memory: UInt64?
    /// The last events of the trace, oldest first; some dozens.
    public var events: [DiagnosisEvent] = []
    public var symbols = SymbolTable()
    /// Names a system call or hypercall by its number ("SET_STACK"); nil where it knows none.
    public var callName: (Event) -> String? = { _ in nil }
    /// Where the trace is and how to go on: last lines of the text, as they are.
    public var advice: [String] = []

    public init() {}

    /// The interrupt whose handler runs at `place`: the CPU's last event, without a return.
    func interrupt(at place: DiagnosisPlace) -> Event? {
        guard let cpu = place.cpu, place.context == .hostKernel,
            let last = events.last(where: { $0.event.cpu == cpu }),
            last.event.kind == .interrupt, last.back == nil
        else { return nil }
        return last.event
    }
}
