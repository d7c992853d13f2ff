import Trace

@testable import Analysis

/// An item that is its keys.
struct TestItem: Alignable, Equatable {
    var exactKey: UInt64
    var roughKey: UInt64
    var family: UInt64 { roughKey & 3 }

    /// Items whose keys differ in the low byte only are the same but for their details.
    init(_ key: UInt64) {
        exactKey = key
        roughKey = key >> 8
    }
}

struct TestSource: ItemSource {
    var items: [TestItem]
    var isCut = false
    private var next_ = 0

    init(_ keys: [UInt64], isCut: Bool = false) {
        items = keys.map { TestItem($0) }
        self.isCut = isCut
    }

    mutating func next() throws(TraceError) -> TestItem? {
        guard next_ < items.count else { return nil }
        next_ += 1
        return items[next_ - 1]
    }
}

enum TestEdit: Equatable {
    case same(UInt64)
    case changed(UInt64, UInt64)
    case missing(UInt64)
    case inserted(UInt64)
}

struct TestSink: AlignmentSink {
    var edits: [TestEdit] = []
    var partings = 0
    var beyondCut = 0

    mutating func same(_ a: TestItem, _ b: TestItem) {
        edits.append(a == b ? .same(a.exactKey) : .changed(a.exactKey, b.exactKey))
    }
    mutating func changed(_ a: TestItem, _ b: TestItem) {
        edits.append(.changed(a.exactKey, b.exactKey))
    }
    mutating func missing(_ a: TestItem) { edits.append(.missing(a.exactKey)) }
    mutating func inserted(_ b: TestItem) { edits.append(.inserted(b.exactKey)) }
    mutating func parted() { partings += 1 }
    mutating func uncompared() { beyondCut += 1 }

    /// What A was and what B was, read off the edits.
    var a: [UInt64] {
        edits.compactMap {
            switch $0 {
            case .same(let key), .missing(let key), .changed(let key, _): key
            case .inserted: nil
            }
        }
    }
    var b: [UInt64] {
        edits.compactMap {
            switch $0 {
            case .same(let key), .inserted(let key), .changed(_, let key): key
            case .missing: nil
            }
        }
    }
    var sameCount: Int { edits.count { if case .same = $0 { true } else { false } } }
    var missing: [UInt64] {
        edits.compactMap { if case .missing(let key) = $0 { key } else { nil } }
    }
    var inserted: [UInt64] {
        edits.compactMap { if case .inserted(let key) = $0 { key } else { nil } }
    }
    var changed: [[UInt64]] {
        edits.compactMap { if case .changed(let x, let y) = $0 { [x, y] } else { nil } }
    }
}

func aligned(
    _ a: [UInt64], _ b: [UInt64], cutA: Bool = false, limits: AlignmentLimits = AlignmentLimits()
) throws -> TestSink {
    var aligner = Aligner(
        TestSource(a, isCut: cutA), TestSource(b), sink: TestSink(), limits: limits)
    try aligner.run()
    return aligner.sink
}

/// Numbers for tests: xorshift64* (G. Marsaglia, S. Vigna), the same for the same seed.
struct TestNumbers {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func below(_ limit: Int) -> Int { Int(next() >> 33) % limit }

    /// Keys out of an alphabet of so many.
    mutating func keys(_ count: Int, of alphabet: Int) -> [UInt64] {
        (0..<count).map { _ in UInt64(below(alphabet)) << 8 }
    }
}
