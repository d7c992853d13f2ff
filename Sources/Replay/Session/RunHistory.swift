import Trace

/// What a recorder and a replayer keep of a run: counts by kind, the last events of the host and
/// those of its guests, and the end of the console text, for diagnoses. Bounded, and in plain
/// memory: it is touched at every event.
///
/// The two sides are kept apart because a guest's last event may lie long before the run's end: the
/// host goes on without it.
public final class RunHistory {
    public static let eventCapacity = 64
    public static let consoleCapacity = 4096

    /// An event that happened, with its return if that came.
    public struct Entry: Equatable, Sendable {
        public var event = Event()
        public var back: EventReturn?
    }

    private let kinds = EventKind.allCases.count
    private let counts: UnsafeMutablePointer<UInt64>
    /// Two rings of `eventCapacity`: the host's events, then the guests'.
    private let entries: UnsafeMutablePointer<Entry>
    /// Slot in `entries` by the low bits of the sequence number; it may name a slot used again.
    private let slots: UnsafeMutablePointer<UInt8>
    private static let slotMask = 255
    private let console: UnsafeMutablePointer<UInt8>
    private var hostCount = 0
    private var guestCount = 0
    private var consoleCount = 0

    init() {
        counts = .allocate(capacity: kinds)
        counts.initialize(repeating: 0, count: kinds)
        entries = .allocate(capacity: 2 * Self.eventCapacity)
        entries.initialize(repeating: Entry(), count: 2 * Self.eventCapacity)
        slots = .allocate(capacity: Self.slotMask + 1)
        slots.initialize(repeating: 0, count: Self.slotMask + 1)
        console = .allocate(capacity: Self.consoleCapacity)
        console.initialize(repeating: 0, count: Self.consoleCapacity)
    }

    deinit {
        counts.deallocate()
        entries.deallocate()
        slots.deallocate()
        console.deallocate()
    }

    @inline(__always)
    func add(_ event: UnsafePointer<Event>) {
        counts[Int(event.pointee.kind.rawValue)] &+= 1
        var slot: Int
        if event.pointee.from.isGuest {
            slot = Self.eventCapacity + guestCount & (Self.eventCapacity - 1)
            guestCount &+= 1
        } else {
            slot = hostCount & (Self.eventCapacity - 1)
            hostCount &+= 1
        }
        entries[slot].event = event.pointee
        entries[slot].back = nil
        slots[Int(truncatingIfNeeded: event.pointee.sequence) & Self.slotMask] =
            UInt8(truncatingIfNeeded: slot)
    }

    @inline(__always)
    func add(_ back: EventReturn) {
        let slot = Int(slots[Int(truncatingIfNeeded: back.event) & Self.slotMask])
        if entries[slot].event.sequence == back.event {
            entries[slot].back = back
        } else {
            addLate(back)
        }
    }

    /// The return of an event so old that its place in `slots` names another.
    @inline(never)
    private func addLate(_ back: EventReturn) {
        for slot in 0..<2 * Self.eventCapacity where entries[slot].event.sequence == back.event {
            entries[slot].back = back
        }
    }

    func add(_ byte: UInt8) {
        console[consoleCount & (Self.consoleCapacity - 1)] = byte
        consoleCount &+= 1
    }

    /// Events so far.
    public var total: UInt64 { UInt64(hostCount + guestCount) }
    /// Events by `EventKind.rawValue`.
    public var countsByKind: [UInt64] { (0..<kinds).map { counts[$0] } }

    /// The last events of either side, at most `eventCapacity` of each, oldest first.
    public var lastOfEachSide: [Entry] {
        let host = (0..<min(hostCount, Self.eventCapacity)).map { entries[$0] }
        let guest = (0..<min(guestCount, Self.eventCapacity)).map {
            entries[Self.eventCapacity + $0]
        }
        return (host + guest).sorted { $0.event.sequence < $1.event.sequence }
    }

    /// The last events, oldest first, without a gap: `eventCapacity`, or as many as there were.
    public var lastEvents: [Event] {
        // Neither ring has lost any of the last `eventCapacity` events.
        lastOfEachSide.suffix(Self.eventCapacity).map(\.event)
    }

    /// At most `consoleCapacity` bytes.
    public var lastConsole: [UInt8] {
        (max(0, consoleCount - Self.consoleCapacity)..<consoleCount)
            .map { console[$0 & (Self.consoleCapacity - 1)] }
    }
}
