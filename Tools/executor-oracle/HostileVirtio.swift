import SeededRandom
import X86

/// The pieces of hostile code that drive virtio devices, and PCI's configuration space, as no
/// driver would. Each device is set up well often enough for requests to run.
extension HostileCode {
    private enum Port {
        static let address: UInt64 = 0xCF8
        static let data: UInt64 = 0xCFC
    }

    /// Offsets of the common registers with their sizes (Virtio 1.2, 4.1.4.3).
    private static let common: [(offset: UInt64, size: Int)] = [
        (0x00, 4), (0x04, 4), (0x08, 4), (0x0C, 4), (0x10, 2), (0x12, 2), (0x14, 1), (0x15, 1),
        (0x16, 2), (0x18, 2), (0x1A, 2), (0x1C, 2), (0x1E, 2), (0x20, 4), (0x24, 4), (0x28, 4),
        (0x2C, 4), (0x30, 4), (0x34, 4), (0x38, 4),
    ]

    /// The three BARs of a function as firmware leaves them: ports, MSI-X table, registers.
    private func places(_ n: Int) -> (ports: UInt64, messages: UInt64, registers: UInt64) {
        let n = UInt64(n)
        return (0xC000 + n * 0x80, 0xFEBE_0000 + n * 0x1000, 0xFEB0_0000 + n * 0x4000)
    }

    /// OUT of one, two or four bytes.
    mutating func out(_ port: UInt64, _ value: UInt64, _ bytes: Int) {
        code.load(2, port)
        code.load(0, value & 0xFFFF_FFFF)
        if (bytes == 4) == (code.size == .bits16) && bytes != 1 { code.emit(0x66) }
        code.emit(bytes == 1 ? 0xEE : 0xEF)
    }

    /// MOV of one, two or four bytes to memory.
    mutating func poke(_ address: UInt64, _ value: UInt64, _ bytes: Int) {
        switch bytes {
        case 1: code.storeByte(address, UInt8(truncatingIfNeeded: value))
        case 2:
            code.load(7, address)
            if code.size == .bits16 { code.emit(0x67) } else { code.emit(0x66) }
            code.emit(0xC7, 0x07, UInt8(truncatingIfNeeded: value))
            code.emit(UInt8(truncatingIfNeeded: value >> 8))
        default: code.store(address, value)
        }
    }

    private mutating func configure(_ n: Int, _ register: UInt64, _ value: UInt64, _ bytes: Int) {
        out(Port.address, 0x8000_0000 | UInt64(3 + n) << 11 | register & 0xFC, 4)
        out(Port.data + (register & 3), value, bytes)
    }

    mutating func virtio() {
        guard functions > 0 else { return pciConfiguration() }
        let n = numbers.below(functions)
        switch numbers.below(14) {
        case 0, 1: legacyQueue(n)
        case 2, 3: modernQueue(n)
        case 4, 5, 6:
            let first = numbers.chance(70) ? 0 : n
            if numbers.chance(40) { plainQueue(first) }
            request(first)
        case 7: randomChain(n)
        case 8: notifications(n)
        case 9: resetAmidst(n)
        case 10: messageSignals(n)
        case 11: moveBase(n)
        case 12: configurationWindow(n)
        default: randomRegister(n)
        }
    }

    // MARK: - Setting up

    /// Queue 0 by the legacy interface, as a driver does it.
    mutating func plainQueue(_ n: Int) {
        let ports = places(n).ports
        out(ports + 18, 0, 1)
        out(ports + 14, 0, 2)
        out(ports + 8, Layout.legacyQueue >> 12, 4)
        // The rings' indices, with the device's.
        code.store(Layout.legacyQueue + 0x1000, 0)
        out(ports + 18, 7, 1)
    }

    private mutating func legacyQueue(_ n: Int) {
        let ports = places(n).ports
        if numbers.chance(70) { out(ports + 18, 0, 1) }
        out(ports + 18, 3, 1)
        let features: [UInt64] = [0, 1 << 28, 1 << 29, 3 << 28, numbers.next()]
        out(ports + 4, numbers.pick(features), 4)
        let queue = numbers.chance(80) ? UInt64(numbers.below(2)) : numbers.next()
        out(ports + 14, queue, 2)
        let wild: [UInt64] = [
            memory >> 12, (memory >> 12) - 1, (memory >> 12) - 2, 0xF_FFFF, 0xFEE00, 0, 1,
            0xFEB00, Layout.code64 >> 12, Layout.pageTable >> 12, numbers.next(),
        ]
        let page = numbers.chance(75) ? Layout.legacyQueue >> 12 : numbers.pick(wild)
        out(ports + 8, page, 4)
        if numbers.chance(60) { out(ports + 18, 7, 1) }
        if numbers.chance(60) { out(ports + 16, queue, 2) }
    }

    private mutating func modernQueue(_ n: Int) {
        let registers = places(n).registers
        configure(n, 4, numbers.chance(90) ? 7 : numbers.next(), 2)
        if numbers.chance(80) { poke(registers + 0x14, 0, 1) }
        poke(registers + 0x14, 3, 1)
        poke(registers + 0x08, 1, 4)
        poke(registers + 0x0C, numbers.chance(85) ? 1 : numbers.next(), 4)
        poke(registers + 0x08, 0, 4)
        poke(registers + 0x0C, numbers.chance(80) ? numbers.next() & 0x3000_0000 : 1 << 27, 4)
        poke(registers + 0x14, 0xB, 1)
        poke(registers + 0x16, UInt64(numbers.below(2)), 2)
        let sizes: [UInt64] = [1, 2, 4, 16, 256, 3, 0, 512, 0x8000]
        poke(registers + 0x18, numbers.chance(70) ? 16 : numbers.pick(sizes), 2)
        let parts = [Layout.modernQueue, Layout.modernQueue + 0x400, Layout.modernQueue + 0x800]
        for (at, place) in zip([UInt64(0x20), 0x28, 0x30], parts) {
            let isSound = numbers.chance(90)
            poke(registers + at, isSound ? place : address() &+ UInt64(numbers.below(3)), 4)
            poke(registers + at + 4, isSound ? 0 : numbers.pick([0, 1, .max, 0xFFFF]), 4)
        }
        if numbers.chance(40) { poke(registers + 0x1A, UInt64(numbers.below(5)), 2) }
        poke(registers + 0x1C, 1, 2)
        poke(registers + 0x14, 0xF, 1)
        if numbers.chance(60) { notify(n, UInt64(numbers.below(2))) }
    }

    private mutating func notify(_ n: Int, _ queue: UInt64) {
        if numbers.chance(50) {
            out(places(n).ports + 16, queue, 2)
        } else {
            poke(places(n).registers + 0x3000 + queue * 4, queue, numbers.pick([2, 4]))
        }
    }

    // MARK: - Requests

    private mutating func descriptor(
        _ place: UInt64, _ address: UInt64, _ count: UInt64, _ flags: UInt64, _ next: UInt64
    ) {
        code.store(place, address)
        code.store(place + 4, numbers.chance(97) ? 0 : numbers.next())
        code.store(place + 8, count)
        code.store(place + 12, flags & 0xFFFF | next << 16)
    }

    /// Makes descriptor 0 available once more, and tells the device.
    private mutating func publish(_ n: Int, _ available: UInt64) {
        let jump = numbers.chance(4) ? numbers.next() : 1
        code.load(7, available + 2)
        code.emit(code.size == .bits16 ? 0x67 : 0x66, 0x81, 0x07)
        code.emit(UInt8(truncatingIfNeeded: jump), UInt8(truncatingIfNeeded: jump >> 8))
        if numbers.chance(15) { poke(available, numbers.next(), 2) }
        notify(n, UInt64(numbers.below(2)))
    }

    /// A request to a block device, or text for a console: header, data, status.
    private mutating func request(_ n: Int) {
        let isModern = numbers.chance(30)
        let base = isModern ? Layout.modernQueue : Layout.legacyQueue
        let available = isModern ? base + 0x400 : base + 0x1000
        let kinds: [UInt64] = [0, 0, 0, 1, 1, 4, 8, 11, 13, 2, numbers.next()]
        let kind = numbers.pick(kinds)
        code.store(Layout.buffers, kind)
        let sectors: [UInt64] = [0, 1, 7, 8, 100, UInt64(numbers.below(300)), .max, numbers.next()]
        code.store(Layout.buffers + 8, numbers.pick(sectors))
        code.store(Layout.buffers + 12, numbers.chance(90) ? 0 : numbers.next())
        let counts: [UInt64] = [
            512, 1024, 4096, 0, 1, 511, 513, 0x10000, 16, 32, 20, 0xFFFF_FFFF, memory, 0x4000_0000,
        ]
        let count = numbers.chance(60) ? 512 : numbers.pick(counts)
        let data = numbers.chance(60) ? Layout.buffers + 0x200 : address()
        let writes: UInt64 = [1, 4, 11, 13].contains(kind) ? 0 : 2
        let flip: UInt64 = numbers.chance(6) ? numbers.bit(16) : 0
        descriptor(base, Layout.buffers, numbers.chance(95) ? 16 : 15, 1, 1)
        descriptor(base + 16, data, count, 1 | writes ^ flip, numbers.chance(95) ? 2 : 1)
        let status = numbers.chance(85) ? Layout.buffers + 0x100 : address()
        descriptor(base + 32, status, 1, 2, 0)
        if [11, 13].contains(kind) {
            code.store(Layout.buffers + 0x200, UInt64(numbers.below(64)))
            code.store(Layout.buffers + 0x204, 0)
            code.store(Layout.buffers + 0x208, numbers.pick([8, 1, 64, 1 << 22, .max]))
            code.store(Layout.buffers + 0x20C, numbers.pick([0, 0, 1, 2]))
        }
        publish(n, available)
    }

    /// Loops, jumps out of the table, tables in tables, tables in the ring or in themselves.
    private mutating func randomChain(_ n: Int) {
        let isModern = numbers.chance(50)
        let base = isModern ? Layout.modernQueue : Layout.legacyQueue
        let available = isModern ? base + 0x400 : base + 0x1000
        for k in 0..<UInt64(1 + numbers.below(3)) {
            let flags = UInt64(numbers.below(8)) | (numbers.chance(5) ? numbers.bit(16) : 0)
            let places = [
                Layout.indirect, Layout.indirect, base, available, Layout.buffers, address(),
            ]
            let counts: [UInt64] = [16, 32, 48, 0x1000, 0, 15, 0xFFFF_FFF0, 0x10_0000]
            descriptor(
                base + k * 16, numbers.pick(places), numbers.pick(counts), flags,
                UInt64(numbers.pick([0, 1, 2, 255, 256, 0xFFFF])))
        }
        if numbers.chance(40) {
            for k in 0..<UInt64(1 + numbers.below(2)) {
                descriptor(
                    Layout.indirect + k * 16, Layout.buffers, UInt64(numbers.below(600)),
                    UInt64(numbers.below(8)), UInt64(numbers.below(4)))
            }
        }
        if numbers.chance(20) { poke(available + 4, numbers.next(), 2) }
        publish(n, available)
    }

    private mutating func notifications(_ n: Int) {
        code.load(1, UInt64(numbers.pick([3, 40, 300])))
        let here = code.bytes.count
        notify(n, UInt64(numbers.below(3)))
        // LOOP back over it.
        code.emit(0xE2, UInt8(truncatingIfNeeded: here - code.bytes.count - 2))
    }

    /// A reset, or queues moved and disabled, while a request is under way.
    private mutating func resetAmidst(_ n: Int) {
        notify(n, 0)
        if numbers.chance(50) { code.emit(0x90) }
        switch numbers.below(4) {
        case 0: out(places(n).ports + 18, 0, 1)
        case 1: poke(places(n).registers + 0x14, 0, 1)
        case 2: out(places(n).ports + 8, numbers.pick([0, Layout.legacyQueue >> 12, 0x130]), 4)
        default: configure(n, 4, numbers.pick([0, 1, 3, 7]), 2)
        }
        if numbers.chance(60) { legacyQueue(n) }
    }

    // MARK: - Registers

    /// Messages to any address with any data, masked and not; MSI-X on and off.
    private mutating func messageSignals(_ n: Int) {
        let table = places(n).messages
        for _ in 0..<(1 + numbers.below(3)) {
            let entry = table + UInt64(numbers.below(4)) * 16
            let targets = [
                0xFEE0_0000, 0xFEE0_1000, 0xFEEF_F000, 0xFEE0_000C, 0xFEE0_F00C, address(),
                0xFEC0_0000,
            ]
            poke(entry, numbers.pick(targets), 4)
            poke(entry + 4, numbers.chance(90) ? 0 : numbers.next(), 4)
            let data = UInt64(numbers.below(256)) | UInt64(numbers.below(8)) << 8
            poke(entry + 8, numbers.chance(80) ? data : numbers.next(), 4)
            poke(entry + 12, numbers.chance(70) ? 0 : 1, 4)
        }
        configure(n, 4, 7, 2)
        configure(n, 0x9A, numbers.pick([0x8000, 0x8000, 0xC000, 0, 0x4000, 0xFFFF]), 2)
        poke(places(n).registers + 0x10, UInt64(numbers.below(5)), 2)
        poke(places(n).registers + 0x1A, UInt64(numbers.below(5)), 2)
        if numbers.chance(50) { out(places(n).ports + 20, UInt64(numbers.below(4)), 2) }
        if numbers.chance(30) { poke(table + 0x800, numbers.next(), 4) }
    }

    /// BARs over RAM, the APICs, other devices and each other; often back again.
    private mutating func moveBase(_ n: Int) {
        let home = places(n)
        let bases: [UInt64] = [0x10, 0x14, 0x20, 0x18, 0x1C, 0x24, 0x30]
        let register = numbers.pick(Array(bases.prefix(numbers.chance(85) ? 3 : 7)))
        let ports: [UInt64] = [
            0, 0x3F8, 0xCF8, 0x60, 0x20, 0x400, 0xFF80, 0x1_0000, 0x2000, 0x3C0, 0x80, 0xC000,
        ]
        let addresses: [UInt64] = [
            0, Layout.data, Layout.code64, memory, memory - 0x1000, 0xFEE0_0000, 0xFEC0_0000,
            0xFEBE_0000, 0xFEB0_0000, 0xFF00_0000, 0xFFFF_F000, 0xB_8000, 0xD000_0000,
        ]
        let place = numbers.pick(register == 0x10 ? ports : addresses)
        let value = numbers.chance(80) ? place : numbers.pick([.max, numbers.next()])
        configure(n, register, value, numbers.pick([4, 4, 4, 2, 1]))
        if register == 0x10 {
            out(place + UInt64(numbers.below(0x20)), numbers.next(), numbers.pick([1, 2, 4]))
            code.emit(0xED)
        } else {
            poke(place + UInt64(numbers.below(0x40)), numbers.next(), numbers.pick([1, 2, 4]))
            code.emit(0x8B, 0x07)
        }
        guard numbers.chance(75) else { return }
        let back = [0x10: home.ports, 0x14: home.messages, 0x20: home.registers][register]
        configure(n, register, back ?? 0, 4)
    }

    /// The window onto the BARs through configuration space.
    private mutating func configurationWindow(_ n: Int) {
        let bar = numbers.chance(80) ? UInt64(numbers.pick([0, 1, 4])) : numbers.next()
        configure(n, 0x88, bar, 1)
        let offset = numbers.chance(70) ? UInt64(numbers.below(0x40)) : numbers.next() & 0x3FFF
        configure(n, 0x8C, numbers.chance(90) ? offset : numbers.next(), 4)
        configure(n, 0x90, numbers.pick([1, 2, 4, 4, 0, 3, 8, .max]), 4)
        configure(n, 0x94, numbers.next(), numbers.pick([1, 2, 4]))
        code.emit(0xED)
    }

    private mutating func randomRegister(_ n: Int) {
        let home = places(n)
        switch numbers.below(4) {
        case 0: out(home.ports + UInt64(numbers.below(0x80)), numbers.next(), 4)
        case 1:
            let register = numbers.pick(Self.common)
            poke(home.registers + register.offset, numbers.next(), register.size)
        case 2:
            let page = UInt64(numbers.below(4)) << 12 | UInt64(numbers.below(0x40))
            poke(home.registers + page, numbers.next(), numbers.pick([1, 2, 4]))
        default:
            code.load(3, home.registers + UInt64(numbers.below(0x4000)))
            code.emit(numbers.pick([0x8A, 0x8B, 0x88, 0x01, 0x87]), 0x03)
        }
        code.load(2, home.ports + UInt64(numbers.below(0x40)))
        code.emit(numbers.pick([0xEC, 0xED]))
    }

    /// Any function's registers by mechanism 1, in all widths.
    mutating func pciConfiguration() {
        var address = UInt64(0x8000_0000) | UInt64(numbers.below(32)) << 11
        address |= UInt64(numbers.below(256))
        if numbers.chance(40) { address &= 0x8000_38FF }
        if numbers.chance(15) { address = numbers.next() }
        out(Port.address + UInt64(numbers.chance(80) ? 0 : numbers.below(4)), address, 4)
        let port = Port.data + UInt64(numbers.below(4))
        if numbers.chance(60) { out(port, numbers.next(), numbers.pick([1, 2, 4])) }
        code.load(2, port)
        if numbers.chance(30) { code.emit(0x66) }
        code.emit(numbers.pick([0xEC, 0xED]))
    }
}
