import X86

/// FNSTENV, FLDENV, FNSAVE and FRSTOR: the x87 environment in its four forms, and the registers
/// after it (Intel SDM vol. 1, 8.1.10 and figures 8-9 to 8-12). Code and data selectors are stored
/// as zero, as CPUID says; the real-mode forms hold offsets where the manual has 20-bit addresses.
extension CPU {
    private func environmentSize(_ i: borrowing Instruction) -> Int {
        i.operandSize == 2 ? 14 : 28
    }

    /// The seven words of the environment, each of 2 or 4 bytes.
    private func environmentWord(_ n: Int, wide: Bool) -> UInt64 {
        let state = vectorState
        let isReal = !inProtectedMode
        let upper: UInt64 = wide ? 0xFFFF_0000 : 0
        let opcode = UInt64(state.pointee.lastOpcode)
        let pointer = n < 5 ? state.pointee.instructionPointer : state.pointee.dataPointer
        switch n {
        case 0: return UInt64(state.pointee.controlWord) | upper
        case 1: return UInt64(state.pointee.statusWord) | upper
        case 2: return UInt64(fullX87Tags) | upper
        case 3, 5: return isReal && wide ? pointer & 0xFFFF | upper : pointer
        case 4:
            if !isReal { return wide ? opcode &<< 16 : 0 }
            return (pointer &>> 16) &<< 12 & (wide ? 0x0FFF_F000 : 0xF000) | opcode
        default:
            if !isReal { return wide ? upper : 0 }
            return (pointer &>> 16) &<< 12 & (wide ? 0x0FFF_F000 : 0xF000)
        }
    }

    private func storeEnvironment(_ a: UInt64, wide: Bool) throws(Fault) {
        let size = wide ? 4 : 2
        for n in 0..<7 {
            try writeLinear(advance(a, n &* size), environmentWord(n, wide: wide), size: size)
        }
    }

    /// FNSTENV: masks all exceptions afterwards.
    func executeX87StoreEnvironment(_ i: borrowing Instruction) throws(Fault) {
        try requireX87()
        let size = environmentSize(i)
        let a = try linearAddress(i, size: size, write: true)
        try checkWrite(a, size: size)
        try storeEnvironment(a, wide: size == 28)
        vectorState.pointee.controlWord |= 0x3F
        summariseX87Exceptions()
    }

    /// Reads the environment; nothing changes until all of it, and what follows, has been read.
    private func loadEnvironment(_ a: UInt64, wide: Bool) throws(Fault) {
        let size = wide ? 4 : 2
        var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
        words.0 = try readLinear(a, size: size)
        words.1 = try readLinear(advance(a, size), size: size)
        words.2 = try readLinear(advance(a, 2 &* size), size: size)
        words.3 = try readLinear(advance(a, 3 &* size), size: size)
        words.4 = try readLinear(advance(a, 4 &* size), size: size)
        words.5 = try readLinear(advance(a, 5 &* size), size: size)
        words.6 = try readLinear(advance(a, 6 &* size), size: size)
        let state = vectorState
        state.pointee.controlWord = UInt16(truncatingIfNeeded: words.0) & 0x1F3F | 0x40
        state.pointee.statusWord = UInt16(truncatingIfNeeded: words.1)
        setX87Tags(UInt16(truncatingIfNeeded: words.2))
        if inProtectedMode {
            state.pointee.instructionPointer = words.3
            state.pointee.dataPointer = words.5
            let opcode = wide ? UInt16(truncatingIfNeeded: words.4 &>> 16) : 0
            state.pointee.lastOpcode = opcode & 0x7FF
        } else {
            state.pointee.instructionPointer = words.3 & 0xFFFF | (words.4 &>> 12) &<< 16
            state.pointee.dataPointer = words.5 & 0xFFFF | (words.6 &>> 12) &<< 16
            state.pointee.lastOpcode = UInt16(truncatingIfNeeded: words.4) & 0x7FF
        }
        summariseX87Exceptions()
    }

    /// FLDENV.
    func executeX87LoadEnvironment(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        let size = environmentSize(i)
        let a = try linearAddress(i, size: size, write: false)
        try loadEnvironment(a, wide: size == 28)
    }

    /// FNSAVE: then initialises the unit, as FNINIT does.
    func executeX87Save(_ i: borrowing Instruction) throws(Fault) {
        try requireX87()
        let size = environmentSize(i)
        let a = try linearAddress(i, size: size &+ 80, write: true)
        try checkWrite(a, size: size &+ 80)
        try storeEnvironment(a, wide: size == 28)
        for n in 0..<8 {
            let v = stackRegister(n)
            let at = advance(a, size &+ n &* 10)
            try writeLinear(at, v.significand, size: 8)
            try writeLinear(advance(at, 8), UInt64(v.signExponent), size: 2)
        }
        vectorState.pointee.initialiseX87()
    }

    /// FRSTOR.
    func executeX87Restore(_ i: borrowing Instruction) throws(Fault) {
        try beginX87()
        let size = environmentSize(i)
        let a = try linearAddress(i, size: size &+ 80, write: false)
        // The last bytes are on the last page: after these nothing can fault.
        _ = try readLinear(a, size: 2)
        _ = try readLinear(advance(a, size &+ 78), size: 2)
        try loadEnvironment(a, wide: size == 28)
        let tags = vectorState.pointee.tagWord
        for n in 0..<8 {
            let at = advance(a, size &+ n &* 10)
            let low = try readLinear(at, size: 8)
            let high = try readLinear(advance(at, 8), size: 2)
            setStackRegister(
                n,
                Extended(significand: low, signExponent: UInt16(truncatingIfNeeded: high)))
        }
        vectorState.pointee.tagWord = tags
    }
}
