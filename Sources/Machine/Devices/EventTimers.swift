/// One comparator of the event timer block (IA-PC HPET specification 1.0a, 2.3.8 to 2.3.9).
struct EventTimer {
    /// Bits of its configuration and capability register.
    enum Bit {
        static let level: UInt32 = 1 << 1
        static let enable: UInt32 = 1 << 2
        static let periodic: UInt32 = 1 << 3
        static let periodicCapable: UInt32 = 1 << 4
        static let is64BitCapable: UInt32 = 1 << 5
        static let setsValue: UInt32 = 1 << 6
        static let is32Bit: UInt32 = 1 << 8
        static let route: UInt32 = 0x1F << 9
        static let writable = level | enable | periodic | setsValue | is32Bit
    }

    /// The writable bits alone.
    fileprivate(set) var configuration: UInt32 = 0
    fileprivate var comparator = UInt64.max
    /// The last value written to the comparator's register: what periodic mode adds.
    fileprivate var period: UInt64 = 0
    /// The tick of the block's clock at which it matches next, or `UInt64.max`.
    fileprivate(set) var next = UInt64.max

    var isLevel: Bool { configuration & Bit.level != 0 }
    var isEnabled: Bool { configuration & Bit.enable != 0 }
    var pin: Int { Int(configuration & Bit.route) >> 9 }
    private var isPeriodic: Bool { configuration & Bit.periodic != 0 }
    private var width: UInt64 { configuration & Bit.is32Bit != 0 ? 0xFFFF_FFFF : .max }
    /// Whether a match can be seen other than in the comparator.
    var isHeard: Bool { isEnabled || isLevel }

    /// Finds the next match of a counter that is at `counter` and counts.
    fileprivate mutating func arm(_ counter: UInt64, at tick: UInt64, afterNow: Bool) {
        var distance = (comparator &- counter) & width
        if distance == 0 && afterNow { distance = width &+ (width == .max ? 0 : 1) }
        set(next: tick, plus: distance)
    }

    /// An instant beyond all that is simulated is never.
    private mutating func set(next tick: UInt64, plus distance: UInt64) {
        let (sum, overflow) = tick.addingReportingOverflow(distance)
        next = overflow || sum >= EventTimers.end ? .max : sum
    }

    /// Goes past the matches up to a tick: periodic mode adds to the comparator at each.
    fileprivate mutating func settle(_ tick: UInt64) {
        guard next <= tick else { return }
        let repeats = isPeriodic && period != 0
        let step = repeats ? period : width == .max ? .max : width + 1
        let count = (tick - next) / step + 1
        if repeats { comparator = (comparator &+ count &* step) & width }
        let (distance, overflow) = count.multipliedReportingOverflow(by: step)
        set(next: next, plus: overflow ? .max : distance)
    }

    /// A write of the bits `mask` of the comparator's register: the accumulator's too, but in
    /// periodic mode only where it was asked for (2.3.9.2.2). True where it must be armed anew.
    fileprivate mutating func write(_ value: UInt64, _ mask: UInt64) -> Bool {
        let isDirect = !isPeriodic || configuration & Bit.setsValue != 0
        if isDirect { comparator = (comparator & ~mask | value & mask) & width }
        period = (period & ~mask | value & mask) & width
        configuration &= ~Bit.setsValue
        return isDirect
    }

    /// True where it must be armed anew.
    fileprivate mutating func configure(_ value: UInt32) -> Bool {
        let before = width
        configuration = value & Bit.writable | configuration & Bit.route
        // A route that there is not does not read back (2.3.8).
        if EventTimers.routes >> ((value & Bit.route) >> 9) & 1 != 0 {
            configuration = configuration & ~Bit.route | value & Bit.route
        }
        comparator &= width
        period &= width
        return width != before
    }
}

/// The high-precision event timers of a `pc` (IA-PC HPET specification 1.0a): a counter at 100 MHz
/// and three comparators, each periodic or not, of 64 or 32 bits. Messages instead of lines
/// (2.3.8, FSB_INT_DEL) are not offered. Registers are read and written by aligned double and quad
/// words (2.3.2); other accesses read 0 and write nothing.
struct EventTimers {
    static let range: ClosedRange<UInt64> = 0xFED0_0000...0xFED0_03FF
    static let count = 3
    /// Revision 1, three timers, a 64-bit counter, legacy replacement, Intel's number.
    static let identity: UInt32 = 0x8086_0000 | 1 << 15 | 1 << 13 | UInt32(count - 1) << 8 | 1
    /// In femtoseconds.
    private static let period: UInt64 = 10_000_000
    private static let cyclesPerTick = period * Machine.cyclesPerSecond / 1_000_000_000_000_000
    /// In ticks: a microsecond.
    static let shortestPeriod: UInt16 = 100
    /// No tick so late is reached; its cycle can still be told.
    fileprivate static let end: UInt64 = 1 << 59
    /// The pins of the I/O APIC that each timer can drive: 2, as on QEMU's `pc`.
    static let routes: UInt32 = 1 << 2

    private enum Register {
        static let capabilities = 0x00
        static let configuration = 0x10
        static let status = 0x20
        static let counter = 0xF0
        static let timers = 0x100
        static let timerSize = 0x20
    }
    private static let enable: UInt8 = 1 << 0
    private static let legacy: UInt8 = 1 << 1

    private var configuration: UInt8 = 0
    /// By timer: a level-triggered interrupt waits.
    private(set) var status: UInt8 = 0
    /// The counter at the tick `start`, or for ever where it is halted.
    private var base: UInt64 = 0
    private var start: UInt64 = 0
    private(set) var timers = [EventTimer](repeating: EventTimer(), count: count)

    static func tick(_ cycle: UInt64) -> UInt64 { cycle / cyclesPerTick }
    static func cycle(_ tick: UInt64) -> UInt64 { tick * cyclesPerTick }

    private var counts: Bool { configuration & EventTimers.enable != 0 }
    /// Whether timers 0 and 1 have taken the lines of the 8254 and of the clock (2.3.5).
    var replacesLegacy: Bool {
        let both = EventTimers.enable | EventTimers.legacy
        return configuration & both == both
    }
    /// The ISA line that a timer drives, if it does.
    func line(of n: Int) -> Int? { replacesLegacy && n < 2 ? n * 8 : nil }
    /// Whether a timer holds its line up.
    func asserts(_ n: Int) -> Bool {
        counts && timers[n].isEnabled && timers[n].isLevel && status >> UInt8(n) & 1 != 0
    }
    /// Whether one holds a pin of the I/O APIC up.
    func asserts(pin: Int) -> Bool {
        timers.indices.contains { line(of: $0) == nil && timers[$0].pin == pin && asserts($0) }
    }

    private func counter(_ tick: UInt64) -> UInt64 { counts ? base &+ (tick &- start) : base }

    // MARK: Matches

    /// The cycle at which something is to be done for a timer.
    func nextMatch(_ n: Int) -> UInt64? {
        guard timers[n].isHeard, timers[n].next != .max else { return nil }
        return EventTimers.cycle(timers[n].next)
    }

    /// Goes past a timer's matches up to a cycle.
    mutating func pass(_ n: Int, to cycle: UInt64) { timers[n].settle(EventTimers.tick(cycle)) }

    /// A timer has matched; true where it gives an edge.
    mutating func matched(_ n: Int) -> Bool {
        if timers[n].isLevel { status |= 1 << UInt8(n) }
        return timers[n].isEnabled && !timers[n].isLevel
    }

    private mutating func arm(_ n: Int, _ tick: UInt64, afterNow: Bool) {
        if counts {
            timers[n].arm(counter(tick), at: tick, afterNow: afterNow)
        } else {
            timers[n].next = .max
        }
    }

    // MARK: Registers

    /// The bits of a quad word that an access of `size` bytes at an offset means, or nil.
    private static func mask(_ offset: Int, _ size: Int) -> UInt64? {
        guard size == 4 || size == 8, offset % size == 0 else { return nil }
        return size == 8 ? .max : 0xFFFF_FFFF << UInt64(8 * (offset & 4))
    }

    mutating func read(_ offset: Int, size: Int, at cycle: UInt64) -> UInt64 {
        guard let mask = EventTimers.mask(offset, size) else { return 0 }
        return (register(offset & ~7, EventTimers.tick(cycle)) & mask) >> UInt64(8 * (offset & 4))
    }

    private mutating func register(_ offset: Int, _ tick: UInt64) -> UInt64 {
        switch offset {
        case Register.capabilities: return EventTimers.period << 32 | UInt64(EventTimers.identity)
        case Register.configuration: return UInt64(configuration)
        case Register.status: return UInt64(status)
        case Register.counter: return counter(tick)
        default: break
        }
        let n = (offset - Register.timers) / Register.timerSize
        guard offset >= Register.timers, n < EventTimers.count else { return 0 }
        switch offset % Register.timerSize {
        case 0:
            let fixed = EventTimer.Bit.periodicCapable | EventTimer.Bit.is64BitCapable
            return UInt64(EventTimers.routes) << 32 | UInt64(timers[n].configuration | fixed)
        case 8:
            timers[n].settle(tick)
            return timers[n].comparator
        default: return 0
        }
    }

    mutating func write(_ offset: Int, _ value: UInt64, size: Int, at cycle: UInt64) {
        guard let mask = EventTimers.mask(offset, size) else { return }
        let tick = EventTimers.tick(cycle)
        let value = value << UInt64(8 * (offset & 4)) & mask
        let low = UInt32(truncatingIfNeeded: value)
        let hasLow = mask & 1 != 0
        for n in timers.indices { timers[n].settle(tick) }
        switch offset & ~7 {
        case Register.configuration: if hasLow { configure(UInt8(low & 3), tick) }
        case Register.status: status &= ~UInt8(low & 7)
        // What it does while it counts is undefined (2.3.7): nothing.
        case Register.counter: if !counts { base = base & ~mask | value }
        default:
            let n = (offset - Register.timers) / Register.timerSize
            guard offset >= Register.timers, n < EventTimers.count else { return }
            switch (offset & ~7) % Register.timerSize {
            case 0: if hasLow && timers[n].configure(low) { arm(n, tick, afterNow: true) }
            case 8: if timers[n].write(value, mask) { arm(n, tick, afterNow: false) }
            default: break
            }
            if !timers[n].isLevel { status &= ~(1 << UInt8(n)) }
        }
    }

    private mutating func configure(_ value: UInt8, _ tick: UInt64) {
        let was = counts
        base = counter(tick)
        start = tick
        configuration = value
        guard counts != was else { return }
        for n in timers.indices { arm(n, tick, afterNow: false) }
    }
}

extension EventTimers: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&configuration)
        try stream.field(&status)
        try stream.field(&base)
        try stream.field(&start)
        for n in timers.indices {
            try stream.field(&timers[n].configuration)
            try stream.field(&timers[n].comparator)
            try stream.field(&timers[n].period)
            try stream.field(&timers[n].next)
            let next = timers[n].next
            guard timers[n].configuration & ~(EventTimer.Bit.writable | EventTimer.Bit.route) == 0,
                timers[n].pin == 0 || EventTimers.routes >> UInt32(timers[n].pin) & 1 != 0,
                next == .max || counts && next < EventTimers.end
            else { throw stream.damaged("an event timer's state is impossible") }
        }
        guard configuration <= 3, status < 1 << EventTimers.count, start < EventTimers.end else {
            throw stream.damaged("the event timers' state is impossible")
        }
    }
}
