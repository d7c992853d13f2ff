/// One virtio device behind PCI: the registers that all device types have (Virtio 1.2, 2.1-2.4 and
/// 4.1.4.3; the legacy interface of 4.1.4.10), its queues, and what the type adds.
struct VirtioDevice {
    /// What the device is for.
    enum Kind {
        /// A block device (5.2): which of the machine's disks.
        case block(disk: Int)
        /// A console with one port (5.3).
        case console
    }

    enum Status {
        static let driverReady: UInt8 = 1 << 2
        static let featuresReady: UInt8 = 1 << 3
        static let needsReset: UInt8 = 1 << 6
    }

    enum Feature {
        static let anyLayout: UInt64 = 1 << 27
        static let indirect: UInt64 = 1 << 28
        static let eventIndex: UInt64 = 1 << 29
        static let version1: UInt64 = 1 << 32
        static let transport = anyLayout | indirect | eventIndex | version1
    }

    let kind: Kind
    let disk: Disk
    /// The device number on PCI bus 0, and the ISA line of its interrupt pin.
    let slot: Int
    let line: UInt8
    var function: VirtioFunction
    let offered: UInt64

    private(set) var features: UInt64 = 0
    private var offeredSelect: UInt32 = 0
    private var featureSelect: UInt32 = 0
    private(set) var status: UInt8 = 0
    private(set) var queueSelect: UInt16 = 0
    private(set) var configurationVector = VirtioQueue.noVector
    /// Bit 0: a queue was used; bit 1: the configuration changed.
    private(set) var interruptStatus: UInt8 = 0
    /// Set by a driver's fault, until reset: nothing is done any more.
    private(set) var isBroken = false
    var queues: [VirtioQueue]
    /// A console's typed bytes that wait for a buffer.
    var typed: [UInt8] = []

    init(_ kind: Kind, number: Int, slot: Int, disk: Disk = Disk(sectors: 0)) {
        self.kind = kind
        self.disk = disk
        self.slot = slot
        line = Self.line(slot: slot)
        switch kind {
        case .block:
            function = VirtioFunction(
                number: number, type: 2, transitional: 0x1001, classCode: 0x01_0000,
                deviceSize: VirtioBlock.configurationSize, line: line)
            offered = Feature.transport | VirtioBlock.features(disk)
            queues = [VirtioQueue()]
        case .console:
            function = VirtioFunction(
                number: number, type: 3, transitional: 0x1003, classCode: 0x07_8000,
                deviceSize: VirtioConsole.configurationSize, line: line)
            offered = Feature.transport | VirtioConsole.features
            queues = [VirtioQueue(), VirtioQueue()]
        }
    }

    /// A machine's devices: its disks from PCI device 3 on, then the console.
    static func devices(_ configuration: MachineConfiguration) -> [VirtioDevice] {
        var devices: [VirtioDevice] = []
        for (n, disk) in configuration.disks.enumerated() {
            devices.append(VirtioDevice(.block(disk: n), number: n, slot: 3 + n, disk: disk))
        }
        let next = devices.count
        if configuration.hasVirtioConsole {
            devices.append(VirtioDevice(.console, number: next, slot: 3 + next))
        }
        return devices
    }

    /// The ISA line of a slot's interrupt pin A, as QEMU's `pc` wires and its firmware routes them.
    static func line(slot: Int) -> UInt8 { (slot + 3) & 3 < 2 ? 10 : 11 }

    /// A driver that did not accept version 1 uses the legacy interface and its rules.
    var isLegacy: Bool { features & Feature.version1 == 0 }
    var usesEventIndex: Bool { features & Feature.eventIndex != 0 }
    var usesIndirect: Bool { features & Feature.indirect != 0 }

    /// Whether a queue may be worked on. Legacy drivers are known to use theirs before they say
    /// that they are ready, and without becoming bus masters.
    func isActive(_ queue: Int) -> Bool {
        guard !isBroken, queue < queues.count, queues[queue].isEnabled else { return false }
        return queues[queue].isLegacy
            || function.isMaster && status & Status.driverReady != 0
    }

    var drivesPin: Bool { interruptStatus != 0 && function.usesPin }

    // MARK: Signals

    /// A queue has been used: by its vector or by ISR and pin. The message to send, if one is.
    mutating func signalUsed(_ queue: Int) -> (address: UInt64, data: UInt32)? {
        signal(1, queues[queue].vector)
    }

    private mutating func signal(
        _ bit: UInt8, _ vector: UInt16
    ) -> (address: UInt64, data: UInt32)? {
        if function.messages.isEnabled { return function.messages.signal(vector) }
        interruptStatus |= bit
        return nil
    }

    /// The driver has broken a rule (2.1.2).
    mutating func fail() -> (address: UInt64, data: UInt32)? {
        isBroken = true
        guard !isLegacy else { return nil }
        status |= Status.needsReset
        guard status & Status.driverReady != 0 else { return nil }
        return signal(2, configurationVector)
    }

    mutating func takeInterruptStatus() -> UInt8 {
        defer { interruptStatus = 0 }
        return interruptStatus
    }

    // MARK: Common registers

    /// Status is written; true where that resets the device (2.4).
    mutating func setStatus(_ value: UInt8) -> Bool {
        guard value != 0 else {
            reset()
            return true
        }
        var value = value & ~Status.needsReset | status & Status.needsReset
        let acceptable = features & ~offered == 0 && !isLegacy
        if value & Status.featuresReady != 0 && status & Status.featuresReady == 0 && !acceptable {
            value &= ~Status.featuresReady
        }
        status = value
        return false
    }

    private mutating func reset() {
        features = 0
        offeredSelect = 0
        featureSelect = 0
        status = 0
        queueSelect = 0
        configurationVector = VirtioQueue.noVector
        interruptStatus = 0
        isBroken = false
        for n in queues.indices { queues[n].reset() }
    }

    private static func vector(_ value: UInt16) -> UInt16 {
        Int(value) < MessageSignals.count ? value : VirtioQueue.noVector
    }

    var selected: VirtioQueue? {
        Int(queueSelect) < queues.count ? queues[Int(queueSelect)] : nil
    }

    mutating func selectQueue(_ value: UInt16) { queueSelect = value }
    mutating func setConfigurationVector(_ value: UInt16) {
        configurationVector = Self.vector(value)
    }
    mutating func setQueueVector(_ value: UInt16) {
        changeSelected { $0.vector = Self.vector(value) }
    }
    private mutating func changeSelected(_ body: (inout VirtioQueue) -> Void) {
        if Int(queueSelect) < queues.count { body(&queues[Int(queueSelect)]) }
    }

    /// A word of the common configuration (4.1.4.3).
    func commonWord(_ offset: Int) -> UInt32 {
        let queue = selected
        switch offset {
        case 0x00: return offeredSelect
        case 0x04:
            return offeredSelect > 1
                ? 0 : UInt32(truncatingIfNeeded: offered >> UInt64(32 * offeredSelect))
        case 0x08: return featureSelect
        case 0x0C:
            return featureSelect > 1
                ? 0 : UInt32(truncatingIfNeeded: features >> UInt64(32 * featureSelect))
        case 0x10: return UInt32(configurationVector) | UInt32(queues.count) << 16
        case 0x14: return UInt32(status) | UInt32(queueSelect) << 16
        case 0x18:
            return UInt32(queue?.size ?? 0) | UInt32(queue?.vector ?? VirtioQueue.noVector) << 16
        case 0x1C: return (queue?.isEnabled ?? false ? 1 : 0) | UInt32(queueSelect) << 16
        case 0x20: return UInt32(truncatingIfNeeded: queue?.descriptors ?? 0)
        case 0x24: return UInt32(truncatingIfNeeded: (queue?.descriptors ?? 0) >> 32)
        case 0x28: return UInt32(truncatingIfNeeded: queue?.available ?? 0)
        case 0x2C: return UInt32(truncatingIfNeeded: (queue?.available ?? 0) >> 32)
        case 0x30: return UInt32(truncatingIfNeeded: queue?.used ?? 0)
        case 0x34: return UInt32(truncatingIfNeeded: (queue?.used ?? 0) >> 32)
        default: return 0
        }
    }

    /// A write of a common register other than status, in the register's own width.
    mutating func setCommon(_ offset: Int, _ value: UInt64) {
        let word = UInt32(truncatingIfNeeded: value)
        let half = UInt16(truncatingIfNeeded: value)
        switch offset {
        case 0x00: offeredSelect = word
        case 0x08: featureSelect = word
        case 0x0C: setFeatures(word)
        case 0x10: setConfigurationVector(half)
        case 0x16: selectQueue(half)
        case 0x18:
            if VirtioQueue.isSize(half) {
                changeSelected { if !$0.isEnabled { $0.size = half } }
            }
        case 0x1A: setQueueVector(half)
        // There is no way but a reset to disable a queue.
        case 0x1C: if half == 1 { changeSelected { $0.isEnabled = true } }
        default: break
        }
    }

    /// A write of half, or of the whole, of one of a queue's addresses.
    mutating func setAddress(_ offset: Int, _ value: UInt64, size: Int) {
        changeSelected { queue in
            guard !queue.isEnabled else { return }
            func part(_ address: inout UInt64) {
                switch (size, offset & 4) {
                case (8, _): address = value
                case (_, 0): address = address & ~0xFFFF_FFFF | value
                default: address = address & 0xFFFF_FFFF | value << 32
                }
            }
            switch offset & ~7 {
            case 0x20: part(&queue.descriptors)
            case 0x28: part(&queue.available)
            default: part(&queue.used)
            }
        }
    }

    private mutating func setFeatures(_ word: UInt32) {
        guard status & Status.featuresReady == 0, featureSelect < 2 else { return }
        let shift = UInt64(32 * featureSelect)
        features = features & ~(0xFFFF_FFFF << shift) | UInt64(word) << shift
    }

    // MARK: The legacy interface

    var legacyFeatures: UInt32 { UInt32(truncatingIfNeeded: offered) }
    /// Driver features are the low half; what was not offered is not taken.
    mutating func setLegacyFeatures(_ value: UInt32) { features = UInt64(value) & offered }

    var legacyPage: UInt32 {
        UInt32(truncatingIfNeeded: (selected?.descriptors ?? 0) >> 12)
    }

    /// The three parts of a queue follow from its page (2.7.2): descriptors, the available ring,
    /// and at the next multiple of 4096 the used ring.
    mutating func setLegacyPage(_ page: UInt32) {
        changeSelected { queue in
            let start = UInt64(page) << 12
            let (vector, isScheduled) = (queue.vector, queue.isScheduled)
            queue.reset()
            queue.vector = vector
            queue.isScheduled = isScheduled
            guard page != 0 else { return }
            queue.isLegacy = true
            queue.descriptors = start
            queue.available = start + 16 * UInt64(queue.size)
            queue.used = (queue.available + 6 + 2 * UInt64(queue.size) + 4095) & ~4095
            queue.isEnabled = true
        }
    }
}

extension VirtioDevice: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try function.transfer(&stream)
        try stream.field(&features)
        try stream.field(&offeredSelect)
        try stream.field(&featureSelect)
        try stream.field(&status)
        try stream.field(&queueSelect)
        try stream.field(&configurationVector)
        try stream.field(&interruptStatus)
        try stream.field(&isBroken)
        for n in queues.indices { try queues[n].transfer(&stream) }
        try stream.field(&typed)
    }
}
