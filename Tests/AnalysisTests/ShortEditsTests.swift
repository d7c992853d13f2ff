import Testing

@testable import Analysis

/// The exact small edits and the anchors, against slow and plain models.
@Suite struct ShortEditsTests {
    /// The longest common subsequence by the textbook's table.
    private func common(_ a: [UInt64], _ b: [UInt64]) -> Int {
        var row = [Int](repeating: 0, count: b.count + 1)
        for x in a {
            var diagonal = 0
            for (j, y) in b.enumerated() {
                let above = row[j + 1]
                row[j + 1] = x == y ? diagonal + 1 : max(above, row[j])
                diagonal = above
            }
        }
        return row[b.count]
    }

    @Test(arguments: 0..<200)
    func editsAreTheFewest(_ seed: Int) throws {
        var numbers = TestNumbers(UInt64(seed) + 5)
        let a = numbers.keys(numbers.below(40), of: 2 + seed % 5)
        let b = numbers.keys(numbers.below(40), of: 2 + seed % 5)
        var edits = ShortEdits(a[...], b[...], limit: 100)
        let answer = edits.find(.ends)
        let found = try #require(answer)
        var place = Place(a: 0, b: 0)
        for agreement in found {
            #expect(agreement.a >= place.a && agreement.b >= place.b)
            for i in 0..<agreement.count { #expect(a[agreement.a + i] == b[agreement.b + i]) }
            place = Place(a: agreement.a + agreement.count, b: agreement.b + agreement.count)
        }
        #expect(found.reduce(0) { $0 + $1.count } == common(a, b))
    }

    @Test func tooManyEditsAreNone() {
        let a = (0..<50).map { UInt64($0) }
        let b = (100..<150).map { UInt64($0) }
        var edits = ShortEdits(a[...], b[...], limit: 99)
        let none = edits.find(.ends)
        #expect(none == nil)
        var all = ShortEdits(a[...], b[...], limit: 100)
        let apart = all.find(.ends)
        #expect(apart == [])
    }

    @Test(arguments: 0..<40)
    func anchorsAscendAndOccurOnce(_ seed: Int) {
        var numbers = TestNumbers(UInt64(seed) + 77)
        let a = numbers.keys(600, of: 3 + seed)
        var b = a
        b.insert(contentsOf: numbers.keys(100, of: 3 + seed), at: 200)
        b.removeSubrange(400..<450)
        for run in [1, 3, 8] {
            let chain = Anchors.find(a[...], b[...], run: run)
            func occurrences(_ keys: [UInt64], of wanted: ArraySlice<UInt64>) -> Int {
                (0...(keys.count - run)).count { keys[$0..<($0 + run)].elementsEqual(wanted) }
            }
            for (x, y) in zip(chain, chain.dropFirst()) { #expect(x.a < y.a && x.b < y.b) }
            for anchor in chain {
                let wanted = a[anchor.a..<(anchor.a + run)]
                #expect(b[anchor.b..<(anchor.b + run)].elementsEqual(wanted))
                #expect(occurrences(a, of: wanted) == 1 && occurrences(b, of: wanted) == 1)
            }
        }
    }
}
