import Trace

/// Where a replay stopped being the recording: a value, not an abort.
public struct Divergence: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// An event differs from the recorded one in `fields`.
        case event(expected: Event, actual: Event)
        /// The machine did something after the recording's last event.
        case extraEvent(actual: Event)
        /// The run ended while the recording goes on.
        case missingEvent(expected: Event)
        /// A path's return came at another time or with another result.
        case pathReturn(expected: EventReturn?, actual: EventReturn?)
        /// The serial console got something else, or at another time.
        case console(expected: [UInt8], actual: [UInt8])
        /// The run ended in another way or another state.
        case outcome
        /// A recorded input was not taken at its instant.
        case input(expected: Input)
    }

    public struct Field: Equatable, Sendable {
        public var name: String
        public var expected: String
        public var actual: String

        public init(name: String, expected: String, actual: String) {
            self.name = name
            self.expected = expected
            self.actual = actual
        }
    }

    public var kind: Kind
    /// Number of events that agreed before it.
    public var agreeingEvents: UInt64
    /// Machine cycle at which it was seen.
    public var cycle: UInt64
    public var fields: [Field]
    /// The last events that agreed, oldest first.
    public var before: [Event]
    /// The first instruction after which the two machines differ, where it could be found.
    public var instruction: InstructionDivergence?
}

/// The first instruction after which a recorded machine and a replayed one differ.
public struct InstructionDivergence: Equatable, Sendable {
    public var cpu: Int
    /// Instructions that both had retired before it.
    public var instruction: UInt64
    /// Where the instruction lies in each machine, and its bytes there.
    public var expectedRIP: UInt64
    public var actualRIP: UInt64
    public var expectedBytes: [UInt8]
    public var actualBytes: [UInt8]
    /// Registers that differ after it.
    public var registers: [Divergence.Field]
}

/// The fields of an event that a replay must reproduce, each with its name. Everything is compared;
/// a digest only where the trace carries one.
enum EventComparison {
    static func fields(_ expected: Event, _ actual: Event) -> [Divergence.Field] {
        var found: [Divergence.Field] = []
        func check(_ name: String, _ a: UInt64, _ b: UInt64) {
            if a != b { found.append(.init(name: name, expected: hex(a), actual: hex(b))) }
        }
        func count(_ name: String, _ a: UInt64, _ b: UInt64) {
            if a != b { found.append(.init(name: name, expected: "\(a)", actual: "\(b)")) }
        }
        if expected.kind != actual.kind {
            found.append(
                .init(name: "kind", expected: "\(expected.kind)", actual: "\(actual.kind)"))
        }
        count("cpu", UInt64(expected.cpu), UInt64(actual.cpu))
        count("vcpu", UInt64(expected.vcpu), UInt64(actual.vcpu))
        count("number", UInt64(expected.number), UInt64(actual.number))
        if expected.from != actual.from {
            found.append(
                .init(name: "from", expected: "\(expected.from)", actual: "\(actual.from)"))
        }
        if expected.to != actual.to {
            found.append(.init(name: "to", expected: "\(expected.to)", actual: "\(actual.to)"))
        }
        check("rip", expected.rip, actual.rip)
        check("rsp", expected.rsp, actual.rsp)
        count("instruction", expected.instruction, actual.instruction)
        count("cycle", expected.cycle, actual.cycle)
        check("error", UInt64(expected.errorCode), UInt64(actual.errorCode))
        check("cr2", expected.cr2, actual.cr2)
        check("rdi", expected.arguments.0, actual.arguments.0)
        check("rsi", expected.arguments.1, actual.arguments.1)
        check("rdx", expected.arguments.2, actual.arguments.2)
        check("r10", expected.arguments.3, actual.arguments.3)
        check("r8", expected.arguments.4, actual.arguments.4)
        check("r9", expected.arguments.5, actual.arguments.5)
        if expected.digestKnown { check("register digest", expected.digest, actual.digest) }
        return found
    }

    static func fields(_ expected: EventReturn, _ actual: EventReturn) -> [Divergence.Field] {
        var found: [Divergence.Field] = []
        func check(_ name: String, _ a: String, _ b: String) {
            if a != b { found.append(.init(name: name, expected: a, actual: b)) }
        }
        check("of event", "\(expected.event)", "\(actual.event)")
        check("cpu", "\(expected.cpu)", "\(actual.cpu)")
        check("instruction", "\(expected.instruction)", "\(actual.instruction)")
        check("cycle", "\(expected.cycle)", "\(actual.cycle)")
        check("rax", hex(expected.result), hex(actual.result))
        return found
    }

    /// The fast question, asked at every event.
    @inline(__always)
    static func agree(_ a: UnsafePointer<Event>, _ b: UnsafePointer<Event>) -> Bool {
        // Field by field through the pointers: a copy of an event costs more than the question.
        a.pointee.kind == b.pointee.kind && a.pointee.cpu == b.pointee.cpu
            && a.pointee.vcpu == b.pointee.vcpu && a.pointee.number == b.pointee.number
            && a.pointee.from == b.pointee.from && a.pointee.to == b.pointee.to
            && a.pointee.cycle == b.pointee.cycle
            && a.pointee.instruction == b.pointee.instruction
            && a.pointee.rip == b.pointee.rip && a.pointee.rsp == b.pointee.rsp
            && a.pointee.errorCode == b.pointee.errorCode && a.pointee.cr2 == b.pointee.cr2
            && a.pointee.arguments.0 == b.pointee.arguments.0
            && a.pointee.arguments.1 == b.pointee.arguments.1
            && a.pointee.arguments.2 == b.pointee.arguments.2
            && a.pointee.arguments.3 == b.pointee.arguments.3
            && a.pointee.arguments.4 == b.pointee.arguments.4
            && a.pointee.arguments.5 == b.pointee.arguments.5
            && (!a.pointee.digestKnown || a.pointee.digest == b.pointee.digest)
    }

    static func sharedFields(
        _ expected: UnsafeRawBufferPointer, _ actual: UnsafeRawBufferPointer
    ) -> [Divergence.Field] {
        var found: [Divergence.Field] = []
        for i in 0..<min(expected.count, actual.count) where expected[i] != actual[i] {
            found.append(
                .init(
                    name: "shared page byte \(i)", expected: hex(UInt64(expected[i])),
                    actual: hex(UInt64(actual[i]))))
        }
        return found
    }

    static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}

/// Comparison of raw bytes, a word at a time.
enum Bytes {
    @inline(__always)
    static func equal(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
        var difference: UInt64 = 0
        var i = 0
        while i &+ 8 <= count {
            difference |=
                a.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                ^ b.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            i &+= 8
        }
        while i < count {
            let byte = a.load(fromByteOffset: i, as: UInt8.self)
            difference |= UInt64(byte ^ b.load(fromByteOffset: i, as: UInt8.self))
            i &+= 1
        }
        return difference == 0
    }
}
