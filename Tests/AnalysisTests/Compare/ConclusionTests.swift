import Machine
import Testing
import Trace

@testable import Analysis
@testable import Replay

/// Who is cheapest, and whether the profiles agree on it.
@Suite struct ConclusionTests {
    private static let kind = PathKind.hypercall

    private func run(_ median: UInt64, mean: UInt64, failed: Bool = false) -> ComparedRun {
        var sum = Counts()
        sum.cycles = mean * 100
        var paths = [PathFigures?](repeating: nil, count: PathKind.allCases.count)
        paths[Self.kind.rawValue] = PathFigures(count: 100, median: median, p99: median, sum: sum)
        let summary = RunSummary(
            end: RunEnd(outcome: .shutdown, reason: ""), eventsByKind: [], instructions: 0,
            cycles: 0, digest: 0, eventDigest: 0, cpuInstructions: [])
        return ComparedRun(
            paths: paths, contexts: [], summary: summary, guestInstructions: 0, difference: nil,
            ticksOutOfStep: 0,
            failure: failed ? .init(rip: 0, context: .hostKernel, events: []) : nil)
    }

    private func conclusion(_ runs: [[ComparedRun]]) throws -> Conclusion {
        let configuration = SessionConfiguration(
            host: SessionImage(name: "h", bytes: []), guest: nil, costs: .uniform)
        let sessions = runs.indices.map {
            ComparedSession(name: "\($0)", description: "", configuration: configuration)
        }
        return Comparison(
            sessions: sessions, profiles: ["p", "q"], runs: runs, items: 0, guestInstructions: 0,
            recordedEnd: RunEnd(outcome: .shutdown, reason: "")
        ).conclusion(Self.kind)
    }

    @Test func theLeastMedianWins() throws {
        let found = try conclusion([
            [run(10, mean: 50), run(20, mean: 20)], [run(11, mean: 9), run(21, mean: 21)],
        ])
        #expect(found == Conclusion(winners: [[0], [0]], change: .none))
    }

    @Test func aWinnerThatChangesIsMarked() throws {
        let found = try conclusion([
            [run(10, mean: 10), run(20, mean: 20)], [run(11, mean: 11), run(19, mean: 19)],
        ])
        #expect(found == Conclusion(winners: [[0], [1]], change: .winner))
    }

    @Test func anOrderBehindTheWinnerThatChangesIsMarked() throws {
        let found = try conclusion([
            [run(10, mean: 10), run(10, mean: 10)], [run(11, mean: 11), run(13, mean: 13)],
            [run(12, mean: 12), run(12, mean: 12)],
        ])
        #expect(found == Conclusion(winners: [[0], [0]], change: .order))
    }

    @Test func equalMediansAreDecidedByMeansThatDifferEnough() throws {
        let near = try conclusion([
            [run(10, mean: 1000), run(10, mean: 1000)], [run(10, mean: 1005), run(10, mean: 995)],
        ])
        #expect(near == Conclusion(winners: [[], []], change: .none))
        let far = try conclusion([
            [run(10, mean: 1000), run(10, mean: 1000)], [run(10, mean: 1105), run(10, mean: 1105)],
        ])
        #expect(far.winners == [[0], [0]])
    }

    @Test func whoeverFailedTakesNoPart() throws {
        let found = try conclusion([
            [run(1, mean: 1), run(1, mean: 1, failed: true)], [run(5, mean: 5), run(5, mean: 5)],
            [run(6, mean: 6), run(6, mean: 6)],
        ])
        #expect(found.winners == [[1], [1]])
    }
}
