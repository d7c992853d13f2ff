import Machine

/// Bounds-checked reads of guest-physical memory for an observer. It holds pointers into a machine
/// and is valid while that machine lives.
struct PhysicalView {
    let memory: UnsafeRawPointer
    let size: UInt64

    init(_ cpu: CPU) {
        memory = UnsafeRawPointer(cpu.pointee.shared.pointee.memory)
        size = cpu.pointee.shared.pointee.memorySize
    }

    /// The word at `address`, or 0 where there is no memory: what a guest put in a pointer must
    /// not lead the observer outside.
    @inline(__always)
    func word(_ address: UInt64) -> UInt64 {
        guard size >= 8, address <= size &- 8 else { return 0 }
        return memory.loadUnaligned(fromByteOffset: Int(address), as: UInt64.self)
    }

    @inline(__always)
    func halfWord(_ address: UInt64) -> UInt32 {
        guard size >= 4, address <= size &- 4 else { return 0 }
        return memory.loadUnaligned(fromByteOffset: Int(address), as: UInt32.self)
    }

    /// A pointer to `count` bytes at `address`, or nil where they are not all memory.
    @inline(__always)
    func bytes(_ address: UInt64, _ count: Int) -> UnsafeRawPointer? {
        guard count >= 0, UInt64(count) <= size, address <= size &- UInt64(count) else {
            return nil
        }
        return memory + Int(address)
    }
}
