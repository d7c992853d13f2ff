/// A 16550A UART (National PC16550D data sheet) whose transmitter is always ready: a byte written
/// is sent at once, a byte that arrives is received at once when there is room. On a `pc` its
/// interrupt line is ISA line 4 (MCR's OUT2 does not gate it, as it does not in QEMU); elsewhere
/// the line ends here, IIR says what it would signal, and drivers poll LSR.
struct Serial16550 {
    static let firstPort: UInt16 = 0x3F8
    static let fifoSize = 16

    private enum LineStatus {
        static let dataReady: UInt8 = 1 << 0
        /// Transmitter holding register and shift register both empty.
        static let transmitterEmpty: UInt8 = 0x60
    }
    private enum ModemControl {
        static let mask: UInt8 = 0x1F
        static let loopback: UInt8 = 1 << 4
    }

    /// Received bytes that the guest can read, oldest first: at most 16, or 1 without FIFO.
    private(set) var received: [UInt8] = []
    /// Bytes that wait for room, oldest first from `waitingStart`.
    private(set) var waiting: [UInt8] = []
    private var waitingStart = 0

    private var interruptEnable: UInt8 = 0
    private var fifoControl: UInt8 = 0
    private var lineControl: UInt8 = 0
    private var modemControl: UInt8 = 0
    /// Delta bits 0-3 of MSR; the level bits follow from `modemControl`.
    private var modemDelta: UInt8 = 0
    private var scratch: UInt8 = 0
    private var divisor: UInt16 = 12
    /// The transmitter-empty interrupt has not been acknowledged.
    private var transmitterInterrupt = false
    /// A byte was lost in loopback because the receiver was full.
    private var overrun = false

    private var divisorAccess: Bool { lineControl & 0x80 != 0 }
    private var fifoEnabled: Bool { fifoControl & 1 != 0 }
    private var capacity: Int { fifoEnabled ? Serial16550.fifoSize : 1 }
    private var loopback: Bool { modemControl & ModemControl.loopback != 0 }

    /// Bytes arrive from outside: into the receiver as far as there is room, the rest waits.
    mutating func receive(_ bytes: [UInt8]) {
        waiting.append(contentsOf: bytes)
        fillReceiver()
    }

    /// Its interrupt line.
    var isInterrupting: Bool { interruptIdentification & 1 == 0 }
    /// Whether a byte that arrived would raise the line.
    var wouldInterrupt: Bool { interruptEnable & 1 != 0 }

    /// Bytes that have arrived and that the guest has not read.
    var backlog: Int { received.count + waiting.count - waitingStart }

    private mutating func fillReceiver() {
        while received.count < capacity && waitingStart < waiting.count && !loopback {
            received.append(waiting[waitingStart])
            waitingStart += 1
        }
        if waitingStart == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            waitingStart = 0
        }
    }

    /// A read of register 0...7.
    mutating func read(_ register: Int) -> UInt8 {
        switch register {
        case 0:
            if divisorAccess { return UInt8(truncatingIfNeeded: divisor) }
            guard !received.isEmpty else { return 0 }
            let byte = received.removeFirst()
            fillReceiver()
            return byte
        case 1:
            return divisorAccess ? UInt8(truncatingIfNeeded: divisor >> 8) : interruptEnable
        case 2:
            let identification = interruptIdentification
            if identification & 0xF == 2 { transmitterInterrupt = false }
            return identification
        case 3: return lineControl
        case 4: return modemControl
        case 5:
            let status = lineStatus
            overrun = false
            return status
        case 6:
            let status = modemLevels | modemDelta
            modemDelta = 0
            return status
        default: return scratch
        }
    }

    /// A write of register 0...7. The result is a byte that leaves the machine, if one does.
    mutating func write(_ register: Int, _ value: UInt8) -> UInt8? {
        switch register {
        case 0:
            if divisorAccess {
                divisor = divisor & 0xFF00 | UInt16(value)
                return nil
            }
            transmitterInterrupt = true
            guard loopback else { return value }
            if received.count < capacity { received.append(value) } else { overrun = true }
        case 1:
            if divisorAccess {
                divisor = divisor & 0xFF | UInt16(value) << 8
                return nil
            }
            // Enabling the transmitter-empty interrupt while it is empty raises it.
            if value & 2 != 0 && interruptEnable & 2 == 0 { transmitterInterrupt = true }
            interruptEnable = value & 0xF
        case 2: writeFIFOControl(value)
        case 3: lineControl = value
        case 4: writeModemControl(value)
        case 7: scratch = value
        default: break  // LSR and MSR are read-only
        }
        return nil
    }

    /// Turning the FIFOs on or off empties them, as does bit 1. Unlike the chip's, input is not
    /// lost by that: it arrives again, because a driver starting up would otherwise swallow the
    /// first bytes of a file that is piped to the console, and nobody types them twice.
    private mutating func writeFIFOControl(_ value: UInt8) {
        if (value ^ fifoControl) & 1 != 0 || value & 2 != 0 {
            if !loopback {
                waiting.replaceSubrange(0..<waitingStart, with: received)
                waitingStart = 0
            }
            received.removeAll()
        }
        fifoControl = value & 1 != 0 ? value & 0xC9 : 0
        fillReceiver()
    }

    private mutating func writeModemControl(_ value: UInt8) {
        let before = modemLevels
        modemControl = value & ModemControl.mask
        let changed = before ^ modemLevels
        // Bits 4, 5, 7 have change bits 0, 1, 3; RI (bit 6) has a trailing-edge bit, 2.
        modemDelta |= (changed >> 4) & 0b1011
        if changed & 0x40 != 0 && before & 0x40 != 0 { modemDelta |= 0b100 }
        fillReceiver()
    }

    private var lineStatus: UInt8 {
        LineStatus.transmitterEmpty | (received.isEmpty ? 0 : LineStatus.dataReady)
            | (overrun ? 2 : 0)
    }

    /// CTS, DSR, RI and DCD: a terminal that is there, or in loopback RTS, DTR, OUT1 and OUT2.
    private var modemLevels: UInt8 {
        guard loopback else { return 0xB0 }
        let c = modemControl
        return (c & 2) << 3 | (c & 1) << 5 | (c & 4) << 4 | (c & 8) << 4
    }

    /// IIR by the data sheet's priorities.
    private var interruptIdentification: UInt8 {
        let fifo: UInt8 = fifoEnabled ? 0xC0 : 0
        if interruptEnable & 4 != 0 && overrun { return fifo | 0x06 }
        if interruptEnable & 1 != 0 && !received.isEmpty {
            let trigger = [1, 4, 8, 14][Int(fifoControl >> 6)]
            // Below the trigger level it is the character timeout, which needs no time here.
            return fifo | (fifoEnabled && received.count < trigger ? 0x0C : 0x04)
        }
        if interruptEnable & 2 != 0 && transmitterInterrupt { return fifo | 0x02 }
        if interruptEnable & 8 != 0 && modemDelta != 0 { return fifo | 0x00 }
        return fifo | 0x01
    }
}

extension Serial16550: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        waiting.removeFirst(waitingStart)
        waitingStart = 0
        try stream.field(&received)
        guard received.count <= Serial16550.fifoSize else {
            throw stream.damaged("more bytes than the serial port's FIFO holds")
        }
        try stream.field(&waiting)
        try stream.field(&interruptEnable)
        try stream.field(&fifoControl)
        try stream.field(&lineControl)
        try stream.field(&modemControl)
        try stream.field(&modemDelta)
        try stream.field(&scratch)
        try stream.field(&divisor)
        try stream.field(&transmitterInterrupt)
        try stream.field(&overrun)
    }
}
