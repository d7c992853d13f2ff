import Testing
import X86

/// Checks the decoder against the hand-written predicates.
struct PredicateTests {
    struct Predicate: CustomTestStringConvertible, Sendable {
        var line: String
        var bytes: [UInt8]
        var lengths: [Int]
        /// nil where the line leaves it open because the modes differ.
        var memory: String?
        var testDescription: String { line }
    }

    static let all: [Predicate] = predicates.split(separator: "\n").map { line in
        let fields = line.split(separator: ":").map { $0.split(separator: " ").map(String.init) }
        return Predicate(
            line: String(line), bytes: fields[0].map { UInt8($0, radix: 16)! },
            lengths: fields[1].map { Int($0)! }, memory: fields[2][0] == "*" ? nil : fields[2][0])
    }

    @Test func tableIsLarge() {
        #expect(Self.all.count >= 300)
        #expect(Set(Self.all.map(\.bytes)).count == Self.all.count)
        #expect(Self.all.allSatisfy { $0.lengths.count == 3 })
    }

    @Test(arguments: [CodeSize.bits16, .bits32, .bits64])
    func holds(in codeSize: CodeSize) throws {
        let column = try #require(CodeSize.allCases.firstIndex(of: codeSize))
        for predicate in Self.all {
            // Bytes that follow are zero, so that a wrong length shows as a length.
            let bytes = predicate.bytes + Array(repeating: 0, count: 15)
            var instruction = Instruction()
            let failure = Decoder.decode(
                bytes, count: 15, codeSize: codeSize, into: &instruction)
            let length = predicate.lengths[column]
            guard length != 0 else {
                #expect(failure == .undefined, "\(predicate.line) in \(codeSize)")
                continue
            }
            #expect(failure == nil, "\(predicate.line) in \(codeSize)")
            guard failure == nil else { continue }
            #expect(Int(instruction.length) == length, "\(predicate.line) in \(codeSize)")
            // A length short of the bytes given is another instruction (REX as INC or DEC).
            if let memory = predicate.memory, length > 1 || predicate.bytes.count == 1 {
                #expect(memoryUse(instruction) == memory, "\(predicate.line) in \(codeSize)")
            }
        }
    }

    private func memoryUse(_ i: Instruction) -> String {
        let operands = [i.operands.0, i.operands.1, i.operands.2, i.operands.3]
        guard let index = operands.firstIndex(where: { $0.kind == .memory }) else { return "-" }
        switch OpcodeTable.access(i, operand: index) {
        case .none: return "a"
        case .read: return "r"
        case .write: return "w"
        case .readWrite: return "rw"
        }
    }
}
