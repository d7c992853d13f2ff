/// The body of a native loop: one host instruction for each operation, with the flags it leaves.
extension NativeLoop {
    /// Appends one operation; false when it reads flags that are not known.
    mutating func emit(_ op: OperationPointer) -> Bool {
        let d = register(op.pointee.destination)
        let s = register(op.pointee.source)
        let kind = op.pointee.kind
        switch kind {
        case .nop: return true
        case .movRR32, .movRR64: host.registers(0x89, wide: kind == .movRR64, reg: s, rm: d)
        case .movRI64: moveImmediate(d, op.pointee.immediate)
        case .movzxR8: host.registers0F(0xB6, wide: false, reg: d, rm: s)
        case .movzxR16: host.registers0F(0xB7, wide: false, reg: d, rm: s)
        case .movsxR8to32: host.registers0F(0xBE, wide: false, reg: d, rm: s)
        case .movsxR8to64: host.registers0F(0xBE, wide: true, reg: d, rm: s)
        case .movsxR16to32: host.registers0F(0xBF, wide: false, reg: d, rm: s)
        case .movsxR16to64: host.registers0F(0xBF, wide: true, reg: d, rm: s)
        case .movsxR32to64: host.registers(0x63, wide: true, reg: d, rm: s)
        case .lea32, .lea64, .leaBase64: loadAddress(op, d)
        case .notR32, .notR64: host.registers(0xF7, wide: kind == .notR64, reg: 2, rm: d)
        case .xchgRR32, .xchgRR64:
            host.registers(0x87, wide: kind == .xchgRR64, reg: s, rm: d)
            note(op.pointee.source)
        case .bswap32, .bswap64:
            host.rex(wide: kind == .bswap64, reg: 0, base: d)
            host.bytes(0x0F, 0xC8 | d & 7)
        case .setR, .cmovRR32, .cmovRR64: return conditional(op, d, s)
        default: return arithmetic(op, d, s)
        }
        note(op.pointee.destination)
        return true
    }

    /// Notes that a guest register is written.
    private mutating func note(_ place: UInt8) { written |= 1 &<< UInt32(place &>> 3) }

    private mutating func moveImmediate(_ d: UInt8, _ v: UInt64) {
        let wide = v > 0xFFFF_FFFF
        host.rex(wide: wide, reg: 0, base: d)
        host.byte(0xB8 | d & 7)
        if wide { host.quad(v) } else { host.word(UInt32(truncatingIfNeeded: v)) }
    }

    /// LEA with a 32-bit displacement, and a SIB byte always.
    private mutating func loadAddress(_ op: OperationPointer, _ d: UInt8) {
        let hasBase = op.pointee.base != Place.none
        let hasIndex = op.pointee.index != Place.none
        let base = hasBase ? register(op.pointee.base) : 5
        let index = hasIndex ? register(op.pointee.index) : 4
        host.rex(
            wide: op.pointee.kind != .lea32, reg: d, index: index, base: hasBase ? base : 0)
        host.bytes(
            0x8D, (hasBase ? 0x84 : 0x04) | (d & 7) &<< 3,
            op.pointee.shift &<< 6 | (index & 7) &<< 3 | base & 7)
        host.word(UInt32(bitPattern: op.pointee.displacement))
    }

    private mutating func conditional(_ op: OperationPointer, _ d: UInt8, _ s: UInt8) -> Bool {
        let condition = op.pointee.sub & 15
        if Definedness.read(by: condition) & ~flags.known != 0 { return false }
        if op.pointee.kind == .setR {
            host.registers0F(0x90 | condition, wide: false, reg: 0, rm: d)
        } else {
            let wide = op.pointee.kind == .cmovRR64
            host.registers0F(0x40 | condition, wide: wide, reg: d, rm: s)
        }
        note(op.pointee.destination)
        return true
    }

    // MARK: - What writes flags

    private mutating func arithmetic(_ op: OperationPointer, _ d: UInt8, _ s: UInt8) -> Bool {
        let kind = op.pointee.kind
        switch kind {
        case .testRR32, .testRR64:
            host.registers(0x85, wide: kind == .testRR64, reg: s, rm: d)
            return known(Definedness.all, afIsZero: true)
        case .testRI32, .testRI64:
            host.registers(0xF7, wide: kind == .testRI64, reg: 0, rm: d)
            host.word(op.i32)
            return known(Definedness.all, afIsZero: true)
        case .incR32, .incR64, .decR32, .decR64:
            let wide = kind == .incR64 || kind == .decR64
            let reg: UInt8 = kind == .decR32 || kind == .decR64 ? 1 : 0
            host.registers(0xFF, wide: wide, reg: reg, rm: d)
            note(op.pointee.destination)
            return known(flags.known | ~Definedness.cf, afIsZero: false)
        case .negR32, .negR64:
            host.registers(0xF7, wide: kind == .negR64, reg: 3, rm: d)
            note(op.pointee.destination)
            return known(Definedness.all, afIsZero: false)
        case .imulRR32, .imulRR64, .imulRRI32, .imulRRI64:
            multiply(op, d, s)
            let left = Definedness.cf | Definedness.of | Definedness.af
            return known(left, afIsZero: true)
        case .btRI32, .btRI64, .btRR32, .btRR64:
            bitTest(op, d, s)
            return known(flags.known & Definedness.zf | Definedness.cf, afIsZero: false)
        default: break
        }
        if kind.isShift { return shift(op, d) }
        return rows(op, d, s)
    }

    private mutating func known(_ which: UInt8, afIsZero: Bool) -> Bool {
        flags.known = which & Definedness.all
        flags.afIsZero = afIsZero
        return true
    }

    private mutating func multiply(_ op: OperationPointer, _ d: UInt8, _ s: UInt8) {
        let kind = op.pointee.kind
        let wide = kind == .imulRR64 || kind == .imulRRI64
        if kind == .imulRR32 || kind == .imulRR64 {
            host.registers0F(0xAF, wide: wide, reg: d, rm: s)
        } else {
            host.registers(0x69, wide: wide, reg: d, rm: s)
            host.word(op.i32)
        }
        note(op.pointee.destination)
    }

    private mutating func bitTest(_ op: OperationPointer, _ d: UInt8, _ s: UInt8) {
        let kind = op.pointee.kind
        let wide = kind == .btRI64 || kind == .btRR64
        if kind == .btRR32 || kind == .btRR64 {
            host.registers0F(0xA3, wide: wide, reg: s, rm: d)
        } else {
            host.registers0F(0xBA, wide: wide, reg: 4, rm: d)
            host.byte(op.i8)
        }
    }

    /// Shifts and rotates by a constant that is not zero. OF is the manuals' only for a count of 1.
    private mutating func shift(_ op: OperationPointer, _ d: UInt8) -> Bool {
        let number = op.pointee.kind.rawValue &- OperationKind.shlRI32.rawValue
        let extension3: UInt8 = [4, 5, 7, 0, 1][Int(number &>> 1)]
        host.registers(0xC1, wide: number & 1 != 0, reg: extension3, rm: d)
        host.byte(op.pointee.sub)
        note(op.pointee.destination)
        let overflow = op.pointee.sub == 1 ? Definedness.of : 0
        if number >= 6 {
            let kept = flags.known & ~(Definedness.of | Definedness.cf)
            return known(kept | Definedness.cf | overflow, afIsZero: flags.afIsZero)
        }
        return known(Definedness.all & ~Definedness.of | overflow, afIsZero: true)
    }

    /// ADD, OR, ADC, SBB, AND, SUB, XOR and CMP with a register or an immediate.
    private mutating func rows(_ op: OperationPointer, _ d: UInt8, _ s: UInt8) -> Bool {
        let number = op.pointee.kind.rawValue &- OperationKind.addRR32.rawValue
        let row = number & 7
        let wide = number & 8 != 0
        if row == 2 || row == 3, flags.known & Definedness.cf == 0 { return false }
        if number < 16 {
            host.registers(row &<< 3 | 1, wide: wide, reg: s, rm: d)
        } else {
            host.registers(0x81, wide: wide, reg: row, rm: d)
            host.word(op.i32)
        }
        if row != 7 { note(op.pointee.destination) }
        return known(Definedness.all, afIsZero: row == 1 || row == 4 || row == 6)
    }
}

extension OperationKind {
    /// A shift or rotate of a register by an immediate.
    var isShift: Bool {
        rawValue >= OperationKind.shlRI32.rawValue && rawValue <= OperationKind.rorRI64.rawValue
    }

    /// Whether it touches general registers and flags only, in a way that `NativeLoop` translates.
    var isPure: Bool {
        switch self {
        case .nop, .movRR32, .movRR64, .movRI64, .movzxR8, .movzxR16, .movsxR8to32, .movsxR8to64,
            .movsxR16to32, .movsxR16to64, .movsxR32to64, .lea32, .lea64, .leaBase64, .notR32,
            .notR64, .xchgRR32, .xchgRR64, .bswap32, .bswap64, .setR, .cmovRR32, .cmovRR64,
            .testRR32, .testRR64, .testRI32, .testRI64, .incR32, .incR64, .decR32, .decR64,
            .negR32, .negR64, .imulRR32, .imulRR64, .imulRRI32, .imulRRI64, .btRI32, .btRI64,
            .btRR32, .btRR64:
            return true
        default:
            let number = rawValue &- OperationKind.addRR32.rawValue
            return isShift || rawValue >= OperationKind.addRR32.rawValue && number < 32
        }
    }
}
