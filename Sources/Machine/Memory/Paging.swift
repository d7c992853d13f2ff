import X86

/// Bits of paging-structure entries (Intel SDM vol. 3, tables 4-5 to 4-20).
public enum PageEntry {
    public static let present: UInt64 = 1 << 0
    public static let writable: UInt64 = 1 << 1
    public static let user: UInt64 = 1 << 2
    public static let accessed: UInt64 = 1 << 5
    public static let dirty: UInt64 = 1 << 6
    /// Page size: the entry maps a large page instead of naming a table.
    public static let large: UInt64 = 1 << 7
    public static let global: UInt64 = 1 << 8
    public static let noExecute: UInt64 = 1 << 63
    /// Physical-address width, MAXPHYADDR, that CPUID reports. Bits from here to 51 are reserved.
    public static let physicalBits: UInt64 = 40
    public static let address: UInt64 = ((1 << physicalBits) - 1) & ~0xFFF
    /// Address bits above MAXPHYADDR in 4-level entries.
    public static let reservedAddress: UInt64 = ((1 << 52) - 1) & ~((1 << physicalBits) - 1)
    /// The same in PAE entries, where nothing from MAXPHYADDR to 62 is ignored.
    public static let reservedPAE: UInt64 = ((1 << 63) - 1) & ~((1 << physicalBits) - 1)
    /// Bits that must be 0 in a PAE PDPTE (Intel SDM vol. 3, table 4-8).
    public static let reservedPDPTE: UInt64 = reservedPAE | noExecute | 0x1E6
}

/// What an access is, for the rights check of a page walk.
struct PageAccess {
    var write: Bool
    var fetch: Bool
    /// Made at CPL 3 by the program itself; implicit accesses to tables are a supervisor's.
    var user: Bool
}

/// Page walks (Intel SDM vol. 3, chapter 4). Each returns the physical address of the 4 KiB page,
/// in the form of `TLBEntry.physical`: with the bits that say whether writes of the same kind need
/// no further walk, whether the page is global, and how large it is.
///
/// Accessed bits are set only once the whole translation is known to be allowed; a walk that faults
/// changes nothing. Processors may set them earlier; this is the definition here.
extension CPU {
    /// Walks the structures of the current paging mode, sets A and D bits, and throws #PF.
    @inline(never)
    func walk(_ linear: UInt64, _ access: PageAccess) throws(Fault) -> UInt64 {
        if pointee.cr0 & CR0.pg == 0 {
            return (linear & 0xFFFF_F000) | TLB.writable
        }
        let reservedNX = pointee.efer & EFER.nxe == 0 ? PageEntry.noExecute : 0
        if pointee.longMode != 0 {
            return try walkWide(
                linear, access, table: pointee.cr3, topShift: 39,
                reserved: PageEntry.reservedAddress | reservedNX)
        }
        if pointee.cr4 & CR4.pae == 0 { return try walk32Bit(linear, access) }
        let pdpte = pdptes[Int(truncatingIfNeeded: (linear &>> 30) & 3)]
        if pdpte & PageEntry.present == 0 { throw pageFault(linear, access, cause: 0) }
        return try walkWide(
            linear, access, table: pdpte, topShift: 21,
            reserved: PageEntry.reservedPAE | reservedNX)
    }

    /// The walk of 8-byte entries: 4-level paging from PML4 (`topShift` 39), or PAE paging from
    /// the page directory (`topShift` 21). A large page is possible below level 4.
    @inline(__always)
    private func walkWide(
        _ linear: UInt64, _ access: PageAccess, table: UInt64, topShift: UInt64, reserved: UInt64
    ) throws(Fault) -> UInt64 {
        var shift = topShift
        var address = wideEntry(table, linear, shift)
        var entry = loadTable(address)
        var all = ~UInt64(0)
        var any: UInt64 = 0
        while true {
            if entry & PageEntry.present == 0 { throw pageFault(linear, access, cause: 0) }
            var forbidden = reserved
            if entry & PageEntry.large != 0 && shift > 12 {
                forbidden |= shift == 39 ? PageEntry.large : ((1 &<< shift) &- 1) & ~0x1FFF
            }
            if entry & forbidden != 0 {
                throw pageFault(
                    linear, access, cause: PageFaultCode.present | PageFaultCode.reserved)
            }
            all &= entry
            any |= entry
            if shift == 12 || entry & PageEntry.large != 0 { break }
            shift &-= 9
            address = wideEntry(entry, linear, shift)
            entry = loadTable(address)
        }
        let canWrite = try checkRights(linear, access, all: all, any: any)
        if all & PageEntry.accessed == 0 {
            markAccessed(linear, table: table, topShift: topShift, leafShift: shift)
        }
        if access.write && entry & PageEntry.dirty == 0 {
            setBits(address, PageEntry.dirty)
            entry |= PageEntry.dirty
        }
        let offset = ((1 &<< shift) &- 1) & ~0xFFF
        let writable = canWrite && entry & PageEntry.dirty != 0 ? TLB.writable : 0
        let page = (entry & PageEntry.address & ~offset) | (linear & offset)
        return page | writable | globalBit(entry) | (shift &- 12) &<< TLB.sizeShift
            | relaxedBit(access, all: all)
    }

    /// Physical address of the 8-byte entry for `linear` in `table`, whose entries each cover
    /// `1 << shift` bytes.
    @inline(__always)
    private func wideEntry(_ table: UInt64, _ linear: UInt64, _ shift: UInt64) -> UInt64 {
        (table & PageEntry.address) | ((linear &>> (shift &- 3)) & 0xFF8)
    }

    /// Sets A in every entry from the top down to the leaf of a walk that has succeeded.
    @inline(never)
    private func markAccessed(_ linear: UInt64, table: UInt64, topShift: UInt64, leafShift: UInt64)
    {
        var shift = topShift
        var table = table
        while true {
            let address = wideEntry(table, linear, shift)
            setBits(address, PageEntry.accessed)
            if shift == leafShift { return }
            table = loadTable(address)
            shift &-= 9
        }
    }

    /// Sets bits in the low byte of an entry, which keeps the page maps and decoded code true
    /// without touching what else lies in the entry.
    private func setBits(_ address: UInt64, _ bits: UInt64) {
        let low = loadTable32(address & ~3) & 0xFF
        if low & bits != bits { storePhysical(address, low | bits, size: 1) }
    }

    /// 32-bit paging: 4 KiB pages, and 4 MiB pages (with PSE-36) when CR4.PSE is set.
    private func walk32Bit(_ linear: UInt64, _ access: PageAccess) throws(Fault) -> UInt64 {
        let address2 = (pointee.cr3 & 0xFFFF_F000) | ((linear &>> 20) & 0xFFC)
        let entry2 = loadTable32(address2)
        if entry2 & PageEntry.present == 0 { throw pageFault(linear, access, cause: 0) }
        let large = entry2 & PageEntry.large != 0 && pointee.cr4 & CR4.pse != 0
        if large && entry2 & (1 << 21) != 0 {
            throw pageFault(linear, access, cause: PageFaultCode.present | PageFaultCode.reserved)
        }
        var leafAddress = address2
        var leaf = entry2
        if !large {
            leafAddress = (entry2 & 0xFFFF_F000) | ((linear &>> 10) & 0xFFC)
            leaf = loadTable32(leafAddress)
            if leaf & PageEntry.present == 0 { throw pageFault(linear, access, cause: 0) }
        }
        let canWrite = try checkRights(linear, access, all: entry2 & leaf, any: 0)
        setBits(address2, PageEntry.accessed)
        let dirty = access.write ? PageEntry.dirty : 0
        setBits(leafAddress, PageEntry.accessed | dirty)
        leaf |= dirty
        let writable = canWrite && leaf & PageEntry.dirty != 0 ? TLB.writable : 0
        let relaxed = relaxedBit(access, all: entry2 & leaf)
        if large {
            let page = (leaf & 0xFFC0_0000) | ((leaf & 0x1F_E000) &<< 19)
            let size = 10 &<< TLB.sizeShift
            return page | (linear & 0x3F_F000) | writable | globalBit(leaf) | size | relaxed
        }
        return (leaf & 0xFFFF_F000) | writable | globalBit(leaf) | relaxed
    }

    /// `TLB.relaxed` for what only RFLAGS.AC permits: see `SupervisorProtection.swift`.
    @inline(__always)
    private func relaxedBit(_ access: PageAccess, all: UInt64) -> UInt64 {
        let isProtected = all & PageEntry.user != 0 && pointee.cr4 & CR4.smap != 0
        return isProtected && !access.user && !access.fetch ? TLB.relaxed : 0
    }

    /// `TLB.global` for the leaf entry of a global page.
    @inline(__always)
    private func globalBit(_ leaf: UInt64) -> UInt64 {
        leaf & PageEntry.global != 0 && pointee.cr4 & CR4.pge != 0 ? TLB.global : 0
    }

    /// Rights over a whole walk (Intel SDM vol. 3, 4.6.1): `all` is the AND of the entries and
    /// `any` the OR. Returns whether a write of this kind would be allowed; throws #PF when this
    /// access is not.
    @inline(__always)
    private func checkRights(
        _ linear: UInt64, _ access: PageAccess, all: UInt64, any: UInt64
    ) throws(Fault) -> Bool {
        let userPage = all & PageEntry.user != 0
        let writablePage = all & PageEntry.writable != 0
        let canWrite = writablePage || (!access.user && pointee.cr0 & CR0.wp == 0)
        var allowed = access.user ? userPage : !userPage || access.fetch || mayReachUserPages
        if access.write && !canWrite { allowed = false }
        if access.fetch {
            if any & PageEntry.noExecute != 0 { allowed = false }
            if userPage && !access.user && pointee.cr4 & CR4.smep != 0 { allowed = false }
        }
        if !allowed { throw pageFault(linear, access, cause: PageFaultCode.present) }
        return canWrite
    }

    /// The #PF of an access (Intel SDM vol. 3, 4.7); `cause` holds the P and RSVD bits. Bit I is
    /// given only where instruction fetches can fault on their own: with NX or SMEP on. Cached
    /// translations of the page are dropped, as the processor does (4.10.4.1).
    @inline(never)
    private func pageFault(_ linear: UInt64, _ access: PageAccess, cause: UInt32) -> Fault {
        invalidatePiece(linear)
        var code = cause
        if access.write { code |= PageFaultCode.write }
        if access.user { code |= PageFaultCode.user }
        let nx = pointee.efer & EFER.nxe != 0 && pointee.cr4 & CR4.pae != 0
        if access.fetch && (nx || pointee.cr4 & CR4.smep != 0) {
            code |= PageFaultCode.instructionFetch
        }
        return .pageFault(linear, code)
    }

    /// The physical address of a linear address under the current paging mode and the given CR3,
    /// without rights, A or D bits, caches or faults; nil when not present. For observers and
    /// diagnosis. PAE paging uses the loaded PDPTEs, whatever `cr3` is.
    public func translateQuietly(_ linear: UInt64, cr3: UInt64) -> UInt64? {
        guard pointee.cr0 & CR0.pg != 0 else { return linear & 0xFFFF_FFFF }
        if pointee.longMode == 0 && pointee.cr4 & CR4.pae == 0 {
            let entry2 = loadTable32((cr3 & 0xFFFF_F000) | ((linear &>> 20) & 0xFFC))
            guard entry2 & PageEntry.present != 0 else { return nil }
            if entry2 & PageEntry.large != 0 && pointee.cr4 & CR4.pse != 0 {
                let page = (entry2 & 0xFFC0_0000) | ((entry2 & 0x1F_E000) &<< 19)
                return page | (linear & 0x3F_FFFF)
            }
            let entry1 = loadTable32((entry2 & 0xFFFF_F000) | ((linear &>> 10) & 0xFFC))
            guard entry1 & PageEntry.present != 0 else { return nil }
            return (entry1 & 0xFFFF_F000) | (linear & 0xFFF)
        }
        var shift: UInt64 = 39
        var table = cr3
        if pointee.longMode == 0 {
            table = pdptes[Int(truncatingIfNeeded: (linear &>> 30) & 3)]
            guard table & PageEntry.present != 0 else { return nil }
            shift = 21
        }
        while true {
            let entry = loadTable(wideEntry(table, linear, shift))
            guard entry & PageEntry.present != 0 else { return nil }
            if shift == 12 || (entry & PageEntry.large != 0 && shift < 39) {
                let offset = (1 &<< shift) &- 1
                return (entry & PageEntry.address & ~offset) | (linear & offset)
            }
            table = entry
            shift &-= 9
        }
    }
}
