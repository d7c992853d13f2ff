/// Aligns what lies between two meeting points of two streams: items that are the same first, then
/// those that are the same but for their details, then neighbours of one sort. What is left is
/// missing or inserted.
enum GapAlignment {
    struct Keys {
        var exactA: [UInt64]
        var exactB: [UInt64]
        var roughA: [UInt64]
        var roughB: [UInt64]
        var familyA: [UInt64]
        var familyB: [UInt64]
    }

    enum Step: Equatable {
        case pair(Int, Int)
        case missing(Int)
        case inserted(Int)
    }

    /// Edits up to which a gap is aligned exactly; items up to which one is aligned roughly.
    static let editLimit = 128
    static let roughLimit = 256

    /// Steps that use every item of both sides once, in order.
    static func steps(_ keys: Keys) -> [Step] {
        var gap = Gap(keys: keys)
        gap.exactly(0..<keys.exactA.count, 0..<keys.exactB.count, run: 8)
        return gap.steps
    }

    private struct Gap {
        let keys: Keys
        var steps: [Step] = []

        /// By exact keys. `run` is the length of the anchors that divide a gap too long to be
        /// aligned at once.
        mutating func exactly(_ wholeA: Range<Int>, _ wholeB: Range<Int>, run: Int) {
            var a = wholeA
            var b = wholeB
            while let x = a.first, let y = b.first, keys.exactA[x] == keys.exactB[y] {
                steps.append(.pair(x, y))
                a.removeFirst()
                b.removeFirst()
            }
            var tail = 0
            while a.count > tail, b.count > tail,
                keys.exactA[a.upperBound - 1 - tail] == keys.exactB[b.upperBound - 1 - tail]
            { tail += 1 }
            a = a.lowerBound..<(a.upperBound - tail)
            b = b.lowerBound..<(b.upperBound - tail)
            middle(a, b, run: run)
            for i in 0..<tail { steps.append(.pair(a.upperBound + i, b.upperBound + i)) }
        }

        private mutating func middle(_ a: Range<Int>, _ b: Range<Int>, run: Int) {
            if a.isEmpty || b.isEmpty { return roughly(a, b) }
            var edits = ShortEdits(keys.exactA[a], keys.exactB[b], limit: editLimit)
            if let agreements = edits.find(.ends) {
                var place = Place(a: a.lowerBound, b: b.lowerBound)
                for agreement in agreements {
                    let x = a.lowerBound + agreement.a
                    let y = b.lowerBound + agreement.b
                    roughly(place.a..<x, place.b..<y)
                    for i in 0..<agreement.count { steps.append(.pair(x + i, y + i)) }
                    place = Place(a: x + agreement.count, b: y + agreement.count)
                }
                return roughly(place.a..<a.upperBound, place.b..<b.upperBound)
            }
            guard run >= 1 else { return roughly(a, b) }
            let shorter = run == 8 ? 3 : run == 3 ? 1 : 0
            var place = Place(a: a.lowerBound, b: b.lowerBound)
            for anchor in Anchors.find(keys.exactA[a], keys.exactB[b], run: run) {
                let x = a.lowerBound + anchor.a
                let y = b.lowerBound + anchor.b
                guard x >= place.a, y >= place.b else { continue }
                exactly(place.a..<x, place.b..<y, run: shorter)
                for i in 0..<run { steps.append(.pair(x + i, y + i)) }
                place = Place(a: x + run, b: y + run)
            }
            exactly(place.a..<a.upperBound, place.b..<b.upperBound, run: shorter)
        }

        /// By rough keys, of what has nothing exact in common.
        private mutating func roughly(_ a: Range<Int>, _ b: Range<Int>) {
            guard !a.isEmpty, !b.isEmpty, a.count <= roughLimit, b.count <= roughLimit else {
                return apart(a, b)
            }
            var edits = ShortEdits(keys.roughA[a], keys.roughB[b], limit: editLimit)
            guard let agreements = edits.find(.ends) else { return apart(a, b) }
            var place = Place(a: a.lowerBound, b: b.lowerBound)
            for agreement in agreements {
                let x = a.lowerBound + agreement.a
                let y = b.lowerBound + agreement.b
                neighbours(place.a..<x, place.b..<y)
                for i in 0..<agreement.count { steps.append(.pair(x + i, y + i)) }
                place = Place(a: x + agreement.count, b: y + agreement.count)
            }
            neighbours(place.a..<a.upperBound, place.b..<b.upperBound)
        }

        /// Items of one sort that stand at the same place of two equally long, short stretches.
        private mutating func neighbours(_ a: Range<Int>, _ b: Range<Int>) {
            guard a.count == b.count, a.count <= 4,
                zip(a, b).allSatisfy({ keys.familyA[$0] == keys.familyB[$1] })
            else { return apart(a, b) }
            for (x, y) in zip(a, b) { steps.append(.pair(x, y)) }
        }

        private mutating func apart(_ a: Range<Int>, _ b: Range<Int>) {
            for x in a { steps.append(.missing(x)) }
            for y in b { steps.append(.inserted(y)) }
        }
    }
}
