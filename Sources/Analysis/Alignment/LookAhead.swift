import Trace

/// A stream with its next items in sight. Holds at most what it was asked to show.
struct LookAhead<Source: ItemSource> {
    private var source: Source
    private var items: ContiguousArray<Source.Item> = []
    private var head = 0
    private(set) var ended = false

    init(_ source: Source) { self.source = source }

    /// Items in sight.
    @inline(__always)
    var count: Int { items.count &- head }

    /// Whether the stream, once read to its end, was cut off there.
    var isCut: Bool { ended && source.isCut }

    /// Brings up to `wanted` items in sight; fewer where the stream ends.
    @inline(__always)
    mutating func fill(_ wanted: Int) throws(TraceError) {
        while count < wanted && !ended {
            if let item = try source.next() { items.append(item) } else { ended = true }
        }
    }

    @inline(__always)
    subscript(place: Int) -> Source.Item { items[head &+ place] }

    @inline(__always)
    mutating func drop(_ dropped: Int) {
        head &+= dropped
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 4096 && head &* 2 >= items.count {
            items.removeFirst(head)
            head = 0
        }
    }

    /// The first keys in sight, at most `limit`.
    func keys(_ limit: Int, exact: Bool) -> [UInt64] {
        let shown = min(limit, count)
        var keys: [UInt64] = []
        keys.reserveCapacity(shown)
        for place in head..<(head + shown) {
            keys.append(exact ? items[place].exactKey : items[place].roughKey)
        }
        return keys
    }
}
