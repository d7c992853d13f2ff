import X86

/// Bits of DR6 and DR7 (Intel SDM vol. 3, 17.2).
enum DebugBits {
    static let accessDetected: UInt64 = 1 << 13
    static let singleStep: UInt64 = 1 << 14
    static let writableDR6: UInt64 = 0xE00F
    static let fixedDR6: UInt64 = 0xFFFF_0FF0
    static let generalDetect: UInt64 = 1 << 13
    static let writableDR7: UInt64 = 0xFFFF_23FF
    static let fixedDR7: UInt64 = 0x400
}

/// Debug registers, the single-step trap, and instruction breakpoints. Data and I/O breakpoints are
/// not executable: a MOV to DR7 that enables one ends the run.
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
            pointee.dr6 |= DebugBits.accessDetected
            pointee.dr7 &= ~DebugBits.generalDetect
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
            let new = (value & DebugBits.writableDR7) | DebugBits.fixedDR7
            for slot in 0..<4 where isEnabled(slot, new) && kind(slot, new) != 0 {
                throw .notExecutable
            }
            pointee.dr7 = new
        }
        updateBreakpoints()
    }

    @inline(__always)
    private func isEnabled(_ slot: Int, _ dr7: UInt64) -> Bool {
        (dr7 &>> UInt64(slot &* 2)) & 3 != 0
    }

    /// R/W and LEN of a breakpoint: 0 is execution, 1 byte.
    @inline(__always)
    private func kind(_ slot: Int, _ dr7: UInt64) -> UInt64 {
        (dr7 &>> UInt64(16 &+ slot &* 4)) & 0xF
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
        if isEnabled(0, pointee.dr7) && pointee.dr0 == linear { hits |= 1 }
        if isEnabled(1, pointee.dr7) && pointee.dr1 == linear { hits |= 2 }
        if isEnabled(2, pointee.dr7) && pointee.dr2 == linear { hits |= 4 }
        if isEnabled(3, pointee.dr7) && pointee.dr3 == linear { hits |= 8 }
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
        pointee.dr6 = (pointee.dr6 | UInt64(pointee.pendingDR6)) | DebugBits.fixedDR6
        pointee.pendingDR6 = 0
        pointee.attention &= ~Attention.debugTrap
        deliver(Fault(vector: Vector.debug))
    }
}
