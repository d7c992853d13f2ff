import Machine
import Replay
import SeededRandom
import Trace

/// Replays a trace under each executor, cut at the same random places, and compares the machines at
/// every cut. That either agrees with the recording is the replayer's own affair, and checked too.
struct TraceReplayComparison {
    let path: String
    let seed: UInt64

    /// - Returns: how many cuts there were.
    func run() throws -> Int {
        let reader = try TraceReader(path: path)
        let expected = try states(.stepwise, reader)
        let found = try states(.blocks, reader)
        for (n, pair) in zip(expected, found).enumerated() where pair.0 != pair.1 {
            throw Disagreement(
                description: "cut \(n), at cycle \(pair.0.cycles): the executors differ")
        }
        guard expected.count == found.count else {
            throw Disagreement(description: "\(expected.count) cuts and \(found.count)")
        }
        return found.count
    }

    private struct State: Equatable {
        var cycles: UInt64
        var instructions: UInt64
        var digest: UInt64
    }

    private func states(_ executor: Executor, _ reader: TraceReader) throws -> [State] {
        let configuration = try SessionConfiguration(reader)
        let replayer = try Replayer(configuration, executor: executor, reader: reader)
        var numbers = SplitMix64(seed)
        var found: [State] = []
        let result = try replayer.run { machine in
            // The whole memory once in a while: it costs more than the run.
            let digest = found.count % 512 == 0 ? machine.digest() : machine.stateDigest()
            found.append(
                State(cycles: machine.cycles, instructions: machine.instructions, digest: digest))
            let steps: [UInt64] = [1, 2, 3, 5, 13, 127, 1009, 4999, 5000, 60_000]
            let step = numbers.chance(50) ? numbers.pick(steps) : UInt64(numbers.below(40_000))
            return numbers.chance(50)
                ? RunLimits(cycles: machine.cycles + step)
                : RunLimits(
                    cycles: machine.cycles + 64 * step + 512,
                    instructions: machine.instructions + step)
        }
        if let divergence = result.divergence {
            throw Disagreement(
                description: "\(executor) diverges from the recording at cycle "
                    + "\(divergence.cycle): \(divergence.fields)")
        }
        found.append(
            State(
                cycles: result.summary.cycles, instructions: result.summary.instructions,
                digest: result.summary.digest))
        return found
    }
}
