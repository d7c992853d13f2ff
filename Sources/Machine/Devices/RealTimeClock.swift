/// The battery-backed clock and its memory (Motorola MC146818A data sheet), at ports 0x70 and 0x71.
/// Time is the configured epoch plus what cycles have added, plus what the guest has set.
struct RealTimeClock {
    private enum Register {
        static let a = 0x0A
        static let b = 0x0B
        static let c = 0x0C
        static let d = 0x0D
        static let century = 0x32
    }
    private enum Control {
        static let set: UInt8 = 1 << 7
        static let periodic: UInt8 = 1 << 6
        static let alarm: UInt8 = 1 << 5
        static let update: UInt8 = 1 << 4
        static let binary: UInt8 = 1 << 2
        static let hours24: UInt8 = 1 << 1
        static let interrupts = periodic | alarm | update
    }

    /// All 128 bytes. Those of the time are current only while register B's SET bit holds it.
    private var bytes = [UInt8](repeating: 0, count: 128)
    /// Port 0x70: the address, and in bit 7 the NMI mask.
    var select: UInt8 = 0
    /// Seconds since 1970 at cycle 0, as the guest's settings have moved it; wraps.
    private var base: UInt64
    /// Up to which cycle register C's flags are worked out.
    private var seen: UInt64 = 0

    /// The memory sizes are where PC firmware leaves them (Ralf Brown's CMOS list).
    init(memory: UInt64, cpus: Int, epoch: UInt64) {
        base = epoch
        bytes[Register.a] = 0x26
        bytes[Register.b] = Control.hours24
        bytes[Register.d] = 0x80
        bytes[0x14] = 0x02
        store(0x15, min(memory >> 10, 640))
        let extended = memory > 1 << 20 ? min((memory - 1 << 20) >> 10, 0xFFFF) : 0
        store(0x17, extended)
        store(0x30, extended)
        store(0x34, memory > 16 << 20 ? (memory - 16 << 20) >> 16 : 0)
        bytes[0x5F] = UInt8(cpus - 1)
    }

    private mutating func store(_ at: Int, _ value: UInt64) {
        bytes[at] = UInt8(truncatingIfNeeded: value)
        bytes[at + 1] = UInt8(truncatingIfNeeded: value >> 8)
    }

    // MARK: Time

    private static func seconds(_ cycle: UInt64) -> UInt64 { cycle / Machine.cyclesPerSecond }

    private static func isTime(_ register: Int) -> Bool {
        switch register {
        case 0, 2, 4, 6, 7, 8, 9, Register.century: true
        default: false
        }
    }

    private var isHeld: Bool { bytes[Register.b] & Control.set != 0 }

    private func encode(_ value: UInt64) -> UInt8 {
        let v = UInt8(truncatingIfNeeded: value)
        return bytes[Register.b] & Control.binary != 0 ? v : (v / 10) << 4 | v % 10
    }

    private func decode(_ value: UInt8) -> UInt64 {
        UInt64(bytes[Register.b] & Control.binary != 0 ? value : (value >> 4) &* 10 &+ value & 15)
    }

    /// Works the time's registers out at a cycle.
    private mutating func show(_ cycle: UInt64) {
        let time = base &+ RealTimeClock.seconds(cycle)
        let date = CalendarDay(day: time / 86400)
        bytes[0] = encode(time % 60)
        bytes[2] = encode(time / 60 % 60)
        bytes[4] = encodeHour(time / 3600 % 24)
        bytes[6] = encode((time / 86400 + 4) % 7 + 1)
        bytes[7] = encode(date.day)
        bytes[8] = encode(date.month)
        bytes[9] = encode(date.year % 100)
        bytes[Register.century] = encode(date.year / 100)
    }

    private func encodeHour(_ hour: UInt64) -> UInt8 {
        if bytes[Register.b] & Control.hours24 != 0 { return encode(hour) }
        return encode((hour + 11) % 12 + 1) | (hour >= 12 ? 0x80 : 0)
    }

    private func decodeHour(_ value: UInt8) -> UInt64 {
        if bytes[Register.b] & Control.hours24 != 0 { return decode(value) }
        return decode(value & 0x7F) % 12 + (value & 0x80 != 0 ? 12 : 0)
    }

    /// The registers as they stand become the time at a cycle.
    private mutating func take(_ cycle: UInt64) {
        let year = decode(bytes[Register.century]) * 100 + decode(bytes[9])
        let date = CalendarDay(year: year, month: decode(bytes[8]), day: decode(bytes[7]))
        let time =
            date.days &* 86400 &+ decodeHour(bytes[4]) * 3600 &+ decode(bytes[2]) * 60
            &+ decode(bytes[0])
        base = time &- RealTimeClock.seconds(cycle)
    }

    // MARK: Interrupts

    /// Periodic interrupts' distance in ticks of 32768 Hz; 0 is off (register A, RS3-RS0).
    private var period: UInt64 {
        let rate = UInt64(bytes[Register.a] & 15)
        return rate == 0 ? 0 : rate < 3 ? 64 << rate : 1 << (rate - 1)
    }

    private static func tick(_ cycle: UInt64) -> UInt64 {
        let product = cycle.multipliedFullWidth(by: 32768)
        return Machine.cyclesPerSecond.dividingFullWidth(product).quotient
    }

    private func alarmMatches(_ second: UInt64) -> Bool {
        let time = base &+ second
        let now = [encode(time % 60), encode(time / 60 % 60), encodeHour(time / 3600 % 24)]
        for n in 0..<3 {
            let wanted = bytes[1 + 2 * n]
            // 0xC0...0xFF matches anything.
            if wanted < 0xC0 && wanted != now[n] { return false }
        }
        return true
    }

    /// Brings register C's flags up to a cycle.
    mutating func advance(to cycle: UInt64) {
        guard cycle > seen else { return }
        defer { seen = cycle }
        if period != 0, RealTimeClock.tick(cycle) / period > RealTimeClock.tick(seen) / period {
            bytes[Register.c] |= Control.periodic
        }
        let (from, to) = (RealTimeClock.seconds(seen), RealTimeClock.seconds(cycle))
        guard to > from, !isHeld else { return }
        bytes[Register.c] |= Control.update
        // An alarm comes at least once a day or never.
        for second in max(from + 1, to > 86400 ? to - 86400 : 0)...to
        where alarmMatches(second) {
            bytes[Register.c] |= Control.alarm
            return
        }
    }

    var isInterrupting: Bool {
        bytes[Register.b] & bytes[Register.c] & Control.interrupts != 0
    }

    /// The next cycle after `cycle` at which an interrupt that is enabled may come.
    func nextEvent(after cycle: UInt64) -> UInt64? {
        var next: UInt64?
        if bytes[Register.b] & Control.periodic != 0, period != 0 {
            let tick = (RealTimeClock.tick(cycle) / period + 1) * period
            let product = tick.multipliedFullWidth(by: Machine.cyclesPerSecond)
            guard product.high < 32768 else { return nil }
            let (quotient, rest) = UInt64(32768).dividingFullWidth(product)
            next = rest == 0 ? quotient : quotient &+ 1
        }
        if bytes[Register.b] & (Control.alarm | Control.update) != 0, !isHeld {
            let second = (RealTimeClock.seconds(cycle) + 1).multipliedReportingOverflow(
                by: Machine.cyclesPerSecond)
            if !second.overflow { next = min(next ?? .max, second.partialValue) }
        }
        return next
    }

    // MARK: Registers

    mutating func read(at cycle: UInt64) -> UInt8 {
        let register = Int(select & 0x7F)
        if RealTimeClock.isTime(register) {
            if !isHeld { show(cycle) }
            return bytes[register]
        }
        switch register {
        case Register.a:
            // UIP: 244 microseconds before the second changes.
            let left = Machine.cyclesPerSecond - cycle % Machine.cyclesPerSecond
            let isNear = left <= Machine.cyclesPerSecond / 1_000_000 * 244
            return bytes[Register.a] & 0x7F | (isNear && !isHeld ? 0x80 : 0)
        case Register.c:
            advance(to: cycle)
            defer { bytes[Register.c] = 0 }
            return bytes[Register.c] | (isInterrupting ? 0x80 : 0)
        default: return bytes[register]
        }
    }

    mutating func write(_ value: UInt8, at cycle: UInt64) {
        advance(to: cycle)
        let register = Int(select & 0x7F)
        if RealTimeClock.isTime(register) {
            if !isHeld { show(cycle) }
            bytes[register] = value
            if !isHeld { take(cycle) }
            return
        }
        switch register {
        case Register.a: bytes[Register.a] = value & 0x7F
        case Register.b: writeControl(value, cycle)
        case Register.c, Register.d: break
        default: bytes[register] = value
        }
    }

    /// While SET is 1 the registers keep what they hold; when it falls they are the time.
    private mutating func writeControl(_ value: UInt8, _ cycle: UInt64) {
        let wasHeld = isHeld
        if !wasHeld { show(cycle) }
        // SET clears the update-ended interrupt's enable.
        bytes[Register.b] = value & Control.set != 0 ? value & ~Control.update : value
        if wasHeld && !isHeld { take(cycle) }
    }
}

/// A day of the Gregorian calendar and its number, with 0 for 1970-01-01.
struct CalendarDay: Equatable {
    var year: UInt64
    var month: UInt64
    var day: UInt64

    /// What a register may hold and no calendar has is taken as the nearest that has.
    init(year: UInt64, month: UInt64, day: UInt64) {
        self.year = max(1970, min(year, 9999))
        self.month = max(1, min(month, 12))
        self.day = max(1, min(day, 31))
    }

    /// Years begin in March here, so that the leap day ends one.
    init(day number: UInt64) {
        let shifted = number % 3_652_059 + 719_468
        let era = shifted / 146_097
        let inEra = shifted % 146_097
        let yearOfEra = (inEra - inEra / 1460 + inEra / 36524 - inEra / 146_096) / 365
        let dayOfYear = inEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let index = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * index + 2) / 5 + 1
        month = index < 10 ? index + 3 : index - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var days: UInt64 {
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y % 400
        let index = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * index + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }
}

extension RealTimeClock: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        for n in bytes.indices { try stream.field(&bytes[n]) }
        try stream.field(&select)
        try stream.field(&base)
        try stream.field(&seen)
    }
}
