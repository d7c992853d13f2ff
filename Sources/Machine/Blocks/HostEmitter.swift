/// Writes x86-64 host instructions into executable memory. Registers are host numbers 0...15.
struct HostEmitter {
    let start: UnsafeMutablePointer<UInt8>
    let room: Int
    var count = 0

    /// False once something did not fit; what was written is then useless.
    var fits: Bool { count <= room }

    @inline(__always)
    mutating func byte(_ b: UInt8) {
        if count < room { start[count] = b }
        count &+= 1
    }

    mutating func bytes(_ b: UInt8...) { for one in b { byte(one) } }

    mutating func word(_ v: UInt32) {
        for shift: UInt32 in [0, 8, 16, 24] { byte(UInt8(truncatingIfNeeded: v &>> shift)) }
    }

    mutating func quad(_ v: UInt64) {
        word(UInt32(truncatingIfNeeded: v))
        word(UInt32(truncatingIfNeeded: v &>> 32))
    }

    /// REX, always present so that every low byte has a name; `reg`, `index` and `base` give R, X
    /// and B.
    mutating func rex(wide: Bool, reg: UInt8, index: UInt8 = 0, base: UInt8) {
        byte(0x40 | (wide ? 8 : 0) | (reg &>> 3) &<< 2 | (index &>> 3) &<< 1 | base &>> 3)
    }

    /// An instruction with two register operands.
    mutating func registers(_ opcode: UInt8, wide: Bool, reg: UInt8, rm: UInt8) {
        rex(wide: wide, reg: reg, base: rm)
        byte(opcode)
        byte(0xC0 | (reg & 7) &<< 3 | rm & 7)
    }

    /// The same in the 0F map.
    mutating func registers0F(_ opcode: UInt8, wide: Bool, reg: UInt8, rm: UInt8) {
        rex(wide: wide, reg: reg, base: rm)
        bytes(0x0F, opcode, 0xC0 | (reg & 7) &<< 3 | rm & 7)
    }

    /// MOV between a register and a word at a distance from RDI.
    mutating func move(_ opcode: UInt8, _ reg: UInt8, distance: UInt8) {
        rex(wide: true, reg: reg, base: 7)
        bytes(opcode, 0x87 | (reg & 7) &<< 3)
        word(UInt32(distance))
    }

    mutating func push(_ reg: UInt8) { bytes(0x40 | reg &>> 3, 0x50 | reg & 7) }
    mutating func pop(_ reg: UInt8) { bytes(0x40 | reg &>> 3, 0x58 | reg & 7) }

    /// Writes the distance from the end of a 32-bit field at `field` to here into it.
    func patch(_ field: Int) {
        guard fits else { return }
        let distance = UInt32(truncatingIfNeeded: count &- field &- 4)
        for n in 0..<4 {
            start[field &+ n] = UInt8(truncatingIfNeeded: distance &>> UInt32(n &* 8))
        }
    }
}
