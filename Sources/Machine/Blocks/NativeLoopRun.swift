import X86

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where native loops live, and how the block executor runs them. A host that is not x86-64, or
/// that refuses executable memory, has none and misses nothing but speed.
extension UnsafeMutablePointer<BlockCache> {
    /// Memory for host code; nil where there can be none.
    private func nativeMemory() -> UnsafeMutablePointer<UInt8>? {
        #if arch(x86_64) && os(Linux)
            if !pointee.nativeTried {
                pointee.nativeTried = true
                let mapped = mmap(
                    nil, BlockCache.nativeSize, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                if let mapped, mapped != MAP_FAILED {
                    pointee.native = mapped.assumingMemoryBound(to: UInt8.self)
                }
            }
        #endif
        return pointee.native
    }

    /// Translates a finished block of 64-bit code if it is a loop of the kind that can be, and
    /// makes its first operation run it.
    func translateLoop(_ block: BlockPointer) {
        let operations = block.operations
        let count = Int(block.pointee.count)
        guard count > 1, operations[count &- 1].kind.isConditionalJump,
            operations[count &- 1].immediate == 0, let memory = nativeMemory(),
            let loop = NativeLoop.translate(
                operations, count: count, to: memory + pointee.nativeUsed,
                room: BlockCache.nativeSize &- pointee.nativeUsed)
        else { return }
        block.pointee.native = UnsafeMutableRawPointer(memory + pointee.nativeUsed)
        operations.pointee.kind = .native
        operations.pointee.sub = loop.afIsZero ? 1 : 0
        pointee.nativeUsed &+= (loop.bytes &+ 63) & ~63
    }

    /// Returns the memory to the system.
    func destroyNative() {
        if let native = pointee.native { munmap(native, BlockCache.nativeSize) }
    }
}

extension UnsafeMutablePointer<CPUState> {
    /// Runs the native loop of a block that may run, as often as it wants and the deadlines let it,
    /// and moves RIP and the counts on. Returns the flags and whether the last branch was taken.
    @inline(never)
    func runNative(_ op: OperationPointer, _ block: BlockPointer) -> (flags: UInt64, taken: Bool) {
        let iterations = Swift.min(
            Self.times(
                pointee.cycleDeadline &- pointee.cycles &- block.pointee.lastStart,
                block.pointee.cycles),
            Self.times(
                pointee.instructionDeadline &- pointee.instructions &- block.pointee.lastPosition,
                block.pointee.count))
        let function = unsafeBitCast(
            block.pointee.native.unsafelyUnwrapped, to: NativeLoop.Function.self)
        var left: (count: UInt64, taken: UInt64) = (0, 0)
        let flags = withUnsafeMutablePointer(to: &left) {
            $0.withMemoryRebound(to: UInt64.self, capacity: 2) {
                function(UnsafeMutableRawPointer(self), iterations, $0)
            }
        }
        let done = iterations &- left.count
        pointee.cycles &+= done &* block.pointee.cycles
        pointee.instructions &+= done &* block.pointee.count
        if left.taken == 0 { pointee.rip &+= block.pointee.length }
        return (op.pointee.sub != 0 ? flags & ~RFLAGS.af : flags, left.taken != 0)
    }

    /// How many times something that takes `each` may start in less than `room`, at most 65536;
    /// `room` is at least 1.
    @inline(__always)
    private static func times(_ room: UInt64, _ each: UInt64) -> UInt64 {
        let most: UInt64 = 1 << 16
        if room > each &<< 16 { return most }
        return Swift.min(most, (room &- 1) / Swift.max(each, 1) &+ 1)
    }
}
