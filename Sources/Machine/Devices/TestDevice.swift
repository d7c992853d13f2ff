/// What test kernels find on QEMU's `pc` with `-device pc-testdev` (hw/misc/pc-testdev.c): a
/// register that ports read and write, a port that flushes a page of the host's, ports that drive
/// interrupt lines, and memory outside RAM. It answers only where nothing else does.
struct TestDevice {
    /// Ports 0xE0-0xE3, and byte by byte 0xE8-0xEB; 0xE9 stays the debug console's.
    var register: UInt32 = 0
    /// The memory at `memory`, empty until something is written to it.
    var bytes: [UInt8] = []

    static let memory: ClosedRange<UInt64> = 0xFF00_0000...0xFF00_FFFF
    static let linePorts: ClosedRange<UInt16> = 0x2000...0x2017

    /// The byte of the register that a port shows, or nil.
    private static func byte(_ port: UInt16) -> UInt32? {
        switch port {
        case 0xE0...0xE3, 0xE8...0xEB: UInt32(port & 3)
        default: nil
        }
    }

    func read(_ port: UInt16) -> UInt8 {
        guard let n = Self.byte(port) else { return Self.linePorts.contains(port) ? 0 : 0xFF }
        return UInt8(truncatingIfNeeded: register >> (n * 8))
    }

    mutating func write(_ port: UInt16, _ value: UInt8) {
        guard let n = Self.byte(port) else { return }
        register = register & ~(0xFF << (n * 8)) | UInt32(value) << (n * 8)
    }

    /// Reads `size` bytes at an offset of its memory; what lies beyond the end reads ones.
    func readMemory(_ offset: Int, size: Int) -> UInt64 {
        var value: UInt64 = 0
        for n in 0..<size {
            let inside = offset + n < Self.memory.count
            let byte = inside ? (bytes.isEmpty ? 0 : bytes[offset + n]) : 0xFF
            value |= UInt64(byte) << UInt64(n * 8)
        }
        return value
    }

    mutating func writeMemory(_ offset: Int, _ value: UInt64, size: Int) {
        if bytes.isEmpty { bytes = Array(repeating: 0, count: Self.memory.count) }
        for n in 0..<size where offset + n < bytes.count {
            bytes[offset + n] = UInt8(truncatingIfNeeded: value >> UInt64(n * 8))
        }
    }

    /// Whether a guest has used it: otherwise no snapshot mentions it.
    var isUsed: Bool { register != 0 || !bytes.isEmpty }

    mutating func transfer(
        _ stream: inout StateStream, isPresent: Bool
    ) throws(MachineError) {
        if !isPresent {
            self = TestDevice()
            return
        }
        try stream.field(&register)
        try stream.field(&bytes)
        guard bytes.isEmpty || bytes.count == Self.memory.count else {
            throw stream.damaged("the test device's memory has another size")
        }
    }
}

extension Bus {
    /// Ports 0x2000 to 0x2017: what is written drives ISA line or I/O APIC pin 0 to 23.
    func driveLine(_ port: UInt16, _ level: Bool, _ cpu: CPU) {
        let line = Int(port - TestDevice.linePorts.lowerBound)
        guard line != 2 else { return }
        if line < 16 {
            setLine(line, level, at: cpu.pointee.cycles, by: cpu)
        } else {
            setPin(line, level, at: cpu.pointee.cycles, by: cpu)
        }
    }
}
