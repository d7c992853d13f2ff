import Foundation
import Trace

/// A trace made up record by record, as a recorder would write it: a guest that makes system calls,
/// faults that the host or the guest deals with, ticks.
final class SyntheticTrace {
    var metadata = TraceMetadata()
    private(set) var sequence: UInt64 = 0
    var cycle: UInt64 = 1000
    var instruction: UInt64 = 100
    var page = [UInt8](repeating: 0, count: 64)
    private var steps: [Step] = []
    var outcome = Outcome()

    private enum Step {
        case event(Event, page: [UInt8]?)
        case back(EventReturn)
        case console(UInt8, UInt64)
        case input(Input)
    }

    init(design: String = "rfc") {
        metadata[TraceMetadata.Key.tool] = "test"
        metadata[TraceMetadata.Key.design] = design
        metadata[TraceMetadata.Key.commandLine] = "work=1"
    }

    /// An event out of a context; gives its sequence number.
    @discardableResult
    func event(
        _ kind: EventKind, _ number: UInt32, from: Context, vcpu: UInt16 = 1,
        arguments: [UInt64] = [], cr2: UInt64 = 0, error: UInt32 = 0, after cycles: UInt64 = 100
    ) -> UInt64 {
        cycle += cycles
        instruction += cycles / 2
        var event = Event()
        event.sequence = sequence
        event.vcpu = from == .hostUser ? 0 : vcpu
        event.kind = kind
        event.number = number
        event.from = from
        event.cycle = cycle
        event.instruction = instruction
        event.rip = 0x40_0000 + UInt64(number)
        event.rsp = 0x7FFF_0000
        event.cr2 = cr2
        event.errorCode = error
        let a = arguments + [UInt64](repeating: 0, count: 6)
        event.arguments = (a[0], a[1], a[2], a[3], a[4], a[5])
        event.digest = 7
        steps.append(.event(event, page: event.vcpu == 0 ? nil : page))
        sequence += 1
        return event.sequence
    }

    func back(_ event: UInt64, result: UInt64 = 0, after cycles: UInt64 = 50) {
        cycle += cycles
        instruction += cycles / 2
        var back = EventReturn()
        back.event = event
        back.cycle = cycle
        back.instruction = instruction
        back.result = result
        steps.append(.back(back))
    }

    func console(_ text: String) {
        for byte in text.utf8 { steps.append(.console(byte, cycle)) }
    }

    func input(_ kind: Input.Kind) {
        var input = Input()
        input.kind = kind
        input.cycle = cycle
        input.instruction = instruction
        steps.append(.input(input))
    }

    /// A guest process's system call and the guest kernel's return from it.
    func call(_ number: UInt32, _ arguments: [UInt64] = [], result: UInt64 = 0) {
        let call = event(.syscall, number, from: .guestUser, arguments: arguments)
        let iret = event(.hypercall, 27, from: .guestKernel)
        back(call, result: result)
        back(iret, result: result, after: 0)
    }

    /// A tick: the host's interrupt out of the guest, and the virtual interrupt that it makes.
    func tick() {
        let tick = event(.interrupt, 0xEF, from: .guestUser)
        page[24] &+= 1
        let iret = event(.hypercall, 27, from: .guestKernel)
        back(tick)
        back(iret, after: 0)
    }

    /// A page fault that the host deals with by itself.
    func shadowFault(_ address: UInt64) {
        back(event(.exception, 14, from: .guestUser, cr2: address, error: 4))
    }

    /// A page fault that goes to the guest.
    func guestFault(_ address: UInt64, error: UInt32 = 6) {
        let fault = event(.exception, 14, from: .guestUser, cr2: address, error: error)
        page.replaceSubrange(16..<24, with: withUnsafeBytes(of: address.littleEndian, Array.init))
        let iret = event(.hypercall, 27, from: .guestKernel)
        back(fault)
        back(iret, after: 0)
    }

    /// A host process's system call.
    func hostCall(_ number: UInt32, result: UInt64 = 0) {
        back(event(.syscall, number, from: .hostUser), result: result)
    }

    /// Writes the trace and opens it. `finished` false leaves it as a killed recorder does.
    func reader(finished: Bool = true) throws -> TraceReader {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "pvreplay-diff-\(UUID().uuidString).pvt").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var options = TraceWriterOptions()
        options.sharedSize = 64
        let writer = try TraceWriter(path: path, metadata: metadata, options: options)
        for step in steps {
            switch step {
            case .event(var event, let page):
                if let page {
                    try page.withUnsafeBytes {
                        try writer.append(event: &event, sharedPage: $0.baseAddress)
                    }
                } else {
                    try writer.append(event: &event, sharedPage: nil)
                }
            case .back(let back): try writer.append(return: back)
            case .console(let byte, let cycle):
                try writer.append(console: byte, cpu: 0, cycle: cycle)
            case .input(let input): try writer.append(input: input)
            }
        }
        if finished {
            outcome.cycles = cycle
            outcome.instructions = instruction
            try writer.finish(outcome: outcome)
        } else {
            try writer.flush()
        }
        return try TraceReader(path: path)
    }
}
