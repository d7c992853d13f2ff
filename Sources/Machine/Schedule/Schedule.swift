/// What happens when a scheduled instant comes.
enum ScheduledAction: Equatable {
    /// The local APIC timer of the vCPU reaches zero.
    case timer
    /// A fixed interrupt reaches the vCPU's local APIC.
    case interrupt(vector: UInt8)
    case nmi
    case machineCheck
    /// INIT and start-up messages between processors (Intel SDM vol. 3, 10.4).
    case initialise
    case startup(vector: UInt8)
    /// Bytes reach the serial port's receiver.
    case console([UInt8])
    /// Counter 0 of the interval timer rises; the real-time clock has an interrupt to look for.
    case intervalTimer
    case clock
    /// A high-precision event timer matches.
    case eventTimer(UInt8)
    /// A queue of a virtio device has its turn.
    case virtio(device: UInt8, queue: UInt8)
}

/// One entry of a schedule.
struct ScheduledEvent: Equatable {
    /// A cycle, or a count of retired instructions: what the schedule counts.
    var instant: UInt64
    /// Order of insertion in the machine's life; breaks ties.
    var sequence: UInt64
    var cpu: Int
    var action: ScheduledAction
}

/// What will happen, ordered by (instant, sequence). A machine has one that counts cycles, and one
/// for each vCPU that counts that vCPU's retired instructions (for injected stimuli only).
struct Schedule {
    /// Soonest last, so that the next is taken from the end.
    private(set) var events: [ScheduledEvent] = []

    /// The instant of the next event; `UInt64.max` when there is none.
    var next: UInt64 { events.last?.instant ?? .max }

    mutating func insert(_ event: ScheduledEvent) {
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            let other = events[middle]
            let later = (other.instant, other.sequence) > (event.instant, event.sequence)
            if later { low = middle + 1 } else { high = middle }
        }
        events.insert(event, at: low)
    }

    mutating func takeNext() -> ScheduledEvent? { events.popLast() }

    /// Removes the timer event of a vCPU, of which there is at most one.
    mutating func removeTimer(cpu: Int) {
        if let place = events.lastIndex(where: { $0.cpu == cpu && $0.action == .timer }) {
            events.remove(at: place)
        }
    }

    /// Removes a device's event, of which there is at most one.
    mutating func remove(_ action: ScheduledAction) {
        if let place = events.lastIndex(where: { $0.action == action }) {
            events.remove(at: place)
        }
    }

    mutating func removeAll() { events.removeAll() }
}

extension Schedule: Snapshottable {
    /// Events are kept in order, so that their sequence numbers need not be: how many calls it took
    /// to fill the schedule is no part of the machine's state. Reading numbers them anew, from 0.
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        var count = events.count
        try stream.count(&count, itemSize: 10)
        if stream.reading {
            let blank = ScheduledEvent(instant: 0, sequence: 0, cpu: 0, action: .timer)
            events = Array(repeating: blank, count: count)
        }
        for i in events.indices {
            try events[i].transfer(&stream)
            if stream.reading { events[i].sequence = UInt64(count - 1 - i) }
            guard i == 0 || events[i - 1].isLater(than: events[i]) else {
                throw stream.damaged("the schedule is out of order")
            }
        }
    }
}

extension ScheduledEvent: Snapshottable {
    func isLater(than other: ScheduledEvent) -> Bool {
        (instant, sequence) > (other.instant, other.sequence)
    }

    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&instant)
        var index = UInt8(truncatingIfNeeded: cpu)
        try stream.field(&index)
        cpu = Int(index)
        try action.transfer(&stream)
    }
}

extension ScheduledAction: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        var kind: UInt8
        var vector: UInt8 = 0
        var bytes: [UInt8] = []
        switch self {
        case .timer: kind = 0
        case .interrupt(let v): (kind, vector) = (1, v)
        case .nmi: kind = 2
        case .machineCheck: kind = 3
        case .initialise: kind = 4
        case .startup(let v): (kind, vector) = (5, v)
        case .console(let b): (kind, bytes) = (6, b)
        case .intervalTimer: kind = 7
        case .clock: kind = 8
        case .virtio(let device, _): (kind, vector) = (9, device)
        case .eventTimer(let n): (kind, vector) = (10, n)
        }
        try stream.field(&kind)
        if kind == 1 || kind == 5 || kind == 10 { try stream.field(&vector) }
        if kind == 6 { try stream.field(&bytes) }
        var queue: UInt8 = 0
        if kind == 9 {
            if case .virtio(_, let number) = self { queue = number }
            try stream.field(&vector)
            try stream.field(&queue)
        }
        switch kind {
        case 0: self = .timer
        case 1: self = .interrupt(vector: vector)
        case 2: self = .nmi
        case 3: self = .machineCheck
        case 4: self = .initialise
        case 5: self = .startup(vector: vector)
        case 6: self = .console(bytes)
        case 7: self = .intervalTimer
        case 8: self = .clock
        case 9: self = .virtio(device: vector, queue: queue)
        case 10: self = .eventTimer(vector)
        default: throw stream.damaged("an unknown kind of scheduled event")
        }
    }
}
