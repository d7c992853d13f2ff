/// The memory type range registers of one vCPU (Intel SDM vol. 3, 11.11). They are kept and
/// checked, and change nothing: memory here has no caches that could differ.
struct MemoryTypeRanges {
    private enum Register {
        static let capabilities: UInt32 = 0xFE
        static let variable: ClosedRange<UInt32> = 0x200...0x20F
        static let fixed64K: UInt32 = 0x250
        static let fixed16K: ClosedRange<UInt32> = 0x258...0x259
        static let fixed4K: ClosedRange<UInt32> = 0x268...0x26F
        static let defaultType: UInt32 = 0x2FF
    }
    /// Eight variable ranges, fixed ranges, write combining.
    static let capabilities: UInt64 = 0x508
    private static let writeBack: UInt64 = 6
    private static let writeProtected: UInt64 = 5
    private static let enabled: UInt64 = 3 << 10

    /// Base and mask of each variable range.
    private var variable = [UInt64](repeating: 0, count: 16)
    /// 64 KiB, 16 KiB and 4 KiB ranges: one, two and eight registers.
    private var fixed = [UInt64](repeating: 0, count: 11)
    private var defaultType: UInt64 = 0

    /// As PC firmware leaves them: all is write-back but for the video window, the segments of
    /// ROM, and what lies above the last RAM that there can be.
    mutating func leaveAsFirmware() {
        defaultType = MemoryTypeRanges.enabled | MemoryTypeRanges.writeBack
        let each: UInt64 = 0x0101_0101_0101_0101
        for n in 0..<11 {
            let type: UInt64 =
                n < 2
                ? MemoryTypeRanges.writeBack : n == 2 ? 0 : MemoryTypeRanges.writeProtected
            fixed[n] = each * type
        }
        // The last GiB below 4 GiB.
        variable[0] = MachineConfiguration.maximumMemory
        variable[1] = PageEntry.address & ~0x3FFF_FFFF | 1 << 11
    }

    /// Where a register is in `fixed`.
    private static func fixedIndex(_ register: UInt32) -> Int? {
        if register == Register.fixed64K { return 0 }
        if Register.fixed16K.contains(register) {
            return 1 + Int(register - Register.fixed16K.lowerBound)
        }
        if Register.fixed4K.contains(register) {
            return 3 + Int(register - Register.fixed4K.lowerBound)
        }
        return nil
    }

    /// - Returns: nil where this is no such register.
    func read(_ register: UInt32) -> UInt64? {
        switch register {
        case Register.capabilities: return MemoryTypeRanges.capabilities
        case Register.defaultType: return defaultType
        case Register.variable: return variable[Int(register - Register.variable.lowerBound)]
        default: return MemoryTypeRanges.fixedIndex(register).map { fixed[$0] }
        }
    }

    /// - Returns: false where the register cannot take the value, or there is none.
    mutating func write(_ register: UInt32, _ value: UInt64) -> Bool {
        switch register {
        case Register.defaultType:
            guard MemoryTypeRanges.isDefaultType(value) else { return false }
            defaultType = value
        case Register.variable:
            guard MemoryTypeRanges.isVariable(value, isMask: register & 1 != 0) else {
                return false
            }
            variable[Int(register - Register.variable.lowerBound)] = value
        default:
            guard let index = MemoryTypeRanges.fixedIndex(register),
                MemoryTypeRanges.areTypes(value)
            else { return false }
            fixed[index] = value
        }
        return true
    }

    /// Uncacheable, write combining, write-through, write-protected, write-back (table 11-8).
    private static func isType(_ value: UInt64) -> Bool {
        switch value & 0xFF {
        case 0, 1, 4, 5, 6: true
        default: false
        }
    }
    private static func areTypes(_ value: UInt64) -> Bool {
        (0..<8).allSatisfy { isType(value >> UInt64(8 * $0)) }
    }
    private static func isDefaultType(_ value: UInt64) -> Bool {
        value & ~0xCFF == 0 && isType(value)
    }
    private static func isVariable(_ value: UInt64, isMask: Bool) -> Bool {
        if isMask { return value & ~(PageEntry.address | 1 << 11) == 0 }
        return value & ~(PageEntry.address | 0xFF) == 0 && isType(value)
    }
}

extension MemoryTypeRanges: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        for n in variable.indices { try stream.field(&variable[n]) }
        for n in fixed.indices { try stream.field(&fixed[n]) }
        try stream.field(&defaultType)
        let isGood =
            MemoryTypeRanges.isDefaultType(defaultType)
            && fixed.allSatisfy(MemoryTypeRanges.areTypes)
            && variable.indices.allSatisfy {
                MemoryTypeRanges.isVariable(variable[$0], isMask: $0 & 1 != 0)
            }
        if !isGood { throw stream.damaged("a memory type that there is not") }
    }
}
