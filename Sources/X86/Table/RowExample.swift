/// A shortest encoding of each row, for tests that must reach every one.
extension OpcodeTable {
    /// Bytes that decode to the row, followed by zeros up to 15, and the code size they are for;
    /// nil if the row has no form of that kind.
    ///
    /// - Parameter memory: with a ModRM memory operand `[rBX+rSI]` or `[rAX]`, or without.
    public static func example(ofRow row: Int, memory: Bool) -> (bytes: [UInt8], CodeSize)? {
        let entry = LookupTables.table[row]
        var bytes: [UInt8] = []
        switch entry.prefix {
        case .any, .none, .noRepeat: break
        case .operandSize: bytes.append(0x66)
        case .repeatF3: bytes.append(0xF3)
        case .repeatF2: bytes.append(0xF2)
        }
        if entry.map != .oneByte { bytes.append(0x0F) }
        if entry.map == .threeByte38 { bytes.append(0x38) }
        if entry.map == .threeByte3A { bytes.append(0x3A) }
        bytes.append(entry.opcode)
        if entry.hasModRM {
            let digit = UInt8(entry.digits.trailingZeroBitCount)
            if let exact = entry.exactModRM {
                if memory { return nil }
                bytes.append(exact)
            } else {
                if memory != (entry.modRule == .memory) && entry.modRule != .any { return nil }
                if memory && entry.attributes.contains(.anyMod) { return nil }
                bytes.append(digit << 3 | (memory ? 0 : 0xC0))
            }
        } else if memory {
            return nil
        }
        bytes += Array(repeating: 0, count: 15 - bytes.count)
        return (bytes, entry.attributes.contains(.invalidIn64) ? .bits32 : .bits64)
    }
}
