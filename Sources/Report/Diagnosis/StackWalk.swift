import Trace
import X86

/// Who called whom, by the chain of frame pointers: the kernels are compiled to keep it. Memory may
/// hold anything, so the walk is bounded and only goes up.
enum StackWalk {
    struct Frame: Equatable {
        var address: UInt64
        /// Whether it is a return address rather than where it stands.
        var isReturn: Bool
        /// What is doubtful about it; empty if nothing.
        var note: String
    }

    static let limit = 32
    /// Frames lie near each other: a farther step is not one.
    static let farthest: UInt64 = 1 << 20

    static func frames(_ place: DiagnosisPlace, _ symbols: SymbolTable) -> [Frame] {
        let registers = place.registers
        var frames = [Frame(address: registers.rip, isReturn: false, note: "")]
        let known = symbols.lookup(registers.rip, in: place.context)
        if known == nil { frames[0].note = "(no image has code here)" }
        guard registers.codeSize != .bits16 else {
            frames.append(Frame(address: registers.rsp, isReturn: false, note: "(16-bit code)"))
            return frames
        }
        if let caller = callerBeforeFrame(place, symbols, known) { frames.append(caller) }
        walk(place, symbols, &frames)
        return frames
    }

    /// At a function's first instructions, and after a jump to nowhere, the caller is on top of the
    /// stack and not yet in the chain.
    private static func callerBeforeFrame(
        _ place: DiagnosisPlace, _ symbols: SymbolTable, _ known: SourcePlace?
    ) -> Frame? {
        let rsp = place.registers.rsp
        var slot = rsp
        var note = ""
        if let known {
            guard known.symbol != nil, known.offset <= 1 else { return nil }
            if known.offset == 1 {
                // After PUSH RBP.
                guard place.read(place.registers.rip &- 1, 1) == [0x55] else { return nil }
                slot = rsp &+ size(place)
            }
        } else {
            note = "(top of the stack: what called or jumped there?)"
        }
        guard let address = word(place, slot),
            let caller = symbols.lookup(address, in: place.context),
            caller.symbol != nil
        else { return nil }
        return Frame(address: address, isReturn: true, note: note)
    }

    private static func walk(
        _ place: DiagnosisPlace, _ symbols: SymbolTable, _ frames: inout [Frame]
    ) {
        let size = size(place)
        var frame = place.registers.rbp
        var last: UInt64 = 0
        while frames.count < limit {
            guard frame != 0 else { return }
            guard frame % size == 0, let next = word(place, frame),
                let address = word(place, frame &+ size)
            else {
                frames.append(
                    Frame(address: frame, isReturn: false, note: "(frame pointer: no frame here)"))
                return
            }
            if address == 0 { return }
            // The caller that was found on top of the stack may be the chain's first as well.
            if frames.last?.address != address || last != 0 {
                frames.append(Frame(address: address, isReturn: true, note: ""))
            }
            guard next != 0 else { return }
            guard next > frame, next - frame <= farthest else {
                frames.append(
                    Frame(
                        address: next, isReturn: false,
                        note: "(frame pointer: the chain is broken)"))
                return
            }
            last = frame
            frame = next
        }
        frames.append(Frame(address: frame, isReturn: false, note: "(and more)"))
    }

    /// Bytes of an address on the stack.
    private static func size(_ place: DiagnosisPlace) -> UInt64 {
        place.registers.codeSize == .bits64 ? 8 : 4
    }

    private static func word(_ place: DiagnosisPlace, _ address: UInt64) -> UInt64? {
        let size = size(place)
        guard address <= .max - size, let bytes = place.read(address, Int(size)),
            bytes.count == size
        else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
