import X86

/// Reads and writes from outside the guest: loaders, observers, diagnosis. None of it disturbs a
/// device or a translation cache.
extension Machine {
    /// All RAM from guest-physical 0, for the length of the call. Reading it takes up no memory for
    /// pages that nobody has written.
    public func withMemory<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(
            UnsafeRawBufferPointer(
                start: UnsafeRawPointer(memory.base), count: Int(configuration.memory)))
    }

    /// `count` bytes of RAM at a guest-physical address; nil where they are not all RAM.
    public func readPhysical(_ address: UInt64, count: Int) -> [UInt8]? {
        guard isMemory(address, count: count) else { return nil }
        let start = UnsafeRawPointer(memory.base) + Int(address)
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// `count` bytes at a linear address, each page found by `translate` (a linear address to a
    /// guest-physical one); nil where it gives nil or what is not RAM.
    public func readLinear(
        _ address: UInt64, count: Int, translate: (UInt64) -> UInt64?
    ) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let next = address &+ UInt64(bytes.count)
            let room = min(count - bytes.count, 4096 - Int(next & 0xFFF))
            guard let place = translate(next), let part = readPhysical(place, count: room) else {
                return nil
            }
            bytes += part
        }
        return bytes
    }

    /// Virtio devices that wait for a reset, for their driver broke a rule: "disk 0".
    public var brokenDevices: [String] {
        bus.virtio.filter(\.isBroken).map { device in
            switch device.kind {
            case .block(let disk): "disk \(disk)"
            case .console: "the virtio console"
            }
        }
    }

    /// Whether all of `count` bytes at a guest-physical address are RAM.
    public func isMemory(_ address: UInt64, count: Int) -> Bool {
        count >= 0 && UInt64(count) <= configuration.memory
            && address <= configuration.memory - UInt64(count)
    }

    /// Stores bytes to RAM as the guest's own write would, decoded code included; false, and
    /// nothing done, where they are not all RAM.
    @discardableResult
    public func writePhysical(_ address: UInt64, _ bytes: [UInt8]) -> Bool {
        guard isMemory(address, count: bytes.count) else { return false }
        bytes.withUnsafeBytes { source in
            var done = 0
            while done < source.count {
                let to = address + UInt64(done)
                let size = min(source.count - done, 4096 - Int(to & 0xFFF))
                cpus[0].markWritten(to, size: size)
                (memory.base + Int(to)).copyMemory(
                    from: source.baseAddress! + done, byteCount: size)
                done += size
            }
        }
        return true
    }

    /// Where a linear address lies in guest-physical memory by the page tables at `cr3`, in the
    /// paging mode of vCPU 0. Rights are not checked and nothing is changed.
    public func translate(_ linear: UInt64, cr3: UInt64) -> UInt64? {
        let cpu = cpus[0]
        guard cpu.pointee.cr0 & CR0.pg != 0 else { return linear & 0xFFFF_FFFF }
        if cpu.pointee.longMode != 0 {
            let upper = linear >> 47
            guard upper == 0 || upper == 0x1FFFF else { return nil }
            return walk(cr3 & PageEntry.address, linear, levels: 4)
        }
        let address = linear & 0xFFFF_FFFF
        if cpu.pointee.cr4 & CR4.pae != 0 {
            return walk(cr3 & 0xFFFF_FFE0, address, levels: 3)
        }
        let largePages = cpu.pointee.cr4 & CR4.pse != 0
        let upper = cpu.loadTable32(cr3 & 0xFFFF_F000 | (address >> 22) << 2)
        guard upper & PageEntry.present != 0 else { return nil }
        if largePages && upper & PageEntry.large != 0 {
            return (upper >> 13 & 0xFF) << 32 | upper & 0xFFC0_0000 | address & 0x3F_FFFF
        }
        let lower = cpu.loadTable32(upper & 0xFFFF_F000 | (address >> 12 & 0x3FF) << 2)
        guard lower & PageEntry.present != 0 else { return nil }
        return lower & 0xFFFF_F000 | address & 0xFFF
    }

    /// Follows 8-byte entries from a table of the given level; PAE's top table has four.
    private func walk(_ root: UInt64, _ linear: UInt64, levels: Int) -> UInt64? {
        var table = root
        for level in stride(from: levels, to: 0, by: -1) {
            let shift = UInt64(12 + 9 * (level - 1))
            let address = table + (linear >> shift & 0x1FF) * 8
            guard isMemory(address, count: 8) else { return nil }
            let entry = cpus[0].loadTable(address)
            guard entry & PageEntry.present != 0 else { return nil }
            let offset = (UInt64(1) << shift) - 1
            if level == 1 || (level <= 3 && levels - level > 0 && entry & PageEntry.large != 0) {
                return entry & PageEntry.address & ~offset | linear & offset
            }
            table = entry & PageEntry.address
        }
        return nil
    }
}
