import Replay
import Trace

/// A replay as JSON: what `replay --json` prints. Fields are added, never renamed.
public struct ReplayDocument: Encodable {
    var diverged: Bool
    var complete: Bool
    var outcome: String
    var events: UInt64
    var instructions: UInt64
    var cycles: UInt64
    var digest: String
    var divergence: DivergenceDocument?

    public init(_ result: ReplayResult, abi: CallABI) {
        diverged = result.divergence != nil
        complete = result.isWhole
        outcome = result.summary.end.outcome.name
        events = result.summary.events
        instructions = result.summary.instructions
        cycles = result.summary.cycles
        digest = hex(result.summary.digest)
        divergence = result.divergence.map { DivergenceDocument($0, abi: abi) }
    }
}

/// A divergence as JSON, both sides in full.
public struct DivergenceDocument: Encodable {
    struct Field: Encodable {
        var name: String
        var recorded: String
        var replayed: String

        init(_ field: Divergence.Field) {
            name = field.name
            recorded = field.expected
            replayed = field.actual
        }
    }
    struct Origin: Encodable {
        var cpu: Int
        var instruction: UInt64
        var recordedRIP: String
        var replayedRIP: String
        var registers: [Field]
    }

    var what: String
    var event: UInt64
    var agreeingEvents: UInt64
    var cycle: UInt64
    var fields: [Field]
    var recorded: EventJSON?
    var replayed: EventJSON?
    var before: [EventJSON]
    var firstInstruction: Origin?

    init(_ divergence: Divergence, abi: CallABI) {
        what = DivergenceText.headline(divergence)
        event = divergence.agreeingEvents
        agreeingEvents = divergence.agreeingEvents
        cycle = divergence.cycle
        fields = divergence.fields.map(Field.init)
        func json(_ event: Event) -> EventJSON {
            EventJSON(event, changes: [], abi: abi)
        }
        switch divergence.kind {
        case .event(let expected, let actual):
            recorded = json(expected)
            replayed = json(actual)
        case .extraEvent(let actual): replayed = json(actual)
        case .missingEvent(let expected): recorded = json(expected)
        case .pathReturn(let expected, let actual):
            recorded = expected.map { EventJSON($0) }
            replayed = actual.map { EventJSON($0) }
        case .console, .outcome, .input: break
        }
        before = divergence.before.suffix(8).map(json)
        if let found = divergence.instruction {
            firstInstruction = Origin(
                cpu: found.cpu, instruction: found.instruction,
                recordedRIP: hex(found.expectedRIP), replayedRIP: hex(found.actualRIP),
                registers: found.registers.map(Field.init))
        }
    }
}
