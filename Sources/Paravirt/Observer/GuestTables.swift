/// A guest's own page tables, as they lie in the machine's memory.
struct GuestTables {
    /// Physical address and bytes of the guest's memory.
    var memory: UInt64
    var memorySize: UInt64
    /// Guest-physical address of the root in use.
    var root: UInt64

    /// Four-level translation (Intel SDM vol. 3, 4.5) in guest-physical terms.
    func translate(_ linear: UInt64, _ view: PhysicalView) -> UInt64? {
        guard linear >> 47 == 0 || linear >> 47 == 0x1FFFF else { return nil }
        let address: UInt64 = 0x000F_FFFF_FFFF_F000
        var table = root
        for level in stride(from: 4, through: 1, by: -1) {
            let shift = UInt64(12 + 9 * (level - 1))
            let slot = table &+ (linear >> shift & 0x1FF) &* 8
            guard slot < memorySize else { return nil }
            let entry = view.word(memory &+ slot)
            guard entry & 1 != 0 else { return nil }
            let offset = (UInt64(1) << shift) - 1
            if level == 1 || (level < 4 && entry & 0x80 != 0) {
                return entry & address & ~offset | linear & offset
            }
            table = entry & address
        }
        return nil
    }
}
