/// 256 vectors, one bit each: IRR, ISR or TMR.
struct VectorSet: Equatable {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    static func == (a: VectorSet, b: VectorSet) -> Bool { a.words == b.words }

    subscript(word n: Int) -> UInt64 {
        get {
            switch n {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        }
        set {
            switch n {
            case 0: words.0 = newValue
            case 1: words.1 = newValue
            case 2: words.2 = newValue
            default: words.3 = newValue
            }
        }
    }

    subscript(vector: UInt8) -> Bool {
        get { self[word: Int(vector >> 6)] >> UInt64(vector & 63) & 1 != 0 }
        set {
            let bit: UInt64 = 1 << UInt64(vector & 63)
            let word = self[word: Int(vector >> 6)]
            self[word: Int(vector >> 6)] = newValue ? word | bit : word & ~bit
        }
    }

    /// The highest vector in the set, or 0: vectors below 16 are never in it.
    var highest: UInt8 {
        for n in [3, 2, 1, 0] where self[word: n] != 0 {
            return UInt8(n * 64 + 63 - self[word: n].leadingZeroBitCount)
        }
        return 0
    }

    /// 32-bit register `n` of the eight that show the set.
    func register(_ n: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: self[word: n >> 1] >> UInt64((n & 1) * 32))
    }
}

/// Register offsets in the local APIC's page; those of x2APIC mode are MSRs 0x800 + offset / 16
/// (Intel SDM vol. 3, table 10-1 and 10-6).
enum APICRegister {
    static let id = 0x20
    static let version = 0x30
    static let taskPriority = 0x80
    static let processorPriority = 0xA0
    static let endOfInterrupt = 0xB0
    static let logicalDestination = 0xD0
    static let destinationFormat = 0xE0
    static let spurious = 0xF0
    static let inService = 0x100
    static let triggerMode = 0x180
    static let requested = 0x200
    static let errorStatus = 0x280
    static let commandLow = 0x300
    static let commandHigh = 0x310
    static let timer = 0x320
    static let thermal = 0x330
    static let performance = 0x340
    static let lint0 = 0x350
    static let lint1 = 0x360
    static let error = 0x370
    static let initialCount = 0x380
    static let currentCount = 0x390
    static let divide = 0x3E0
    /// x2APIC only.
    static let selfInterrupt = 0x3F0
}

/// The local APIC of one vCPU (Intel SDM vol. 3, chapter 10): its registers, the choice of the
/// vector to deliver, and its timer's arithmetic. What it does to other parts of the machine goes
/// through `Bus`.
struct LocalAPIC {
    var id: UInt32
    var taskPriority: UInt8 = 0
    var logicalDestination: UInt32 = 0
    var destinationFormat: UInt32 = 0xFFFF_FFFF
    var spurious: UInt32 = 0xFF
    var requested = VectorSet()
    var inService = VectorSet()
    var triggerMode = VectorSet()
    /// ESR as software reads it, and the errors since it was last written.
    var errorStatus: UInt32 = 0
    var errors: UInt32 = 0
    var command: UInt64 = 0
    /// LVT entries: timer, thermal, performance, LINT0, LINT1, error.
    var localVectors: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
        masked, masked, masked, masked, masked, masked
    )

    var initialCount: UInt32 = 0
    /// The divide configuration register, bits 0, 1 and 3.
    var divideConfiguration: UInt32 = 0
    /// The timer held `countAtStart` at cycle `timerStart`; 0 means that it does not run.
    var countAtStart: UInt32 = 0
    var timerStart: UInt64 = 0
    /// IA32_TSC_DEADLINE; 0 means not armed.
    var deadline: UInt64 = 0

    static let masked: UInt32 = 1 << 16
    static let softwareEnable: UInt32 = 1 << 8
    static let illegalRegister: UInt32 = 1 << 7
    static let receivedIllegalVector: UInt32 = 1 << 6
    static let sentIllegalVector: UInt32 = 1 << 5
    /// Version 0x14 (integrated), six LVT entries.
    static let version: UInt32 = 0x0005_0014

    /// The state after reset of the vCPU with this index.
    init(index: Int) {
        id = UInt32(index)
    }

    /// A PC's firmware hands the first processor's APIC over switched on, with LINT0 open to the
    /// 8259 and LINT1 to NMI, and kernels that do not start at reset rely on it.
    mutating func leaveAsFirmware() {
        spurious = 0x1FF
        localVectors.3 = 0x8700
        localVectors.4 = 0x8400
    }

    var enabled: Bool { spurious & LocalAPIC.softwareEnable != 0 }

    /// PPR (Intel SDM vol. 3, 10.8.3.1).
    var processorPriority: UInt8 {
        let serving = inService.highest
        return taskPriority >> 4 >= serving >> 4 ? taskPriority : serving & 0xF0
    }

    /// The requested vector above the processor priority, or nil.
    var deliverable: UInt8? {
        let vector = requested.highest
        return vector >> 4 > processorPriority >> 4 ? vector : nil
    }

    /// INIT resets all but the ID (Intel SDM vol. 3, 10.4.7.3).
    mutating func reset(index: Int) {
        let kept = id
        self = LocalAPIC(index: index)
        id = kept
    }

    subscript(localVector n: Int) -> UInt32 {
        get {
            switch n {
            case 0: localVectors.0
            case 1: localVectors.1
            case 2: localVectors.2
            case 3: localVectors.3
            case 4: localVectors.4
            default: localVectors.5
            }
        }
        set {
            switch n {
            case 0: localVectors.0 = newValue
            case 1: localVectors.1 = newValue
            case 2: localVectors.2 = newValue
            case 3: localVectors.3 = newValue
            case 4: localVectors.4 = newValue
            default: localVectors.5 = newValue
            }
        }
    }

    /// Bits of each LVT entry that software can set (Intel SDM vol. 3, figure 10-8).
    static func writableBits(localVector n: Int) -> UInt32 {
        switch n {
        case 0: 0x7_00FF
        case 3, 4: 0x1_A7FF
        case 5: 0x1_00FF
        default: 0x1_07FF
        }
    }

    /// Whether a message to this logical destination is for this APIC (10.6.2.2).
    func answers(logical destination: UInt8) -> Bool {
        if destination == 0xFF { return true }
        let mine = UInt8(truncatingIfNeeded: logicalDestination >> 24)
        if destinationFormat >> 28 == 0xF { return mine & destination != 0 }
        return mine >> 4 == destination >> 4 && mine & destination & 0xF != 0
    }

    /// Takes a fixed interrupt in; false if the APIC is switched off or the vector is reserved.
    mutating func accept(_ vector: UInt8, level: Bool = false) -> Bool {
        guard enabled else { return false }
        guard vector >= 16 else {
            errors |= LocalAPIC.receivedIllegalVector
            return false
        }
        requested[vector] = true
        triggerMode[vector] = level
        return true
    }
}

extension VectorSet: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&words.0)
        try stream.field(&words.1)
        try stream.field(&words.2)
        try stream.field(&words.3)
        guard words.0 & 0xFFFF == 0 else {
            throw stream.damaged("a vector below 16 in a local APIC")
        }
    }
}

extension LocalAPIC: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&id)
        try stream.field(&taskPriority)
        try stream.field(&logicalDestination)
        try stream.field(&destinationFormat)
        try stream.field(&spurious)
        try requested.transfer(&stream)
        try inService.transfer(&stream)
        try triggerMode.transfer(&stream)
        try stream.field(&errorStatus)
        try stream.field(&errors)
        try stream.field(&command)
        for n in 0..<6 { try stream.field(&self[localVector: n]) }
        try stream.field(&initialCount)
        try stream.field(&divideConfiguration)
        try stream.field(&countAtStart)
        try stream.field(&timerStart)
        try stream.field(&deadline)
    }
}
