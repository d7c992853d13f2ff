import X86

/// Data accesses by linear address at the current privilege. The fast paths are one tag compare;
/// an access that crosses into the next page never matches a tag and goes the slow way.
extension CPU {
    // MARK: - Fast paths

    /// Host pointer for a linear address through an entry that has just matched.
    @inline(__always)
    private func host(_ linear: UInt64, _ entry: UnsafeMutablePointer<TLBEntry>)
        -> UnsafeMutableRawPointer
    {
        UnsafeMutableRawPointer(
            bitPattern: UInt(truncatingIfNeeded: linear &+ entry.pointee.addend)
        ).unsafelyUnwrapped
    }

    /// Reads one byte at the current CPL.
    @inline(__always)
    public func readLinear8(_ a: UInt64) throws(Fault) -> UInt8 {
        let entry = dataEntry(a)
        if (a & ~0xFFF) | pointee.tlbContext == entry.pointee.readTag {
            return host(a, entry).load(as: UInt8.self)
        }
        return UInt8(truncatingIfNeeded: try readSlow(a, 1, pointee.tlbContext))
    }

    /// Reads two bytes at the current CPL.
    @inline(__always)
    public func readLinear16(_ a: UInt64) throws(Fault) -> UInt16 {
        let entry = dataEntry(a)
        if ((a &+ 1) & ~0xFFF) | pointee.tlbContext == entry.pointee.readTag {
            return host(a, entry).loadUnaligned(as: UInt16.self)
        }
        return UInt16(truncatingIfNeeded: try readSlow(a, 2, pointee.tlbContext))
    }

    /// Reads four bytes at the current CPL.
    @inline(__always)
    public func readLinear32(_ a: UInt64) throws(Fault) -> UInt32 {
        let entry = dataEntry(a)
        if ((a &+ 3) & ~0xFFF) | pointee.tlbContext == entry.pointee.readTag {
            return host(a, entry).loadUnaligned(as: UInt32.self)
        }
        return UInt32(truncatingIfNeeded: try readSlow(a, 4, pointee.tlbContext))
    }

    /// Reads eight bytes at the current CPL.
    @inline(__always)
    public func readLinear64(_ a: UInt64) throws(Fault) -> UInt64 {
        let entry = dataEntry(a)
        if ((a &+ 7) & ~0xFFF) | pointee.tlbContext == entry.pointee.readTag {
            return host(a, entry).loadUnaligned(as: UInt64.self)
        }
        return try readSlow(a, 8, pointee.tlbContext)
    }

    /// Writes one byte at the current CPL.
    @inline(__always)
    public func writeLinear8(_ a: UInt64, _ v: UInt8) throws(Fault) {
        let entry = dataEntry(a)
        if (a & ~0xFFF) | pointee.tlbContext == entry.pointee.writeTag {
            host(a, entry).storeBytes(of: v, as: UInt8.self)
            return
        }
        try writeSlow(a, UInt64(v), 1, pointee.tlbContext)
    }

    /// Writes two bytes at the current CPL.
    @inline(__always)
    public func writeLinear16(_ a: UInt64, _ v: UInt16) throws(Fault) {
        let entry = dataEntry(a)
        if ((a &+ 1) & ~0xFFF) | pointee.tlbContext == entry.pointee.writeTag {
            host(a, entry).storeBytes(of: v, as: UInt16.self)
            return
        }
        try writeSlow(a, UInt64(v), 2, pointee.tlbContext)
    }

    /// Writes four bytes at the current CPL.
    @inline(__always)
    public func writeLinear32(_ a: UInt64, _ v: UInt32) throws(Fault) {
        let entry = dataEntry(a)
        if ((a &+ 3) & ~0xFFF) | pointee.tlbContext == entry.pointee.writeTag {
            host(a, entry).storeBytes(of: v, as: UInt32.self)
            return
        }
        try writeSlow(a, UInt64(v), 4, pointee.tlbContext)
    }

    /// Writes eight bytes at the current CPL.
    @inline(__always)
    public func writeLinear64(_ a: UInt64, _ v: UInt64) throws(Fault) {
        let entry = dataEntry(a)
        if ((a &+ 7) & ~0xFFF) | pointee.tlbContext == entry.pointee.writeTag {
            host(a, entry).storeBytes(of: v, as: UInt64.self)
            return
        }
        try writeSlow(a, v, 8, pointee.tlbContext)
    }

    // MARK: - By size

    /// Reads `size` (1, 2, 4, 8) bytes at the current CPL, zero-extended.
    @inline(__always)
    public func readLinear(_ a: UInt64, size: Int) throws(Fault) -> UInt64 {
        let entry = dataEntry(a)
        let last = a &+ UInt64(truncatingIfNeeded: size &- 1)
        if (last & ~0xFFF) | pointee.tlbContext == entry.pointee.readTag {
            return loadHost(host(a, entry), size)
        }
        return try readSlow(a, size, pointee.tlbContext)
    }

    /// The read of a read-modify-write: faults as a write would, so that the write that follows
    /// cannot fault.
    @inline(__always)
    public func readLinearForWrite(_ a: UInt64, size: Int) throws(Fault) -> UInt64 {
        let entry = dataEntry(a)
        let last = a &+ UInt64(truncatingIfNeeded: size &- 1)
        if (last & ~0xFFF) | pointee.tlbContext == entry.pointee.writeTag {
            return loadHost(host(a, entry), size)
        }
        try checkWriteSlow(a, size, pointee.tlbContext)
        return try readSlow(a, size, pointee.tlbContext)
    }

    /// Writes the low `size` (1, 2, 4, 8) bytes of `v` at the current CPL. A write across a page
    /// boundary changes nothing unless both pages permit it.
    @inline(__always)
    public func writeLinear(_ a: UInt64, _ v: UInt64, size: Int) throws(Fault) {
        let entry = dataEntry(a)
        let last = a &+ UInt64(truncatingIfNeeded: size &- 1)
        if (last & ~0xFFF) | pointee.tlbContext == entry.pointee.writeTag {
            storeHost(host(a, entry), v, size)
            return
        }
        try writeSlow(a, v, size, pointee.tlbContext)
    }

    /// Faults as a write of `size` bytes (any size up to a page) would, and writes nothing.
    @inline(__always)
    public func checkWrite(_ a: UInt64, size: Int) throws(Fault) {
        try checkWriteSlow(a, size, pointee.tlbContext)
    }

    /// An implicit supervisor read, whatever the CPL: descriptor tables, task-state segments.
    @inline(__always)
    public func readSystem(_ a: UInt64, size: Int) throws(Fault) -> UInt64 {
        let entry = dataEntry(a)
        let last = a &+ UInt64(truncatingIfNeeded: size &- 1)
        if (last & ~0xFFF) | supervisorContext == entry.pointee.readTag {
            if pointee.relaxedPages == 0 { return loadHost(host(a, entry), size) }
        }
        return try readSystemProtected(a, size: size)
    }

    /// An implicit supervisor write, whatever the CPL; honours CR0.WP.
    @inline(__always)
    public func writeSystem(_ a: UInt64, _ v: UInt64, size: Int) throws(Fault) {
        try writeSystemProtected(a, v, size: size)
    }

    // MARK: - Slow paths

    /// The linear address after `a` plus `n`, wrapped as the mode wraps linear addresses: at 4 GiB
    /// outside IA-32e mode (Intel SDM vol. 1, 3.3.2).
    @inline(__always)
    func advance(_ a: UInt64, _ n: Int) -> UInt64 {
        let next = a &+ UInt64(truncatingIfNeeded: n)
        return pointee.longMode != 0 ? next : next & 0xFFFF_FFFF
    }

    /// - Parameter implicit: an access that no operand asks for, which cannot wait for a turn.
    @inline(never)
    func readSlow(
        _ a: UInt64, _ size: Int, _ context: UInt64, implicit: Bool = false
    ) throws(Fault) -> UInt64 {
        let head = 4096 &- Int(truncatingIfNeeded: a & 0xFFF)
        if size <= head {
            let physical = try translateRead(a, context: context)
            if !implicit && !isMemory(physical) { try readsClock(physical: physical) }
            return loadPhysical(physical, size: size)
        }
        let low = try translateRead(a, context: context)
        let high = try translateRead(advance(a, head), context: context)
        var value: UInt64 = 0
        for n in 0..<size {
            let from = n < head ? low &+ UInt64(n) : high &+ UInt64(n &- head)
            value |= loadPhysical(from, size: 1) &<< UInt64(n &* 8)
        }
        return value
    }

    @inline(never)
    func writeSlow(_ a: UInt64, _ v: UInt64, _ size: Int, _ context: UInt64) throws(Fault) {
        let head = 4096 &- Int(truncatingIfNeeded: a & 0xFFF)
        if size <= head {
            let physical = try translateWrite(a, context: context)
            storePhysical(physical, v, size: size)
            if isMemory(physical) { grantWrites(a, physical: physical, context: context) }
            return
        }
        let low = try translateWrite(a, context: context)
        let high = try translateWrite(advance(a, head), context: context)
        for n in 0..<size {
            let to = n < head ? low &+ UInt64(n) : high &+ UInt64(n &- head)
            storePhysical(to, v &>> UInt64(n &* 8), size: 1)
        }
    }

    @inline(never)
    func checkWriteSlow(_ a: UInt64, _ size: Int, _ context: UInt64) throws(Fault) {
        let head = 4096 &- Int(truncatingIfNeeded: a & 0xFFF)
        _ = try translateWrite(a, context: context)
        if size > head { _ = try translateWrite(advance(a, head), context: context) }
    }
}
