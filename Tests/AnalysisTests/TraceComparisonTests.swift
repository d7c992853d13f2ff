import Testing
import Trace

@testable import Analysis

/// Comparisons of small traces with one known difference each.
@Suite struct TraceComparisonTests {
    /// A run of a guest; `body` is called in its midst.
    private func run(
        design: String = "rfc", rounds: Int = 40, _ body: (SyntheticTrace) -> Void = { _ in }
    ) -> SyntheticTrace {
        let trace = SyntheticTrace(design: design)
        trace.console("boot\n")
        for round in 0..<rounds {
            trace.call(39, result: 7)
            trace.call(1, [1, 0x1000 + UInt64(round), 8], result: 8)
            trace.shadowFault(0x2000 + UInt64(round) << 12)
            trace.hostCall(35)
            if round % 3 == 0 { trace.guestFault(0x9000 + UInt64(round) << 12) }
            if round == rounds / 2 { body(trace) }
        }
        trace.console("done\n")
        return trace
    }

    private func compare(
        _ a: SyntheticTrace, _ b: SyntheticTrace
    ) throws -> TraceDifference {
        try TraceComparison(a.reader(), b.reader()).run()
    }

    private func guest(_ difference: TraceDifference) throws -> StreamReport {
        try #require(difference.streams.first { $0.stream == .guest(vcpu: 0) })
    }

    private func machine(_ difference: TraceDifference) throws -> StreamReport {
        try #require(difference.streams.first { $0.stream == .machine(cpu: 0) })
    }

    @Test func theSameRunIsTheSame() throws {
        let difference = try compare(run(), run())
        #expect(difference.isSame && difference.isSameToGuest && !difference.isTorn)
        #expect(difference.setup.isEmpty && difference.streams.isEmpty)
        #expect(difference.lockstep.identicalEvents == difference.a.events)
    }

    @Test func cyclesAloneAreNothingToTheGuest() throws {
        let difference = try compare(run(), run { $0.cycle += 13 })
        #expect(!difference.isSame && difference.isSameToGuest)
        #expect(difference.lockstep.firstBesidesCycles == nil)
        let first = try #require(difference.lockstep.first)
        #expect(first.fields.map(\.field) == [.cycle])
        #expect(try guest(difference).isSame && machine(difference).isSame)
    }

    @Test func anInsertedCallIsOnePlace() throws {
        let difference = try compare(run(), run { $0.call(12, [5], result: 6) })
        let report = try guest(difference)
        #expect(report.inserted == 3 && report.missing == 0 && report.changed == 0)
        #expect(report.hunkCount == 1 && !difference.isSameToGuest)
        let first = try #require(difference.firstForGuest)
        guard case .inserted(let item)? = first.hunk.edits.first else {
            Issue.record("\(first.hunk)")
            return
        }
        #expect(item.event.kind == .syscall && item.event.number == 12)
        #expect(try machine(difference).isSame)
    }

    @Test func resultsAndArgumentsAreChanges() throws {
        let result = try compare(run { $0.call(0, [0], result: 3) }, run { $0.call(0, [0]) })
        #expect(try guest(result).changed == 1)
        let argument = try compare(run { $0.call(0, [4, 5]) }, run { $0.call(0, [4, 6]) })
        let group = try #require(try guest(argument).groups.first)
        #expect(group.fields == [.register(1)])
        // RSI is no argument of getpid: a difference in it is the machine's.
        let register = try compare(run { $0.call(39, [4, 5]) }, run { $0.call(39, [4, 6]) })
        #expect(register.isSameToGuest && !register.isSame)
        #expect(try guest(register).fields.contains { $0.field == .register(1) })
    }

    @Test func anotherNumberAtTheSamePlaceIsOneChange() throws {
        let difference = try compare(run { $0.call(39) }, run { $0.call(24) })
        let report = try guest(difference)
        #expect(report.missing == 0 && report.inserted == 0 && report.changed == 2)
        #expect(report.groups.allSatisfy { $0.fields.first == .number })
    }

    @Test func shadowFaultsAreOutOfTheGuestsSight() throws {
        let difference = try compare(
            run(), run { for page in 0..<5 { $0.shadowFault(0x70_0000 + UInt64(page) << 12) } })
        #expect(difference.isSameToGuest && !difference.isSame)
        #expect(try guest(difference).isSame)
        #expect(try machine(difference).inserted == 5)
    }

    @Test func faultsThatReachTheGuestAreSeen() throws {
        let difference = try compare(run { $0.guestFault(0x5000) }, run { $0.guestFault(0x6000) })
        let report = try guest(difference)
        #expect(report.changed == 1)
        #expect(report.groups.first?.fields.contains(.cr2) == true)
        // The P and U bits tell of the processor's tables, W of the access.
        let tables = try compare(
            run { $0.guestFault(0x5000, error: 6) }, run { $0.guestFault(0x5000, error: 7) })
        #expect(tables.isSameToGuest)
        let access = try compare(
            run { $0.guestFault(0x5000, error: 6) }, run { $0.guestFault(0x5000, error: 4) })
        #expect(!access.isSameToGuest)
    }

    @Test func aVirtualInterruptElsewhereIsTime() throws {
        let difference = try compare(
            run {
                $0.tick()
                $0.call(24)
            },
            run {
                $0.call(24)
                $0.tick()
            })
        #expect(difference.isSameToGuest && !difference.isSame)
        let report = try guest(difference)
        #expect(report.isSame && report.interruptsA == 1 && report.interruptsB == 1)
        #expect(difference.firstTimed != nil)
        let count = try #require(report.fields.first { $0.field == .interrupts })
        #expect(count.count == 2 && count.sight == .timing)
    }

    @Test func whatComesWithAnInterruptIsNotExcusedByIt() throws {
        let difference = try compare(
            run(),
            run {
                $0.tick()
                $0.guestFault(0x7000)
            })
        #expect(!difference.isSameToGuest)
        #expect(try guest(difference).hunks.first?.followsInterrupt == true)
    }

    @Test func ticksAreTimeAndTheRestOfTheSharedPageIsNot() throws {
        let ticks = try compare(run(), run { $0.page[24] = 9 })
        #expect(ticks.isSameToGuest && !ticks.isSame)
        let flags = try compare(run(), run { $0.page[5] = 2 })
        #expect(!flags.isSameToGuest)
        let shared = try #require(flags.firstShared)
        let fields = shared.a.differences(from: shared.b, in: shared.stream).map(\.field.name)
        #expect(fields.contains("shared.irq_enabled"))
    }

    @Test func anInjectionIsSaidFirst() throws {
        let difference = try compare(
            run(),
            run {
                $0.input(.nmi)
                $0.back($0.event(.nmi, 2, from: .guestUser))
            })
        #expect(difference.setup.map(\.subject) == [.input(nil), .input(0)])
        #expect(try guest(difference).isSame)
        let machine = try machine(difference)
        #expect(machine.inserted == 1 && machine.hunkCount == 1)
        guard case .input(let input)? = difference.lockstep.first?.b else {
            Issue.record("\(String(describing: difference.lockstep.first))")
            return
        }
        #expect(input.kind == .nmi)
    }

    @Test func otherSetUpsAreNamed() throws {
        let other = run(design: "pvm")
        other.metadata[TraceMetadata.Key.commandLine] = "work=2"
        let difference = try compare(run(), other)
        #expect(difference.isSame)
        #expect(
            difference.setup.map(\.subject) == [.metadata("design"), .metadata("commandLine")])
    }

    @Test func consoleLinesAreAligned() throws {
        let difference = try compare(
            run { $0.console("one\nthree\n") }, run { $0.console("one\ntwo\nthree\n") })
        #expect(difference.console.inserted == 1 && difference.console.missing == 0)
        #expect(!difference.isSameToGuest)
    }

    @Test func aTornTraceIsComparedAsFarAsItGoes() throws {
        let whole = run(rounds: 60)
        let torn = run(rounds: 30)
        let difference = try TraceComparison(whole.reader(), torn.reader(finished: false)).run()
        #expect(difference.isTorn && difference.b.damage != nil)
        // The shorter run prints its last line before the other does.
        #expect(try guest(difference).missing == 0)
        #expect(try guest(difference).uncompared > 0)
    }

    @Test func pathsAreCounted() throws {
        let difference = try compare(run(rounds: 30), run(rounds: 31))
        let calls = PathKey(kind: .syscall, from: .guestUser, handler: .any, number: 39)
        #expect(difference.a.paths[calls]?.events == 30)
        #expect(difference.b.paths[calls]?.ended == 31)
        #expect(difference.a.paths[calls]?.cycles == 30 * 150)
        let shadow = PathKey(kind: .exception, from: .guestUser, handler: .host, number: 14)
        let own = PathKey(kind: .exception, from: .guestUser, handler: .guest, number: 14)
        #expect(difference.a.paths[shadow]?.events == 30)
        #expect(difference.a.paths[own]?.events == 10)
    }

    @Test func aHostWithoutANoteIsComparedByItsProcesses() throws {
        func foreign(_ body: (SyntheticTrace) -> Void) -> SyntheticTrace {
            let trace = SyntheticTrace(design: "")
            for round in 0..<100 {
                trace.hostCall(UInt32(round % 5), result: UInt64(round))
                if round == 50 { body(trace) }
            }
            return trace
        }
        let difference = try compare(foreign { _ in }, foreign { $0.hostCall(9) })
        #expect(difference.streams.count == 1 && difference.isSameToGuest)
        #expect(try machine(difference).inserted == 2)
    }
}
