/// A PC's keyboard controller (Intel 8042 with the IBM PC/AT and PS/2 command set) and a keyboard
/// that answers its commands and on which nobody types. There is no auxiliary device.
struct KeyboardController {
    private enum Status {
        static let outputFull: UInt8 = 1 << 0
        static let systemFlag: UInt8 = 1 << 2
        static let command: UInt8 = 1 << 3
        static let unlocked: UInt8 = 1 << 4
    }
    /// What a command asks the machine for.
    enum Effect {
        case none
        case reset
    }

    /// Bytes for the processor, oldest first.
    private var output: [UInt8] = []
    /// The configuration byte: bit 0 interrupt, 2 system flag, 4 keyboard off, 6 translation.
    private var configuration: UInt8 = 0x45
    /// The controller command whose argument port 0x60 takes next; 0 none.
    private var pendingCommand: UInt8 = 0
    /// The keyboard command whose argument comes next; 0 none.
    private var keyboardCommand: UInt8 = 0
    private var lastWasCommand = false
    private var outputPort: UInt8 = 0x03
    private static let capacity = 32

    var isInterrupting: Bool { !output.isEmpty && configuration & 1 != 0 }

    mutating func readData() -> UInt8 { output.isEmpty ? 0 : output.removeFirst() }

    var status: UInt8 {
        Status.unlocked | configuration & Status.systemFlag
            | (output.isEmpty ? 0 : Status.outputFull) | (lastWasCommand ? Status.command : 0)
    }

    private mutating func answer(_ bytes: UInt8...) {
        for byte in bytes where output.count < KeyboardController.capacity { output.append(byte) }
    }

    /// A write of port 0x64.
    mutating func writeCommand(_ value: UInt8) -> Effect {
        lastWasCommand = true
        pendingCommand = 0
        switch value {
        case 0x20: answer(configuration)
        case 0x60, 0xD1, 0xD2, 0xD3, 0xD4: pendingCommand = value
        case 0xA9: answer(0x01)  // the auxiliary port's clock is stuck: nothing is there
        case 0xAA:
            configuration |= Status.systemFlag
            answer(0x55)
        case 0xAB: answer(0x00)
        case 0xAD: configuration |= 0x10
        case 0xAE: configuration &= ~0x10
        case 0xC0: answer(0x80)
        case 0xD0: answer(outputPort)
        case 0xF0...0xFF where value & 1 == 0: return .reset  // pulses output bit 0
        default: break
        }
        return .none
    }

    /// A write of port 0x60.
    mutating func writeData(_ value: UInt8) -> Effect {
        lastWasCommand = false
        let command = pendingCommand
        pendingCommand = 0
        switch command {
        case 0x60: configuration = value & 0x77
        case 0xD1:
            outputPort = value
            return value & 1 == 0 ? .reset : .none
        case 0xD2: answer(value)
        case 0xD3, 0xD4: break  // no auxiliary device hears it
        default: keyboard(value)
        }
        return .none
    }

    /// The keyboard's own commands (IBM PS/2 technical reference, keyboard).
    private mutating func keyboard(_ value: UInt8) {
        configuration &= ~0x10
        if keyboardCommand != 0 {
            // Scan code set 0 asks for the set in use.
            let asksSet = keyboardCommand == 0xF0 && value == 0
            keyboardCommand = 0
            answer(0xFA)
            if asksSet { answer(0x02) }
            return
        }
        switch value {
        case 0xED, 0xF0, 0xF3:
            keyboardCommand = value
            answer(0xFA)
        case 0xEE: answer(0xEE)
        case 0xF2: answer(0xFA, 0xAB, configuration & 0x40 != 0 ? 0x41 : 0x83)
        case 0xF4...0xFA: answer(0xFA)
        case 0xFF: answer(0xFA, 0xAA)
        default: answer(0xFE)
        }
    }
}

extension KeyboardController: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&output)
        guard output.count <= KeyboardController.capacity else {
            throw stream.damaged("more bytes than the keyboard controller holds")
        }
        try stream.field(&configuration)
        try stream.field(&pendingCommand)
        try stream.field(&keyboardCommand)
        try stream.field(&lastWasCommand)
        try stream.field(&outputPort)
    }
}
