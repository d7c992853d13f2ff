import X86

/// Supervisor-mode access prevention (Intel SDM vol. 3, 4.6.1): with CR4.SMAP a supervisor reaches
/// user pages only while RFLAGS.AC is set, and its accesses to system tables never do.
///
/// A tag of the translation cache does not tell AC. So what AC alone permits is cached with a mark
/// (`TLB.relaxed`) and noted, and forgotten when AC ends or a system table is about to be read. All
/// paths that change AC or CPL call `updateAlignment`, which comes here. Few such translations live
/// at once: a copy to or from user memory touches a page or two between STAC and CLAC.
extension CPU {
    /// `relaxedPages` when there are more than are noted.
    static var manyRelaxedPages: UInt8 { 255 }
    private static var notedPages: UInt8 { 16 }

    private var relaxedPlaces: UnsafeMutablePointer<UInt16> {
        UnsafeMutableRawPointer(self).advanced(by: CPULayout.relaxedPlaces)
            .assumingMemoryBound(to: UInt16.self)
    }

    /// Whether a supervisor's data access to a user page is allowed now.
    @inline(__always)
    var mayReachUserPages: Bool {
        pointee.cr4 & CR4.smap == 0
            || pointee.rflags & RFLAGS.ac != 0 && !pointee.isImplicitAccess
    }

    /// Notes that a data translation has been cached that only AC permits.
    func noteRelaxedPage(_ linear: UInt64) {
        let n = pointee.relaxedPages
        if n >= CPU.notedPages {
            pointee.relaxedPages = CPU.manyRelaxedPages
            return
        }
        relaxedPlaces[Int(n)] =
            UInt16(truncatingIfNeeded: linear &>> 12) & UInt16(TLB.dataEntries &- 1)
        pointee.relaxedPages = n &+ 1
    }

    /// Forgets all translations that only AC permits.
    @inline(never)
    func forgetRelaxedPages() {
        let n = pointee.relaxedPages
        pointee.relaxedPages = 0
        if n == CPU.manyRelaxedPages {
            for place in 0..<TLB.dataEntries { forgetRelaxed(place) }
            return
        }
        for k in 0..<Int(n) { forgetRelaxed(Int(relaxedPlaces[k])) }
    }

    private func forgetRelaxed(_ place: Int) {
        if pointee.dataTLB[place].physical & TLB.relaxed != 0 {
            pointee.dataTLB[place] = TLB.empty
        }
    }

    /// An access to a system table that missed the cache, under SMAP.
    @inline(never)
    func readSystemProtected(_ a: UInt64, size: Int) throws(Fault) -> UInt64 {
        if pointee.relaxedPages != 0 { forgetRelaxedPages() }
        pointee.isImplicitAccess = pointee.cr4 & CR4.smap != 0
        defer { pointee.isImplicitAccess = false }
        return try readSlow(a, size, supervisorContext, implicit: true)
    }

    @inline(never)
    func writeSystemProtected(_ a: UInt64, _ v: UInt64, size: Int) throws(Fault) {
        if pointee.relaxedPages != 0 { forgetRelaxedPages() }
        pointee.isImplicitAccess = pointee.cr4 & CR4.smap != 0
        defer { pointee.isImplicitAccess = false }
        try writeSlow(a, v, size, supervisorContext)
    }

    /// STAC and CLAC: #UD above CPL 0.
    func executeSetAccess(_ allowed: Bool) throws(Fault) {
        if pointee.cpl != 0 || pointee.rflags & RFLAGS.vm != 0 { throw .undefinedOpcode }
        writeFlags(
            allowed ? pointee.rflags | RFLAGS.ac : pointee.rflags & ~RFLAGS.ac)
    }
}
