import Trace

/// A field of the reference ABI's shared page (`paravirt_abi.h`).
public struct SharedField: Hashable, Sendable {
    public var name: String
    public var offset: Int
    public var bytes: Int
    /// Who sees a difference in it: what tells when the host was in is time, and the mark of a
    /// hypercall is taken off by some hosts and left by others.
    public var sight: Sight

    public static let reference = [
        SharedField(name: "hypercall_flag", offset: 0, bytes: 4, sight: .machine),
        SharedField(name: "irq_enabled", offset: 4, bytes: 4, sight: .guest),
        SharedField(name: "irq_pending", offset: 8, bytes: 4, sight: .timing),
        SharedField(name: "vcpu_id", offset: 12, bytes: 4, sight: .guest),
        SharedField(name: "cr2", offset: 16, bytes: 8, sight: .guest),
        SharedField(name: "ticks", offset: 24, bytes: 8, sight: .timing),
        SharedField(name: "console_ready", offset: 32, bytes: 4, sight: .timing),
    ]
}

/// What two things can differ in.
public enum Field: Hashable, Sendable {
    case kind, number, from, to, cpu, vcpu
    /// RDI RSI RDX R10 R8 R9 by number, 0...5.
    case register(Int)
    case result, errorCode, cr2, rip, rsp, instruction, cycle
    /// Digest of the registers, chained over all events before.
    case digest
    case shared(SharedField)
    /// Eight bytes of a shared page that have no name, by their offset; `SharedPageCopy.capacity`
    /// stands for all beyond what is kept.
    case sharedBytes(Int)
    case sharedKnown
    /// Virtual interrupts taken since the item before: the first one's vector and how many, packed.
    case interrupts
    /// The event that a return ends.
    case endedEvent
    /// Text of the console or of an input.
    case text

    public var name: String {
        switch self {
        case .kind: "kind"
        case .number: "number"
        case .from: "from"
        case .to: "to"
        case .cpu: "cpu"
        case .vcpu: "vcpu"
        case .register(let number): ["rdi", "rsi", "rdx", "r10", "r8", "r9"][number]
        case .result: "rax"
        case .errorCode: "error code"
        case .cr2: "cr2"
        case .rip: "rip"
        case .rsp: "rsp"
        case .instruction: "instruction"
        case .cycle: "cycle"
        case .digest: "register digest"
        case .shared(let field): "shared." + field.name
        case .sharedBytes(let offset): "shared[\(offset)]"
        case .sharedKnown: "shared page known"
        case .interrupts: "virtual interrupts"
        case .endedEvent: "of event"
        case .text: "text"
        }
    }
}

/// Who can see a difference.
public enum Sight: UInt8, Sendable {
    /// The guest, in what it computes.
    case guest
    /// The guest, as time: a virtual interrupt elsewhere, another count of ticks.
    case timing
    /// The machine only.
    case machine
}

public struct FieldDifference: Equatable, Sendable {
    public var field: Field
    public var a: UInt64
    public var b: UInt64
    public var sight: Sight
}

/// Compares what was aligned, field by field.
enum FieldComparison {
    /// Fields in which two items of a stream differ.
    static func fields(_ x: StreamItem, _ y: StreamItem, in stream: StreamID) -> [FieldDifference] {
        var found: [FieldDifference] = []
        let isGuest: Bool
        if case .guest = stream { isGuest = true } else { isGuest = false }
        visit(x, y) { field, a, b, sight in
            found.append(
                FieldDifference(field: field, a: a, b: b, sight: isGuest ? sight : .machine))
        }
        return found
    }

    /// Calls `body` for every field in which the items differ.
    @inline(__always)
    static func visit(
        _ x: StreamItem, _ y: StreamItem, _ body: (Field, UInt64, UInt64, Sight) -> Void
    ) {
        @inline(__always)
        func check(_ field: Field, _ a: UInt64, _ b: UInt64, _ sight: Sight) {
            if a != b { body(field, a, b, sight) }
        }
        let a = x.event
        let b = y.event
        check(.kind, UInt64(a.kind.rawValue), UInt64(b.kind.rawValue), .guest)
        check(.number, UInt64(a.number), UInt64(b.number), .guest)
        check(.from, UInt64(a.from.rawValue), UInt64(b.from.rawValue), .guest)
        if x.form == .result {
            check(.result, x.result, y.result, x.isClock ? .timing : .guest)
        }
        if x.form == .event {
            let arguments = Int(max(x.argumentCount, y.argumentCount))
            if a.arguments != b.arguments {
                for i in 0..<6 {
                    check(
                        .register(i), x.argument(i), y.argument(i),
                        i < arguments || a.kind == .systemRegister ? .guest : .machine)
                }
            }
            if a.errorCode != b.errorCode { errorCode(a, b, body) }
            check(.cr2, a.cr2, b.cr2, .guest)
            check(.rip, a.rip, b.rip, .machine)
            check(.rsp, a.rsp, b.rsp, .machine)
            if a.digestKnown && b.digestKnown { check(.digest, a.digest, b.digest, .machine) }
            if x.page != y.page { pages(x, y, body) }
        }
        check(.interrupts, x.packedInterrupts, y.packedInterrupts, .timing)
        check(.to, UInt64(a.to.rawValue), UInt64(b.to.rawValue), .machine)
        check(.cpu, UInt64(a.cpu), UInt64(b.cpu), .machine)
        check(.vcpu, UInt64(a.vcpu), UInt64(b.vcpu), .machine)
        check(.instruction, a.instruction, b.instruction, .machine)
        check(.cycle, a.cycle, b.cycle, .machine)
    }

    private static func errorCode(
        _ a: Event, _ b: Event, _ body: (Field, UInt64, UInt64, Sight) -> Void
    ) {
        let isPageFault = a.kind == .exception && a.number == 14 && b.number == 14
        let differing = a.errorCode ^ b.errorCode
        let isVisible = !isPageFault || differing & StreamItem.visibleFaultBits != 0
        body(.errorCode, UInt64(a.errorCode), UInt64(b.errorCode), isVisible ? .guest : .machine)
    }

    private static func pages(
        _ x: StreamItem, _ y: StreamItem, _ body: (Field, UInt64, UInt64, Sight) -> Void
    ) {
        guard x.page.isKnown && y.page.isKnown else {
            return body(
                .sharedKnown, x.page.isKnown ? 1 : 0, y.page.isKnown ? 1 : 0, .machine)
        }
        var found = false
        if x.isReference && y.isReference {
            for field in SharedField.reference {
                guard let a = x.page.number(at: field.offset, bytes: field.bytes),
                    let b = y.page.number(at: field.offset, bytes: field.bytes), a != b
                else { continue }
                found = true
                body(.shared(field), a, b, field.sight)
            }
            if found { return }
        }
        for offset in stride(from: 0, to: SharedPageCopy.capacity, by: 8) {
            let a = x.page.number(at: offset, bytes: 8)
            let b = y.page.number(at: offset, bytes: 8)
            if let a, let b, a != b {
                found = true
                body(.sharedBytes(offset), a, b, .guest)
            }
        }
        if !found { body(.sharedBytes(SharedPageCopy.capacity), 0, 1, .guest) }
    }
}

extension Field {
    static let slotCount = 96

    /// A small number of its own, for counting.
    var slot: Int {
        switch self {
        case .kind: 0
        case .number: 1
        case .from: 2
        case .to: 3
        case .cpu: 4
        case .vcpu: 5
        case .result: 6
        case .errorCode: 7
        case .cr2: 8
        case .rip: 9
        case .rsp: 10
        case .instruction: 11
        case .cycle: 12
        case .digest: 13
        case .sharedKnown: 14
        case .endedEvent: 15
        case .text: 16
        case .interrupts: 17
        case .register(let number): 20 + number
        case .shared(let field): 32 + field.offset / 4
        case .sharedBytes(let offset): 64 + offset / 8
        }
    }
}

extension StreamItem {
    /// The value of `Field.interrupts`.
    var packedInterrupts: UInt64 { UInt64(interruptVector) << 16 | UInt64(interrupts) }

    /// Fields in which this item of A differs from one of B that it belongs to.
    public func differences(from other: StreamItem, in stream: StreamID) -> [FieldDifference] {
        FieldComparison.fields(self, other, in: stream)
    }
}
