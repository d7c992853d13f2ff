import Trace

/// A line of console text.
public struct ConsoleLine: Alignable, Sendable {
    /// Without its end; at most `ConsoleLine.kept` bytes of it.
    public var bytes: [UInt8]
    /// From 1.
    public var number: UInt64
    /// Machine time of its first byte.
    public var cycle: UInt64
    public private(set) var exactKey: UInt64
    /// Lines have no details of their own: one that changed is one in the same place.
    public var roughKey: UInt64 { exactKey }
    public var family: UInt64 { 0 }

    static let kept = 240
    /// A longer line is taken as several.
    static let longest = 4096

    init(bytes: [UInt8], number: UInt64, cycle: UInt64) {
        var key: UInt64 = UInt64(bytes.count)
        for byte in bytes { key = mixed(key, UInt64(byte)) }
        exactKey = key
        self.bytes = Array(bytes.prefix(Self.kept))
        self.number = number
        self.cycle = cycle
    }
}

/// A trace's console text by lines. Every other record on the way goes to the statistics, so that
/// the trace is read once for both.
struct ConsoleLines: ItemSource {
    private let cursor: TraceCursor
    private let tick: ReadingTick
    private let statistics: Statistics
    private var ready: [ConsoleLine] = []
    private var taken = 0
    private var bytes: [UInt8] = []
    private var start: UInt64 = 0
    private var number: UInt64 = 0
    private var atEnd = false
    private(set) var isCut: Bool

    init(_ reader: TraceReader, tick: ReadingTick, statistics: Statistics) {
        cursor = reader.cursor()
        self.tick = tick
        self.statistics = statistics
        isCut = !reader.complete
    }

    mutating func next() throws(TraceError) -> ConsoleLine? {
        while taken == ready.count && !atEnd {
            ready.removeAll(keepingCapacity: true)
            taken = 0
            try read()
        }
        guard taken < ready.count else { return nil }
        taken += 1
        return ready[taken - 1]
    }

    private mutating func read() throws(TraceError) {
        switch try tick.next(cursor) {
        case .event: statistics.event(cursor.event, page: cursor.sharedPage)
        case .eventReturn: statistics.returned(cursor.eventReturn)
        case .input: statistics.input(cursor.input)
        case .console: text(cursor.console)
        case nil:
            if !bytes.isEmpty { endLine() }
            atEnd = true
            isCut = isCut || tick.fault != nil
            statistics.finish()
        }
    }

    private mutating func text(_ output: ConsoleOutput) {
        for byte in output.bytes {
            if byte == 0x0A {
                endLine()
            } else if byte != 0x0D {
                if bytes.isEmpty { start = output.cycle }
                bytes.append(byte)
                if bytes.count == ConsoleLine.longest { endLine() }
            }
        }
    }

    private mutating func endLine() {
        number += 1
        ready.append(ConsoleLine(bytes: bytes, number: number, cycle: start))
        bytes.removeAll(keepingCapacity: true)
    }
}
