import Trace

/// Makes a stream's report out of its alignment, in bounded memory: the first hunks in full, the
/// rest as counts and groups.
struct StreamCollector: AlignmentSink {
    typealias Item = StreamItem

    static let hunksKept = 200
    static let editsKept = 16
    static let groupLimit = 512
    static let partedKept = 16
    /// Runs of missing or inserted items that wait for their counterpart.
    static let runLimit = 4096

    private(set) var report: StreamReport
    private let eventsA: UInt64
    private let eventsB: UInt64
    private var last: (a: Position, b: Position)?
    private var sameRun: UInt64 = 0
    private var hunk: Hunk?
    private var onlyClocks = true
    private var missingRun = Run()
    private var insertedRun = Run()
    /// Hunks that wait for their counterpart, by what they have and on which side.
    private var unmatched: [UInt64: [UInt64]] = [:]
    private var unmatchedCount = 0
    private var groups: [GroupKey: Int] = [:]
    private var counts = ContiguousArray<FieldCount?>(repeating: nil, count: Field.slotCount)
    private var nextLink: UInt64 = 0

    private struct Run {
        var digest: UInt64 = 0
        var count = 0

        mutating func add(_ item: StreamItem) {
            digest = mixed(digest, item.exactKey)
            count += 1
        }
    }

    private struct GroupKey: Hashable {
        var sort: EditGroup.Sort
        var roughA: UInt64
        var roughB: UInt64
        var fields: [Int]
    }

    /// - Parameters: events in each whole trace, for the timeline.
    init(_ stream: StreamID, eventsA: UInt64, eventsB: UInt64) {
        report = StreamReport(stream)
        self.eventsA = max(1, eventsA)
        self.eventsB = max(1, eventsB)
        let parts = [Timeline.Part](repeating: Timeline.Part(), count: Timeline.parts)
        report.timeline = Timeline(a: parts, b: parts)
    }

    private var isGuest: Bool {
        if case .guest = report.stream { true } else { false }
    }

    // MARK: What the aligner tells

    mutating func same(_ a: StreamItem, _ b: StreamItem) {
        report.interruptsA &+= UInt64(a.interrupts)
        report.interruptsB &+= UInt64(b.interrupts)
        if hunk != nil { closeHunk() }
        report.same &+= 1
        sameRun &+= 1
        last = (Position(a), Position(b))
        compare(a, b)
        let part = part(a.event.sequence, eventsA)
        report.timeline.a[part].same &+= 1
        report.timeline.b[self.part(b.event.sequence, eventsB)].same &+= 1
        link(a, b, part)
    }

    mutating func changed(_ a: StreamItem, _ b: StreamItem) {
        openHunk(a, b)
        report.changed &+= 1
        hunk?.changed &+= 1
        if !(a.isClock && b.isClock) { onlyClocks = false }
        keep(.changed(a, b))
        let fields = FieldComparison.fields(a, b, in: report.stream)
            .filter { !Self.isCounter($0.field) }
        let telling = fields.filter { $0.sight == .guest }
        group(.changed, a, b, (telling.isEmpty ? fields : telling).map(\.field))
        compare(a, b)
        report.timeline.a[part(a.event.sequence, eventsA)].changed &+= 1
        report.timeline.b[part(b.event.sequence, eventsB)].changed &+= 1
    }

    mutating func missing(_ a: StreamItem) {
        openHunk(a, nil)
        report.missing &+= 1
        hunk?.missing &+= 1
        onlyClocks = false
        missingRun.add(a)
        keep(.missing(a))
        group(.missing, a, nil, [])
        report.timeline.a[part(a.event.sequence, eventsA)].alone &+= 1
    }

    mutating func inserted(_ b: StreamItem) {
        openHunk(nil, b)
        report.inserted &+= 1
        hunk?.inserted &+= 1
        onlyClocks = false
        insertedRun.add(b)
        keep(.inserted(b))
        group(.inserted, nil, b, [])
        report.timeline.b[part(b.event.sequence, eventsB)].alone &+= 1
    }

    mutating func parted() {
        if report.parted.count < Self.partedKept { report.parted.append(last) }
    }

    mutating func uncompared() { report.uncompared &+= 1 }

    /// The report, after the aligner's end.
    mutating func finished() -> StreamReport {
        if hunk != nil { closeHunk() }
        report.fields = counts.compactMap { $0 }
        report.groups.sort { x, y in
            x.count != y.count ? x.count > y.count : Self.place(x) < Self.place(y)
        }
        return report
    }

    private static func place(_ group: EditGroup) -> UInt64 {
        (group.a ?? group.b)?.event.sequence ?? 0
    }

    // MARK: Hunks

    private mutating func openHunk(_ a: StreamItem?, _ b: StreamItem?) {
        report.interruptsA &+= UInt64(a?.interrupts ?? 0)
        report.interruptsB &+= UInt64(b?.interrupts ?? 0)
        if hunk == nil {
            var new = Hunk(after: last)
            new.sameBefore = sameRun
            new.startA = last?.a
            new.startB = last?.b
            new.followsInterrupt = isGuest && (a?.interrupts ?? 0) != (b?.interrupts ?? 0)
            hunk = new
            sameRun = 0
            onlyClocks = true
            missingRun = Run()
            insertedRun = Run()
        }
        if let a, hunk?.missing == 0, hunk?.changed == 0 { hunk?.startA = Position(a) }
        if let b, hunk?.inserted == 0, hunk?.changed == 0 { hunk?.startB = Position(b) }
    }

    private mutating func keep(_ edit: Edit) {
        guard let hunk, hunk.edits.count < Self.editsKept else { return }
        if report.hunks.count < Self.hunksKept || report.firstUntimed == nil {
            self.hunk?.edits.append(edit)
        }
    }

    private mutating func closeHunk() {
        guard var closed = hunk else { return }
        hunk = nil
        if isGuest && onlyClocks { closed.isTiming = true }
        let number = report.hunkCount
        report.hunkCount &+= 1
        if closed.isTiming || closed.followsInterrupt { report.timingHunks &+= 1 }
        if report.hunks.count < Self.hunksKept { report.hunks.append(closed) }
        if !closed.isTiming && report.firstUntimed == nil { report.firstUntimed = closed }
        guard closed.changed == 0 else { return }
        if missingRun.count > 0 && insertedRun.count == 0 {
            match(number, own: mixed(missingRun.digest, 1), other: mixed(missingRun.digest, 2))
        } else if insertedRun.count > 0 && missingRun.count == 0 {
            match(number, own: mixed(insertedRun.digest, 2), other: mixed(insertedRun.digest, 1))
        }
    }

    /// Looks for the hunk that has this one's items on the other side.
    private mutating func match(_ number: UInt64, own: UInt64, other: UInt64) {
        if let counterpart = unmatched[other]?.popLast() {
            if unmatched[other]?.isEmpty == true { unmatched[other] = nil }
            unmatchedCount -= 1
            report.movedHunks &+= 2
            if number < UInt64(report.hunks.count) {
                report.hunks[Int(number)].counterpart = counterpart
            }
            if counterpart < UInt64(report.hunks.count) {
                report.hunks[Int(counterpart)].counterpart = number
            }
        } else if unmatchedCount < Self.runLimit {
            unmatched[own, default: []].append(number)
            unmatchedCount += 1
        }
    }

    // MARK: Groups, fields, timeline

    private mutating func group(
        _ sort: EditGroup.Sort, _ a: StreamItem?, _ b: StreamItem?, _ fields: [Field]
    ) {
        let key = GroupKey(
            sort: sort, roughA: a?.roughKey ?? 0, roughB: b?.roughKey ?? 0,
            fields: fields.map(\.slot))
        if let place = groups[key] {
            report.groups[place].count &+= 1
        } else if report.groups.count < Self.groupLimit {
            groups[key] = report.groups.count
            report.groups.append(EditGroup(sort: sort, a: a, b: b, fields: fields, count: 1))
        } else {
            report.ungrouped &+= 1
        }
    }

    /// Fields that differ after any difference of time.
    private static func isCounter(_ field: Field) -> Bool {
        field == .cycle || field == .instruction || field == .digest
    }

    /// Counts the fields in which a pair differs.
    private mutating func compare(_ a: StreamItem, _ b: StreamItem) {
        let isGuest = isGuest
        var sharedByGuest = false
        var isTimed = false
        FieldComparison.visit(a, b) { field, x, y, sight in
            let slot = field.slot
            let place = (Position(a), Position(b), x, y)
            if counts[slot] == nil {
                counts[slot] = FieldCount(
                    field: field, sight: isGuest ? sight : .machine, count: 1, first: place,
                    last: place)
            } else {
                counts[slot]?.count &+= 1
                counts[slot]?.last = place
                if isGuest && sight.rawValue < counts[slot]!.sight.rawValue {
                    counts[slot]?.sight = sight
                }
            }
            if slot >= 32 && sight == .guest { sharedByGuest = true }
            if sight == .timing { isTimed = true }
        }
        if isTimed && isGuest && report.firstTimed == nil { report.firstTimed = (a, b) }
        if sharedByGuest && isGuest && report.firstShared == nil { report.firstShared = (a, b) }
    }

    @inline(__always)
    private func part(_ sequence: UInt64, _ events: UInt64) -> Int {
        Int(min(sequence &* UInt64(Timeline.parts) / events, UInt64(Timeline.parts - 1)))
    }

    private mutating func link(_ a: StreamItem, _ b: StreamItem, _ part: Int) {
        guard UInt64(part) >= nextLink else { return }
        nextLink = UInt64(part) + 1
        report.timeline.links.append((a.event.sequence, b.event.sequence))
    }
}
