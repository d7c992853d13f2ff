import Foundation
import Kernels
import Machine
import Testing
import Trace
import X86

@testable import Replay

/// A recorded world in another machine. The reference kernels, with a small workload.
@Suite struct WhatIfTests {
    /// Costs in which everything about translations is dear, so that time differs wherever misses
    /// do.
    static func costs(_ name: String, scale: UInt16) -> CostProfile {
        var costs = CostProfile(name: name, uniform: 3)
        costs[.portIO] = 500
        costs[.exceptionDelivery] = 100 * scale
        costs[.tlbMiss] = 20 * scale
        costs[.pageWalkLevel] = 9 * scale
        costs[.tlbFlush] = 70 * scale
        return costs
    }

    static func session(
        _ design: String = "rfc", commandLine: String = "work=2", scale: UInt16 = 1
    ) throws -> SessionConfiguration {
        let design = try Design(design)
        let host = try Kernels.host(design)
        let guest = try Kernels.guest(design)
        return SessionConfiguration(
            host: SessionImage(name: host.name, bytes: host.bytes),
            guest: SessionImage(name: guest.name, bytes: guest.bytes), commandLine: commandLine,
            costs: costs("test", scale: scale), design: design.name)
    }

    /// Records a session to a file that is gone when the reader is.
    static func record(
        _ configuration: SessionConfiguration, _ options: RecordingOptions = RecordingOptions()
    ) throws -> TraceReader {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "pvreplay-whatif-\(UUID().uuidString).pvt")
        let path = file.path
        defer { try? FileManager.default.removeItem(at: file) }
        let writer = try configuration.makeWriter(path: path)
        _ = try Recorder(configuration, options: options, writer: writer).run()
        return try TraceReader(path: path)
    }

    @Test func bothExecutorsChargeTheSameBeforeAnyDeadline() throws {
        let configuration = try Self.session(scale: 7)
        let a = try configuration.makeMachine(executor: .stepwise)
        let b = try configuration.makeMachine(executor: .blocks)
        var cycle: UInt64 = 0
        var random: UInt64 = 11
        for round in 0..<1500 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            cycle += (random >> 33) % 9_000
            #expect(a.run(RunLimits(cycles: cycle)) == b.run(RunLimits(cycles: cycle)))
            let (x, y) = (a.cpu(0).pointee, b.cpu(0).pointee)
            guard x.cycles == y.cycles, x.rip == y.rip, x.tally == y.tally else {
                Issue.record("they part before cycle \(cycle), in round \(round)")
                return
            }
            if round % 100 == 0 {
                #expect(a.stateDigest() == b.stateDigest())
                let snapshot = b.save()
                try b.restore(snapshot)
                #expect(b.cpu(0).pointee.tally == y.tally)
            }
        }
        #expect(a.digest() == b.digest())
        #expect(a.cpu(0).pointee.tally.tlbMisses > 1000)
        #expect(a.cpu(0).pointee.tally.flushes > 100)
    }

    @Test(arguments: ["rfc", "hardened", "pvm", "rfc-task"])
    func aGuestSeesTheSameWorldUnderAnotherDesign(_ design: String) throws {
        let reader = try Self.record(try Self.session())
        let world = try RecordedWorld(reader, executor: .blocks)
        #expect(world.itemCount > 1000)
        var digests: Set<UInt64> = []
        for scale: UInt16 in [1, 5] {
            let run = try WhatIfRun(
                try Self.session(design, scale: scale), world: world, executor: .blocks,
                stopsAtDifference: true)
            let result = run.run()
            #expect(result.difference == nil)
            #expect(result.agreeing == world.itemCount)
            #expect(result.guestInstructions == world.guestInstructions)
            #expect(result.summary.end == world.summary.end)
            digests.insert(result.summary.cycles)
        }
        #expect(digests.count == 2, "the costs do not show")
    }

    @Test func theExecutorsGovernAlike() throws {
        let reader = try Self.record(try Self.session(commandLine: "work=1"))
        let world = try RecordedWorld(reader, executor: .blocks)
        #expect(try RecordedWorld(reader, executor: .stepwise).stream.items == world.stream.items)
        let other = try Self.session("hardened", commandLine: "work=1", scale: 3)
        let results = try [Executor.blocks, .stepwise].map {
            try WhatIfRun(other, world: world, executor: $0, stopsAtDifference: true).run()
        }
        #expect(results[0] == results[1])
    }

    @Test func anotherWorkloadParts() throws {
        let reader = try Self.record(try Self.session())
        let world = try RecordedWorld(reader, executor: .blocks)
        let run = try WhatIfRun(
            try Self.session(commandLine: "work=3"), world: world, executor: .blocks,
            stopsAtDifference: true)
        let difference = try #require(run.run().difference)
        #expect(difference.agreeing > 0)
        #expect(difference.guestInstructions < world.guestInstructions)
    }

    @Test func aHostThatDiesIsSaidToEndTheWorld() throws {
        let reader = try Self.record(try Self.session())
        let world = try RecordedWorld(reader, executor: .blocks)
        let result = try WhatIfRun(
            try Self.session("rfc-swap-gdt"), world: world, executor: .blocks,
            stopsAtDifference: true
        ).run()
        #expect(result.summary.end.outcome == .tripleFault)
        guard case .item(_?, nil) = result.difference?.kind else {
            Issue.record("\(String(describing: result.difference))")
            return
        }
    }

    /// What is typed and injected comes at the same guest progress.
    @Test func inputsComeWithTheGuest() throws {
        var options = RecordingOptions()
        options.console = ScriptedConsole(Array("help\nexit\n".utf8), from: 3_000_000)
        options.injections = [Injection(.nmi, at: .event(700))]
        let reader = try Self.record(try Self.session(commandLine: "shell"), options)
        let world = try RecordedWorld(reader, executor: .blocks)
        #expect(world.inputs[0].count >= 2)
        let result = try WhatIfRun(
            try Self.session("hardened", commandLine: "shell", scale: 4), world: world,
            executor: .blocks, stopsAtDifference: true
        ).run()
        #expect(result.difference == nil)
        #expect(result.summary.end.outcome == world.summary.end.outcome)
    }
}
