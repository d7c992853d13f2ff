/// The configuration space of a virtio device as a PCI function (PCI Local Bus specification 3.0,
/// chapter 6; Virtio 1.2, 4.1): three BARs and the capabilities that say what lies in them.
struct VirtioFunction {
    /// What a BAR holds.
    enum Region: Int, CaseIterable {
        /// BAR 0: the registers of the legacy interface, in I/O space.
        case legacy = 0
        /// BAR 1: the MSI-X table.
        case messages = 1
        /// BAR 4: common registers, ISR, the device's own, notifications; a page each.
        case modern = 4

        var size: UInt32 {
            switch self {
            case .legacy: 0x80
            case .messages: 0x1000
            case .modern: 0x4000
            }
        }
        var isPorts: Bool { self == .legacy }
    }

    /// Offsets in the modern region.
    enum Modern {
        static let common = 0x0000
        static let interruptStatus = 0x1000
        static let device = 0x2000
        static let notify = 0x3000
    }

    private enum Command {
        static let ports: UInt16 = 1 << 0
        static let memory: UInt16 = 1 << 1
        static let master: UInt16 = 1 << 2
        static let noInterruptPin: UInt16 = 1 << 10
        static let writable: UInt16 = 0x0547
    }

    private enum Capability {
        static let first = 0x40
        /// The window onto the BARs through configuration space.
        static let window = 0x84
        static let windowData = window + 16
        static let messages = 0x98
    }

    let identity: UInt32
    let classCode: UInt32
    let subsystem: UInt32
    let deviceSize: UInt32

    private(set) var command: UInt16 = Command.ports | Command.memory
    /// BARs 0, 1 and 4: addresses only.
    private var bases: [UInt32]
    private var interruptLine: UInt8
    private var windowBAR: UInt8 = 0
    private var windowOffset: UInt32 = 0
    private var windowLength: UInt32 = 0
    var messages = MessageSignals()

    /// - Parameters:
    ///   - number: which of the machine's functions this is; its BARs are placed by it.
    ///   - type: the virtio device type (chapter 5).
    ///   - line: the ISA line that its interrupt pin is routed to.
    init(
        number: Int, type: UInt16, transitional: UInt16, classCode: UInt32, deviceSize: UInt32,
        line: UInt8
    ) {
        identity = UInt32(transitional) << 16 | 0x1AF4
        self.classCode = classCode
        subsystem = UInt32(type) << 16 | 0x1AF4
        self.deviceSize = deviceSize
        let n = UInt32(number)
        bases = [0xC000 + n * 0x80, 0xFEBE_0000 + n * 0x1000, 0xFEB0_0000 + n * 0x4000]
        interruptLine = line
    }

    var isMaster: Bool { command & Command.master != 0 }
    var usesPin: Bool { command & Command.noInterruptPin == 0 && !messages.isEnabled }

    private static func slot(_ region: Region) -> Int {
        switch region {
        case .legacy: 0
        case .messages: 1
        case .modern: 2
        }
    }

    /// The offset of a port or an address in a region, where that is decoded.
    func offset(_ address: UInt64, in region: Region) -> Int? {
        guard command & (region.isPorts ? Command.ports : Command.memory) != 0 else { return nil }
        let base = UInt64(bases[Self.slot(region)])
        guard base != 0, address >= base, address - base < UInt64(region.size) else { return nil }
        return Int(address - base)
    }

    // MARK: Configuration space

    /// What a word of configuration space reads. `interrupting` is the state of the ISR, `window`
    /// what the configuration window shows.
    func word(_ offset: Int, interrupting: Bool, window: UInt32) -> UInt32 {
        switch offset {
        case 0x00: return identity
        case 0x04: return UInt32(command) | 0x0010_0000 | (interrupting ? 0x0008_0000 : 0)
        case 0x08: return classCode << 8
        case 0x10: return bases[0] | 1
        case 0x14: return bases[1]
        case 0x20: return bases[2]
        case 0x2C: return subsystem
        case 0x34: return UInt32(Capability.first)
        case 0x3C: return 0x0100 | UInt32(interruptLine)
        case Capability.windowData: return window
        default: return capabilityWord(offset)
        }
    }

    /// A virtio capability (Virtio 1.2, 4.1.4): ID 9, the next one, its length and its type; BAR;
    /// offset; length.
    private func capabilityWord(_ offset: Int) -> UInt32 {
        func part(
            _ at: Int, _ next: UInt32, _ size: UInt32, _ type: UInt32, _ place: Int,
            _ length: UInt32
        ) -> UInt32 {
            switch offset - at {
            case 0: 9 | next << 8 | size << 16 | type << 24
            case 4: UInt32(Region.modern.rawValue)
            case 8: UInt32(place)
            default: length
            }
        }
        switch offset {
        case 0x40..<0x50: return part(0x40, 0x50, 16, 1, Modern.common, 56)
        case 0x50..<0x60: return part(0x50, 0x60, 16, 3, Modern.interruptStatus, 1)
        case 0x60..<0x70: return part(0x60, 0x70, 16, 4, Modern.device, deviceSize)
        case 0x70..<0x80: return part(0x70, 0x84, 20, 2, Modern.notify, 0x1000)
        case 0x80: return 4  // the notification multiplier
        case Capability.window: return 9 | UInt32(Capability.messages) << 8 | 20 << 16 | 5 << 24
        case Capability.window + 4: return UInt32(windowBAR)
        case Capability.window + 8: return windowOffset
        case Capability.window + 12: return windowLength
        case Capability.messages: return 0x11 | UInt32(messages.controlWord) << 16
        case Capability.messages + 4: return UInt32(Region.messages.rawValue)
        case Capability.messages + 8: return 0x800 | UInt32(Region.messages.rawValue)
        default: return 0
        }
    }

    /// A write of one byte of configuration space; the configuration window's data are not here.
    mutating func setByte(_ offset: Int, _ value: UInt8) {
        switch offset {
        case 0x04, 0x05:
            set(&command, offset & 1, value)
            command &= Command.writable
        case 0x10..<0x14: setBase(0, offset & 3, value)
        case 0x14..<0x18: setBase(1, offset & 3, value)
        case 0x20..<0x24: setBase(2, offset & 3, value)
        case 0x3C: interruptLine = value
        case Capability.window + 4: windowBAR = value
        case Capability.window + 8..<Capability.window + 12: set(&windowOffset, offset & 3, value)
        case Capability.window + 12..<Capability.window + 16:
            set(&windowLength, offset & 3, value)
        case Capability.messages + 2, Capability.messages + 3:
            var control = messages.control
            set(&control, offset & 1, value)
            messages.setControl(control)
        default: break
        }
    }

    private func set<T: FixedWidthInteger>(_ word: inout T, _ byte: Int, _ value: UInt8) {
        let shift = T(8 * byte)
        word = word & ~(0xFF << shift) | T(value) << shift
    }

    private mutating func setBase(_ slot: Int, _ byte: Int, _ value: UInt8) {
        set(&bases[slot], byte, value)
        let region: Region = [.legacy, .messages, .modern][slot]
        bases[slot] &= ~(region.size - 1)
    }

    /// Whether an offset is the configuration window's data (4.1.4.9).
    static func isWindow(_ offset: Int) -> Bool { offset & ~3 == Capability.windowData }

    /// Where the configuration window looks: a region, an offset and a size of access. Nil where it
    /// looks at nothing.
    var window: (region: Region, offset: Int, size: Int)? {
        guard let region = Region(rawValue: Int(windowBAR)),
            windowLength == 1 || windowLength == 2 || windowLength == 4,
            windowOffset < region.size, windowOffset & (windowLength - 1) == 0
        else { return nil }
        return (region, Int(windowOffset), Int(windowLength))
    }
}

extension VirtioFunction: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&command)
        for n in bases.indices { try stream.field(&bases[n]) }
        try stream.field(&interruptLine)
        try stream.field(&windowBAR)
        try stream.field(&windowOffset)
        try stream.field(&windowLength)
        try messages.transfer(&stream)
    }
}
