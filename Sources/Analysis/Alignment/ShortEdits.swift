/// A place in two streams: so many items of each are before it.
struct Place: Equatable {
    var a: Int
    var b: Int
}

/// A stretch in which both sequences agree.
struct Agreement: Equatable {
    var a: Int
    var b: Int
    var count: Int
}

/// The smallest edits between two short sequences: the greedy algorithm of E. Myers, "An O(ND)
/// Difference Algorithm and Its Variations" (Algorithmica 1, 1986), cut off at a number of edits.
struct ShortEdits {
    private let a: ArraySlice<UInt64>
    private let b: ArraySlice<UInt64>
    private let n: Int
    private let m: Int
    private let limit: Int
    /// The furthest place on each diagonal, for each number of edits up to the last.
    private var history: [[Int32]] = []

    /// What ends the search.
    enum Goal {
        /// Both ends.
        case ends
        /// A run of so many agreeing items, or the ends as far as they are real: a sequence whose
        /// `open` flag is set goes on beyond what is in sight, one whose `cut` flag is set was
        /// broken off.
        case run(Int, openA: Bool, openB: Bool, cutA: Bool, cutB: Bool)
    }

    init(_ a: ArraySlice<UInt64>, _ b: ArraySlice<UInt64>, limit: Int) {
        self.a = a
        self.b = b
        n = a.count
        m = b.count
        self.limit = min(limit, a.count + b.count)
    }

    /// The agreeing stretches of the smallest edit script, with places relative to the slices'
    /// starts; nil where it needs more edits than the limit. With `Goal.run` the last stretch is
    /// the run that ended the search, if a run did.
    mutating func find(_ goal: Goal) -> [Agreement]? {
        let width = 2 * limit + 3
        let middle = limit + 1
        var furthest = [Int32](repeating: 0, count: width)
        for edits in 0...limit {
            for diagonal in stride(from: -edits, through: edits, by: 2) {
                let start = step(furthest, middle, diagonal, edits)
                var x = start
                guard x - diagonal >= 0, x <= n, x - diagonal <= m else {
                    furthest[middle + diagonal] = Int32(clamping: x)
                    continue
                }
                while x < n && x - diagonal < m && same(x, x - diagonal) { x += 1 }
                furthest[middle + diagonal] = Int32(x)
                if reached(goal, Place(a: x, b: x - diagonal), run: x - start) {
                    history.append(furthest)
                    return trace(Place(a: x, b: x - diagonal), edits, middle)
                }
            }
            history.append(furthest)
        }
        return nil
    }

    @inline(__always)
    private func same(_ x: Int, _ y: Int) -> Bool {
        a[a.startIndex &+ x] == b[b.startIndex &+ y]
    }

    /// Where a path of `edits` edits comes onto a diagonal (x minus y), from the one less.
    private func step(_ furthest: [Int32], _ middle: Int, _ diagonal: Int, _ edits: Int) -> Int {
        if edits == 0 { return 0 }
        let below = middle + diagonal - 1
        let above = middle + diagonal + 1
        if diagonal == -edits || (diagonal != edits && furthest[below] < furthest[above]) {
            return Int(furthest[above])
        }
        return Int(furthest[below]) + 1
    }

    private func reached(_ goal: Goal, _ place: Place, run: Int) -> Bool {
        switch goal {
        case .ends: return place.a == n && place.b == m
        case .run(let wanted, let openA, let openB, let cutA, let cutB):
            if run >= wanted { return true }
            let endA = place.a == n && !openA
            let endB = place.b == m && !openB
            return (endA && endB) || (endA && cutA) || (endB && cutB)
        }
    }

    /// Walks back from a place that was reached with `edits` edits.
    private func trace(_ end: Place, _ edits: Int, _ middle: Int) -> [Agreement] {
        var found: [Agreement] = []
        var x = end.a
        var diagonal = end.a - end.b
        for count in stride(from: edits, through: 0, by: -1) {
            let before = count == 0 ? [] : history[count - 1]
            let start = step(before, middle, diagonal, count)
            if x > start {
                found.append(Agreement(a: start, b: start - diagonal, count: x - start))
            }
            if count == 0 { break }
            let below = before[middle + diagonal - 1]
            let above = before[middle + diagonal + 1]
            if diagonal == -count || (diagonal != count && below < above) {
                diagonal += 1
                x = Int(above)
            } else {
                diagonal -= 1
                x = Int(below)
            }
        }
        return found.reversed()
    }
}
