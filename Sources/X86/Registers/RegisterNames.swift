/// Names of registers in assembly language.
public enum RegisterNames {
    private static let legacy = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
    private static let bytes = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"]
    private static let segments = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"]

    /// A general register 0...15 of 1, 2, 4 or 8 bytes (SPL, BPL, SIL and DIL for bytes 4...7).
    public static func general(_ number: UInt8, size: UInt8) -> String {
        let n = Int(number & 15)
        if n >= 8 {
            switch size {
            case 1: return "r\(n)b"
            case 2: return "r\(n)w"
            case 4: return "r\(n)d"
            default: return "r\(n)"
            }
        }
        switch size {
        case 1: return bytes[n]
        case 2: return legacy[n]
        case 4: return "e" + legacy[n]
        default: return "r" + legacy[n]
        }
    }

    /// A segment register by `SegmentNumber`.
    public static func segment(_ number: UInt8) -> String { segments[Int(number & 7)] }
}
