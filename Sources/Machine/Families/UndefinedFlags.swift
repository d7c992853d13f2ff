import X86

/// What the manuals leave undefined, defined. Every executor must give these results, or traces
/// would differ between executors and hosts. "Measured" means on an AMD Zen 5 processor.
///
/// | instruction | undefined in the SDM | here |
/// | --- | --- | --- |
/// | AND OR XOR TEST | AF | 0 (measured) |
/// | MUL IMUL | SF ZF AF PF | SF ZF PF of the low half of the product (of the truncated result for
/// the two- and three-operand forms), AF 0. Zen leaves the old values |
/// | DIV IDIV | all six | unchanged |
/// | SHL SHR SAR SHLD SHRD, count not 0 | AF | 0. Zen sets it |
/// | SHL SHLD, count > 1 | OF | top bit of the result xor CF (measured) |
/// | SHR SHRD, count > 1 | OF | xor of the two top bits of the result (measured; 0 for SHR) |
/// | SAR, count > 1 | OF | 0, as for count 1 (measured) |
/// | SHL SHR, count > width | CF | 0: a zero was shifted out last (measured) |
/// | SHLD SHRD of 16 bits, count > 16 | result, flags | the operand is dst:src:dst, 48 bits, as on
/// Intel's; CF is the last bit shifted out of it |
/// | ROL RCL, count not 1 | OF | top bit of the result xor CF (measured) |
/// | ROR RCR, count not 1 | OF | xor of the two top bits of the result (measured) |
/// | RCL RCR, count a multiple of width + 1 | OF | by the same rule, CF unchanged (measured) |
/// | BT BTS BTR BTC | OF SF AF PF | unchanged, as ZF is (measured) |
/// | BSF BSR | CF OF SF AF PF | PF of the bit number (1 for a zero source), the others 0 (measured)
/// |
/// | BSF BSR of zero | destination | unchanged, upper half included (measured; AMD documents it) |
/// | BSWAP of 16 bits | result | 0 (measured) |
/// | DAA DAS | OF | unchanged |
/// | AAA AAS | OF SF ZF PF | unchanged |
/// | AAM AAD | OF AF CF | 0 |
/// | FFREE FFREEP | C1 | 0 (measured) |
/// | FPREM FPREM1 of what cannot be divided | C0 C3 | unchanged (measured) |
/// | F2XM1 beyond 1, FYL2XP1 below -1 | result | the operand, inexact (measured) |
/// | x87 instructions not named by the manual's flag tables | C0 C2 C3 | unchanged (measured) |
/// | FBLD of digits above 9 | result | each counts as what its four bits say |
/// | CMPXCHG8B, CRC32, POPCNT and all others | none | |
enum UndefinedFlags {
    /// OF after SHL, SHLD, ROL or RCL of any count but 0. For a count of 1 it is the defined value.
    @inline(__always)
    static func leftOverflow(_ r: UInt64, carry: UInt64, _ size: Int) -> UInt64 {
        ALU.when(ALU.sign(r, size) ^ carry, RFLAGS.of)
    }

    /// OF after SHR, SHRD, ROR or RCR of any count but 0. For a count of 1 it is the defined value.
    @inline(__always)
    static func rightOverflow(_ r: UInt64, _ size: Int) -> UInt64 {
        ALU.when(ALU.sign(r ^ (r &<< 1), size), RFLAGS.of)
    }

    /// The six flags of MUL and IMUL: `overflow` is 1 when the upper half is significant.
    @inline(__always)
    static func multiply(low: UInt64, overflow: UInt64, _ size: Int) -> UInt64 {
        ALU.when(overflow, RFLAGS.cf | RFLAGS.of) | ALU.resultFlags(low, size)
    }

    /// The six flags of BSF and BSR for a source and the bit number found in it.
    @inline(__always)
    static func bitScan(source: UInt64, index: UInt64) -> UInt64 {
        if source == 0 { return RFLAGS.zf | RFLAGS.pf }
        return ALU.when(UInt64(index.nonzeroBitCount & 1) ^ 1, RFLAGS.pf)
    }
}
