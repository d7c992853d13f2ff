import X86

@testable import Machine

/// A disk whose chunks are a function of their numbers, but for those that cannot be read.
final class PatternDisk: DiskSource {
    var unreadable: Set<UInt64> = []
    private(set) var reads: [UInt64] = []

    static func byte(_ disk: Int, _ offset: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: (offset &* 0x9E37_79B9) >> 16 ^ offset >> 3) ^ UInt8(disk)
    }

    func read(disk: Int, chunk: UInt64, into room: UnsafeMutableRawPointer) -> Bool {
        if unreadable.contains(chunk) { return false }
        reads.append(chunk)
        for n in 0..<4096 {
            room.storeBytes(
                of: Self.byte(disk, chunk * 4096 + UInt64(n)), toByteOffset: n, as: UInt8.self)
        }
        return true
    }
}

/// A machine with virtio devices, and the driver's side of them. All vCPUs are halted, so that a
/// run is what is scheduled, and nothing else.
final class VirtioBench {
    struct Descriptor {
        var address: UInt64
        var count: UInt32
        var flags: UInt16 = 0
        var next: UInt16 = 0
    }
    static let next: UInt16 = 1
    static let write: UInt16 = 2
    static let indirect: UInt16 = 4

    let machine: Machine
    let source = PatternDisk()
    let console = ConsoleKeeper()
    /// The queue's parts: far enough apart for 256 entries.
    let table: UInt64 = 0x10_0000
    let available: UInt64 = 0x10_2000
    let used: UInt64 = 0x10_3000
    var size: UInt16 = 16
    /// Where requests keep their headers, data and status.
    let header: UInt64 = 0x11_0000
    let data: UInt64 = 0x12_0000
    let status: UInt64 = 0x11_8000
    private var made: UInt16 = 0
    private var seen: UInt16 = 0

    init(
        _ disks: [Disk] = [Disk(sectors: 4000)], console hasConsole: Bool = false, cpus: Int = 1,
        edition: MachineEdition = .latest
    ) throws {
        var configuration = MachineConfiguration(
            memory: 4 << 20, cpus: cpus, costs: CostProfile(name: "unit"), executor: .stepwise,
            inputPollCycles: 4096, platform: .pc, edition: edition)
        configuration.disks = disks
        configuration.hasVirtioConsole = hasConsole
        configuration.consoleInput = hasConsole ? .virtio : .serial
        machine = try Machine(configuration)
        machine.bus.apics[0].leaveAsFirmware()
        machine.bus.leaveControllersAsFirmware()
        machine.diskSource = source
        machine.observer = console
        for n in 0..<cpus { machine.cpu(n).pointee.activity = Activity.halted }
    }

    deinit { machine.observer = nil }

    var cpu: CPU { machine.cpu(0) }

    // MARK: Registers

    func configuration(_ slot: UInt32, _ offset: UInt32, size: Int = 4) -> UInt32 {
        machine.bus.writePort(
            0xCF8, UInt64(0x8000_0000 | slot << 11 | offset & 0xFC), size: 4, cpu: cpu)
        return UInt32(
            machine.bus.readPort(0xCFC + UInt16(offset & 3), size: size, cpu: cpu))
    }

    func setConfiguration(_ slot: UInt32, _ offset: UInt32, _ value: UInt32, size: Int = 4) {
        machine.bus.writePort(
            0xCF8, UInt64(0x8000_0000 | slot << 11 | offset & 0xFC), size: 4, cpu: cpu)
        machine.bus.writePort(
            0xCFC + UInt16(offset & 3), UInt64(value), size: size, cpu: cpu)
    }

    func base(_ n: Int) -> UInt64 { 0xFEB0_0000 + UInt64(n) * 0x4000 }
    func messages(_ n: Int) -> UInt64 { 0xFEBE_0000 + UInt64(n) * 0x1000 }
    func ports(_ n: Int) -> UInt16 { 0xC000 + UInt16(n) * 0x80 }

    func read(_ n: Int, _ offset: UInt64, size: Int) -> UInt64 {
        machine.bus.readPhysical(base(n) + offset, size: size, cpu: cpu)
    }

    func write(_ n: Int, _ offset: UInt64, _ value: UInt64, size: Int) {
        machine.bus.writePhysical(base(n) + offset, value, size: size, cpu: cpu)
    }

    func deviceStatus(_ n: Int) -> UInt8 { UInt8(read(n, 0x14, size: 1)) }

    // MARK: A driver

    /// All features but event indices, with which most buffers need no interrupt.
    static let plain: UInt64 = ~(1 << 29)

    /// Takes the device over by the modern interface, with one queue.
    func start(_ n: Int, queue: UInt16 = 0, features: UInt64 = .max, enable: Bool = true) {
        setConfiguration(UInt32(3 + n), 4, 7, size: 2)
        write(n, 0x14, 0, size: 1)
        write(n, 0x14, 1, size: 1)
        write(n, 0x14, 3, size: 1)
        for half in UInt64(0)..<2 {
            write(n, 0x00, half, size: 4)
            let offered = read(n, 0x04, size: 4)
            write(n, 0x08, half, size: 4)
            write(n, 0x0C, offered & (features >> (32 * half) & 0xFFFF_FFFF), size: 4)
        }
        write(n, 0x14, 11, size: 1)
        if enable { setQueue(n, queue) }
        write(n, 0x14, 15, size: 1)
        made = 0
        seen = 0
        clear()
    }

    func clear() {
        machine.writePhysical(table, [UInt8](repeating: 0, count: 0x4000))
    }

    func setQueue(_ n: Int, _ queue: UInt16) {
        write(n, 0x16, UInt64(queue), size: 2)
        write(n, 0x18, UInt64(size), size: 2)
        write(n, 0x20, table, size: 8)
        write(n, 0x28, available, size: 4)
        write(n, 0x2C, 0, size: 4)
        write(n, 0x30, used, size: 8)
        write(n, 0x1C, 1, size: 2)
    }

    func put(_ descriptors: [Descriptor], at place: UInt64) {
        var bytes = ByteBuilder()
        for descriptor in descriptors {
            bytes.add64(descriptor.address)
            bytes.add32(descriptor.count)
            bytes.add16(descriptor.flags)
            bytes.add16(descriptor.next)
        }
        machine.writePhysical(place, bytes.bytes)
    }

    /// Makes a chain that begins with the first descriptor available, and notifies.
    func offer(_ n: Int, _ descriptors: [Descriptor], queue: UInt64 = 0) {
        put(descriptors, at: table)
        offer(n, head: 0, queue: queue)
    }

    func offer(_ n: Int, head: UInt16, queue: UInt64 = 0) {
        store16(available + 4 + UInt64(made % size) * 2, head)
        made &+= 1
        store16(available + 2, made)
        cpu.pointee.cycles = machine.cycles
        write(n, 0x3000 + queue * 4, queue, size: 2)
    }

    func store16(_ address: UInt64, _ value: UInt16) {
        machine.writePhysical(address, [UInt8(value & 0xFF), UInt8(value >> 8)])
    }

    func load16(_ address: UInt64) -> UInt16 {
        let bytes = machine.readPhysical(address, count: 2) ?? [0, 0]
        return UInt16(bytes[0]) | UInt16(bytes[1]) << 8
    }

    func load32(_ address: UInt64) -> UInt32 {
        UInt32(load16(address)) | UInt32(load16(address + 2)) << 16
    }

    /// What is scheduled happens.
    func settle(cycles: UInt64 = 1_000_000) {
        _ = machine.run(RunLimits(cycles: machine.cycles + cycles))
    }

    /// A block request in three parts, settled: its status byte.
    @discardableResult
    func request(
        _ n: Int, _ type: UInt32, sector: UInt64 = 0, count: UInt32 = 0, writes: Bool = false
    ) -> UInt8? {
        setHeader(type, sector)
        machine.writePhysical(status, [0xEE])
        var chain = [Descriptor(address: header, count: 16, flags: Self.next, next: 1)]
        if count > 0 {
            chain.append(
                Descriptor(
                    address: data, count: count, flags: Self.next | (writes ? Self.write : 0),
                    next: 2))
        }
        chain.append(Descriptor(address: status, count: 1, flags: Self.write))
        offer(n, chain)
        settle()
        let now = load16(used + 2)
        guard now == seen &+ 1 else { return nil }
        seen = now
        return machine.readPhysical(status, count: 1)?.first
    }

    func setHeader(_ type: UInt32, _ sector: UInt64) {
        var bytes = ByteBuilder()
        bytes.add32(type)
        bytes.add32(0)
        bytes.add64(sector)
        machine.writePhysical(header, bytes.bytes)
    }

    /// Bytes of the disk as it was.
    func pattern(_ disk: Int, _ range: Range<UInt64>) -> [UInt8] {
        range.map { PatternDisk.byte(disk, $0) }
    }

    func dataBytes(_ count: Int) -> [UInt8] { machine.readPhysical(data, count: count) ?? [] }
}
