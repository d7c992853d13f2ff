import Trace

/// One stream of a trace, read from the trace's own records.
///
/// Which of the guest's exceptions reached the guest, and when it took virtual interrupts, is not
/// written in a trace; it follows from what comes after. An exception reached the guest if the
/// guest ran again before the path's return (in its handler, then); if the return comes first, or
/// the guest ran to take a virtual interrupt (`GuestWatch`), the host dealt with it. Of a host
/// whose shared page is another, a virtual interrupt is taken where the guest ran again before a
/// hardware interrupt's path returned. Where the handler does nothing that the trace knows of
/// before its IRET, that IRET is the interrupt's.
struct StreamSource: ItemSource {
    private let cursor: TraceCursor
    private let stream: StreamID
    private let isReference: Bool
    private let tick: ReadingTick
    private var entries = OpenEntries()
    /// Exceptions of guests of which it is not known yet who deals with them, by VCPU id + 1.
    private var pending: [(vcpu: UInt16, item: StreamItem)] = []
    /// The last hardware interrupt out of this guest whose path has not returned.
    private var interrupted: Event?
    private var watch = GuestWatch()
    /// Virtual interrupts for the next item, the first one's vector, and whether nothing has come
    /// since the last of them.
    private var interrupts: UInt16 = 0
    private var vector: UInt16 = 0
    private var inHandler = false
    private var ready: ContiguousArray<StreamItem> = []
    private var taken = 0
    private var atEnd = false
    private(set) var isCut = false

    /// - Parameter tick: is told of every record, and of a fault in the trace.
    init(_ reader: TraceReader, _ stream: StreamID, isReference: Bool, tick: ReadingTick) {
        cursor = reader.cursor()
        self.stream = stream
        self.isReference = isReference
        self.tick = tick
        isCut = !reader.complete
    }

    mutating func next() throws(TraceError) -> StreamItem? {
        while true {
            if taken < ready.count {
                let item = ready[taken]
                taken &+= 1
                return item
            }
            if !ready.isEmpty {
                ready.removeAll(keepingCapacity: true)
                taken = 0
            }
            if atEnd { return nil }
            try read()
        }
    }

    private mutating func read() throws(TraceError) {
        switch try tick.next(cursor) {
        case .event: event(cursor.event)
        case .eventReturn: ended(cursor.eventReturn)
        case .console, .input: break
        case nil:
            atEnd = true
            isCut = isCut || tick.fault != nil
            // What nobody dealt with before the end is the guest's: it died of it.
            if case .guest = stream { for one in pending { put(one.item) } }
            pending.removeAll()
        }
    }

    // MARK: Events

    private mutating func event(_ event: UnsafePointer<Event>) {
        _ = entries.open(OpenEntry(event))
        let from = event.pointee.from
        if event.pointee.vcpu > 0 && (from == .guestKernel || from == .guestUser) {
            fromGuest(event)
        } else if case .machine(let cpu) = stream, cpu == Int(event.pointee.cpu) {
            ready.append(item(event))
        }
    }

    private mutating func fromGuest(_ event: UnsafePointer<Event>) {
        let vcpu = event.pointee.vcpu
        let taken = isReference ? watch.taken(vcpu, cursor.sharedPage) : nil
        settle(vcpu, byGuest: (taken ?? 0) == 0)
        let isMine = stream == .guest(vcpu: Int(vcpu) - 1)
        let isOnMine = stream == .machine(cpu: Int(event.pointee.cpu))
        if isMine { take(taken) }
        switch event.pointee.kind {
        case .exception, .softwareInterrupt:
            if isMine || isOnMine { pending.append((vcpu, item(event))) }
        case .interrupt, .nmi, .machineCheck:
            if isOnMine { ready.append(item(event)) }
            if isMine { interrupted = event.pointee }
        case .syscall, .hypercall:
            if isMine && !endsHandler(event) { put(item(event)) }
        case .guestSwitch, .systemRegister, .tripleFault:
            if isOnMine { ready.append(item(event)) }
        }
    }

    private func item(_ event: UnsafePointer<Event>) -> StreamItem {
        var item = StreamItem(.event, event.pointee, isReference: isReference)
        item.page = SharedPageCopy(cursor.sharedPage)
        return item
    }

    /// Puts an item of the guest's out, with the interrupts before it.
    private mutating func put(_ item: StreamItem) {
        var item = item
        item.interrupts = interrupts
        item.interruptVector = vector
        interrupts = 0
        vector = 0
        ready.append(item)
    }

    /// The guest on this VCPU runs: what it had raised before has reached it, or the host has dealt
    /// with it.
    private mutating func settle(_ vcpu: UInt16, byGuest: Bool) {
        guard let place = pending.firstIndex(where: { $0.vcpu == vcpu }) else { return }
        let item = pending.remove(at: place).item
        switch stream {
        case .guest: if byGuest { put(item) }
        case .machine: if !byGuest { ready.append(item) }
        }
    }

    /// Notes the virtual interrupts that this guest has taken: their bits, or nil where the page
    /// does not tell.
    private mutating func take(_ bits: UInt64?) {
        inHandler = false
        if let bits {
            var rest = bits
            while rest != 0 {
                take(vector: ReferenceABI.virtualInterruptBase + UInt16(rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        } else if interrupted != nil {
            take(vector: 0)
        }
        interrupted = nil
    }

    private mutating func take(vector taken: UInt16) {
        if interrupts == 0 { vector = taken }
        interrupts = min(interrupts, .max - 1) + 1
        inHandler = true
    }

    /// Whether this event ends the handler of a virtual interrupt that did nothing else.
    private func endsHandler(_ event: UnsafePointer<Event>) -> Bool {
        inHandler && isReference && event.pointee.kind == .hypercall
            && event.pointee.number == ReferenceABI.Hypercall.iret
    }

    // MARK: Returns

    private mutating func ended(_ back: EventReturn) {
        guard let entry = entries.close(back.event) else { return }
        if interrupted?.sequence == back.event { interrupted = nil }
        if let place = pending.firstIndex(where: { $0.item.event.sequence == back.event }) {
            let item = pending.remove(at: place).item
            if case .machine = stream { ready.append(item) }
        }
        guard entry.kind == .syscall || entry.kind == .hypercall, owns(entry),
            !isReference || ReferenceABI.hasResult(entry.kind, entry.number)
        else { return }
        var event = entry.event
        event.cycle = back.cycle
        event.instruction = back.instruction
        let item = StreamItem(.result, event, result: back.result, isReference: isReference)
        if case .guest = stream { put(item) } else { ready.append(item) }
    }

    private func owns(_ entry: OpenEntry) -> Bool {
        let isGuest = entry.from == .guestKernel || entry.from == .guestUser
        switch stream {
        case .guest(let vcpu): return isGuest && Int(entry.vcpu) - 1 == vcpu
        case .machine(let cpu): return !isGuest && Int(entry.cpu) == cpu
        }
    }
}
