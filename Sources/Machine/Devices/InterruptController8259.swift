/// One 8259A interrupt controller of the pair (Intel 8259A data sheet, order 231468): requests and
/// service with priorities and their rotation, special mask, automatic end, polling, and a PC's
/// edge/level register beside it. On a platform without interrupt lines nothing is ever requested.
struct InterruptController8259 {
    /// OCW1: the mask.
    private(set) var mask: UInt8 = 0
    /// ICW2...ICW4, as last written.
    private(set) var vectorBase: UInt8 = 0
    private var cascade: UInt8 = 0
    private var mode: UInt8 = 0
    /// Which initialisation word the data port takes next: 0 none, else 2, 3 or 4.
    private var expects: UInt8 = 0
    /// ICW1 bits: 0 ICW4 follows, 1 single (no ICW3).
    private var initialisation: UInt8 = 0

    /// The input lines, and the edges seen on those that are edge-triggered.
    private(set) var levels: UInt8 = 0
    private var edges: UInt8 = 0
    private(set) var inService: UInt8 = 0
    /// ELCR: lines that are level-triggered.
    var levelTriggered: UInt8 = 0
    /// The line of lowest priority; the next one has the highest.
    private var lowest: UInt8 = 7
    private var rotatesOnAutomaticEnd = false
    private var specialMask = false
    private var readsInService = false
    private var polls = false

    private var endsAutomatically: Bool { mode & 2 != 0 }
    /// IRR.
    var requested: UInt8 { edges & ~levelTriggered | levels & levelTriggered }

    /// The line of highest priority in a set, as a distance from the highest; 8 for an empty set.
    private func rank(_ set: UInt8) -> UInt8 {
        for n in UInt8(0)..<8 where set >> ((lowest &+ 1 &+ n) & 7) & 1 != 0 { return n }
        return 8
    }

    /// The line that INTR is raised for, if it is.
    var pending: UInt8? {
        let request = rank(requested & ~mask)
        // In special mask mode a masked line in service inhibits nobody.
        let serving = rank(specialMask ? inService & ~mask : inService)
        // A cascaded line in service lets higher ones of its slave in, in fully nested mode.
        let nested = mode & 0x10 != 0 && request == serving && request < 8
        guard request < serving || nested else { return nil }
        return (lowest &+ 1 &+ request) & 7
    }

    mutating func setLine(_ line: UInt8, _ level: Bool) {
        let bit: UInt8 = 1 << line
        if level && levels & bit == 0 { edges |= bit }
        levels = level ? levels | bit : levels & ~bit
    }

    /// A secondary's output follows what it has pending. A request that is gone before it is
    /// acknowledged is none: inputs must stay high until then (data sheet, "Edge and level
    /// triggered modes").
    mutating func setCascade(_ level: Bool) {
        setLine(2, level)
        if !level { edges &= ~4 }
    }

    /// The processor's acknowledge: the line that goes into service, or nil, which is a spurious
    /// interrupt 7.
    mutating func acknowledge() -> UInt8? {
        guard let line = pending else { return nil }
        let bit: UInt8 = 1 << line
        edges &= ~bit
        if endsAutomatically {
            if rotatesOnAutomaticEnd { lowest = line }
        } else {
            inService |= bit
        }
        return line
    }

    /// A read of the command port (0: IRR, ISR or a poll) or the data port (1: mask).
    mutating func read(_ register: Int) -> UInt8 {
        if polls {
            polls = false
            return acknowledge().map { 0x80 | $0 } ?? 0
        }
        guard register == 0 else { return mask }
        return readsInService ? inService : requested
    }

    mutating func write(_ register: Int, _ value: UInt8) {
        if register == 0 {
            if value & 0x10 != 0 {
                initialise(value)
            } else if value & 8 != 0 {
                operationWord3(value)
            } else {
                operationWord2(value)
            }
            return
        }
        switch expects {
        case 2:
            vectorBase = value & 0xF8
            expects = initialisation & 2 == 0 ? 3 : (initialisation & 1 != 0 ? 4 : 0)
        case 3:
            cascade = value
            expects = initialisation & 1 != 0 ? 4 : 0
        case 4:
            mode = value
            expects = 0
        default: mask = value
        }
    }

    /// ICW1.
    private mutating func initialise(_ value: UInt8) {
        initialisation = value & 3
        mask = 0
        expects = 2
        if value & 1 == 0 { mode = 0 }
        edges = 0
        inService = 0
        lowest = 7
        rotatesOnAutomaticEnd = false
        specialMask = false
        readsInService = false
        polls = false
    }

    /// OCW2: ends and rotations.
    private mutating func operationWord2(_ value: UInt8) {
        let named = value & 7
        let rotates = value & 0x80 != 0
        switch value >> 5 & 3 {
        case 0: rotatesOnAutomaticEnd = rotates
        case 1:
            let serving = rank(specialMask ? inService & ~mask : inService)
            guard serving < 8 else { return }
            let line = (lowest &+ 1 &+ serving) & 7
            inService &= ~(1 << line)
            if rotates { lowest = line }
        case 2:
            if rotates { lowest = named }
        default:
            inService &= ~(1 << named)
            if rotates { lowest = named }
        }
    }

    private mutating func operationWord3(_ value: UInt8) {
        if value & 4 != 0 { polls = true }
        if value & 2 != 0 { readsInService = value & 1 != 0 }
        if value & 0x40 != 0 { specialMask = value & 0x20 != 0 }
    }
}

extension InterruptController8259 {
    /// - Parameter connected: whether lines reach it: without, the rest is as after reset.
    mutating func transfer(
        _ stream: inout StateStream, connected: Bool
    ) throws(MachineError) {
        try stream.field(&mask)
        try stream.field(&vectorBase)
        try stream.field(&cascade)
        try stream.field(&mode)
        try stream.field(&expects)
        try stream.field(&initialisation)
        guard connected else { return }
        try stream.field(&levels)
        try stream.field(&edges)
        try stream.field(&inService)
        try stream.field(&levelTriggered)
        try stream.field(&lowest)
        try stream.field(&rotatesOnAutomaticEnd)
        try stream.field(&specialMask)
        try stream.field(&readsInService)
        try stream.field(&polls)
        guard lowest < 8 else { throw stream.damaged("an 8259's lowest priority is above 7") }
    }
}
