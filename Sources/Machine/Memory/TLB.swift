/// The translation cache, one for data and one for fetches in each vCPU. It is architectural state
/// here: what it holds decides what a guest that forgets INVLPG sees, so it is filled and flushed
/// in the same order by every executor and saved in snapshots.
///
/// A tag is a linear page address with the low 12 bits holding `CPUState.tlbContext`: the flush
/// generation and whether the access is a user's. An access of n bytes at address a hits when
/// `((a + n - 1) & ~0xFFF) | context` equals the tag of the entry that a's page selects; an access
/// that crosses into the next page therefore always takes the slow path. CR3 loads flush by
/// taking the next generation: O(1). A global page's entry of an older generation, as long as that
/// is not below `CPUState.globalFloor`, takes the current one when it is next looked up.
public struct TLBEntry: Sendable {
    /// Matches a read (or a fetch, in the code TLB).
    public var readTag: UInt64
    /// Matches a write that needs no other work: the page is writable, its D bit is set, it is in
    /// the dirty map, and no decoded code lies on it. Otherwise `emptyTag`.
    public var writeTag: UInt64
    /// Host address of the page minus its linear address: add the linear address to get a pointer.
    public var addend: UInt64
    /// Physical page address, with `TLB.writable` in bit 0 when translation permits writes and the
    /// D bit is already set, so that a withheld `writeTag` needs no new walk, `TLB.global`, and the
    /// page's size.
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
    /// Bit of `TLBEntry.physical`: a global page, which a load of CR3 does not flush.
    public static let global: UInt64 = 2
    /// Bits of `TLBEntry.physical` with the binary logarithm of the page's size in 4 KiB pages: an
    /// entry is a 4 KiB piece of it.
    public static let sizeShift: UInt64 = 2
    public static let sizeMask: UInt64 = 0x1F
    /// Bit of `TLBEntry.physical`: a supervisor may use it only while RFLAGS.AC is set.
    public static let relaxed: UInt64 = 0x80
    /// Bits of `TLBEntry.physical` that are always 0.
    public static let unused: UInt64 = 0xF00
    public static let empty = TLBEntry(
        readTag: emptyTag, writeTag: emptyTag, addend: 0, physical: 0)
}
