import Machine

/// Where a host keeps its paravirt state, read from the ELF note `pvreplay` of its image
/// (`observer_note.h` is the note's definition). Offsets are in bytes.
public struct ParavirtLayout: Equatable, Sendable {
    /// Physical address of CPU 0's PDA, and the distance to the next CPU's.
    public var pdaPhysical: UInt64
    public var pdaStride: UInt64
    /// Offset in the PDA of the VCPU pointer; with `taskVCPU`, of the current task's address.
    public var pdaVCPU: UInt64
    /// Physical address of CPU 0's VCPU pointer (or of its current task's address), and the
    /// distance to the next CPU's.
    public var vcpuPointerPhysical: UInt64
    public var vcpuPointerStride: UInt64
    /// Offset in the task of the VCPU pointer, where that is where a host keeps it.
    public var taskVCPU: UInt64?
    /// Whether each SYSCALL of the guest kernel's is a hypercall; else the flag says which is.
    public var hypercallsByMode: Bool
    /// Virtual bases at which the host maps physical 0.
    public var directMap: UInt64
    public var textMap: UInt64
    /// Offsets in the VCPU descriptor.
    public var vcpuID: UInt64
    public var vcpuKernelMode: UInt64
    public var vcpuShared: UInt64
    public var vcpuMemory: UInt64
    public var vcpuMemorySize: UInt64
    public var vcpuSyscall: UInt64
    public var vcpuException: UInt64
    /// Bytes of the shared page in use, 4...4096.
    public var sharedSize: Int
    /// Offset in the shared page of the 32-bit hypercall flag.
    public var sharedFlag: UInt64
    /// Values of the debug-exit port.
    public var exitShutdown: UInt32
    public var exitHostPanic: UInt32
    public var exitGuestKilled: UInt32
    public var exitGuestPanic: UInt32
    /// Physical addresses of NUL-ended texts: why the run ended (256 bytes), the design's name.
    public var reasonPhysical: UInt64
    public var designPhysical: UInt64
    /// Offset in the descriptor of the pointer to the saved guest registers, or nil.
    public var vcpuFrame: UInt64?
    /// Offset in the PDA of the running task's pointer, or nil.
    public var pdaCurrent: UInt64?
    /// Offset in the descriptor of the pointer to the guest's own CPU state, and offset in that of
    /// the guest kernel's 256 handlers of 8 bytes, or nil.
    public var vcpuCPU: UInt64?
    public var cpuTraps: UInt64?
    /// Offset in the descriptor of the guest-physical address of the guest's root in use, or nil.
    public var vcpuRoot: UInt64?
    /// Physical address of the pointer to the VCPU whose guest decided the outcome, or nil.
    public var endedVCPUPhysical: UInt64?
    /// Offset in the shared page of the 32-bit word that is 0 while virtual interrupts are off, or
    /// nil.
    public var sharedInterrupts: UInt64?
}

/// What is wrong with a `pvreplay` note.
public enum ParavirtNoteError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The descriptor's length is not a multiple of 16 bytes.
    case malformedLength(Int)
    /// A field that must be there is not; the key is that of `observer_note.h`.
    case missingField(UInt32)
    /// A value is outside what its field allows.
    case badValue(key: UInt32, value: UInt64)

    public var description: String {
        switch self {
        case .malformedLength(let length):
            "the pvreplay note is \(length) bytes long, not a multiple of 16"
        case .missingField(let key):
            "the pvreplay note lacks field \(key) (see observer_note.h)"
        case .badValue(let key, let value):
            "field \(key) of the pvreplay note has the value \(value), which is out of range"
        }
    }
}

extension ParavirtLayout {
    public static let noteName = "pvreplay"
    public static let noteType: UInt32 = 1

    /// Reads the note's descriptor: pairs of {u32 key, u32 zero, u64 value}. Unknown keys are
    /// passed over, so that a newer host still works with this observer.
    public init(descriptor: [UInt8]) throws(ParavirtNoteError) {
        guard descriptor.count % 16 == 0 else {
            throw .malformedLength(descriptor.count)
        }
        var fields: [(key: UInt32, value: UInt64)] = []
        for start in stride(from: 0, to: descriptor.count, by: 16) {
            let key = Self.littleEndian(descriptor, start, 4)
            fields.append(
                (
                    UInt32(truncatingIfNeeded: key),
                    Self.littleEndian(descriptor, start + 8, 8)
                ))
        }
        func optional(_ key: UInt32) -> UInt64? { fields.last { $0.key == key }?.value }
        func field(_ key: UInt32) throws(ParavirtNoteError) -> UInt64 {
            guard let value = optional(key) else { throw .missingField(key) }
            return value
        }
        func exitCode(_ key: UInt32) throws(ParavirtNoteError) -> UInt32 {
            UInt32(truncatingIfNeeded: try field(key))
        }
        pdaPhysical = try field(1)
        pdaStride = try field(2)
        pdaVCPU = try field(3)
        directMap = try field(4)
        textMap = try field(5)
        vcpuID = try field(6)
        vcpuKernelMode = try field(7)
        vcpuShared = try field(8)
        let size = try field(9)
        guard (4...4096).contains(size) else { throw .badValue(key: 9, value: size) }
        sharedSize = Int(size)
        sharedFlag = try field(10)
        guard sharedFlag <= size - 4 else { throw .badValue(key: 10, value: sharedFlag) }
        vcpuSyscall = try field(11)
        vcpuException = try field(12)
        vcpuMemory = try field(13)
        vcpuMemorySize = try field(14)
        exitShutdown = try exitCode(15)
        exitHostPanic = try exitCode(16)
        exitGuestKilled = try exitCode(17)
        exitGuestPanic = try exitCode(18)
        reasonPhysical = try field(19)
        designPhysical = try field(20)
        vcpuFrame = optional(21)
        pdaCurrent = optional(40)
        vcpuCPU = optional(41)
        cpuTraps = optional(42)
        vcpuRoot = optional(22)
        endedVCPUPhysical = optional(23)
        sharedInterrupts = optional(24)
        if let offset = sharedInterrupts, offset > size - 4 {
            throw .badValue(key: 24, value: offset)
        }
        taskVCPU = optional(30)
        vcpuPointerPhysical = optional(31) ?? pdaPhysical &+ pdaVCPU
        vcpuPointerStride = optional(31) == nil ? pdaStride : optional(32) ?? 0
        hypercallsByMode = optional(33) ?? 0 != 0
    }

    private static func littleEndian(_ bytes: [UInt8], _ start: Int, _ count: Int) -> UInt64 {
        var value: UInt64 = 0
        for i in 0..<count { value |= UInt64(bytes[start + i]) << UInt64(8 * i) }
        return value
    }
}
