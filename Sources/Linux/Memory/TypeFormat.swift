/// The types of a kernel as it carries them for BPF (Linux, Documentation/bpf/btf.rst): where the
/// members of its structures lie. All that is read is bounded by the bytes given.
struct TypeFormat {
    private enum Kind {
        static let integer: UInt32 = 1
        static let array: UInt32 = 3
        static let structure: UInt32 = 4
        static let union: UInt32 = 5
        static let enumeration: UInt32 = 6
        static let alias: UInt32 = 8
        static let qualifiers: ClosedRange<UInt32> = 8...11
        static let prototype: UInt32 = 13
        static let variable: UInt32 = 14
        static let section: UInt32 = 15
        static let tag: UInt32 = 17
        static let typeTag: UInt32 = 18
        static let wideEnumeration: UInt32 = 19
    }

    private let bytes: [UInt8]
    /// Offsets of the types, the first of which is number 1.
    private var types: [Int] = []
    private var strings = 0..<0

    /// Nil where the bytes are not in that format.
    init?(_ bytes: [UInt8]) {
        self.bytes = bytes
        guard number(0) & 0xFFFF == 0xEB9F, bytes.count >= 24 else { return nil }
        let header = Int(number(4))
        let start = header + Int(number(8))
        let end = start + Int(number(12))
        let text = header + Int(number(16))
        let textEnd = text + Int(number(20))
        guard start <= end, end <= bytes.count, text <= textEnd, textEnd <= bytes.count else {
            return nil
        }
        strings = text..<textEnd
        var at = start
        while at + 12 <= end {
            types.append(at)
            guard let more = size(ofKindAt: at) else { return nil }
            at += 12 + more
        }
    }

    private func number(_ at: Int) -> UInt32 {
        guard at >= 0, at + 4 <= bytes.count else { return 0 }
        return (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
    }

    private func kind(_ at: Int) -> UInt32 { number(at + 4) >> 24 & 0x1F }
    private func count(_ at: Int) -> Int { Int(number(at + 4) & 0xFFFF) }

    /// Bytes that follow a type's twelve; nil for a kind that is not known.
    private func size(ofKindAt at: Int) -> Int? {
        switch kind(at) {
        case Kind.integer, Kind.variable, Kind.tag: return 4
        case Kind.array: return 12
        case Kind.structure, Kind.union, Kind.section, Kind.wideEnumeration: return 12 * count(at)
        case Kind.enumeration, Kind.prototype: return 8 * count(at)
        case 2, 7...12, 16, Kind.typeTag: return 0
        default: return nil
        }
    }

    private func hasName(_ at: Int, _ name: [UInt8]) -> Bool {
        let start = strings.lowerBound + Int(number(at))
        guard start + name.count < strings.upperBound else { return false }
        return bytes[start..<(start + name.count)].elementsEqual(name)
            && bytes[start + name.count] == 0
    }

    /// Offset in bytes of a member of a structure, also where it lies in an unnamed part of it.
    func offset(of member: String, in structure: String) -> UInt64? {
        let name = Array(structure.utf8)
        let place = types.first { kind($0) == Kind.structure && hasName($0, name) }
        return place.flatMap { offset(Array(member.utf8), $0, depth: 0) }
    }

    /// Size of a structure in bytes.
    func size(of structure: String) -> UInt64? {
        let name = Array(structure.utf8)
        return types.first { kind($0) == Kind.structure && hasName($0, name) }
            .map { UInt64(number($0 + 8)) }
    }

    private func offset(_ member: [UInt8], _ at: Int, depth: Int) -> UInt64? {
        guard depth < 8 else { return nil }
        let packsWidth = number(at + 4) >> 31 != 0
        for n in 0..<count(at) {
            let entry = at + 12 + 12 * n
            let bits = packsWidth ? number(entry + 8) & 0xFF_FFFF : number(entry + 8)
            if hasName(entry, member) { return UInt64(bits / 8) }
            guard number(entry) == 0, let inner = part(number(entry + 4)),
                let found = offset(member, inner, depth: depth + 1)
            else { continue }
            return UInt64(bits / 8) + found
        }
        return nil
    }

    /// The structure or union that a type number means.
    private func part(_ number: UInt32) -> Int? {
        var number = number
        for _ in 0..<8 {
            guard number > 0, number <= types.count else { return nil }
            let at = types[Int(number) - 1]
            if kind(at) == Kind.structure || kind(at) == Kind.union { return at }
            guard Kind.qualifiers ~= kind(at) || kind(at) == Kind.typeTag else { return nil }
            number = self.number(at + 8)
        }
        return nil
    }
}
