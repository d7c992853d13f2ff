/// Loops of one block that touch only general registers, translated to host code.
///
/// Such a block ends with a conditional branch to its own start, cannot fault, reaches no memory
/// and changes nothing that anybody else can see until it is left, so the host may run it a counted
/// number of times: as many as the deadlines permit. The counts come from the block's totals, and a
/// stop is exact as ever, because the last iterations before a deadline are single steps.
///
/// Arithmetic is the host's own instruction on a host register. Flags are the host's too, where the
/// manuals define them; `Definedness` keeps account, and a loop whose flags at its end, or whose
/// conditions, would depend on what a manual leaves open is not translated.
struct NativeLoop {
    /// CF, PF, AF, ZF, SF and OF as bits.
    struct Definedness {
        static let cf: UInt8 = 1
        static let pf: UInt8 = 2
        static let af: UInt8 = 4
        static let zf: UInt8 = 8
        static let sf: UInt8 = 16
        static let of: UInt8 = 32
        static let all: UInt8 = 63

        /// Flags that the host leaves as our definitions have them.
        var known: UInt8 = 0
        /// AF is 0 by definition, whatever the host has.
        var afIsZero = false

        /// The flags that a condition reads.
        static func read(by condition: UInt8) -> UInt8 {
            switch condition & 14 {
            case 0: of
            case 2: cf
            case 4: zf
            case 6: cf | zf
            case 8: sf
            case 10: pf
            case 12: sf | of
            default: sf | of | zf
            }
        }
    }

    var host: HostEmitter
    var flags = Definedness()
    /// Host register of each guest register, or 0xFF.
    var map: [UInt8]
    /// Guest registers that the loop writes, as bits.
    var written: UInt32 = 0

    /// Host registers for guest ones: all but RSP, RDI (the vCPU) and RCX (the iterations left).
    static let available: [UInt8] = [0, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    static let saved: [UInt8] = [3, 5, 12, 13, 14, 15]

    /// What the translated loop is called as: the vCPU, the iterations to do (at least one), and
    /// where it leaves the iterations not done and whether its branch was taken at the end. It
    /// returns the host's flags.
    typealias Function =
        @convention(c) (
            UnsafeMutableRawPointer, UInt64, UnsafeMutablePointer<UInt64>
        ) -> UInt64

    /// Translates a block of `count` operations; the number of bytes written, or nil.
    static func translate(
        _ operations: OperationPointer, count: Int, to start: UnsafeMutablePointer<UInt8>,
        room: Int
    ) -> (bytes: Int, afIsZero: Bool)? {
        var loop = NativeLoop(
            host: HostEmitter(start: start, room: room), map: Array(repeating: 0xFF, count: 17))
        let last = operations + (count &- 1)
        guard last.pointee.kind.isConditionalJump, last.pointee.immediate == 0, count > 1,
            loop.assignRegisters(operations, count &- 1)
        else { return nil }
        loop.prologue()
        let top = loop.host.count
        for n in 0..<(count &- 1) {
            guard loop.emit(operations + n) else { return nil }
        }
        let condition = last.pointee.kind.rawValue &- OperationKind.jo.rawValue
        guard loop.flags.known == Definedness.all else { return nil }
        loop.close(condition, top: top)
        return loop.host.fits ? (loop.host.count, loop.flags.afIsZero) : nil
    }

    // MARK: - Registers

    /// Gives a host register to every guest register that the body names.
    private mutating func assignRegisters(_ operations: OperationPointer, _ count: Int) -> Bool {
        var next = 0
        for n in 0..<count {
            let op = operations[n]
            if !op.kind.isPure { return false }
            for place in [op.destination, op.source, op.base, op.index] where place != Place.none {
                // A high byte, or RIP.
                if place & 7 != 0 || place > Place.none { return false }
                let guest = Int(place &>> 3)
                if map[guest] != 0xFF { continue }
                if next == Self.available.count { return false }
                map[guest] = Self.available[next]
                next += 1
            }
        }
        return true
    }

    @inline(__always)
    func register(_ place: UInt8) -> UInt8 { map[Int(place &>> 3)] }

    // MARK: - The frame

    private mutating func prologue() {
        for reg in Self.saved { host.push(reg) }
        host.push(2)
        host.registers(0x89, wide: true, reg: 6, rm: 1)
        for guest in 0..<16 where map[guest] != 0xFF {
            host.move(0x8B, map[guest], distance: UInt8(guest &* 8))
        }
    }

    /// The branch, the count, and the way out. Nothing after the body writes a flag before they are
    /// pushed.
    private mutating func close(_ condition: UInt8, top: Int) {
        host.bytes(0x0F, 0x80 | (condition ^ 1))
        let leave = host.count
        host.word(0)
        host.bytes(0x48, 0x8D, 0x49, 0xFF)
        host.bytes(0xE3, 0x05, 0xE9)
        host.word(UInt32(truncatingIfNeeded: top &- host.count &- 4))
        host.bytes(0x6A, 0x01, 0xE9)
        let join = host.count
        host.word(0)
        host.patch(leave)
        host.bytes(0x48, 0x8D, 0x49, 0xFF)
        host.bytes(0x6A, 0x00)
        host.patch(join)
        for guest in 0..<16 where written & (1 &<< UInt32(guest)) != 0 {
            host.move(0x89, map[guest], distance: UInt8(guest &* 8))
        }
        host.bytes(0x9C)
        host.pop(0)
        host.pop(6)
        host.pop(2)
        host.bytes(0x48, 0x89, 0x0A)
        host.bytes(0x48, 0x89, 0x72, 0x08)
        for reg in Self.saved.reversed() { host.pop(reg) }
        host.byte(0xC3)
    }
}

extension OperationKind {
    var isConditionalJump: Bool {
        rawValue >= OperationKind.jo.rawValue && rawValue <= OperationKind.jg.rawValue
    }
}
