import Trace

/// Aligns two streams in one pass over each, with a bounded look-ahead on both, in time linear in
/// their lengths. Where the heads agree they are taken; where they do not, the first of these that
/// succeeds says how the streams go on:
///
/// 1. a few items changed in place, or a small edit, found exactly in a near window, after which a
///    run of items agrees;
/// 2. anchors: runs that each window has exactly once, in the longest chain that keeps the order
///    (inserted, missing and swapped blocks);
/// 3. a small edit and 4. anchors by rough keys alone (everything changed, but in the same order);
/// 5. anchors in the far window, by exact and by rough keys;
/// 6. nothing: the streams have parted. Half the window goes as missing and inserted.
///
/// A near window of repeats has no anchors, and small edits in it are found by 1, which prefers the
/// fewest: a periodic stream with a period more or less gets that period as the edit.
///
/// Searching is paid for by progress (`AlignmentLimits.workPerItem`): where streams are made such
/// that every search gains little, the searches become fewer, and head is paired with head.
struct Aligner<Source: ItemSource, Sink: AlignmentSink> where Source.Item == Sink.Item {
    typealias Item = Source.Item

    private var a: LookAhead<Source>
    private var b: LookAhead<Source>
    var sink: Sink
    private let limits: AlignmentLimits
    private var budget: Int

    init(_ a: Source, _ b: Source, sink: Sink, limits: AlignmentLimits = AlignmentLimits()) {
        self.a = LookAhead(a)
        self.b = LookAhead(b)
        self.sink = sink
        self.limits = limits
        budget = 8 * limits.farWindow
    }

    mutating func run() throws(TraceError) {
        while true {
            try a.fill(1)
            try b.fill(1)
            if a.count == 0 || b.count == 0 { break }
            if a[0].exactKey == b[0].exactKey {
                sink.same(a[0], b[0])
                drop(1, 1)
            } else {
                try resynchronise()
            }
        }
        try drain()
    }

    /// One stream has ended; what is left of the other.
    private mutating func drain() throws(TraceError) {
        while a.count > 0 {
            if b.isCut { sink.uncompared() } else { sink.missing(a[0]) }
            a.drop(1)
            try a.fill(1)
        }
        while b.count > 0 {
            if a.isCut { sink.uncompared() } else { sink.inserted(b[0]) }
            b.drop(1)
            try b.fill(1)
        }
    }

    private mutating func drop(_ fromA: Int, _ fromB: Int) {
        a.drop(fromA)
        b.drop(fromB)
        let gained = budget &+ (fromA &+ fromB) &* limits.workPerItem
        budget = min(gained, 8 * limits.farWindow)
    }

    // MARK: Meeting again

    private mutating func resynchronise() throws(TraceError) {
        if try inPlace() { return }
        if try near(exact: true) { return }
        if try anchored(limits.window, exact: true) == .found { return }
        if try near(exact: false) { return }
        if try anchored(limits.window, exact: false) == .found { return }
        if try anchored(limits.farWindow, exact: true) == .found { return }
        switch try anchored(limits.farWindow, exact: false) {
        case .found: return
        case .none: part()
        case .unaffordable:
            gap(Place(a: 0, b: 0), Place(a: 1, b: 1))
            drop(1, 1)
        }
    }

    /// Up to four items that changed where they are, with a run that agrees after them. Of several
    /// smallest edits this is the one to tell.
    private mutating func inPlace() throws(TraceError) -> Bool {
        try a.fill(limits.run + 4)
        try b.fill(limits.run + 4)
        for count in 1...4 {
            guard a.count >= count + limits.run, b.count >= count + limits.run,
                a[count - 1].roughKey == b[count - 1].roughKey
            else { return false }
            let agrees = (count..<(count + limits.run)).allSatisfy {
                a[$0].exactKey == b[$0].exactKey
            }
            if agrees {
                commit([Agreement(a: 0, b: 0, count: count)])
                return true
            }
        }
        return false
    }

    /// A small edit within the near window.
    private mutating func near(exact: Bool) throws(TraceError) -> Bool {
        try a.fill(limits.nearWindow)
        try b.fill(limits.nearWindow)
        let keysA = a.keys(limits.nearWindow, exact: exact)
        let keysB = b.keys(limits.nearWindow, exact: exact)
        var edits = ShortEdits(keysA[...], keysB[...], limit: limits.nearEdits)
        let goal = ShortEdits.Goal.run(
            limits.run, openA: !a.ended || a.count > keysA.count,
            openB: !b.ended || b.count > keysB.count, cutA: a.isCut, cutB: b.isCut)
        guard let agreements = edits.find(goal) else { return false }
        commit(agreements)
        // Without any agreement both ends were reached by edits alone, or a cut end.
        if agreements.isEmpty { finish() }
        return true
    }

    private enum Search {
        case found
        case none
        /// Not enough was aligned since the last search.
        case unaffordable
    }

    /// Anchors within a window. What lies before the last is aligned between them.
    private mutating func anchored(_ window: Int, exact: Bool) throws(TraceError) -> Search {
        guard budget >= 2 * window else { return .unaffordable }
        try a.fill(window)
        try b.fill(window)
        let keysA = a.keys(window, exact: exact)
        let keysB = b.keys(window, exact: exact)
        budget -= keysA.count + keysB.count
        let chain = Anchors.find(keysA[...], keysB[...], run: 8)
        guard !chain.isEmpty else { return .none }
        var agreements: [Agreement] = []
        var place = Place(a: 0, b: 0)
        for anchor in chain where anchor.a >= place.a && anchor.b >= place.b {
            var count = 8
            while anchor.a + count < keysA.count, anchor.b + count < keysB.count,
                keysA[anchor.a + count] == keysB[anchor.b + count]
            { count += 1 }
            agreements.append(Agreement(a: anchor.a, b: anchor.b, count: count))
            place = Place(a: anchor.a + count, b: anchor.b + count)
        }
        commit(agreements)
        return .found
    }

    /// Both streams to the middle of what is in sight, without anything in common.
    private mutating func part() {
        let isLong = min(a.count, b.count) >= limits.nearWindow
        if isLong { sink.parted() }
        if a.ended && b.ended { return finish() }
        let step = limits.farWindow / 2
        let place = Place(a: min(a.count, step), b: min(b.count, step))
        gap(Place(a: 0, b: 0), place)
        drop(place.a, place.b)
    }

    /// Both streams end in sight and have nothing more in common than a gap may have. Beyond a cut
    /// end of one, no more of the other is compared than that one has left.
    private mutating func finish() {
        var end = Place(a: a.count, b: b.count)
        if a.isCut { end.b = min(end.b, end.a) }
        if b.isCut { end.a = min(end.a, end.b) }
        gap(Place(a: 0, b: 0), end)
        drop(end.a, end.b)
    }

    // MARK: Telling

    /// Tells the agreements and what lies between them, and drops all that was told.
    private mutating func commit(_ agreements: [Agreement]) {
        var place = Place(a: 0, b: 0)
        for agreement in agreements {
            gap(place, Place(a: agreement.a, b: agreement.b))
            for i in 0..<agreement.count {
                pair(agreement.a + i, agreement.b + i)
            }
            place = Place(a: agreement.a + agreement.count, b: agreement.b + agreement.count)
        }
        drop(place.a, place.b)
    }

    @inline(__always)
    private mutating func pair(_ x: Int, _ y: Int) {
        if a[x].exactKey == b[y].exactKey {
            sink.same(a[x], b[y])
        } else {
            sink.changed(a[x], b[y])
        }
    }

    /// What lies between two places that are aligned.
    private mutating func gap(_ from: Place, _ to: Place) {
        if from == to { return }
        let keys = GapAlignment.Keys(
            exactA: (from.a..<to.a).map { a[$0].exactKey },
            exactB: (from.b..<to.b).map { b[$0].exactKey },
            roughA: (from.a..<to.a).map { a[$0].roughKey },
            roughB: (from.b..<to.b).map { b[$0].roughKey },
            familyA: (from.a..<to.a).map { a[$0].family },
            familyB: (from.b..<to.b).map { b[$0].family })
        for step in GapAlignment.steps(keys) {
            switch step {
            case .pair(let x, let y): pair(from.a + x, from.b + y)
            case .missing(let x): sink.missing(a[from.a + x])
            case .inserted(let y): sink.inserted(b[from.b + y])
            }
        }
    }
}
