import X86

/// # The predecoded form
///
/// A block is a header (`Block`) followed by its operations, one for each instruction, 32 bytes
/// each. It lies within one physical page, holds at most `Block.capacity` instructions, and ends
/// with an instruction that may change control flow, mode, IF, attention or paging, before one that
/// crosses the page's end, or when it is full. What it depends on is in its key: the physical
/// address of its first byte and the code size, and of 32-bit code whether it is flat (`FlatCode`).
/// Nothing in it depends on the linear address, so
/// every mapping of a page shares its blocks.
///
/// ## Registers
///
/// `destination`, `source`, `base` and `index` are byte offsets from the `CPU` pointer: general
/// register n is 8n, AH...BH are 8n + 1, the zero register (`Place.none`) stands for "no base" or
/// "no index" so that an effective address has no branches, and `Place.rip` is the RIP field. While
/// a block runs the RIP field holds the address of the block's first byte; the displacement of a
/// RIP-relative operand and the immediate of a branch are therefore relative to the block's start.
/// `segmentBase` is the offset of the 8-byte base to be added: that of FS or GS, or `Place.none`.
///
/// ## Time
///
/// While a block runs, `cycles` and `instructions` hold what they were at its start. `cyclesBefore`
/// and `position` say what the instructions before this one add, so that a fault or a slow path
/// needs no search. The whole is added at the end. A block is entered only if its last
/// instruction may start too: `Block.lastStart` is added to `cycles` for that test.
///
/// ## Flags
///
/// CF, PF, AF, ZF, SF and OF are held in three words (`LazyFlags`) that arithmetic produces anyway:
/// `result`, sign-extended to 64 bits; `carry`, 0 or 1; and `aux`, whose bit 4 is AF and whose bit
/// 63 is OF xor CF, all other bits being meaningless. For r = a + b or r = a - b, sign-extended,
/// a ^ b ^ r is the carry (borrow) into each bit: bit 4 is AF, and bit 63, the carry into the sign,
/// differs from the carry out of it exactly when the operation overflows.
///
///     ZF = result == 0        SF = result < 0         PF = parity of the low byte of result
///     CF = carry              AF = aux bit 4          OF = aux bit 63 xor carry
///     below or equal = CF or ZF           less = (result xor aux) bit 63 xor carry
///
/// ZF with SF, and ZF without PF, have no such form. They come only from POPF, SAHF, IRET and a few
/// instructions that write ZF alone; the single-step executor runs until they are gone.
struct Operation {
    var kind = OperationKind.single
    var destination = Place.none
    var source = Place.none
    var base = Place.none
    var index = Place.none
    /// Binary logarithm of the index's scale.
    var shift: UInt8 = 0
    var segmentBase = UInt16(Place.none)
    var displacement: Int32 = 0
    /// From the block's first byte to this instruction's first.
    var offset: UInt16 = 0
    /// Of the instruction in bytes.
    var length: UInt8 = 0
    /// Condition, shift count, operation number: what the kind says.
    var sub: UInt8 = 0
    /// Immediate operand; for a relative branch its target from the block's first byte.
    var immediate: UInt64 = 0
    /// Cycles of the block's instructions before this one.
    var cyclesBefore: UInt32 = 0
    /// Number of this instruction in its block, from 0.
    var position: UInt16 = 0
    /// From the block's first byte to the next instruction's first.
    var end: UInt16 = 0
}

typealias OperationPointer = UnsafeMutablePointer<Operation>

/// Byte offsets into `CPUState` that operations name.
enum Place {
    /// The zero register.
    static let none: UInt8 = 16 * 8
    static let rip: UInt8 = 17 * 8
    static let rsp: UInt8 = 4 * 8
    static let rbp: UInt8 = 5 * 8

    /// Checked with the rest of the layout when a cache is made.
    static func check() {
        precondition(MemoryLayout<Operation>.size == 32)
        precondition(MemoryLayout<CPUState>.offset(of: \.zero) == Int(none))
        precondition(MemoryLayout<CPUState>.offset(of: \.rip) == Int(rip))
        precondition(MemoryLayout<SegmentRegister>.offset(of: \.base) == 0)
        precondition(MemoryLayout<Block>.size <= Block.headerSize)
        precondition(MemoryLayout<Block>.offset(of: \.taken) == Block.takenOffset)
        precondition(MemoryLayout<Block>.offset(of: \.following) == Block.takenOffset + 8)
        precondition(MemoryLayout<Block>.offset(of: \.hashNext) == Block.hashOffset)
    }
}

/// The head of a block; its operations follow it in memory at `Block.headerSize`.
struct Block {
    /// Physical address of the first byte with the code size, or how flat it is, in the bits from
    /// `keyShift` on; 0 once the block is invalid.
    var key: UInt64
    /// Cycles from the block's start to the start of its last instruction.
    var lastStart: UInt64
    /// Instructions before the last one.
    var lastPosition: UInt64
    /// Cycles and instructions of the whole block.
    var cycles: UInt64
    var count: UInt64
    /// Where a taken branch leads, and where falling through does: a block of the same linear page,
    /// `BlockCache.unlinked`, or `BlockCache.unlinkable` when the target lies on another page.
    var taken: BlockPointer
    var following: BlockPointer
    /// The decoded instructions, by `Operation.position`.
    var instructions: UnsafeMutablePointer<Instruction>
    /// Next block with the same hash.
    var hashNext: BlockPointer?
    /// Next block on the same physical page.
    var pageNext: BlockPointer?
    /// Bytes of code covered.
    var length: UInt64
    /// Host code of the whole block, if it is a native loop.
    var native: UnsafeMutableRawPointer?

    static let headerSize = 96
    /// Most instructions in a block.
    static let capacity = 48
    static let keyShift: UInt64 = 56
    /// Byte offsets of `taken` and `hashNext`.
    static let takenOffset = 40
    static let hashOffset = 64
}

typealias BlockPointer = UnsafeMutablePointer<Block>
typealias LinkPointer = UnsafeMutablePointer<BlockPointer>

extension UnsafeMutablePointer<Block> {
    /// Whether it is of flat 32-bit code.
    @inline(__always)
    var isFlat: Bool { pointee.key &>> Block.keyShift >= UInt64(FlatCode.lowest) }

    @inline(__always)
    var operations: OperationPointer {
        UnsafeMutableRawPointer(self).advanced(by: Block.headerSize)
            .assumingMemoryBound(to: Operation.self)
    }

    /// The part of the key that is no address.
    @inline(__always)
    var mode: UInt64 { pointee.key & ~((1 &<< Block.keyShift) &- 1) }

    /// The place that says where a taken branch leads.
    @inline(__always)
    var takenLink: LinkPointer {
        UnsafeMutableRawPointer(self).advanced(by: Block.takenOffset)
            .assumingMemoryBound(to: BlockPointer.self)
    }

    /// The place that says where falling through leads.
    @inline(__always)
    var followingLink: LinkPointer {
        UnsafeMutableRawPointer(self).advanced(by: Block.takenOffset &+ 8)
            .assumingMemoryBound(to: BlockPointer.self)
    }

    /// The place that names the next block with the same hash.
    @inline(__always)
    var hashLink: UnsafeMutablePointer<BlockPointer?> {
        UnsafeMutableRawPointer(self).advanced(by: Block.hashOffset)
            .assumingMemoryBound(to: BlockPointer?.self)
    }
}
