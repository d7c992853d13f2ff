import Trace

/// One of the streams into which a trace is taken apart. Guests and processors go at their own pace
/// and how they interleave is a matter of cycles, so each is aligned by itself.
public enum StreamID: Hashable, Sendable {
    /// What the guest on this VCPU did and saw: its system calls, hypercalls and their results, and
    /// the exceptions that reached it. Virtual interrupts come at instants of the host's choice, so
    /// they are not items of their own, but a detail of the item after them.
    case guest(vcpu: Int)
    /// What else this CPU did: the host's own events, hardware interrupts, and the guest's faults
    /// that the host dealt with by itself.
    case machine(cpu: Int)
}

/// The used part of a shared page, as far as it is kept for comparing: its first 128 bytes, and a
/// digest of all.
public struct SharedPageCopy: Equatable, Sendable {
    public static let capacity = 128

    /// Bytes of the page in use; 0 where the page is not known.
    public private(set) var size: UInt16 = 0
    public private(set) var digest: UInt64 = 0
    private var words = InlineWords()

    private struct InlineWords: Equatable {
        var a: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var b: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var c: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var d: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        static func == (x: Self, y: Self) -> Bool {
            x.a == y.a && x.b == y.b && x.c == y.c && x.d == y.d
        }
    }

    public init() {}

    public init(_ page: UnsafeRawBufferPointer) {
        size = UInt16(clamping: page.count)
        guard let source = page.baseAddress else { return }
        withUnsafeMutableBytes(of: &words) {
            $0.copyMemory(
                from: UnsafeRawBufferPointer(
                    start: source, count: min(page.count, Self.capacity)))
        }
        var place = 0
        while place + 8 <= page.count {
            digest = mixed(
                digest, source.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            place += 8
        }
        while place < page.count {
            digest = mixed(
                digest, UInt64(source.load(fromByteOffset: place, as: UInt8.self)))
            place += 1
        }
    }

    public var isKnown: Bool { size > 0 }

    /// A little-endian number of 4 or 8 bytes; nil beyond what is kept or in use.
    public func number(at offset: Int, bytes: Int) -> UInt64? {
        guard offset + bytes <= min(Int(size), Self.capacity) else { return nil }
        return withUnsafeBytes(of: words) { kept in
            var value: UInt64 = 0
            for i in 0..<bytes { value |= UInt64(kept[offset + i]) << UInt64(8 * i) }
            return value
        }
    }
}

/// One item of a stream.
public struct StreamItem: Alignable, Sendable {
    public enum Form: UInt8, Sendable {
        /// An event, as the trace has it.
        case event
        /// The return of a call: `event` is the call's as far as it is known (kind, number,
        /// contexts, sequence), with the counters of the return; `result` is RAX.
        case result
    }

    public var form: Form
    public var event: Event
    public var result: UInt64 = 0
    /// Registers that are arguments of a call.
    public var argumentCount: UInt8 = 0
    /// Whether the numbers are those of the reference ABI.
    public var isReference = false
    /// Virtual interrupts that the guest took since the item before, and the vector of the first,
    /// 0 if it is not known. A hypercall IRET that ends a handler at once belongs to its interrupt.
    public var interrupts: UInt16 = 0
    public var interruptVector: UInt16 = 0
    /// The shared page at an event; not known of a result.
    public var page = SharedPageCopy()
    public private(set) var exactKey: UInt64 = 0
    public private(set) var roughKey: UInt64 = 0
    public private(set) var family: UInt64 = 0

    public init(_ form: Form, _ event: Event, result: UInt64 = 0, isReference: Bool) {
        self.form = form
        self.event = event
        self.result = result
        self.isReference = isReference
        if form == .event && (event.kind == .syscall || event.kind == .hypercall) {
            argumentCount = UInt8(
                isReference ? ReferenceABI.argumentCount(event.kind, event.number) : 6)
        }
        makeKeys()
    }

    /// Whether when it happens is a matter of cycles, not of what the code does.
    public var isAsynchronous: Bool { Self.isAsynchronous(event.kind) }

    /// Whether it tells the guest the time.
    var isClock: Bool {
        form == .result && isReference && ReferenceABI.isClock(event.kind, event.number)
    }

    static func isAsynchronous(_ kind: EventKind) -> Bool {
        kind == .interrupt || kind == .nmi || kind == .machineCheck
    }

    /// The bits of a #PF's error code that every design gives alike: W and I. The others tell of
    /// the tables that the processor used, which are the host's.
    static let visibleFaultBits: UInt32 = 0x12

    private mutating func makeKeys() {
        family = UInt64(form.rawValue) << 8 | UInt64(event.kind.rawValue)
        var rough = mixed(family, UInt64(event.number))
        if form == .event && !isAsynchronous {
            rough = mixed(rough, UInt64(event.from.rawValue))
            if event.kind == .guestSwitch { rough = mixed(rough, UInt64(event.vcpu)) }
            if event.kind == .systemRegister { rough = mixed(rough, event.arguments.1) }
        }
        roughKey = rough
        var exact = mixed(rough, 1)
        switch form {
        case .result: exact = mixed(exact, result)
        case .event: exact = details(exact)
        }
        exactKey = exact
    }

    private func details(_ start: UInt64) -> UInt64 {
        var exact = start
        switch event.kind {
        case .syscall, .hypercall:
            for i in 0..<Int(argumentCount) { exact = mixed(exact, argument(i)) }
        case .exception, .softwareInterrupt:
            let isPageFault = event.kind == .exception && event.number == 14
            let error = event.errorCode & (isPageFault ? Self.visibleFaultBits : .max)
            exact = mixed(mixed(exact, UInt64(error)), event.cr2)
        case .interrupt, .nmi, .machineCheck:
            exact = mixed(exact, UInt64(event.from.rawValue) << 16 | UInt64(event.vcpu))
        case .systemRegister: exact = mixed(exact, event.arguments.0)
        case .guestSwitch, .tripleFault: break
        }
        return exact
    }

    /// RDI RSI RDX R10 R8 R9 by number.
    @inline(__always)
    public func argument(_ number: Int) -> UInt64 {
        switch number {
        case 0: event.arguments.0
        case 1: event.arguments.1
        case 2: event.arguments.2
        case 3: event.arguments.3
        case 4: event.arguments.4
        default: event.arguments.5
        }
    }
}
