import Machine
import Trace

/// The disks as they are when a run has ended, for people who look at them.
extension Machine {
    /// Calls `body` with the number and the contents of each chunk that the guest has written.
    public func forEachFinalChunk(disk: Int, _ body: (UInt64, [UInt8]) -> Void) {
        forEachWrittenChunk(disk: disk) { number in
            if let contents = writtenChunk(disk: disk, chunk: number) { body(number, contents) }
        }
    }
}

extension Replayer {
    /// Calls `body` with each chunk that the guest has read or written: all that a trace knows.
    public func forEachFinalChunk(
        disk: Int, _ body: (UInt64, [UInt8]) -> Void
    ) throws(ReplayError) {
        if let disks {
            for number in disks.directory.numbers(disk: disk) {
                var contents = [UInt8](repeating: 0, count: TraceDiskChunk.size)
                let isThere = contents.withUnsafeMutableBytes { room in
                    room.baseAddress.map { disks.read(disk: disk, chunk: number, into: $0) }
                }
                if isThere == true { body(number, contents) }
            }
            if let failure = disks.failure { throw .trace(failure) }
        }
        machine.forEachFinalChunk(disk: disk, body)
    }
}
