import Trace
import X86

/// The instructions around RIP.
enum CodeWindow {
    private struct Line {
        var address: UInt64
        var bytes: [UInt8]
        var text: String
    }

    static let before = 5
    static let after = 6
    /// Instructions have no marks: those before RIP are found by decoding from the symbol's start,
    /// if that is not further away than this.
    static let farthest: UInt64 = 4096

    static func lines(_ place: DiagnosisPlace, _ symbols: SymbolTable) -> [String] {
        let rip = place.registers.rip
        guard place.read(rip, 1) != nil else {
            return ["  \(Hex.address(rip)) is not mapped: there is no code to run"]
        }
        let known = symbols.lookup(rip, in: place.context)
        var window: [Line] = []
        if let known, known.symbol != nil, known.offset > 0, known.offset <= farthest {
            window = decode(place, symbols, from: rip &- known.offset, to: rip).suffix(before)
        }
        let ahead = decode(place, symbols, from: rip, count: after + 1)
        return (window + ahead).flatMap { line -> [String] in
            let bytes = line.bytes.prefix(10).map { Hex.padded(UInt64($0), 2) }
                .joined(separator: " ")
            let more = line.bytes.count > 10 ? "+" : " "
            let space = String(repeating: " ", count: 29 - min(29, bytes.count))
            let mark = line.address == rip ? "=>" : "  "
            let text = "\(mark)\(Hex.address(line.address))  \(bytes)\(more)\(space) \(line.text)"
            let place = symbols.lookup(line.address, in: place.context)
            guard let place, place.symbol != nil, place.offset == 0 else { return [text] }
            return ["  \(place.name):", text]
        }
    }

    /// The instructions from a symbol's start to `end`; none if decoding does not come out there
    /// (data between code, or a jump into an instruction).
    private static func decode(
        _ place: DiagnosisPlace, _ symbols: SymbolTable, from start: UInt64, to end: UInt64
    ) -> [Line] {
        var lines: [Line] = []
        var address = start
        while address < end {
            guard let line = decode(place, symbols, at: address) else { return [] }
            lines.append(line)
            address &+= UInt64(line.bytes.count)
        }
        return address == end ? lines : []
    }

    private static func decode(
        _ place: DiagnosisPlace, _ symbols: SymbolTable, from start: UInt64, count: Int
    ) -> [Line] {
        var lines: [Line] = []
        var address = start
        for _ in 0..<count {
            guard let line = decode(place, symbols, at: address) else {
                let bytes = place.read(address, 1)
                let text = bytes == nil ? "(not mapped)" : "(not an instruction)"
                lines.append(Line(address: address, bytes: bytes ?? [], text: text))
                break
            }
            lines.append(line)
            address &+= UInt64(line.bytes.count)
        }
        return lines
    }

    private static func decode(
        _ place: DiagnosisPlace, _ symbols: SymbolTable, at address: UInt64
    ) -> Line? {
        // An instruction may end at the last mapped byte: take what can be read.
        var bytes: [UInt8] = []
        for length in stride(from: 15, through: 1, by: -1) {
            if let read = place.read(address, length) {
                bytes = read
                break
            }
        }
        guard !bytes.isEmpty else { return nil }
        var instruction = Instruction()
        let failure = bytes.withUnsafeBufferPointer {
            Decoder.decode(
                $0.baseAddress!, count: $0.count, codeSize: place.registers.codeSize,
                into: &instruction)
        }
        guard failure == nil else { return nil }
        let text = disassemble(instruction, at: address) { target in
            symbols.lookup(target, in: place.context).flatMap { $0.symbol == nil ? nil : $0.name }
        }
        return Line(
            address: address, bytes: Array(bytes.prefix(Int(instruction.length))), text: text)
    }
}
