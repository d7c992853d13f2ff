import Testing

@testable import Analysis

/// The aligner on streams whose differences are known.
@Suite struct AlignmentTests {
    @Test func equalStreamsAreTheSame() throws {
        var numbers = TestNumbers(1)
        let keys = numbers.keys(20_000, of: 50)
        let sink = try aligned(keys, keys)
        #expect(sink.sameCount == keys.count && sink.edits.count == keys.count)
        #expect(try aligned([], []).edits.isEmpty)
        #expect(try aligned([], [256, 512]).inserted == [256, 512])
        #expect(try aligned([256, 512], []).missing == [256, 512])
    }

    @Test(arguments: [1, 2, 7, 30, 31, 100, 1000, 3000, 5000, 20_000])
    func anInsertedBlockIsInsertedAndNothingElse(_ count: Int) throws {
        var numbers = TestNumbers(UInt64(count))
        let keys = numbers.keys(60_000, of: 400)
        let block = numbers.keys(count, of: 400).map { $0 | 1 << 40 }
        let longer = Array(keys[..<10_000]) + block + Array(keys[10_000...])
        let forth = try aligned(keys, longer)
        #expect(forth.inserted == block && forth.missing.isEmpty && forth.changed.isEmpty)
        let back = try aligned(longer, keys)
        #expect(back.missing == block && back.inserted.isEmpty && back.changed.isEmpty)
        #expect(forth.partings == 0 && back.partings == 0)
    }

    @Test func changedItemsArePairedWithWhatTheyWere() throws {
        var numbers = TestNumbers(3)
        let keys = numbers.keys(30_000, of: 300)
        var other = keys
        for place in stride(from: 50, to: keys.count, by: 97) { other[place] |= 5 }
        let sink = try aligned(keys, other)
        #expect(sink.missing.isEmpty && sink.inserted.isEmpty)
        #expect(sink.changed.count == (keys.count - 50 + 96) / 97)
        #expect(sink.a == keys && sink.b == other)
    }

    /// Another build of a guest: every pointer is another, nothing is inserted or missing.
    @Test func aStreamChangedThroughoutStaysInStep() throws {
        var numbers = TestNumbers(4)
        let keys = numbers.keys(40_000, of: 200)
        let sink = try aligned(keys, keys.map { $0 | 9 })
        #expect(sink.changed.count == keys.count && sink.edits.count == keys.count)
        var shorter = keys.map { $0 | 9 }
        shorter.removeSubrange(9_000..<9_010)
        let gone = try aligned(keys, shorter)
        #expect(gone.missing.count == 10 && gone.inserted.isEmpty)
    }

    @Test(arguments: [10, 200, 2500])
    func swappedBlocksKeepTheLongerInPlace(_ count: Int) throws {
        var numbers = TestNumbers(UInt64(count))
        let head = numbers.keys(5000, of: 500)
        let first = numbers.keys(count + count / 2, of: 500)
        let second = numbers.keys(count, of: 500)
        let tail = numbers.keys(9000, of: 500)
        let sink = try aligned(head + first + second + tail, head + second + first + tail)
        #expect(sink.a == head + first + second + tail && sink.b == head + second + first + tail)
        #expect(sink.sameCount >= head.count + tail.count + first.count * 9 / 10)
        #expect(sink.missing.count <= second.count * 11 / 10 + 4)
    }

    /// A stream of one short period has no runs that occur once: the fewest edits decide.
    @Test(arguments: [1, 2, 5, 13])
    func aPeriodicStreamGetsThePeriodAsItsEdit(_ period: Int) throws {
        let unit = (0..<period).map { UInt64($0 + 1) << 8 }
        func repeated(_ times: Int) -> [UInt64] { (0..<times).flatMap { _ in unit } }
        let mark: [UInt64] = [0xABCD << 8]
        let a = repeated(4000) + mark + repeated(3000)
        let oneMore = repeated(4001) + mark + repeated(3000)
        let sink = try aligned(a, oneMore)
        // The period itself, and the mark too where moving it is the smaller edit on the spot.
        #expect(sink.inserted.count + sink.missing.count <= period + 2)
        #expect(sink.changed.isEmpty && sink.a == a && sink.b == oneMore)
        var changed = a
        changed[period * 2000] |= 1
        let other = try aligned(a, changed)
        #expect(other.changed.count == 1 && other.edits.count == a.count)
        // A mark in the midst of one stream only.
        let marked = repeated(2000) + mark + repeated(2000) + mark + repeated(3000)
        let third = try aligned(a, marked)
        #expect(third.inserted == mark && third.missing.isEmpty)
    }

    @Test func streamsThatPartSayWhereAndMeetAgain() throws {
        var numbers = TestNumbers(8)
        let head = numbers.keys(3000, of: 300)
        let tail = numbers.keys(50_000, of: 300)
        let ownA = (0..<150_000).map { UInt64($0) << 8 | 1 << 40 }
        let ownB = (0..<150_000).map { UInt64($0) << 8 | 1 << 41 }
        let sink = try aligned(head + ownA + tail, head + ownB + tail)
        #expect(sink.partings > 0)
        #expect(sink.sameCount == head.count + tail.count)
        #expect(sink.a == head + ownA + tail && sink.b == head + ownB + tail)
    }

    @Test func whatIsBeyondACutIsNoDifference() throws {
        var numbers = TestNumbers(9)
        let keys = numbers.keys(20_000, of: 300)
        let sink = try aligned(Array(keys[..<7000]), keys, cutA: true)
        #expect(sink.sameCount == 7000 && sink.edits.count == 7000)
        #expect(sink.beyondCut == 13_000)
        var other = keys
        other.insert(77 << 20, at: 3000)
        let second = try aligned(Array(keys[..<7000]), other, cutA: true)
        #expect(second.inserted == [77 << 20] && second.missing.isEmpty)
    }

    /// Whatever the streams: applied to A, the edits give B, and nothing is told twice or left out.
    @Test(arguments: 0..<60)
    func theEditsTurnAIntoB(_ seed: Int) throws {
        var numbers = TestNumbers(UInt64(seed) + 100)
        let alphabet = [1, 2, 3, 8, 60, 5000][seed % 6]
        let a = numbers.keys(200 + numbers.below(9000), of: alphabet)
        var b = a
        for _ in 0..<numbers.below(60) {
            let place = numbers.below(b.count)
            let count = min(1 + numbers.below(seed % 3 == 0 ? 900 : 20), b.count - place)
            switch numbers.below(5) {
            case 0: b.removeSubrange(place..<(place + count - count / 2))
            case 1: b.insert(contentsOf: numbers.keys(count, of: alphabet), at: place)
            case 2: for i in place..<(place + count) { b[i] ^= 1 }
            case 3: b.insert(contentsOf: b[place..<(place + count)], at: numbers.below(b.count))
            default:
                let block = Array(b[place..<(place + count)])
                b.removeSubrange(place..<(place + count))
                b.insert(contentsOf: block, at: numbers.below(b.count + 1))
            }
            if b.isEmpty { b = [256] }
        }
        var limits = AlignmentLimits()
        if seed % 2 == 1 {
            (limits.nearWindow, limits.window, limits.farWindow) = (64, 128, 512)
        }
        if seed % 4 == 3 { limits.workPerItem = 0 }
        let sink = try aligned(a, b, limits: limits)
        #expect(sink.a == a)
        #expect(sink.b == b)
        let stray = try aligned(a, numbers.keys(3000, of: alphabet), limits: limits)
        #expect(stray.a == a)
    }

    /// Few edits are found as few, wherever they are.
    @Test(arguments: 0..<20)
    func fewEditsStayFew(_ seed: Int) throws {
        var numbers = TestNumbers(UInt64(seed) + 900)
        let a = numbers.keys(30_000, of: 40)
        var b = a
        var made = 0
        for place in stride(from: 29_000, to: 500, by: -1500 - numbers.below(900)) {
            let count = 1 + numbers.below(6)
            if numbers.below(2) == 0 {
                b.removeSubrange(place..<(place + count))
            } else {
                b.insert(contentsOf: (0..<count).map { UInt64($0) << 30 | 1 << 45 }, at: place)
            }
            made += count
        }
        let sink = try aligned(a, b)
        #expect(sink.a == a && sink.b == b)
        #expect(sink.edits.count - sink.sameCount <= made)
    }
}
