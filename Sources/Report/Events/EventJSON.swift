import Foundation
import Trace

/// Records as JSON lines: one object a line, keys sorted, numbers that may exceed 2^53 as
/// hexadecimal strings. The shape is stable: fields are added, never renamed.
public struct EventJSON: Encodable {
    var record: String
    var sequence: UInt64?
    var cpu: UInt8?
    var vcpu: Int?
    var kind: String?
    var number: UInt32?
    var name: String?
    /// A system call of Linux with its arguments by their kinds.
    var call: String?
    var from: String?
    var to: String?
    var cycle: UInt64?
    var instruction: UInt64?
    var rip: String?
    var rsp: String?
    var errorCode: UInt32?
    var cr2: String?
    var arguments: [String]?
    var shared: [Change]?
    var digest: String?
    var result: String?
    var bytes: String?
    var pathCycles: UInt64?
    var pathInstructions: UInt64?

    struct Change: Encodable {
        var offset: UInt16
        var bytes: String
    }

    public init(_ event: Event, changes: [SharedChange], abi: CallABI) {
        record = "event"
        sequence = event.sequence
        cpu = event.cpu
        vcpu = event.vcpu == 0 ? nil : Int(event.vcpu) - 1
        kind = EventNames.kind(event.kind)
        number = event.number
        name = EventNames.number(event, abi)
        from = EventNames.context(event.from)
        to = EventNames.context(event.to)
        cycle = event.cycle
        instruction = event.instruction
        rip = hex(event.rip)
        rsp = hex(event.rsp)
        call = abi == .linux ? LinuxCall(event).map { "\($0.name)(\($0.arguments))" } : nil
        if event.kind == .exception {
            errorCode = event.errorCode
            if event.number == 14 { cr2 = hex(event.cr2) }
        }
        if event.kind == .syscall || event.kind == .hypercall || event.kind == .systemRegister
            || event.errorCode == Event.call32 && event.kind == .softwareInterrupt
        {
            let a = event.arguments
            arguments = [a.0, a.1, a.2, a.3, a.4, a.5].map { hex($0) }
        }
        if !changes.isEmpty {
            shared = changes.map { Change(offset: $0.offset, bytes: EventLine.bytes($0.bytes)) }
        }
        if event.digestKnown { digest = hex(event.digest) }
    }

    /// - Parameter event: the one whose path it ends, where that is at hand.
    public init(_ back: EventReturn, from event: Event? = nil, abi: CallABI = .unknown) {
        record = "return"
        sequence = back.event
        cpu = back.cpu
        cycle = back.cycle
        instruction = back.instruction
        result = hex(back.result)
        if abi == .linux, let event { call = LinuxCall(event)?.result(back.result) }
        pathCycles = event.map { back.cycle &- $0.cycle }
        pathInstructions = event.map { back.instruction &- $0.instruction }
    }

    public init(_ input: Input) {
        record = "input"
        cpu = input.cpu
        cycle = input.cycle
        instruction = input.instruction
        switch input.kind {
        case .console:
            kind = "console"
            bytes = EventLine.bytes(input.bytes)
        case .interrupt:
            kind = "interrupt"
            number = input.number
        case .nmi: kind = "nmi"
        case .machineCheck: kind = "machine-check"
        }
    }

    public init(_ output: ConsoleOutput) {
        record = "console"
        cpu = output.cpu
        cycle = output.cycle
        bytes = EventLine.bytes(output.bytes)
    }

    /// The object as one line without its newline.
    public var line: String { JSONText.line(self) }
}

/// JSON with sorted keys, the same bytes for the same value.
public enum JSONText {
    public static func line<T: Encodable>(_ value: T) -> String {
        text(value, [.sortedKeys, .withoutEscapingSlashes])
    }

    public static func pretty<T: Encodable>(_ value: T) -> String {
        text(value, [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
    }

    private static func text<T: Encodable>(
        _ value: T, _ formatting: JSONEncoder.OutputFormatting
    ) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("a report value that JSON cannot express")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
