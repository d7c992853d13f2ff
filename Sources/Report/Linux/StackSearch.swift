import Trace
import X86

/// Who called whom, for a kernel that keeps no frame pointers: every word of the stack that is the
/// address after a CALL may be a return address. It is believed where that call leads to the
/// function of a frame above; the others, which may be left over from calls that have returned,
/// are marked with `(?)`.
enum StackSearch {
    /// Linux aligns its stacks to their size, 16 KiB (arch/x86/include/asm/page_64_types.h).
    private static let stackSize: UInt64 = 16384
    private static let limit = 48

    static func frames(_ place: DiagnosisPlace, _ symbols: SymbolTable) -> [StackWalk.Frame] {
        let registers = place.registers
        var frames = [StackWalk.Frame(address: registers.rip, isReturn: false, note: "")]
        // Where the functions begin that the next believed call may lead to.
        var callees = start(of: registers.rip, symbols).map { [$0] } ?? []
        let end = (registers.rsp | (stackSize - 1)) &+ 1
        var slot = registers.rsp & ~7
        while slot != end, frames.count < limit {
            guard let bytes = place.read(slot, 8) else { break }
            slot &+= 8
            let address = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard let caller = start(of: address &- 1, symbols),
                let call = call(before: address, place, symbols)
            else { continue }
            var note = "(?)"
            if case .direct(let target) = call, callees.contains(target) {
                note = ""
                callees = [caller]
            } else {
                // A call by way of a register, or one to a function that jumped on.
                callees.append(caller)
            }
            frames.append(StackWalk.Frame(address: address, isReturn: true, note: note))
        }
        return frames
    }

    private enum Call {
        case direct(UInt64)
        case indirect
    }

    private static func start(of address: UInt64, _ symbols: SymbolTable) -> UInt64? {
        guard let place = symbols.lookup(address, in: .hostKernel), place.symbol != nil else {
            return nil
        }
        return address &- place.offset
    }

    /// The CALL that ends where a return address points: E8 with a displacement, or FF /2 in one of
    /// its lengths (Intel SDM vol. 2, CALL).
    private static func call(
        before address: UInt64, _ place: DiagnosisPlace, _ symbols: SymbolTable
    ) -> Call? {
        guard let bytes = place.read(address &- 7, 7) else { return nil }
        if bytes[2] == 0xE8 {
            let displacement = bytes[3...].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let target = address &+ UInt64(bitPattern: Int64(Int32(bitPattern: displacement)))
            guard let known = symbols.lookup(target, in: .hostKernel), let name = known.symbol,
                known.offset == 0
            else { return nil }
            // Calls through a register, and calls that are patched, go by way of such pieces.
            let isThunk = name.contains("indirect_thunk") || name.hasPrefix("__SCT__")
            return isThunk ? .indirect : .direct(target)
        }
        for length in [2, 3, 6, 7] {
            var instruction = Instruction()
            let part = bytes[(7 - length)...] + [UInt8](repeating: 0x90, count: 8)
            let failure = Array(part).withUnsafeBufferPointer {
                Decoder.decode(
                    $0.baseAddress!, count: $0.count, codeSize: .bits64, into: &instruction)
            }
            if failure == nil, instruction.mnemonic == .call, Int(instruction.length) == length {
                return .indirect
            }
        }
        return nil
    }
}
