/// The entries whose return has not come yet, over all CPUs, most recent last. An entry is told by
/// where it came from: address space, RIP and RSP. It is found again when a return goes there.
///
/// Entries that never return (an exit, a kill, a wild jump) sink to the bottom and fall off when
/// the list is full, so the list is bounded and the search is short.
struct OpenPaths {
    struct Entry {
        var sequence: UInt64
        var rip: UInt64
        var rsp: UInt64
        var cr3: UInt64
        /// How far behind `rip` it may be returned to.
        var slack: UInt64
    }

    /// SYSENTER saves neither RIP nor RSP (Intel SDM vol. 2, SYSENTER): a kernel returns to a place
    /// that it has agreed on with its programs. Linux's is behind the INT 0x80 that follows, in the
    /// page that it gives them (arch/x86/entry/vdso/vdso32/system_call.S), for SYSCALL too.
    static let agreedReturn: UInt64 = 16

    static let capacity = 128
    private let entries: UnsafeMutablePointer<Entry>
    private(set) var count = 0

    init() {
        entries = .allocate(capacity: Self.capacity)
    }

    func deallocate() { entries.deallocate() }

    mutating func open(_ entry: Entry) {
        if count == Self.capacity {
            entries.update(from: entries + 1, count: count - 1)
            count -= 1
        }
        (entries + count).initialize(to: entry)
        count += 1
    }

    /// Takes out the most recent entry that came from here; nil where none did.
    @inline(__always)
    mutating func close(rip: UInt64, rsp: UInt64, cr3: UInt64) -> UInt64? {
        var i = count - 1
        while i >= 0 {
            if rip &- entries[i].rip <= entries[i].slack && entries[i].rsp == rsp
                && entries[i].cr3 == cr3
            {
                return take(i)
            }
            i -= 1
        }
        return nil
    }

    /// Takes out the entry with this sequence number, if it is still open.
    mutating func close(sequence: UInt64) -> Bool {
        var i = count - 1
        while i >= 0 {
            if entries[i].sequence == sequence {
                _ = take(i)
                return true
            }
            i -= 1
        }
        return false
    }

    private mutating func take(_ i: Int) -> UInt64 {
        let sequence = entries[i].sequence
        if i < count - 1 { (entries + i).update(from: entries + i + 1, count: count - 1 - i) }
        count -= 1
        return sequence
    }
}
