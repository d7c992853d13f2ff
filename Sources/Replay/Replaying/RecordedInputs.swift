import Machine
import Trace

/// A recorded input as something that happens to a machine.
extension Input {
    init(_ stimulus: Stimulus) {
        self.init()
        switch stimulus {
        case .console(let bytes):
            kind = .console
            self.bytes = bytes
        case .interrupt(let vector):
            kind = .interrupt
            number = UInt32(vector)
        case .nmi: kind = .nmi
        case .machineCheck: kind = .machineCheck
        }
    }

    var stimulus: Stimulus {
        switch kind {
        case .console: .console(bytes)
        case .interrupt: .interrupt(UInt8(truncatingIfNeeded: number))
        case .nmi: .nmi
        case .machineCheck: .machineCheck
        }
    }
}

/// All inputs of a trace, given to a machine at their instants: for runs that are not compared
/// event by event.
final class RecordedInputs: InputSource {
    private var console: [Input] = []
    private var next = 0

    /// Schedules the injections of `reader` on `machine` and becomes its console.
    init(_ reader: TraceReader, for machine: Machine) throws(TraceError) {
        let cursor = reader.cursor()
        while let kind = try cursor.next() {
            guard kind == .input else { continue }
            let input = cursor.input
            if input.kind == .console {
                console.append(input)
            } else if Int(input.cpu) < machine.cpuCount {
                machine.schedule(
                    input.stimulus, cpu: Int(input.cpu), at: .cycle(input.cycle))
            }
        }
        machine.inputs = self
    }

    func awaitsInput(machine: Machine) -> Bool { next < console.count }

    func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
        var bytes: [UInt8] = []
        while next < console.count, console[next].cycle <= cycle {
            bytes += console[next].bytes
            next += 1
        }
        return bytes
    }
}
