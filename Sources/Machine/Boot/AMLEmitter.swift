/// ACPI machine language (ACPI 6.4, chapter 20), as much of it as the DSDT here is made of.
enum AML {
    /// A package length, which counts its own bytes (20.2.4), and what it is the length of.
    private static func sized(_ body: [UInt8]) -> [UInt8] {
        if body.count + 1 < 0x40 { return [UInt8(body.count + 1)] + body }
        let extra = body.count + 2 < 0x1000 ? 1 : 2
        let length = body.count + 1 + extra
        var bytes = [UInt8(extra << 6 | length & 0xF)]
        for n in 0..<extra { bytes.append(UInt8(truncatingIfNeeded: length >> (4 + 8 * n))) }
        return bytes + body
    }

    /// A name of up to four characters in the current scope; with `\` before it, in the root.
    static func name(_ text: StaticString) -> [UInt8] {
        var bytes: [UInt8] = []
        text.withUTF8Buffer { bytes += $0 }
        let isRoot = bytes.first == 0x5C
        let size = isRoot ? 5 : 4
        while bytes.count < size { bytes.append(0x5F) }
        return bytes
    }

    static func integer(_ value: UInt32) -> [UInt8] {
        switch value {
        case 0, 1: [UInt8(value)]
        case 2...0xFF: [0x0A, UInt8(value)]
        case 0x100...0xFFFF: [0x0B, UInt8(value & 0xFF), UInt8(value >> 8)]
        default: [0x0C] + (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
        }
    }

    static func string(_ text: StaticString) -> [UInt8] {
        var bytes: [UInt8] = [0x0D]
        text.withUTF8Buffer { bytes += $0 }
        return bytes + [0]
    }

    static func define(_ text: StaticString, _ object: [UInt8]) -> [UInt8] {
        [0x08] + name(text) + object
    }
    static func scope(_ text: StaticString, _ body: [[UInt8]]) -> [UInt8] {
        [0x10] + sized(name(text) + body.joined())
    }
    static func device(_ text: StaticString, _ body: [[UInt8]]) -> [UInt8] {
        [0x5B, 0x82] + sized(name(text) + body.joined())
    }
    static func package(_ elements: [[UInt8]]) -> [UInt8] {
        [0x12] + sized([UInt8(elements.count)] + elements.joined())
    }
    static func buffer(_ bytes: [UInt8]) -> [UInt8] {
        [0x11] + sized(integer(UInt32(bytes.count)) + bytes)
    }

    /// A plug-and-play identity such as PNP0501, compressed (19.3.4): three letters of 5 bits and
    /// four hexadecimal digits, most significant byte first.
    static func identity(vendor: StaticString, product: UInt16) -> [UInt8] {
        var letters: UInt16 = 0
        vendor.withUTF8Buffer { for byte in $0 { letters = letters << 5 | UInt16(byte & 0x1F) } }
        return [
            0x0C, UInt8(letters >> 8), UInt8(letters & 0xFF), UInt8(product >> 8),
            UInt8(product & 0xFF),
        ]
    }

    /// Small resource descriptors (6.4.2): fixed I/O ports, an edge-triggered interrupt line, end.
    static func ports(_ start: UInt16, count: UInt8) -> [UInt8] {
        let (low, high) = (UInt8(start & 0xFF), UInt8(start >> 8))
        return [0x47, 0x01, low, high, low, high, 0x01, count]
    }
    static func interrupt(line: UInt16) -> [UInt8] {
        let mask = UInt16(1) << line
        return [0x22, UInt8(mask & 0xFF), UInt8(mask >> 8)]
    }
    /// Memory of a fixed place that can be written (6.4.3.4).
    static func memory(_ start: UInt32, count: UInt32) -> [UInt8] {
        var range = ByteBuilder()
        range.bytes = [0x86, 0x09, 0x00, 1]
        range.add32(start)
        range.add32(count)
        return range.bytes
    }
    /// Large descriptors of address windows (6.4.3.5): bus numbers and ports as words, memory as
    /// double words, with fixed ends.
    static func buses(_ range: ClosedRange<UInt16>) -> [UInt8] { window(2, 0, range) }
    static func portWindow(_ range: ClosedRange<UInt16>) -> [UInt8] { window(1, 3, range) }
    private static func window(
        _ type: UInt8, _ flags: UInt8, _ range: ClosedRange<UInt16>
    ) -> [UInt8] {
        var window = ByteBuilder()
        window.bytes = [0x88, 0x0D, 0x00, type, 0x0C, flags]
        let size = range.upperBound - range.lowerBound &+ 1
        for word in [0, range.lowerBound, range.upperBound, 0, size] { window.add16(word) }
        return window.bytes
    }
    static func memoryWindow(_ range: ClosedRange<UInt32>) -> [UInt8] {
        var window = ByteBuilder()
        window.bytes = [0x87, 0x17, 0x00, 0, 0x0C, 1]
        let size = range.upperBound - range.lowerBound + 1
        for word in [0, range.lowerBound, range.upperBound, 0, size] { window.add32(word) }
        return window.bytes
    }

    static func resources(_ descriptors: [[UInt8]]) -> [UInt8] {
        define("_CRS", buffer(Array(descriptors.joined()) + [0x79, 0x00]))
    }
}
