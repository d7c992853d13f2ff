import Replay

/// A what-if replay as JSON. Fields are added, never renamed.
public struct WhatIfDocument: Encodable {
    var variant: String
    var parted: Bool
    var agreeing: Int
    var guestInstructions: UInt64
    var sameGuest: Bool
    var ticksOutOfStep: Int
    var outcome: String
    var reason: String
    var events: UInt64
    var instructions: UInt64
    var cycles: UInt64
    var digest: String
    var difference: GuestDifferenceDocument?

    public init(_ result: WhatIfResult, variant: String, reference: Bool) {
        self.variant = variant
        parted = result.difference != nil
        agreeing = result.agreeing
        guestInstructions = result.guestInstructions
        sameGuest = result.sameGuest
        ticksOutOfStep = result.ticksOutOfStep
        outcome = result.summary.end.outcome.name
        reason = result.summary.end.reason
        events = result.summary.events
        instructions = result.summary.instructions
        cycles = result.summary.cycles
        digest = hex(result.summary.digest)
        difference = result.difference.map {
            GuestDifferenceDocument($0, reference: reference)
        }
    }
}

/// Where two guest-visible streams part, as JSON.
struct GuestDifferenceDocument: Encodable {
    struct Item: Encodable {
        var kind: String
        var number: UInt32
        var distance: UInt64
        var rip: String
        var arguments: [String]
        var text: String

        init(_ item: GuestItem, reference: Bool) {
            kind = GuestItemText.kind(item.kind)
            number = item.number
            distance = item.distance
            rip = hex(item.rip)
            let all = item.arguments
            arguments = [hex(all.0), hex(all.1), hex(all.2), hex(all.3)]
            text = GuestItemText.text(item, reference: reference)
        }
    }

    var what: String
    var why: String?
    var vcpu: Int?
    var agreeing: Int
    var guestInstructions: UInt64
    var cycle: UInt64
    var event: UInt64
    var recorded: Item?
    var here: Item?
    var consoleOffset: Int?
    var recordedText: String?
    var hereText: String?
    var before: [Item]

    init(_ difference: GuestDifference, reference: Bool) {
        func item(_ item: GuestItem) -> Item { Item(item, reference: reference) }
        what = WhatIfText.what(difference)
        vcpu = difference.vcpu > 0 ? Int(difference.vcpu) - 1 : nil
        agreeing = difference.agreeing
        guestInstructions = difference.guestInstructions
        cycle = difference.cycle
        event = difference.event
        before = difference.before.map(item)
        switch difference.kind {
        case .item(let expected, let actual):
            recorded = expected.map(item)
            here = actual.map(item)
            why = WhatIfText.reason(expected, actual)
        case .console(let offset, let expected, let actual):
            consoleOffset = offset
            recordedText = String(decoding: expected, as: UTF8.self)
            hereText = String(decoding: actual, as: UTF8.self)
        case .end(let expected, let actual):
            recordedText = RunText.sentence(expected)
            hereText = RunText.sentence(actual)
        }
    }
}
