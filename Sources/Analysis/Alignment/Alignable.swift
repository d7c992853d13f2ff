import Trace

/// What two streams are aligned by. Keys are 64-bit digests: equal keys stand for equal things.
public protocol Alignable {
    /// All of it that counts: items with equal exact keys are the same.
    var exactKey: UInt64 { get }
    /// What it is, without its details: items that agree in this only are one that changed.
    var roughKey: UInt64 { get }
    /// Its sort: items that agree in no more than this are paired only where nothing else is left.
    var family: UInt64 { get }
}

/// A stream of items, read once from its start.
public protocol ItemSource {
    associatedtype Item: Alignable

    /// The next item; nil at the end, and ever after.
    mutating func next() throws(TraceError) -> Item?

    /// Asked after the end: whether the stream was cut off there, so that what the other stream
    /// has beyond it says nothing.
    var isCut: Bool { get }
}

/// Hears the alignment, in the order of both streams: every item of A comes in `same`, `changed` or
/// `missing`, every item of B in `same`, `changed` or `inserted`, or both at the end in
/// `uncompared`. Applied to A, the calls give B.
public protocol AlignmentSink {
    associatedtype Item: Alignable

    mutating func same(_ a: Item, _ b: Item)
    mutating func changed(_ a: Item, _ b: Item)
    mutating func missing(_ a: Item)
    mutating func inserted(_ b: Item)
    /// Nothing in common was found within the longest look-ahead. What follows is told as missing
    /// and inserted until the streams meet again, if they do.
    mutating func parted()
    /// An item of one stream that lies beyond the cut end of the other.
    mutating func uncompared()
}

/// The numbers by which streams are aligned, in items of one stream.
public struct AlignmentLimits: Sendable {
    /// Look-ahead for small edits, which are found exactly.
    public var nearWindow = 512
    /// Most edits (missing plus inserted) of a small edit.
    public var nearEdits = 32
    /// Items that must agree in a row for the streams to count as met again.
    public var run = 24
    /// First look-ahead for blocks, and the longest.
    public var window = 4096
    public var farWindow = 65536
    /// Work that each aligned item earns for searching: keeps the whole linear.
    public var workPerItem = 64

    public init() {}
}

/// Digests for keys: a chain over 64-bit values.
@inline(__always)
func mixed(_ state: UInt64, _ value: UInt64) -> UInt64 {
    var mix = (state ^ value) &* 0x9E37_79B9_7F4A_7C15
    mix ^= mix &>> 29
    mix = mix &* 0xBF58_476D_1CE4_E5B9
    return mix ^ (mix &>> 32)
}
