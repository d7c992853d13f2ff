/// One 8259A interrupt controller of the pair (Intel 8259A data sheet). No device's line reaches
/// it, so nothing is ever requested or in service; it takes initialisation, masking and status
/// commands as kernels issue them to switch it off.
struct InterruptController8259 {
    /// OCW1: the mask.
    private(set) var mask: UInt8 = 0
    /// ICW2...ICW4, as last written.
    private(set) var vectorBase: UInt8 = 0
    private var cascade: UInt8 = 0
    private var mode: UInt8 = 0
    /// Which initialisation word the data port takes next: 0 none, else 2, 3 or 4.
    private var expects: UInt8 = 0
    /// ICW1 bits: 0 ICW4 follows, 1 single (no ICW3).
    private var initialisation: UInt8 = 0

    /// A read of the command port (0: IRR or ISR, both always empty) or the data port (1: mask).
    func read(_ register: Int) -> UInt8 { register == 0 ? 0 : mask }

    mutating func write(_ register: Int, _ value: UInt8) {
        if register == 0 {
            guard value & 0x10 != 0 else { return }  // OCW2, OCW3: nothing to end or to select
            initialisation = value & 3
            mask = 0
            expects = 2
            return
        }
        switch expects {
        case 2:
            vectorBase = value & 0xF8
            expects = initialisation & 2 == 0 ? 3 : (initialisation & 1 != 0 ? 4 : 0)
        case 3:
            cascade = value
            expects = initialisation & 1 != 0 ? 4 : 0
        case 4:
            mode = value
            expects = 0
        default: mask = value
        }
    }
}

extension InterruptController8259: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&mask)
        try stream.field(&vectorBase)
        try stream.field(&cascade)
        try stream.field(&mode)
        try stream.field(&expects)
        try stream.field(&initialisation)
    }
}
