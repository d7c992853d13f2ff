import X86

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The decoded code of one physical page.
struct CodePage {
    var first: BlockPointer?
    /// Bit n: some block covers a byte of the page's n-th 64 bytes. Writes elsewhere on the page
    /// disturb nothing, so data beside code costs no decoding.
    var granules: UInt64
}

/// The decoded code of a machine: blocks in an arena, found by a hash of their key and by their
/// physical page. It is a cache in the strict sense: nothing it holds or forgets can be seen from
/// the guest, in a snapshot or in a count.
///
/// Memory is bounded. Blocks are never freed singly: an invalid block keeps its place (something
/// may still run in it) until the arena is full, and then everything is forgotten at once, which
/// happens only between blocks.
struct BlockCache {
    /// Heads of the hash chains.
    var heads: UnsafeMutablePointer<BlockPointer?>
    var pages: UnsafeMutablePointer<CodePage>
    var pageCount: Int
    var arena: UnsafeMutableRawPointer
    var arenaUsed: Int
    /// Decoded instructions, beside the arena as only slow paths look at them.
    var instructions: UnsafeMutablePointer<Instruction>
    var instructionsUsed: Int
    /// The vCPUs that have run here, whose write tags a new code page must withhold.
    var cpus: UnsafeMutablePointer<CPU>
    var cpuCount: Int
    /// Stand-ins for the block after a link that is not made yet, or never will be.
    var unlinked: BlockPointer
    var unlinkable: BlockPointer
    /// A link that always holds `unlinkable`, for targets known only at run time.
    var noLink: LinkPointer
    /// Times that everything was forgotten.
    var flushes: Int
    /// Executable memory for native loops, once it was asked for and granted.
    var native: UnsafeMutablePointer<UInt8>?
    var nativeUsed = 0
    var nativeTried = false

    static let hashSize = 1 << 15
    static let arenaSize = 24 << 20
    static let nativeSize = 1 << 20
    static let instructionCapacity = arenaSize / 32
    static let blockRoom = Block.headerSize + (Block.capacity + 1) * 32
}

typealias BlockCachePointer = UnsafeMutablePointer<BlockCache>

extension UnsafeMutablePointer<BlockCache> {
    /// Makes the cache of a machine and hangs it into `SharedState.blocks`. The pages are touched
    /// as they are used.
    static func make(for shared: UnsafeMutablePointer<SharedState>) -> BlockCachePointer {
        Place.check()
        let pageCount = Int(shared.pointee.memorySize >> 12)
        let stub = UnsafeMutableRawPointer.allocate(
            byteCount: 2 * BlockCache.blockRoom + 8, alignment: 16)
        let unlinked = stub.assumingMemoryBound(to: Block.self)
        let unlinkable = stub.advanced(by: BlockCache.blockRoom)
            .assumingMemoryBound(to: Block.self)
        let link = stub.advanced(by: 2 * BlockCache.blockRoom)
            .assumingMemoryBound(to: BlockPointer.self)
        let cache = BlockCachePointer.allocate(capacity: 1)
        cache.initialize(
            to: BlockCache(
                heads: map(BlockCache.hashSize), pages: map(pageCount), pageCount: pageCount,
                arena: UnsafeMutableRawPointer(
                    map(BlockCache.arenaSize) as UnsafeMutablePointer<UInt8>),
                arenaUsed: 0, instructions: map(BlockCache.instructionCapacity),
                instructionsUsed: 0, cpus: .allocate(capacity: 256), cpuCount: 0,
                unlinked: unlinked, unlinkable: unlinkable, noLink: link, flushes: 0))
        for block in [unlinked, unlinkable] {
            block.initialize(
                to: Block(
                    key: 0, lastStart: 0, lastPosition: 0, cycles: 0, count: 0, taken: unlinkable,
                    following: unlinkable, instructions: cache.pointee.instructions,
                    hashNext: nil, pageNext: nil, length: 0, native: nil))
            block.operations.initialize(to: Operation(kind: .stale))
        }
        link.initialize(to: unlinkable)
        shared.pointee.blocks = UnsafeMutableRawPointer(cache)
        return cache
    }

    /// Returns the memory to the system.
    func destroy() {
        unmap(pointee.heads, BlockCache.hashSize)
        unmap(pointee.pages, pointee.pageCount)
        munmap(pointee.arena, BlockCache.arenaSize)
        unmap(pointee.instructions, BlockCache.instructionCapacity)
        destroyNative()
        pointee.cpus.deallocate()
        UnsafeMutableRawPointer(pointee.unlinked).deallocate()
        deallocate()
    }

    /// Zeroed memory for `count` values, backed when touched.
    private static func map<T>(_ count: Int) -> UnsafeMutablePointer<T> {
        #if os(Linux)
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        #else
            let flags = MAP_PRIVATE | MAP_ANON
        #endif
        let size = Swift.max(count, 1) &* MemoryLayout<T>.stride
        let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let mapped, mapped != MAP_FAILED else {
            preconditionFailure("no memory for the block cache")
        }
        return mapped.bindMemory(to: T.self, capacity: Swift.max(count, 1))
    }

    private func unmap<T>(_ pointer: UnsafeMutablePointer<T>, _ count: Int) {
        munmap(UnsafeMutableRawPointer(pointer), Swift.max(count, 1) &* MemoryLayout<T>.stride)
    }

    // MARK: - Lookup

    /// Index of the hash chain of a key.
    @inline(__always)
    func slot(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key ^ (key &>> 11)) & UInt64(BlockCache.hashSize &- 1))
    }

    /// The block with a key, or nil.
    @inline(__always)
    func find(_ key: UInt64) -> BlockPointer? {
        var candidate = pointee.heads[slot(key)]
        while let block = candidate {
            if block.pointee.key == key { return block }
            candidate = block.pointee.hashNext
        }
        return nil
    }

    // MARK: - Making blocks

    /// Notes a vCPU whose write tags matter.
    func enlist(_ cpu: CPU) {
        for n in 0..<pointee.cpuCount where pointee.cpus[n] == cpu { return }
        precondition(pointee.cpuCount < 256)
        pointee.cpus[pointee.cpuCount] = cpu
        pointee.cpuCount &+= 1
    }

    /// Room for a block of the greatest size; forgets everything first when there is none. The
    /// room is taken by `insert`.
    func reserve() -> BlockPointer {
        if pointee.arenaUsed &+ BlockCache.blockRoom > BlockCache.arenaSize
            || pointee.instructionsUsed &+ Block.capacity > BlockCache.instructionCapacity
        {
            forgetAll()
        }
        return pointee.arena.advanced(by: pointee.arenaUsed).assumingMemoryBound(to: Block.self)
    }

    /// Takes a finished block, of `operations` operations and `count` instructions, into the hash
    /// and its page's list.
    func insert(_ block: BlockPointer, operations: Int, count: Int, shared: SharedState) {
        pointee.arenaUsed &+= (Block.headerSize &+ operations &* 32 &+ 63) & ~63
        pointee.instructionsUsed &+= count
        let key = block.pointee.key
        let physical = key & ((1 << Block.keyShift) &- 1)
        let head = pointee.heads + slot(key)
        block.pointee.hashNext = head.pointee
        head.pointee = block
        let number = Int(truncatingIfNeeded: physical &>> 12)
        let page = pointee.pages + number
        block.pointee.pageNext = page.pointee.first
        page.pointee.first = block
        page.pointee.granules |= granules(physical & 0xFFF, block.pointee.length)
        if shared.pageFlags[number] & PageFlag.code == 0 {
            shared.pageFlags[number] |= PageFlag.code
            for n in 0..<pointee.cpuCount {
                pointee.cpus[n].withholdWrites(physicalPage: physical)
            }
        }
    }

    /// The bits of `CodePage.granules` for `length` bytes from `offset`, clipped to the page.
    @inline(__always)
    func granules(_ offset: UInt64, _ length: UInt64) -> UInt64 {
        let first = offset &>> 6
        let last = Swift.min(4095, offset &+ length &- 1) &>> 6
        return (UInt64.max &<< first) & (UInt64.max &>> (63 &- last))
    }

    // MARK: - Forgetting

    /// Forgets every block. Nothing may be running in one. Page flags stay set until the next
    /// write to their page finds no code there.
    func forgetAll() {
        pointee.heads.update(repeating: nil, count: BlockCache.hashSize)
        for n in 0..<pointee.pageCount where pointee.pages[n].first != nil {
            pointee.pages[n] = CodePage(first: nil, granules: 0)
        }
        pointee.arenaUsed = 0
        pointee.instructionsUsed = 0
        pointee.nativeUsed = 0
        pointee.flushes &+= 1
    }

    /// Invalidates the blocks that cover any of the bytes `from..<to` of physical page `number`,
    /// and returns whether there was one.
    func invalidate(page number: Int, from: UInt64, to: UInt64) -> Bool {
        let page = pointee.pages + number
        guard page.pointee.granules & granules(from, to &- from) != 0 else { return false }
        var found = false
        var kept: UInt64 = 0
        var link: BlockPointer?
        var next = page.pointee.first
        while let block = next {
            next = block.pointee.pageNext
            let start = block.pointee.key & 0xFFF
            let length = block.pointee.length
            if start < to && from < start &+ length {
                found = true
                remove(block)
            } else {
                kept |= granules(start, length)
                block.pointee.pageNext = link
                link = block
            }
        }
        page.pointee = CodePage(first: link, granules: kept)
        return found
    }

    /// Takes a block out of the hash, and makes every link to it lead to a fresh look-up.
    private func remove(_ block: BlockPointer) {
        var place = pointee.heads + slot(block.pointee.key)
        while let other = place.pointee, other != block {
            place = other.hashLink
        }
        place.pointee = block.pointee.hashNext
        block.pointee.key = 0
        block.operations.pointee.kind = .stale
    }
}

extension CPU {
    /// The decoded-code cache of this vCPU's machine, made at its first use.
    @inline(__always)
    var blockCache: BlockCachePointer {
        if let blocks = pointee.shared.pointee.blocks {
            return blocks.assumingMemoryBound(to: BlockCache.self)
        }
        return BlockCachePointer.make(for: pointee.shared)
    }

    /// Bytes on a page flagged `PageFlag.code` are about to change: forgets what was decoded from
    /// them. Called before the bytes are written, by whatever writes memory (a vCPU, a device, a
    /// loader); the bytes must lie within one page.
    func codeWritten(physical: UInt64, size: Int) {
        let number = Int(truncatingIfNeeded: physical &>> 12)
        let shared = pointee.shared
        guard let blocks = shared.pointee.blocks else {
            shared.pointee.pageFlags[number] &= ~PageFlag.code
            return
        }
        let cache = blocks.assumingMemoryBound(to: BlockCache.self)
        let from = physical & 0xFFF
        if cache.invalidate(page: number, from: from, to: from &+ UInt64(size)) {
            pointee.attention |= Attention.leaveBlock
        }
        if cache.pointee.pages[number].first == nil {
            shared.pointee.pageFlags[number] &= ~PageFlag.code
        }
    }
}

extension UnsafeMutablePointer<SharedState> {
    /// Forgets all decoded code, after memory has been replaced without `codeWritten`.
    func forgetDecodedCode() {
        pointee.blocks?.assumingMemoryBound(to: BlockCache.self).forgetAll()
    }

    /// Frees what decoded code needs; for the machine's end.
    func destroyDecodedCode() {
        pointee.blocks?.assumingMemoryBound(to: BlockCache.self).destroy()
        pointee.blocks = nil
    }
}
