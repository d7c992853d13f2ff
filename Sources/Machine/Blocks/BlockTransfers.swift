import X86

/// From one block to the next, inside the executor's loop.
extension UnsafeMutablePointer<CPUState> {
    /// The address after an operation's instruction.
    @inline(__always)
    func end(_ op: OperationPointer, _ wide: Bool) -> UInt64 {
        let end = pointee.rip &+ UInt64(op.pointee.end)
        return wide ? end : end & 0xFFFF_FFFF
    }

    /// The target of a direct branch.
    @inline(__always)
    func target(_ op: OperationPointer, _ wide: Bool) -> UInt64 {
        let target = pointee.rip &+ op.i64
        return wide ? target : target & 0xFFFF_FFFF
    }

    /// Whether control may go to an address: flat code has all that 32 bits can name.
    @inline(__always)
    func isInside(_ target: UInt64, _ wide: Bool) -> Bool { !wide || isCanonical(target) }

    /// Takes a direct branch; false, with nothing changed, when its target is not canonical.
    @inline(__always)
    func take(_ op: OperationPointer, _ wide: Bool) -> Bool {
        let target = target(op, wide)
        guard isInside(target, wide) else { return false }
        pointee.rip = target
        return true
    }

    /// Falls through to the instruction after the block.
    @inline(__always)
    func pass(_ op: OperationPointer, _ wide: Bool) { pointee.rip = end(op, wide) }

    /// A conditional branch: `link` is then where to go on; false as for `take`.
    @inline(__always)
    func branch(
        _ isTaken: Bool, _ op: OperationPointer, _ block: BlockPointer, _ link: inout LinkPointer,
        _ wide: Bool
    ) -> Bool {
        if isTaken {
            guard take(op, wide) else { return false }
            link = block.takenLink
        } else {
            pass(op, wide)
            link = block.followingLink
        }
        return true
    }

    /// Pushes 8 bytes, or 4 of flat code, if that needs nothing else done.
    @inline(__always)
    func pushed(_ v: UInt64, _ wide: Bool) -> Bool {
        if wide {
            let top = pointee.rsp &- 8
            guard let p = writable(at: top, 8) else { return false }
            p.u64 = v
            pointee.rsp = top
        } else {
            let top = (pointee.rsp &- 4) & 0xFFFF_FFFF
            guard let p = writable(at: top, 4) else { return false }
            p.u32 = UInt32(truncatingIfNeeded: v)
            pointee.rsp = top
        }
        return true
    }

    /// What the stack has at `pointer`.
    @inline(__always)
    func stackTop(_ pointer: UInt64, _ wide: Bool) -> UnsafeMutableRawPointer? {
        wide ? readable(at: pointer, 8) : readable(at: pointer & 0xFFFF_FFFF, 4)
    }

    /// Takes a word and `more` bytes off the stack.
    @inline(__always)
    func drop(_ more: UInt64, _ wide: Bool) {
        if wide {
            pointee.rsp &+= 8 &+ more
        } else {
            pointee.rsp = (pointee.rsp &+ 4 &+ more) & 0xFFFF_FFFF
        }
    }

    /// Adds a block that has run to its end to the counts.
    @inline(__always)
    func account(_ block: BlockPointer) {
        pointee.cycles &+= block.pointee.cycles
        pointee.instructions &+= block.pointee.count
    }

    /// Leaves a block by a link; false when the deadlines want single steps. A link not made yet
    /// leads to a stub, whose one operation looks for the block.
    @inline(__always)
    func follow(
        _ link: LinkPointer, _ block: inout BlockPointer, _ op: inout OperationPointer
    ) -> Bool {
        account(block)
        return hop(link, &block, &op)
    }

    /// The same when the block has been accounted for.
    @inline(__always)
    func hop(
        _ link: LinkPointer, _ block: inout BlockPointer, _ op: inout OperationPointer
    ) -> Bool {
        let next = link.pointee
        guard canRun(next) else { return false }
        block = next
        op = next.operations
        return true
    }

    /// Leaves a block for RIP, wherever that is.
    @inline(__always)
    func leap(
        _ cache: BlockCachePointer, _ mode: UInt64, _ block: inout BlockPointer,
        _ op: inout OperationPointer
    ) -> Bool {
        account(block)
        if let next = nearBlock(cache, mode) {
            block = next
            op = next.operations
            return true
        }
        return enter(cache, cache.pointee.noLink, &block, &op)
    }

    /// The block at RIP in 64-bit or flat code when it is the first of its hash chain, the code TLB
    /// knows the page and the deadlines are far: most of the time. `findBlock` deals with the rest.
    /// `mode` is what keys of such code have: what loads a segment register ends a block, and
    /// `findBlock` looks for the next one.
    @inline(__always)
    func nearBlock(_ cache: BlockCachePointer, _ mode: UInt64) -> BlockPointer? {
        let rip = pointee.rip
        let entry = codeEntry(rip)
        guard (rip & ~0xFFF) | pointee.tlbContext == entry.pointee.readTag else { return nil }
        let physical = (entry.pointee.physical & ~0xFFF) | (rip & 0xFFF)
        let key = physical | mode
        guard let block = cache.pointee.heads[cache.slot(key)], block.pointee.key == key,
            canRun(block)
        else { return nil }
        return block
    }

    /// Goes to the block at RIP; false when there is none to run.
    @inline(__always)
    func enter(
        _ cache: BlockCachePointer, _ link: LinkPointer, _ block: inout BlockPointer,
        _ op: inout OperationPointer
    ) -> Bool {
        guard let next = findBlock(cache, link) else { return false }
        block = next
        op = next.operations
        return true
    }

    // MARK: - Wide products

    /// MUL of EAX.
    @inline(__always)
    func multiply32(_ op: OperationPointer, _ flags: inout LazyFlags) {
        let product = (pointee.rax & 0xFFFF_FFFF) &* UInt64(s32(op))
        pointee.rax = product & 0xFFFF_FFFF
        pointee.rdx = product &>> 32
        flags.product(UInt32(truncatingIfNeeded: product), overflow: product &>> 32 != 0)
    }

    /// MUL of RAX.
    @inline(__always)
    func multiply64(_ op: OperationPointer, _ flags: inout LazyFlags) {
        let (high, low) = pointee.rax.multipliedFullWidth(by: s64(op))
        pointee.rax = low
        pointee.rdx = high
        flags.product(low, overflow: high != 0)
    }
}
