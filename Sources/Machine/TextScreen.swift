/// What a PC's screen shows.
extension Machine {
    /// The lines of the text screen, without what is blank at their ends and below the last; nil
    /// where there is no screen, it is in a graphics mode, or nothing is on it. The characters are
    /// those of a PC's ROM (code page 437).
    public var textScreen: [String]? {
        guard bus.hasFirmware, let layout = bus.video.layout,
            let memory = readPhysical(layout.base, count: Int(layout.size))
        else { return nil }
        var lines: [String] = []
        for row in 0..<UInt64(layout.rows) {
            var line: [Character] = []
            for column in 0..<UInt64(layout.columns) {
                let cell = layout.start &+ row &* layout.stride &+ column
                line.append(CodePage437.character(memory[Int(cell &* 2 % layout.size)]))
            }
            while line.last == " " { line.removeLast() }
            lines.append(String(line))
        }
        while lines.last == "" { lines.removeLast() }
        return lines.isEmpty ? nil : lines
    }
}

/// The characters of a PC's ROM font.
enum CodePage437 {
    /// 0x00 to 0x1F, which are pictures on a screen; 0 is blank.
    private static let low = Array(" ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼")
    /// 0x80 to 0xFF; the last is blank.
    private static let high = Array(
        "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪"
            + "┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ")

    static func character(_ code: UInt8) -> Character {
        switch code {
        case 0..<0x20: low[Int(code)]
        case 0x20..<0x7F: Character(Unicode.Scalar(code))
        case 0x7F: "⌂"
        default: high[Int(code) - 0x80]
        }
    }
}
