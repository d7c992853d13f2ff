import X86

/// A fault raised while an instruction executes. It is thrown before any architectural state has
/// changed (beyond completed iterations of a repeated string instruction), so that the instruction
/// can restart (Intel SDM vol. 3, 6.5).
public struct Fault: Error, Equatable, Sendable {
    public var vector: UInt8
    public var hasErrorCode: Bool
    public var errorCode: UInt32
    /// The linear address, for #PF: goes to CR2 when the fault is delivered.
    public var address: UInt64

    @inline(__always)
    public init(
        vector: UInt8, hasErrorCode: Bool = false, errorCode: UInt32 = 0, address: UInt64 = 0
    ) {
        self.vector = vector
        self.hasErrorCode = hasErrorCode
        self.errorCode = errorCode
        self.address = address
    }

    /// Not an exception of the processor: the opcode table knows the instruction, the processor
    /// cannot execute it yet. It ends the run and is never delivered to the guest.
    public static let notExecutable = Fault(vector: 0xFF)

    /// Not an exception of the processor: a repeated string instruction stopped between iterations
    /// because a deadline was reached, attention was raised or it wrote to its own page. Its
    /// registers and `cycles` hold the completed iterations and RIP stays at it. It has not retired
    /// and its own cost (`stringStart`) is not charged: both happen once, when it completes, so
    /// that where it was suspended cannot be seen. The boundary is an ordinary one otherwise:
    /// interrupts and the single-step trap are taken there.
    public static let suspended = Fault(vector: 0xFE)

    /// Not an exception of the processor: the instruction reads a clock that other vCPUs have yet
    /// to reach. Nothing has changed, and the vCPU starts it again in a later turn; see
    /// `ClockOrder.swift`.
    public static let deferred = Fault(vector: 0xFD)

    /// Not an exception of the processor: it stops before the instruction until an interrupt comes
    /// (`NumericError.swift`).
    public static let frozen = Fault(vector: 0xFC)

    public static let divideError = Fault(vector: Vector.divideError)
    public static let undefinedOpcode = Fault(vector: Vector.invalidOpcode)
    public static let deviceNotAvailable = Fault(vector: Vector.deviceNotAvailable)
    public static let boundRange = Fault(vector: Vector.boundRange)

    @inline(__always)
    public static func generalProtection(_ errorCode: UInt32 = 0) -> Fault {
        Fault(vector: Vector.generalProtection, hasErrorCode: true, errorCode: errorCode)
    }
    @inline(__always)
    public static func stackFault(_ errorCode: UInt32 = 0) -> Fault {
        Fault(vector: Vector.stackFault, hasErrorCode: true, errorCode: errorCode)
    }
    @inline(__always)
    public static func segmentNotPresent(_ errorCode: UInt32) -> Fault {
        Fault(vector: Vector.segmentNotPresent, hasErrorCode: true, errorCode: errorCode)
    }
    @inline(__always)
    public static func invalidTSS(_ errorCode: UInt32) -> Fault {
        Fault(vector: Vector.invalidTSS, hasErrorCode: true, errorCode: errorCode)
    }
    @inline(__always)
    public static func pageFault(_ address: UInt64, _ errorCode: UInt32) -> Fault {
        Fault(
            vector: Vector.pageFault, hasErrorCode: true, errorCode: errorCode, address: address)
    }
}

/// Error-code bits of #PF (Intel SDM vol. 3, 4.7).
public enum PageFaultCode {
    public static let present: UInt32 = 1 << 0
    public static let write: UInt32 = 1 << 1
    public static let user: UInt32 = 1 << 2
    public static let reserved: UInt32 = 1 << 3
    public static let instructionFetch: UInt32 = 1 << 4
}
