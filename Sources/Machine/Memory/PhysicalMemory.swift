import X86

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The guest-physical memory of a machine: one lazily backed, zero-filled mapping, and one byte of
/// `PageFlag`s for each of its pages. The machine makes one, copies the pointers into
/// `SharedState`, and frees it with `deallocate`. Around it lie pages that nobody may touch, so
/// that an access of ours beyond either end could not go unnoticed.
public struct PhysicalMemory {
    public let base: UnsafeMutableRawPointer
    /// Bytes; a multiple of 4096.
    public let size: Int
    public let pageFlags: UnsafeMutablePointer<UInt8>
    private static let guardSize = 1 << 16

    /// Maps `size` bytes, rounded up to whole pages; nil when the system refuses.
    public init?(size: Int) {
        let rounded = (size &+ 4095) & ~4095
        guard rounded > 0 else { return nil }
        #if os(Linux)
            let mapFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        #else
            let mapFlags = MAP_PRIVATE | MAP_ANON
        #endif
        let whole = rounded + 2 * Self.guardSize
        let mapped = mmap(nil, whole, PROT_NONE, mapFlags, -1, 0)
        guard let mapped, mapped != MAP_FAILED else { return nil }
        base = mapped + Self.guardSize
        guard mprotect(base, rounded, PROT_READ | PROT_WRITE) == 0 else {
            munmap(mapped, whole)
            return nil
        }
        self.size = rounded
        pageFlags = .allocate(capacity: rounded >> 12)
        pageFlags.initialize(repeating: 0, count: rounded >> 12)
    }

    /// Returns the memory to the system; nothing may use it afterwards.
    public func deallocate() {
        munmap(base - Self.guardSize, size + 2 * Self.guardSize)
        pageFlags.deallocate()
    }
}

/// Loads `size` (1, 2, 4 or 8) bytes, zero-extended, from any alignment.
@inline(__always)
func loadHost(_ pointer: UnsafeRawPointer, _ size: Int) -> UInt64 {
    switch size {
    case 1: UInt64(pointer.load(as: UInt8.self))
    case 2: UInt64(pointer.loadUnaligned(as: UInt16.self))
    case 4: UInt64(pointer.loadUnaligned(as: UInt32.self))
    default: pointer.loadUnaligned(as: UInt64.self)
    }
}

/// Stores the low `size` (1, 2, 4 or 8) bytes at any alignment.
@inline(__always)
func storeHost(_ pointer: UnsafeMutableRawPointer, _ value: UInt64, _ size: Int) {
    switch size {
    case 1: pointer.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case 2: pointer.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
    case 4: pointer.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
    default: pointer.storeBytes(of: value, as: UInt64.self)
    }
}

extension CPU {
    /// Whether the page holding a physical address is memory, not the bus's.
    @inline(__always)
    func isMemory(_ physical: UInt64) -> Bool {
        physical < UInt64(truncatingIfNeeded: pointee.shared.pointee.memorySize)
    }

    /// Reads 1, 2, 4 or 8 bytes that lie in one page of guest-physical address space.
    @inline(__always)
    func loadPhysical(_ physical: UInt64, size: Int) -> UInt64 {
        if isMemory(physical) {
            return loadHost(
                UnsafeRawPointer(pointee.shared.pointee.memory)
                    .advanced(by: Int(truncatingIfNeeded: physical)), size)
        }
        return loadBus(physical, size: size)
    }

    /// Writes 1, 2, 4 or 8 bytes that lie in one page of guest-physical address space, and keeps
    /// the page flags and the decoded code true.
    @inline(__always)
    func storePhysical(_ physical: UInt64, _ value: UInt64, size: Int) {
        guard isMemory(physical) else {
            storeBus(physical, value, size: size)
            return
        }
        markWritten(physical, size: size)
        storeHost(
            pointee.shared.pointee.memory.advanced(by: Int(truncatingIfNeeded: physical)),
            value, size)
    }

    /// Notes that `size` bytes of a page of memory are about to change: dirty map, used map, and
    /// decoded code. Code is invalidated before the store; the block executor leaves its block
    /// after the instruction, so nothing stale runs.
    @inline(__always)
    func markWritten(_ physical: UInt64, size: Int) {
        let flags =
            pointee.shared.pointee.pageFlags + Int(truncatingIfNeeded: physical >> 12)
        if flags.pointee & (PageFlag.code | PageFlag.monitored) != 0 {
            watchedPageWritten(physical, size, flags.pointee)
        }
        flags.pointee |= PageFlag.dirty | PageFlag.used
    }

    @inline(never)
    private func watchedPageWritten(_ physical: UInt64, _ size: Int, _ flags: UInt8) {
        if flags & PageFlag.code != 0 { codeWritten(physical: physical, size: size) }
        if flags & PageFlag.monitored != 0 { monitoredPageWritten(physical: physical, size: size) }
    }

    /// A read outside memory: a device's register, or all ones where nothing answers.
    @inline(never)
    func loadBus(_ physical: UInt64, size: Int) -> UInt64 {
        pointee.attention |= Attention.leaveBlock
        return pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
            $0.readPhysical(physical, size: size, cpu: self)
        }
    }

    /// A write outside memory; where no device answers it is lost.
    @inline(never)
    func storeBus(_ physical: UInt64, _ value: UInt64, size: Int) {
        pointee.attention |= Attention.leaveBlock
        pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
            $0.writePhysical(physical, value, size: size, cpu: self)
        }
    }

    /// Reads 8 bytes of a paging structure. Structures outside memory read as all ones, which sets
    /// reserved bits, and never disturb a device.
    @inline(__always)
    func loadTable(_ physical: UInt64) -> UInt64 {
        guard isMemory(physical) else { return ~0 }
        return UnsafeRawPointer(pointee.shared.pointee.memory)
            .advanced(by: Int(truncatingIfNeeded: physical)).loadUnaligned(as: UInt64.self)
    }

    /// Reads 4 bytes of a 32-bit paging structure; see `loadTable`.
    @inline(__always)
    func loadTable32(_ physical: UInt64) -> UInt64 {
        guard isMemory(physical) else { return 0xFFFF_FFFF }
        return UInt64(
            UnsafeRawPointer(pointee.shared.pointee.memory)
                .advanced(by: Int(truncatingIfNeeded: physical))
                .loadUnaligned(as: UInt32.self))
    }
}
