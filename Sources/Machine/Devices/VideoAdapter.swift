/// The registers of a VGA in its text mode (IBM VGA technical reference; FreeVGA's register list):
/// all ports read back what they hold, and input status 1 toggles with the beam of an 80x25 screen
/// at 70 Hz. There is no drawing: text memory is RAM, and so are the graphics planes' addresses.
struct VideoAdapter {
    static let ports: ClosedRange<UInt16> = 0x3B0...0x3DF

    private enum Controller {
        static let horizontalEnd = 0x01
        static let overflow = 0x07
        static let maximumScanLine = 0x09
        static let startHigh = 0x0C
        static let startLow = 0x0D
        static let verticalRetraceEnd = 0x11
        static let verticalEnd = 0x12
        static let offset = 0x13
    }

    // The values that a BIOS sets for mode 3: 80x25 characters of 9x16 dots.
    private var miscellaneous: UInt8 = 0x67
    private var feature: UInt8 = 0
    private var sequencerIndex: UInt8 = 0
    private var sequencer: [UInt8] = [0x03, 0x00, 0x03, 0x00, 0x02]
    private var controllerIndex: UInt8 = 0
    private var controller: [UInt8] = [
        0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00,
        0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF,
    ]
    private var graphicsIndex: UInt8 = 0
    private var graphics: [UInt8] = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF]
    /// Bit 5: the palette drives the screen.
    private var attributeIndex: UInt8 = 0x20
    private var attributeTakesData = false
    private var attributes: [UInt8] = [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E,
        0x3F, 0x0C, 0x00, 0x0F, 0x08, 0x00,
    ]
    private var paletteMask: UInt8 = 0xFF
    private var paletteIsRead = false
    /// The next of the palette's bytes: three for each of 256 colours.
    private var paletteRead: UInt16 = 0
    private var paletteWrite: UInt16 = 0
    private var palette = [UInt8](repeating: 0, count: 768)

    // MARK: Ports

    /// Whether the colour or the monochrome set of the moving ports is decoded.
    private func decodes(_ port: UInt16) -> Bool {
        let isColour = miscellaneous & 1 != 0
        return port < 0x3C0 ? !isColour : port < 0x3D0 || isColour
    }

    mutating func read(_ port: UInt16, at cycle: UInt64) -> UInt8 {
        guard decodes(port) else { return 0xFF }
        switch port {
        case 0x3C0: return attributeIndex
        case 0x3C1: return VideoAdapter.element(attributes, attributeIndex & 0x1F)
        case 0x3C2: return 0  // no interrupt, no switch
        case 0x3C4: return sequencerIndex
        case 0x3C5: return VideoAdapter.element(sequencer, sequencerIndex)
        case 0x3C6: return paletteMask
        case 0x3C7: return paletteIsRead ? 3 : 0
        case 0x3C8: return UInt8(truncatingIfNeeded: paletteWrite / 3)
        case 0x3C9:
            let value = palette[Int(paletteRead)]
            paletteRead = (paletteRead &+ 1) % 768
            return value
        case 0x3CA: return feature
        case 0x3CC: return miscellaneous
        case 0x3CE: return graphicsIndex
        case 0x3CF: return VideoAdapter.element(graphics, graphicsIndex)
        case 0x3B4, 0x3D4: return controllerIndex
        case 0x3B5, 0x3D5: return VideoAdapter.element(controller, controllerIndex)
        case 0x3BA, 0x3DA:
            attributeTakesData = false
            return VideoAdapter.beam(cycle)
        default: return 0xFF
        }
    }

    mutating func write(_ port: UInt16, _ value: UInt8) {
        guard decodes(port) else { return }
        switch port {
        case 0x3C0: writeAttribute(value)
        case 0x3C2: miscellaneous = value
        case 0x3C4: sequencerIndex = value & 0x07
        case 0x3C5: VideoAdapter.set(&sequencer, sequencerIndex, value)
        case 0x3C6: paletteMask = value
        case 0x3C7: (paletteRead, paletteIsRead) = (UInt16(value) * 3, true)
        case 0x3C8: (paletteWrite, paletteIsRead) = (UInt16(value) * 3, false)
        case 0x3C9:
            palette[Int(paletteWrite)] = value & 0x3F
            paletteWrite = (paletteWrite &+ 1) % 768
        case 0x3CE: graphicsIndex = value & 0x0F
        case 0x3CF: VideoAdapter.set(&graphics, graphicsIndex, value)
        case 0x3B4, 0x3D4: controllerIndex = value & 0x3F
        case 0x3B5, 0x3D5: writeController(value)
        case 0x3BA, 0x3DA: feature = value
        default: break
        }
    }

    /// A register that an index does not reach reads 0.
    private static func element(_ registers: [UInt8], _ index: UInt8) -> UInt8 {
        Int(index) < registers.count ? registers[Int(index)] : 0
    }

    private static func set(_ registers: inout [UInt8], _ index: UInt8, _ value: UInt8) {
        if Int(index) < registers.count { registers[Int(index)] = value }
    }

    /// Port 0x3C0 takes index and data in turn. The palette can be set only while bit 5 of the
    /// index keeps it from the screen; emulators and most cards do not insist, nor does this one.
    private mutating func writeAttribute(_ value: UInt8) {
        if attributeTakesData {
            VideoAdapter.set(&attributes, attributeIndex & 0x1F, value)
        } else {
            attributeIndex = value & 0x3F
        }
        attributeTakesData.toggle()
    }

    /// Bit 7 of the retrace end register protects the timing in registers 0 to 7, but for bit 4 of
    /// the last, which belongs to the line compare.
    private mutating func writeController(_ value: UInt8) {
        if controllerIndex < 8 && controller[Controller.verticalRetraceEnd] & 0x80 != 0 {
            guard controllerIndex == UInt8(Controller.overflow) else { return }
            let kept = controller[Controller.overflow] & ~0x10
            controller[Controller.overflow] = kept | value & 0x10
            return
        }
        VideoAdapter.set(&controller, controllerIndex, value)
    }

    /// Input status 1: bit 0 while nothing is displayed, bit 3 in vertical retrace. A line is 900
    /// dots of 28.322 MHz, 720 of them displayed; 400 of 449 lines are, retrace is in two of them.
    private static func beam(_ cycle: UInt64) -> UInt8 {
        let line: UInt64 = 31_777
        let inFrame = cycle % (line * 449)
        let row = inFrame / line
        let isBlank = row >= 400 || inFrame % line >= 25_422
        return (isBlank ? 0x01 : 0) | (row >= 412 && row < 414 ? 0x08 : 0)
    }

    // MARK: The screen

    /// Where the displayed text lies; nil in a graphics mode.
    var layout: TextLayout? {
        guard graphics[6] & 1 == 0 else { return nil }
        let window: (base: UInt64, size: UInt64) =
            switch graphics[6] >> 2 & 3 {
            case 0: (0xA_0000, 0x2_0000)
            case 1: (0xA_0000, 0x1_0000)
            case 2: (0xB_0000, 0x8000)
            default: (0xB_8000, 0x8000)
            }
        let overflow = controller[Controller.overflow]
        let last =
            Int(controller[Controller.verticalEnd]) | Int(overflow & 0x02) << 7
            | Int(overflow & 0x40) << 3
        let height = Int(controller[Controller.maximumScanLine] & 0x1F) + 1
        return TextLayout(
            base: window.base, size: window.size,
            start: UInt64(controller[Controller.startHigh]) << 8
                | UInt64(controller[Controller.startLow]),
            stride: UInt64(controller[Controller.offset]) * 2,
            columns: min(Int(controller[Controller.horizontalEnd]) + 1, 160),
            rows: min((last + 1) / height, 100))
    }
}

/// Text on a screen: characters are pairs of bytes, character and attribute.
struct TextLayout: Equatable {
    /// The window that the adapter's memory has in physical addresses; it wraps at the end.
    var base: UInt64
    var size: UInt64
    /// In characters.
    var start: UInt64
    var stride: UInt64
    var columns: Int
    var rows: Int
}

extension VideoAdapter: Snapshottable {
    mutating func transfer(_ stream: inout StateStream) throws(MachineError) {
        try stream.field(&miscellaneous)
        try stream.field(&feature)
        try stream.field(&sequencerIndex)
        try stream.field(&controllerIndex)
        try stream.field(&graphicsIndex)
        try stream.field(&attributeIndex)
        try stream.field(&attributeTakesData)
        try stream.field(&paletteMask)
        try stream.field(&paletteIsRead)
        try stream.field(&paletteRead)
        try stream.field(&paletteWrite)
        guard paletteRead < 768, paletteWrite < 768 else {
            throw stream.damaged("a colour that no palette has")
        }
        try VideoAdapter.transfer(&sequencer, &stream)
        try VideoAdapter.transfer(&controller, &stream)
        try VideoAdapter.transfer(&graphics, &stream)
        try VideoAdapter.transfer(&attributes, &stream)
        try VideoAdapter.transfer(&palette, &stream)
    }

    /// Registers, of which there is a fixed number.
    private static func transfer(
        _ registers: inout [UInt8], _ stream: inout StateStream
    ) throws(MachineError) {
        for n in registers.indices { try stream.field(&registers[n]) }
    }
}
