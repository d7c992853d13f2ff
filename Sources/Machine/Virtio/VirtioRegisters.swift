/// The registers of virtio devices as software reaches them: through configuration space, ports and
/// memory.
extension Bus {
    private static func low(_ value: UInt64, _ size: Int) -> UInt64 {
        value & .max >> UInt64(64 &- size &* 8)
    }

    /// `size` bytes at an offset out of words of four.
    private static func bytes(
        _ offset: Int, _ size: Int, _ word: (Int) -> UInt32
    ) -> UInt64 {
        let first = offset & ~3
        var value = UInt64(word(first))
        if offset & 3 + size > 4 { value |= UInt64(word(first + 4)) << 32 }
        return low(value >> UInt64(8 * (offset & 3)), size)
    }

    // MARK: Configuration space

    /// The device that the configuration address selects.
    private var selectedVirtio: Int? {
        guard pci.address >> 31 == 1, pci.address & 0x00FF_0700 == 0 else { return nil }
        let slot = Int(pci.address >> 11 & 31)
        return virtio.firstIndex { $0.slot == slot }
    }

    /// A read of configuration data within a word; nil where no virtio device is selected.
    func readVirtioConfiguration(_ port: UInt16, size: Int, _ cpu: CPU) -> UInt64? {
        let byte = Int(port & 3)
        guard !virtio.isEmpty, byte + size <= 4, let n = selectedVirtio else { return nil }
        let offset = Int(pci.address & 0xFC)
        var window: UInt32 = 0
        if VirtioFunction.isWindow(offset), let place = virtio[n].function.window {
            window = UInt32(
                truncatingIfNeeded: readVirtio(n, place.region, place.offset, place.size, cpu))
        }
        let word = virtio[n].function.word(
            offset, interrupting: virtio[n].interruptStatus != 0, window: window)
        return Self.low(UInt64(word) >> UInt64(8 * byte), size)
    }

    /// A write of configuration data; false where no virtio device is selected.
    func writeVirtioConfiguration(
        _ port: UInt16, _ value: UInt64, size: Int, _ cpu: CPU
    ) -> Bool {
        let byte = Int(port & 3)
        guard !virtio.isEmpty, byte + size <= 4, let n = selectedVirtio else { return false }
        let offset = Int(pci.address & 0xFC) + byte
        if VirtioFunction.isWindow(offset) {
            if let place = virtio[n].function.window {
                writeVirtio(n, place.region, place.offset, value, place.size, cpu)
            }
            return true
        }
        for i in 0..<size {
            virtio[n].function.setByte(
                offset + i, UInt8(truncatingIfNeeded: value >> UInt64(8 * i)))
        }
        sendReadyMessages(n, cpu)
        updateVirtioPins(at: cpu.pointee.cycles, by: cpu)
        return true
    }

    // MARK: BARs

    /// The device and the offset in its region that an address belongs to.
    private func findVirtio(
        _ address: UInt64, ports: Bool
    ) -> (n: Int, region: VirtioFunction.Region, offset: Int)? {
        for n in virtio.indices {
            for region in VirtioFunction.Region.allCases where region.isPorts == ports {
                if let offset = virtio[n].function.offset(address, in: region) {
                    return (n, region, offset)
                }
            }
        }
        return nil
    }

    func readVirtioBAR(_ address: UInt64, ports: Bool, size: Int, _ cpu: CPU) -> UInt64? {
        guard let place = findVirtio(address, ports: ports) else { return nil }
        return readVirtio(place.n, place.region, place.offset, size, cpu)
    }

    func writeVirtioBAR(
        _ address: UInt64, ports: Bool, _ value: UInt64, size: Int, _ cpu: CPU
    ) -> Bool {
        guard let place = findVirtio(address, ports: ports) else { return false }
        writeVirtio(place.n, place.region, place.offset, value, size, cpu)
        return true
    }

    private func readVirtio(
        _ n: Int, _ region: VirtioFunction.Region, _ offset: Int, _ size: Int, _ cpu: CPU
    ) -> UInt64 {
        switch region {
        case .legacy: return readLegacy(n, offset, size, cpu)
        case .messages:
            return Self.bytes(offset, size) { virtio[n].function.messages.word($0) }
        case .modern: return readModern(n, offset, size, cpu)
        }
    }

    private func writeVirtio(
        _ n: Int, _ region: VirtioFunction.Region, _ offset: Int, _ value: UInt64, _ size: Int,
        _ cpu: CPU
    ) {
        switch region {
        case .legacy: writeLegacy(n, offset, value, size, cpu)
        case .messages: writeMessages(n, offset, value, size, cpu)
        case .modern: writeModern(n, offset, value, size, cpu)
        }
    }

    /// The MSI-X table takes whole words, or two.
    private func writeMessages(
        _ n: Int, _ offset: Int, _ value: UInt64, _ size: Int, _ cpu: CPU
    ) {
        guard size >= 4, offset & (size - 1) == 0 else { return }
        virtio[n].function.messages.setWord(offset, UInt32(truncatingIfNeeded: value))
        if size == 8 {
            virtio[n].function.messages.setWord(
                offset + 4, UInt32(truncatingIfNeeded: value >> 32))
        }
        sendReadyMessages(n, cpu)
    }

    private func configurationWord(_ n: Int, _ offset: Int) -> UInt32 {
        switch virtio[n].kind {
        case .block: VirtioBlock.configurationWord(offset, virtio[n].disk)
        case .console: VirtioConsole.configurationWord(offset)
        }
    }

    /// A write of the device's own configuration: only a console has something to write.
    private func writeConfiguration(
        _ n: Int, _ offset: Int, _ value: UInt64, _ cpu: CPU
    ) {
        if case .console = virtio[n].kind, offset == VirtioConsole.emergencyWrite {
            print(UInt8(truncatingIfNeeded: value), cpu)
        }
    }

    private func takeInterruptStatus(_ n: Int, _ cpu: CPU) -> UInt64 {
        let value = virtio[n].takeInterruptStatus()
        updateVirtioPins(at: cpu.pointee.cycles, by: cpu)
        return UInt64(value)
    }

    // MARK: The modern interface

    private func readModern(_ n: Int, _ offset: Int, _ size: Int, _ cpu: CPU) -> UInt64 {
        let inside = offset & 0xFFF
        switch offset & ~0xFFF {
        case VirtioFunction.Modern.common:
            return Self.bytes(inside, size) { virtio[n].commonWord($0) }
        case VirtioFunction.Modern.interruptStatus:
            return inside == 0 ? takeInterruptStatus(n, cpu) : 0
        case VirtioFunction.Modern.device:
            return Self.bytes(inside, size) { configurationWord(n, $0) }
        default: return 0
        }
    }

    private func writeModern(
        _ n: Int, _ offset: Int, _ value: UInt64, _ size: Int, _ cpu: CPU
    ) {
        let inside = offset & 0xFFF
        let value = Self.low(value, size)
        switch offset & ~0xFFF {
        case VirtioFunction.Modern.common: writeCommon(n, inside, value, size, cpu)
        case VirtioFunction.Modern.device: writeConfiguration(n, inside, value, cpu)
        case VirtioFunction.Modern.notify: notifyVirtio(n, queue: inside >> 2, cpu)
        default: break
        }
    }

    /// A driver must use each register's own width (4.1.3.1); other writes are lost.
    private func writeCommon(
        _ n: Int, _ offset: Int, _ value: UInt64, _ size: Int, _ cpu: CPU
    ) {
        switch (offset, size) {
        case (0x14, 1): writeVirtioStatus(n, UInt8(value), cpu)
        case (0x20..<0x38, 4) where offset & 3 == 0, (0x20..<0x38, 8) where offset & 7 == 0:
            virtio[n].setAddress(offset, value, size: size)
        case (0x00, 4), (0x08, 4), (0x0C, 4), (0x10, 2), (0x16, 2), (0x18, 2), (0x1A, 2),
            (0x1C, 2):
            virtio[n].setCommon(offset, value)
        default: break
        }
    }

    // MARK: The legacy interface

    /// Where the device's own configuration begins: after two more registers while MSI-X is on.
    private func legacyConfiguration(_ n: Int) -> Int {
        virtio[n].function.messages.isEnabled ? 24 : 20
    }

    private func readLegacy(_ n: Int, _ offset: Int, _ size: Int, _ cpu: CPU) -> UInt64 {
        let start = legacyConfiguration(n)
        if offset >= start {
            return Self.bytes(offset - start, size) { configurationWord(n, $0) }
        }
        var interrupt: UInt64 = 0
        if offset <= 19 && offset + size > 19 { interrupt = takeInterruptStatus(n, cpu) }
        let device = virtio[n]
        return Self.bytes(offset, size) { at in
            switch at {
            case 0: device.legacyFeatures
            case 4: UInt32(truncatingIfNeeded: device.features)
            case 8: device.legacyPage
            case 12:
                UInt32(device.selected == nil ? 0 : VirtioQueue.maximumSize)
                    | UInt32(device.queueSelect) << 16
            case 16: UInt32(device.status) << 16 | UInt32(interrupt) << 24
            default:
                UInt32(device.configurationVector)
                    | UInt32(device.selected?.vector ?? VirtioQueue.noVector) << 16
            }
        }
    }

    private func writeLegacy(
        _ n: Int, _ offset: Int, _ value: UInt64, _ size: Int, _ cpu: CPU
    ) {
        let start = legacyConfiguration(n)
        if offset >= start {
            writeConfiguration(n, offset - start, Self.low(value, size), cpu)
            return
        }
        let word = UInt32(truncatingIfNeeded: value)
        let half = UInt16(truncatingIfNeeded: value)
        switch (offset, size) {
        case (4, 4): virtio[n].setLegacyFeatures(word)
        case (8, 4): virtio[n].setLegacyPage(word)
        case (14, 2): virtio[n].selectQueue(half)
        case (16, 2): notifyVirtio(n, queue: Int(half), cpu)
        case (18, 1): writeVirtioStatus(n, UInt8(truncatingIfNeeded: value), cpu)
        case (20, 2): virtio[n].setConfigurationVector(half)
        case (22, 2): virtio[n].setQueueVector(half)
        default: break
        }
    }
}
