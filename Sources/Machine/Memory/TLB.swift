/// The translation cache, one for data and one for fetches in each vCPU. It is architectural state
/// here: what it holds decides what a guest that forgets INVLPG sees, so it is filled and flushed
/// in the same order by every executor and saved in snapshots.
///
/// A tag is a linear page address with the low 12 bits holding `CPUState.tlbContext`: the flush
/// generation and whether the access is a user's. An access of n bytes at address a hits when
/// `((a + n - 1) & ~0xFFF) | context` equals the tag of the entry that a's page selects; an access
/// that crosses into the next page therefore always takes the slow path. CR3 loads flush by
/// taking the next generation: O(1).
public struct TLBEntry: Sendable {
    /// Matches a read (or a fetch, in the code TLB).
    public var readTag: UInt64
    /// Matches a write that needs no other work: the page is writable, its D bit is set, it is in
    /// the dirty map, and no decoded code lies on it. Otherwise `emptyTag`.
    public var writeTag: UInt64
    /// Host address of the page minus its linear address: add the linear address to get a pointer.
    public var addend: UInt64
    /// Physical page address, with `TLB.writable` in bit 0 when translation permits writes and the
    /// D bit is already set, so that a withheld `writeTag` needs no new walk.
    public var physical: UInt64
}

public enum TLB {
    public static let dataEntries = 1024
    public static let codeEntries = 256
    /// No canonical page address with a context has this value.
    public static let emptyTag: UInt64 = ~0
    /// Generations 1...2046; after the last both arrays are cleared.
    public static let generationLimit: UInt64 = 2047
    public static let userBit: UInt64 = 1
    public static let writable: UInt64 = 1
    public static let empty = TLBEntry(
        readTag: emptyTag, writeTag: emptyTag, addend: 0, physical: 0)
}
