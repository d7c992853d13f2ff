import X86

/// MSRs that a kernel may take for granted by the processor's family and model alone. Most have
/// nothing behind them here, and read as on a processor that firmware left alone.
extension CPU {
    /// - Returns: nil where the model has no such register.
    func readModelMSR(_ register: UInt32) -> UInt64? {
        if pointee.shared.pointee.edition < .second { return nil }
        let isIntel = pointee.shared.pointee.vendor == .intel
        if let range = readMemoryType(register) { return range }
        if let idle = readIdleMSR(register) { return idle }
        switch register {
        // Machine checks: no banks, nothing in progress, and the Pentium's address and type.
        case 0x00, 0x01, 0x179, 0x17A: return 0
        // Intel SDM vol. 4, table 2-15: platform identity, count of system-management interrupts,
        // the locked feature control (no VMX), clock modulation (off), thermal status and target.
        case 0x17, 0x34, 0x19A, 0x19C, 0x1A2: return isIntel ? 0 : nil
        case 0x3A: return isIntel ? 1 : nil
        // AMD BKDG for family 10h: system configuration, hardware configuration, top of memory,
        // interrupt pending message, the northbridge's and the load-store unit's configuration.
        case 0xC001_0010, 0xC001_0015, 0xC001_001A, 0xC001_001D, 0xC001_001F, 0xC001_0055,
            0xC001_1004, 0xC001_1005, 0xC001_1020, 0xC001_1022, 0xC001_1028, 0xC001_102A:
            return isIntel ? nil : 0
        case 0xC001_1029: return isIntel ? nil : 2  // LFENCE serialises
        default: return nil
        }
    }

    /// What a driver of idle states takes for granted where there is MWAIT (Intel SDM vol. 4, table
    /// 2-15: package C-state configuration, power control; residencies, which stay 0).
    private enum IdleState {
        static let configuration: UInt32 = 0xE2
        static let powerControl: UInt32 = 0x1FC
        static let residencies: [UInt32] = [0x3F8, 0x3F9, 0x3FA, 0x3FC, 0x3FD]
        /// Bits 15 to 0 are as firmware left them, no deep state, and locked.
        static let locked: UInt64 = 1 << 15
    }

    private func readIdleMSR(_ register: UInt32) -> UInt64? {
        guard !isAMD, pointee.shared.pointee.edition >= .third else { return nil }
        switch register {
        case IdleState.configuration: return IdleState.locked
        case IdleState.powerControl: return 0
        default: return IdleState.residencies.contains(register) ? 0 : nil
        }
    }

    private func writeIdleMSR(_ register: UInt32, _ value: UInt64) -> Bool {
        guard !isAMD, pointee.shared.pointee.edition >= .third else { return false }
        switch register {
        case IdleState.configuration: return value & 0xFFFF == IdleState.locked
        case IdleState.powerControl: return true
        default: return false
        }
    }

    /// The memory type ranges, which only a `pc` has.
    private func readMemoryType(_ register: UInt32) -> UInt64? {
        let index = Int(pointee.index)
        return pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
            $0.hasFirmware ? $0.memoryTypes[index].read(register) : nil
        }
    }

    /// Writes to the others change nothing: what they would, is not there.
    /// - Returns: false where the model has no such register, it is read-only, or does not take
    ///   the value.
    func writeModelMSR(_ register: UInt32, _ value: UInt64) -> Bool {
        if pointee.shared.pointee.edition < .second { return false }
        let isIntel = pointee.shared.pointee.vendor == .intel
        let index = Int(pointee.index)
        let isTaken = pointee.shared.pointee.bus._withUnsafeGuaranteedRef {
            $0.hasFirmware && $0.memoryTypes[index].write(register, value)
        }
        if isTaken || writeIdleMSR(register, value) { return true }
        switch register {
        case 0x00, 0x01, 0x17A: return value == 0
        case 0x79, 0x19A, 0x19C: return isIntel  // 0x79 loads microcode
        case 0xC001_0010, 0xC001_0015, 0xC001_001F, 0xC001_0020, 0xC001_0055, 0xC001_1020,
            0xC001_1022, 0xC001_1028, 0xC001_1029, 0xC001_102A:
            return !isIntel
        default: return false
        }
    }
}
