import Machine
import Trace

extension SessionConfiguration {
    /// A machine as a trace's last checkpoint has it; nil where the trace has none.
    public func machineAtLastCheckpoint(_ reader: TraceReader) throws(ReplayError) -> Machine? {
        let checkpoints = reader.checkpoints(before: .max)
        guard !checkpoints.isEmpty else { return nil }
        let machine = try makeMachine(
            executor: .blocks, disks: try TraceDisks.make(self, reader))
        do {
            for number in checkpoints {
                try machine.restore(CheckpointCodec.decode(try reader.loadCheckpoint(number)))
            }
        } catch let error as TraceError {
            throw .trace(error)
        } catch let error as MachineError {
            throw .machine(error)
        } catch {
            preconditionFailure("only these two are thrown")
        }
        return machine
    }
}
