import Machine

/// A kernel's memory by its own virtual addresses, whatever the processors were doing: the image
/// lies in one piece, the rest is found by the page tables that are loaded. Nothing is changed.
public struct KernelMemory {
    private let machine: Machine
    private let image: Range<UInt64>
    /// Virtual minus physical address of the image; nil where it is not known.
    private let imageOffset: UInt64?
    private let roots: [UInt64]

    /// CR3's bit by which a kernel with page-table isolation tells a user's tables from its own
    /// (Linux, arch/x86/include/asm/processor-flags.h).
    private static let userTables: UInt64 = 1 << 12

    init(_ machine: Machine, image: Range<UInt64>, imageOffset: UInt64?) {
        self.machine = machine
        self.image = image
        self.imageOffset = imageOffset
        var roots: [UInt64] = []
        for index in 0..<machine.cpuCount {
            let root = machine.cpu(index).pointee.cr3
            roots += [root, root & ~Self.userTables]
        }
        self.roots = roots.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    public func physical(_ address: UInt64) -> UInt64? {
        if let imageOffset, image.contains(address) { return address &- imageOffset }
        for root in roots {
            if let place = machine.translate(address, cr3: root) { return place }
        }
        return nil
    }

    public func bytes(_ address: UInt64, _ count: Int) -> [UInt8]? {
        machine.readLinear(address, count: count) { physical($0) }
    }

    func number(_ address: UInt64, size: Int) -> UInt64? {
        guard let bytes = bytes(address, size) else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    func word(_ address: UInt64) -> UInt64? { number(address, size: 8) }

    /// The text at an address, up to a NUL or `limit` bytes, `?` for what is not printable ASCII.
    func text(_ address: UInt64, limit: Int) -> String? {
        var text = ""
        for offset in 0..<UInt64(limit) {
            guard let byte = number(address &+ offset, size: 1) else { return nil }
            if byte == 0 { break }
            let shown = 0x20...0x7E ~= byte ? UInt8(byte) : 0x3F
            text.unicodeScalars.append(UnicodeScalar(shown))
        }
        return text
    }
}
