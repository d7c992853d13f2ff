import X86

/// Makes blocks from the bytes of guest memory. What it reads is only the page that the block lies
/// on, and what it makes depends on nothing but those bytes, the code size and the cost profile.
struct Predecoder {
    let cache: BlockCachePointer
    let shared: UnsafeMutablePointer<SharedState>
    let block: BlockPointer
    let instructions: UnsafeMutablePointer<Instruction>
    let codeSize: CodeSize
    /// How flat 32-bit code is; 0 for other code.
    let flat: UInt8
    /// The block's first byte, physical.
    let start: UInt64
    /// Bytes from the block's start so far, and to the page's end.
    var length = 0
    let room: Int
    var count = 0
    /// Operations so far: the instructions and what ends the block without one.
    var operations = 0
    var cycles: UInt64 = 0
    /// Cycles and position of the last instruction's start.
    var lastStart: UInt64 = 0

    /// Predecodes and inserts the block for a physical address that lies in memory. May forget all
    /// other blocks, so nothing may be running in one.
    static func makeBlock(
        at physical: UInt64, codeSize: CodeSize, key: UInt64, cache: BlockCachePointer,
        shared: UnsafeMutablePointer<SharedState>
    ) -> BlockPointer {
        let block = cache.reserve()
        var p = Predecoder(
            cache: cache, shared: shared, block: block,
            instructions: cache.pointee.instructions + cache.pointee.instructionsUsed,
            codeSize: codeSize, flat: Predecoder.flat(key), start: physical,
            room: 4096 &- Int(physical & 0xFFF))
        p.decode()
        p.finish(key: key)
        return block
    }

    private static func flat(_ key: UInt64) -> UInt8 {
        let mode = UInt8(truncatingIfNeeded: key &>> Block.keyShift)
        return mode >= FlatCode.lowest ? mode : 0
    }

    /// Decodes instructions until the block ends.
    private mutating func decode() {
        let bytes = shared.pointee.memory.advanced(by: Int(start))
            .assumingMemoryBound(to: UInt8.self)
        while count < Block.capacity && length < room {
            let i = instructions + count
            i.initialize(to: Instruction())
            let failure = Decoder.decode(
                bytes + length, count: Swift.min(15, room &- length), codeSize: codeSize,
                into: &i.pointee)
            if failure != nil { break }
            let last = append(i)
            if last { return }
        }
        // Where the next instruction cannot be decoded here (it crosses the page, or is undefined),
        // the single-step executor takes it.
        var op = Operation(kind: count == 0 ? .step : .next)
        op.offset = UInt16(length)
        op.end = UInt16(length)
        op.cyclesBefore = UInt32(truncatingIfNeeded: cycles)
        op.position = UInt16(count)
        (block.operations + operations).initialize(to: op)
        operations &+= 1
    }

    /// Appends one instruction; true when the block ends with it.
    private mutating func append(_ i: UnsafeMutablePointer<Instruction>) -> Bool {
        var op = Operation()
        op.offset = UInt16(length)
        op.length = i.pointee.length
        op.end = UInt16(length) &+ UInt16(i.pointee.length)
        op.cyclesBefore = UInt32(truncatingIfNeeded: cycles)
        op.position = UInt16(count)
        op = Specialiser.specialise(i.pointee, op, flat: flat)
        (block.operations + operations).initialize(to: op)
        operations &+= 1
        lastStart = cycles
        cycles &+= UInt64(shared.pointee.costs[Int(i.pointee.cost.rawValue)])
        length &+= Int(i.pointee.length)
        count &+= 1
        return op.kind.endsBlock
    }

    /// Writes the header and hands the block to the cache. An empty block (its first instruction
    /// is the single-step executor's) covers what it looked at: the bytes up to the page's end.
    private func finish(key: UInt64) {
        let last = block.operations + (operations &- 1)
        let taken = last.pointee.kind.branchesDirectly ? last.pointee.immediate : .max
        let covered = count == 0 ? Swift.min(15, room) : length
        block.initialize(
            to: Block(
                key: key, lastStart: lastStart, lastPosition: UInt64(Swift.max(count, 1) &- 1),
                cycles: cycles, count: UInt64(count), taken: stub(taken),
                following: stub(UInt64(length)), instructions: instructions, hashNext: nil,
                pageNext: nil, length: UInt64(covered), native: nil))
        if codeSize == .bits64 { cache.translateLoop(block) }
        cache.insert(block, operations: operations, count: count, shared: shared.pointee)
    }

    /// A link to the byte `distance` from the block's start may be made only on the same page:
    /// there the code TLB's entry holds as long as control stays. Outside 64-bit and flat code the
    /// CS limit must be looked at, too.
    private func stub(_ distance: UInt64) -> BlockPointer {
        let target = (start & 0xFFF) &+ distance
        return target < 4096 && (codeSize == .bits64 || flat != 0)
            ? cache.pointee.unlinked : cache.pointee.unlinkable
    }
}

extension OperationKind {
    /// Whether nothing in a block follows an operation of this kind.
    var endsBlock: Bool {
        rawValue >= OperationKind.jo.rawValue && rawValue <= OperationKind.retI.rawValue
            || self == .singleLast
    }

    /// Whether the immediate is a branch target from the block's start.
    var branchesDirectly: Bool {
        switch self {
        case .jo, .jno, .jb, .jae, .je, .jne, .jbe, .ja, .js, .jns, .jp, .jnp, .jl, .jge, .jle, .jg,
            .jmp, .call:
            return true
        default: return false
        }
    }
}
