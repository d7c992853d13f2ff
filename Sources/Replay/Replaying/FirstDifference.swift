import Machine
import Trace
import X86

/// Finds the first instruction after which a recorded and a replayed machine differ: both are run
/// again to the last event that agreed, and from there one instruction at a time.
public enum FirstDifference {
    /// Instructions looked at after the last agreeing event.
    static let reach: UInt64 = 2_000_000

    /// - Parameter replayed: the replay's session, with other images than the trace's.
    /// - Returns: nil where the machines do not differ within reach (a replay with the trace's own
    ///   images that diverges points at pvreplay itself), or on a machine with several vCPUs.
    public static func find(
        _ divergence: Divergence, reader: TraceReader, replayed: SessionConfiguration
    ) throws(ReplayError) -> InstructionDivergence? {
        let recorded = try SessionConfiguration(reader)
        guard recorded.cpus == 1, recorded != replayed else { return nil }
        let a = try machine(recorded, reader)
        let b = try machine(replayed, reader)
        defer {
            a.machine.inputs = nil
            b.machine.inputs = nil
        }
        var count = divergence.before.last?.instruction ?? 0
        _ = a.machine.run(RunLimits(instructions: count))
        _ = b.machine.run(RunLimits(instructions: count))
        let end = count + reach
        while count < end {
            let before = (a.machine.cpu(0).pointee.rip, b.machine.cpu(0).pointee.rip)
            let bytes = (code(a.machine), code(b.machine))
            count += 1
            let stops = (
                a.machine.run(RunLimits(instructions: count)),
                b.machine.run(RunLimits(instructions: count))
            )
            let registers = differences(a.machine.cpu(0), b.machine.cpu(0))
            if !registers.isEmpty {
                return InstructionDivergence(
                    cpu: 0, instruction: count - 1, expectedRIP: before.0, actualRIP: before.1,
                    expectedBytes: bytes.0, actualBytes: bytes.1, registers: registers)
            }
            if stops.0 != .instructionLimit || stops.1 != .instructionLimit { return nil }
        }
        return nil
    }

    /// A machine with the trace's inputs; the inputs live as long as the pair.
    private static func machine(
        _ configuration: SessionConfiguration, _ reader: TraceReader
    ) throws(ReplayError) -> (machine: Machine, inputs: RecordedInputs) {
        let machine = try configuration.makeMachine(
            executor: .blocks, disks: try TraceDisks.make(configuration, reader))
        do {
            return (machine, try RecordedInputs(reader, for: machine))
        } catch {
            throw .trace(error)
        }
    }

    /// Up to 15 bytes at RIP, where they are mapped.
    private static func code(_ machine: Machine) -> [UInt8] {
        let cpu = machine.cpu(0)
        let linear = cpu.pointee.rip &+ cpu.pointee.cs.base
        var bytes: [UInt8] = []
        for i in 0..<UInt64(15) {
            guard
                let physical = machine.translate(linear &+ i, cr3: cpu.pointee.cr3),
                let byte = machine.readPhysical(physical, count: 1)
            else { break }
            bytes += byte
        }
        return bytes
    }

    private static let names = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15",
    ]

    private static func differences(_ a: CPU, _ b: CPU) -> [Divergence.Field] {
        var found: [Divergence.Field] = []
        func check(_ name: String, _ x: UInt64, _ y: UInt64) {
            if x != y {
                found.append(
                    .init(
                        name: name, expected: EventComparison.hex(x),
                        actual: EventComparison.hex(y)))
            }
        }
        for (number, name) in names.enumerated() {
            check(name, a.registers[number], b.registers[number])
        }
        check("rip", a.pointee.rip, b.pointee.rip)
        check("rflags", a.pointee.rflags, b.pointee.rflags)
        check("cr2", a.pointee.cr2, b.pointee.cr2)
        check("cr3", a.pointee.cr3, b.pointee.cr3)
        check("cs", UInt64(a.pointee.cs.selector), UInt64(b.pointee.cs.selector))
        check("ss", UInt64(a.pointee.ss.selector), UInt64(b.pointee.ss.selector))
        check("cycles", a.pointee.cycles, b.pointee.cycles)
        return found
    }
}
