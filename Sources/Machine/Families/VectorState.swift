/// Floating-point and vector state of one vCPU: x87, MMX (the low 64 bits of the x87 registers) and
/// SSE (Intel SDM vol. 1, 8.1, 9.2 and 10.2). Plain data of a fixed layout, reached through
/// `CPUState.vectors`; whoever makes a vCPU allocates one, writes `VectorState()` to it, and saves
/// its bytes whole: there is no padding.
///
/// x87 registers are kept by physical number (R0...R7), 80 bits in 16 bytes with the upper six
/// zero; ST(n) is physical register (TOP + n) mod 8.
public struct VectorState {
    public typealias EightWords = (
        UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
    )

    /// XMM0...XMM15, low word first: 256 bytes at offset 0.
    public var xmm: (EightWords, EightWords, EightWords, EightWords)
    /// R0...R7: 128 bytes at offset 256.
    public var x87: (EightWords, EightWords)
    /// FIP and FDP as FXSAVE64 stores them.
    public var instructionPointer: UInt64 = 0
    public var dataPointer: UInt64 = 0
    public var mxcsr: UInt32 = 0x1F80
    public var controlWord: UInt16 = 0x0040
    /// TOP is bits 11...13.
    public var statusWord: UInt16 = 0
    /// Two bits for each physical register: 0 valid, 1 zero, 2 special, 3 empty.
    public var tagWord: UInt16 = 0x5555
    public var lastOpcode: UInt16 = 0
    /// XCR0's bits other than that for x87, which is always set: all clear after reset.
    public var enabledStates: UInt32 = 0

    public static let x87Offset = 256
    /// MXCSR bits that may be set; also FXSAVE's MXCSR_MASK.
    public static let mxcsrMask: UInt32 = 0xFFFF

    /// The state after reset (Intel SDM vol. 3, table 9-1).
    public init() {
        let none: EightWords = (0, 0, 0, 0, 0, 0, 0, 0)
        xmm = (none, none, none, none)
        x87 = (none, none)
    }

    /// The state that FNINIT leaves, registers untouched.
    mutating func initialiseX87() {
        controlWord = 0x037F
        statusWord = 0
        tagWord = 0xFFFF
        instructionPointer = 0
        dataPointer = 0
        lastOpcode = 0
    }
}

/// An XMM register's contents, low half first.
struct Vector128: Equatable {
    var low: UInt64
    var high: UInt64

    static let zero = Vector128(low: 0, high: 0)
}

extension UnsafeMutablePointer<CPUState> {
    /// The vCPU's floating-point and vector state.
    @inline(__always)
    var vectorState: UnsafeMutablePointer<VectorState> {
        pointee.vectors.unsafelyUnwrapped.assumingMemoryBound(to: VectorState.self)
    }

    @inline(__always)
    func xmm(_ n: UInt8) -> Vector128 {
        pointee.vectors.unsafelyUnwrapped.load(
            fromByteOffset: Int(n & 15) &* 16, as: Vector128.self)
    }

    @inline(__always)
    func setXMM(_ n: UInt8, _ v: Vector128) {
        pointee.vectors.unsafelyUnwrapped.storeBytes(
            of: v, toByteOffset: Int(n & 15) &* 16, as: Vector128.self)
    }
}
