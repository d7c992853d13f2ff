import X86

/// Machine code for one code size, put together byte by byte. Wide operations have the prefixes
/// that the size wants, so that the same calls serve 16-, 32- and 64-bit code.
struct Emitter {
    let size: CodeSize
    var bytes: [UInt8] = []

    init(_ size: CodeSize) { self.size = size }

    mutating func emit(_ b: UInt8...) { bytes += b }

    mutating func word(_ v: UInt64) {
        for n in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: v >> UInt64(8 * n))) }
    }

    mutating func long(_ v: UInt64) {
        word(v)
        word(v >> 32)
    }

    /// The prefix by which an operation has 32-bit operands in 16-bit code.
    mutating func operands32() { if size == .bits16 { emit(0x66) } }

    /// REX.W, where there is one.
    mutating func wide() { if size == .bits64 { emit(0x48) } else { operands32() } }

    /// MOV of a number to one of the first eight registers.
    mutating func load(_ register: Int, _ v: UInt64) {
        if size == .bits64 && v >> 32 != 0 {
            emit(0x48, 0xB8 | UInt8(register))
            long(v)
            return
        }
        operands32()
        emit(0xB8 | UInt8(register))
        word(v)
    }

    /// MOV of a 32-bit number to memory, through RDI.
    mutating func store(_ address: UInt64, _ v: UInt64) {
        load(7, address)
        operands32()
        if size == .bits16 { emit(0x67) }
        emit(0xC7, 0x07)
        word(v)
    }

    /// MOV of a byte to memory, through RDI.
    mutating func storeByte(_ address: UInt64, _ v: UInt8) {
        load(7, address)
        if size == .bits16 { emit(0x67) }
        emit(0xC6, 0x07, v)
    }

    /// WRMSR.
    mutating func writeMSR(_ register: UInt64, _ v: UInt64) {
        load(1, register)
        load(0, v & 0xFFFF_FFFF)
        load(2, v >> 32)
        emit(0x0F, 0x30)
    }

    /// MOV of RAX to a control register.
    mutating func writeControl(_ n: UInt8, _ v: UInt64) {
        load(0, v)
        emit(0x0F, 0x22, 0xC0 | n << 3)
    }

    /// LGDT (2) or LIDT (3) from an address below 2 GiB.
    mutating func loadTable(_ which: UInt8, at address: UInt64) {
        switch size {
        case .bits64: emit(0x0F, 0x01, which << 3 | 4, 0x25)
        case .bits32: emit(0x0F, 0x01, which << 3 | 5)
        case .bits16: emit(0x66, 0x67, 0x0F, 0x01, which << 3 | 5)
        }
        word(address)
    }

    /// A far return to `selector:address`, in the largest operand size of the mode.
    mutating func goFar(_ selector: UInt64, _ address: UInt64) {
        operands32()
        emit(0x68)
        word(selector)
        operands32()
        emit(0x68)
        word(address)
        wide()
        emit(0xCB)
    }
}
