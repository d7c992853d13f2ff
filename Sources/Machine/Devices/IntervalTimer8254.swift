/// One of the 8254's three counters (Intel 8254 data sheet, order 231164). Its state at any instant
/// is computed from when it was loaded; nothing counts.
struct TimerChannel8254 {
    private(set) var mode: UInt8 = 3
    private var isBCD = false
    /// 1 low byte, 2 high byte, 3 both.
    private var access: UInt8 = 3
    /// 1...65536 (10000 in BCD).
    private(set) var reload: UInt32 = 65536
    /// A count that periodic modes take at the end of the period; 0 is none.
    private var nextReload: UInt32 = 0
    /// The tick at which the count was `reload`.
    private var start: UInt64 = 0
    /// Loaded, and for the modes that the gate triggers also triggered.
    private var counts = true
    private(set) var gate = true
    /// Ticks counted when the gate stopped it.
    private var held: UInt64 = 0
    private var writtenLow: UInt8 = 0
    private var writesHigh = false
    private var readsHigh = false
    private var latchedCount: UInt16 = 0
    /// Bytes of `latchedCount` still to be read.
    private var latchedBytes: UInt8 = 0
    private var latchedStatus: UInt8 = 0
    private var hasStatus = false

    private var isPeriodic: Bool { mode == 2 || mode == 3 }
    private var isTriggered: Bool { mode == 1 || mode == 5 }

    private func elapsed(_ tick: UInt64) -> UInt64 {
        gate || isTriggered ? (tick > start ? tick - start : 0) : held
    }

    /// Takes a new count at a period's end that has passed.
    private mutating func settle(_ tick: UInt64) {
        guard nextReload != 0, counts, isPeriodic else { return }
        // `load` has set `start` to the beginning of the period in which it was written.
        guard elapsed(tick) >= UInt64(reload) else { return }
        start += UInt64(reload)
        reload = nextReload
        nextReload = 0
    }

    /// OUT at a tick.
    mutating func output(_ tick: UInt64) -> Bool {
        settle(tick)
        guard counts else { return mode != 0 }
        let gone = elapsed(tick)
        let count = UInt64(reload)
        switch mode {
        case 0, 1: return gone >= count
        case 2: return !gate || gone % count != count - 1
        case 3: return !gate || gone % count < (count + 1) / 2
        default: return gone != count
        }
    }

    /// The first tick after `tick` at which OUT rises, if it will.
    mutating func nextRise(after tick: UInt64) -> UInt64? {
        settle(tick)
        guard counts, gate || isTriggered else { return nil }
        let count = UInt64(reload)
        let first: UInt64
        switch mode {
        case 0, 1: first = start + count
        case 2, 3: return tick < start ? start : start + ((tick - start) / count + 1) * count
        default: first = start + count + 1
        }
        return first > tick ? first : nil
    }

    private mutating func count(_ tick: UInt64) -> UInt16 {
        settle(tick)
        guard counts else { return 0 }
        let gone = elapsed(tick)
        let count = UInt64(reload)
        let value: UInt64
        switch mode {
        case 2: value = count - gone % count
        case 3: value = count - (gone * 2) % count & ~1
        default:
            let size: UInt64 = isBCD ? 10000 : 65536
            value = (count % size + size - gone % size) % size
        }
        return encode(UInt32(truncatingIfNeeded: value))
    }

    private func encode(_ value: UInt32) -> UInt16 {
        guard isBCD else { return UInt16(truncatingIfNeeded: value) }
        let v = value % 10000
        let digits = (v / 1000) << 12 | (v / 100 % 10) << 8 | (v / 10 % 10) << 4 | v % 10
        return UInt16(truncatingIfNeeded: digits)
    }

    private func decode(_ value: UInt16) -> UInt32 {
        guard isBCD else { return value == 0 ? 65536 : UInt32(value) }
        let v = UInt32(value)
        let number = (v >> 12) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15)
        return number == 0 ? 10000 : number
    }

    // MARK: Registers

    /// A control word for this counter; access 0 latches the count.
    mutating func control(_ value: UInt8, at tick: UInt64) {
        guard value >> 4 & 3 != 0 else {
            latch(tick)
            return
        }
        access = value >> 4 & 3
        mode = value >> 1 & 7
        if mode > 5 { mode &= 3 }
        isBCD = value & 1 != 0
        counts = false
        nextReload = 0
        writesHigh = false
        readsHigh = false
        latchedBytes = 0
        hasStatus = false
    }

    private mutating func latch(_ tick: UInt64) {
        guard latchedBytes == 0 else { return }
        latchedCount = count(tick)
        latchedBytes = access == 3 ? 2 : 1
    }

    /// The read-back command for this counter; bits 4 and 5 are clear for what is latched.
    mutating func readBack(_ value: UInt8, at tick: UInt64) {
        if value & 0x20 == 0 { latch(tick) }
        guard value & 0x10 == 0, !hasStatus else { return }
        let out: UInt8 = output(tick) ? 0x80 : 0
        let null: UInt8 = counts && nextReload == 0 ? 0 : 0x40
        latchedStatus = out | null | access << 4 | mode << 1 | (isBCD ? 1 : 0)
        hasStatus = true
    }

    mutating func read(at tick: UInt64) -> UInt8 {
        if hasStatus {
            hasStatus = false
            return latchedStatus
        }
        let value = latchedBytes > 0 ? latchedCount : count(tick)
        let isHigh = access == 2 || access == 3 && readsHigh
        if access == 3 { readsHigh.toggle() }
        if latchedBytes > 0 { latchedBytes -= 1 }
        return UInt8(truncatingIfNeeded: isHigh ? value >> 8 : value)
    }

    mutating func write(_ value: UInt8, at tick: UInt64) {
        switch access {
        case 1: load(UInt16(value), tick)
        case 2: load(UInt16(value) << 8, tick)
        default:
            if writesHigh {
                load(UInt16(value) << 8 | UInt16(writtenLow), tick)
            } else {
                writtenLow = value
                // In mode 0 the first byte stops the counter.
                if mode == 0 { counts = false }
            }
            writesHigh.toggle()
        }
    }

    private mutating func load(_ value: UInt16, _ tick: UInt64) {
        settle(tick)
        if isPeriodic && counts {
            start += elapsed(tick) / UInt64(reload) * UInt64(reload)
            nextReload = decode(value)
            return
        }
        reload = decode(value)
        start = tick
        held = 0
        counts = !isTriggered
    }

    mutating func setGate(_ level: Bool, at tick: UInt64) {
        guard level != gate else { return }
        settle(tick)
        if level {
            if isTriggered || isPeriodic {
                if isTriggered { counts = true }
                start = tick
            } else {
                start = tick >= held ? tick - held : 0
            }
        } else {
            held = isPeriodic ? 0 : elapsed(tick)
        }
        gate = level
    }
}

/// The 8254 of a PC: three counters at 1193182 Hz. Counter 0's output is interrupt line 0, counter
/// 2's gate and output are bits of port 0x61.
struct IntervalTimer8254 {
    static let frequency: UInt64 = 1_193_182
    var channels = [TimerChannel8254](repeating: TimerChannel8254(), count: 3)

    /// Ticks of its clock up to a cycle.
    static func tick(_ cycle: UInt64) -> UInt64 {
        let product = cycle.multipliedFullWidth(by: frequency)
        return Machine.cyclesPerSecond.dividingFullWidth(product).quotient
    }

    /// The first cycle that has reached a tick.
    static func cycle(_ tick: UInt64) -> UInt64 {
        let product = tick.multipliedFullWidth(by: Machine.cyclesPerSecond)
        guard product.high < frequency else { return .max }
        let (cycle, rest) = frequency.dividingFullWidth(product)
        return rest == 0 ? cycle : cycle &+ 1
    }

    mutating func read(_ register: Int, at cycle: UInt64) -> UInt8 {
        register == 3 ? 0xFF : channels[register].read(at: IntervalTimer8254.tick(cycle))
    }

    mutating func write(_ register: Int, _ value: UInt8, at cycle: UInt64) {
        let tick = IntervalTimer8254.tick(cycle)
        guard register == 3 else {
            channels[register].write(value, at: tick)
            return
        }
        let number = Int(value >> 6)
        if number < 3 {
            channels[number].control(value, at: tick)
            return
        }
        for n in 0..<3 where value >> UInt8(n + 1) & 1 != 0 {
            channels[n].readBack(value, at: tick)
        }
    }
}

extension TimerChannel8254: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&mode)
        try stream.field(&isBCD)
        try stream.field(&access)
        try stream.field(&reload)
        try stream.field(&nextReload)
        try stream.field(&start)
        try stream.field(&counts)
        try stream.field(&gate)
        try stream.field(&held)
        try stream.field(&writtenLow)
        try stream.field(&writesHigh)
        try stream.field(&readsHigh)
        try stream.field(&latchedCount)
        try stream.field(&latchedBytes)
        try stream.field(&latchedStatus)
        try stream.field(&hasStatus)
        guard mode <= 5, access <= 3, 1...65536 ~= reload, nextReload <= 65536,
            latchedBytes <= 2, start < 1 << 62
        else { throw stream.damaged("a timer's state is impossible") }
    }
}

extension IntervalTimer8254: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        for n in 0..<3 { try channels[n].transfer(&stream) }
    }
}
