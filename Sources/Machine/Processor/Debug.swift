import X86

/// Bits of DR6 and DR7 (Intel SDM vol. 3, 17.2).
enum DebugBits {
    static let accessDetected: UInt64 = 1 << 13
    static let singleStep: UInt64 = 1 << 14
    static let taskSwitch: UInt64 = 1 << 15
    static let writableDR6: UInt64 = 0xE00F
    static let fixedDR6: UInt64 = 0xFFFF_0FF0
    static let generalDetect: UInt64 = 1 << 13
    static let writableDR7: UInt64 = 0xFFFF_23FF
    static let fixedDR7: UInt64 = 0x400
}

/// Debug registers, the single-step trap, and breakpoints: on instructions (faults), on data and on
/// ports (traps after the instruction, or after an iteration of a repeated one).
extension CPU {
    /// MOV between a debug and a general register.
    func executeMoveDebug(_ i: borrowing Instruction) throws(Fault) {
        let isWrite = i.operands.0.kind == .debug
        var n = isWrite ? i.operands.0.register : i.operands.1.register
        if n == 4 || n == 5 {
            if pointee.cr4 & CR4.de != 0 { throw .undefinedOpcode }
            n &+= 2
        }
        try requireSupervisor()
        if pointee.dr7 & DebugBits.generalDetect != 0 {
            detectDebug(DebugBits.accessDetected)
            throw Fault(vector: Vector.debug)
        }
        if !isWrite {
            writeRegister(
                i.operands.0.register, debugRegister(n), size: Int(i.operands.0.size))
            return
        }
        let value = registers[Int(i.operands.1.register)] & sizeMask(Int(i.operands.1.size))
        try writeDebugRegister(n, value)
        notifyRegister(.debug, value, address: UInt64(n))
    }

    private func debugRegister(_ n: UInt8) -> UInt64 {
        switch n {
        case 0: pointee.dr0
        case 1: pointee.dr1
        case 2: pointee.dr2
        case 3: pointee.dr3
        case 6: pointee.dr6
        default: pointee.dr7
        }
    }

    private func writeDebugRegister(_ n: UInt8, _ value: UInt64) throws(Fault) {
        if n >= 6 && value &>> 32 != 0 { throw .generalProtection(0) }
        switch n {
        case 0: pointee.dr0 = value
        case 1: pointee.dr1 = value
        case 2: pointee.dr2 = value
        case 3: pointee.dr3 = value
        case 6: pointee.dr6 = (value & DebugBits.writableDR6) | DebugBits.fixedDR6
        default:
            pointee.dr7 = (value & DebugBits.writableDR7) | DebugBits.fixedDR7
        }
        updateBreakpoints()
    }

    @inline(__always)
    private func isEnabled(_ slot: Int, _ dr7: UInt64) -> Bool {
        (dr7 &>> UInt64(slot &* 2)) & 3 != 0
    }

    /// R/W of a breakpoint: 0 execution, 1 writes, 2 ports (with CR4.DE), 3 reads and writes.
    @inline(__always)
    private func kind(_ slot: Int) -> UInt64 {
        (pointee.dr7 &>> UInt64(16 &+ slot &* 4)) & 3
    }

    /// LEN of a breakpoint in bytes.
    private func length(_ slot: Int) -> UInt64 {
        switch (pointee.dr7 &>> UInt64(18 &+ slot &* 4)) & 3 {
        case 0: 1
        case 1: 2
        case 2: 8
        default: 4
        }
    }

    /// Latches the trap of the breakpoints of the wanted kinds that `size` bytes at `address` touch
    /// (Intel SDM vol. 3, 17.2.5).
    private func latchBreakpoints(
        _ address: UInt64, _ size: Int, _ isWanted: (UInt64) -> Bool
    ) {
        for slot in 0..<4 where isEnabled(slot, pointee.dr7) && isWanted(kind(slot)) {
            let length = length(slot)
            let start = debugRegister(UInt8(slot)) & ~(length &- 1)
            let last = address &+ UInt64(truncatingIfNeeded: max(size, 1) &- 1)
            if address <= start &+ (length &- 1) && last >= start {
                pointee.pendingDR6 |= 1 &<< UInt32(slot)
                pointee.attention |= Attention.debugTrap
            }
        }
    }

    /// Notes the data breakpoints that an access touches.
    @inline(never)
    func noteDataBreakpoints(_ address: UInt64, _ size: Int, write: Bool) {
        latchBreakpoints(address, size) { $0 == 3 || $0 == 1 && write }
    }

    /// Notes the I/O breakpoints that a port access touches; there are none with CR4.DE clear.
    func notePortBreakpoints(_ port: UInt16, _ size: Int) {
        if pointee.attention & Attention.breakpoints == 0 || pointee.cr4 & CR4.de == 0 { return }
        latchBreakpoints(UInt64(port), size) { $0 == 2 }
    }

    /// Makes attention follow DR7.
    func updateBreakpoints() {
        if pointee.dr7 & 0xFF != 0 {
            pointee.attention |= Attention.breakpoints
        } else {
            pointee.attention &= ~Attention.breakpoints
        }
    }

    /// The instruction breakpoints at a linear address, as DR6 bits 0...3. RF suppresses them.
    func instructionBreakpoints(at linear: UInt64) -> UInt64 {
        if pointee.rflags & RFLAGS.rf != 0 { return 0 }
        var hits: UInt64 = 0
        for slot in 0..<4 where isEnabled(slot, pointee.dr7) && kind(slot) == 0 {
            if debugRegister(UInt8(slot)) == linear { hits |= 1 &<< UInt64(slot) }
        }
        return hits
    }

    /// Latches the single-step trap for the boundary that follows.
    @inline(__always)
    func latchSingleStep() {
        pointee.pendingDR6 |= UInt32(truncatingIfNeeded: DebugBits.singleStep)
        pointee.attention |= Attention.debugTrap
    }

    /// Delivers the #DB trap that is pending.
    func deliverDebugTrap() {
        takeDebugTrap()
        deliver(Fault(vector: Vector.debug))
    }

    /// DR6 of a debug exception: bits 0...3 tell of this one alone, the others are only ever set
    /// (Intel SDM vol. 3, 17.2.3; AMD APM vol. 2, 13.1.1.3).
    func detectDebug(_ conditions: UInt64) {
        pointee.dr6 = pointee.dr6 & ~0xF | conditions | DebugBits.fixedDR6
    }

    /// Moves the pending trap's conditions to DR6.
    private func takeDebugTrap() {
        detectDebug(UInt64(pointee.pendingDR6))
        pointee.pendingDR6 = 0
        pointee.attention &= ~Attention.debugTrap
    }

    /// INT1. A trap that the shadow of a load of SS held back is delivered with it, as one #DB.
    func executeInterrupt1() throws(Fault) {
        if pointee.attention & Attention.debugTrap != 0 { takeDebugTrap() }
        try softwareInterrupt(vector: Vector.debug, checked: false)
    }
}
