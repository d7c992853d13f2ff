/// The messages that a kernel keeps in memory, printed or not (`dmesg`): Linux's printk ring buffer
/// since 5.10 (kernel/printk/printk_ringbuffer.h).
struct KernelLog {
    private let memory: KernelMemory
    private let types: TypeFormat?

    /// How many of the last messages are read.
    static let messageLimit = 400
    private static let textLimit = 1024

    init(_ memory: KernelMemory, _ types: TypeFormat?) {
        self.memory = memory
        self.types = types
    }

    private func offset(_ member: String, _ structure: String, otherwise: UInt64) -> UInt64 {
        types?.offset(of: member, in: structure) ?? otherwise
    }

    /// The last messages, oldest first, each `[    1.234567] text` as the kernel prints them.
    /// - Parameter pointer: address of the variable `prb`.
    func lines(_ pointer: UInt64) -> [String] {
        guard let ring = memory.word(pointer), ring >> 47 == 0x1FFFF else { return [] }
        let descriptors = ring &+ offset("desc_ring", "printk_ringbuffer", otherwise: 0)
        let data = ring &+ offset("text_data_ring", "printk_ringbuffer", otherwise: 48)
        let name = "prb_desc_ring"
        guard
            let bits = memory.number(
                descriptors &+ offset("count_bits", name, otherwise: 0), size: 4), bits < 32,
            let descs = memory.word(descriptors &+ offset("descs", name, otherwise: 8)),
            let infos = memory.word(descriptors &+ offset("infos", name, otherwise: 16)),
            let head = memory.word(descriptors &+ offset("head_id", name, otherwise: 24)),
            let tail = memory.word(descriptors &+ offset("tail_id", name, otherwise: 32)),
            let size = memory.number(
                data &+ offset("size_bits", "prb_data_ring", otherwise: 0), size: 4), size < 32,
            let text = memory.word(data &+ offset("data", "prb_data_ring", otherwise: 8))
        else { return [] }
        let count = min(head &- tail &+ 1, UInt64(1) << bits, UInt64(Self.messageLimit))
        var lines: [String] = []
        for back in (0..<count).reversed() {
            let identity = head &- back
            let slot = identity & ((1 << bits) - 1)
            if let message = message(identity, slot, descs, infos, text, size) {
                lines += message
            }
        }
        return lines
    }

    /// A descriptor's state is in its two top bits, below them its message's number: 1 is a message
    /// that is written, 2 one that nothing will be added to.
    private func message(
        _ identity: UInt64, _ slot: UInt64, _ descs: UInt64, _ infos: UInt64, _ text: UInt64,
        _ bits: UInt64
    ) -> [String]? {
        let desc = descs &+ slot &* (types?.size(of: "prb_desc") ?? 24)
        let info = infos &+ slot &* (types?.size(of: "printk_info") ?? 88)
        let place = desc &+ offset("text_blk_lpos", "prb_desc", otherwise: 8)
        guard let state = memory.word(desc), [1, 2].contains(state >> 62),
            state << 2 == identity << 2, let begin = memory.word(place),
            let next = memory.word(place &+ 8), begin & 1 == 0,
            let time = memory.word(info &+ offset("ts_nsec", "printk_info", otherwise: 8)),
            let length = memory.number(
                info &+ offset("text_len", "printk_info", otherwise: 16), size: 2)
        else { return nil }
        // A message that would cross the end of the buffer lies at its start.
        let mask = (UInt64(1) << bits) - 1
        let wraps = begin >> bits != next >> bits && next & mask != 0
        let start = text &+ (wraps ? 0 : begin & mask) &+ 8
        guard let bytes = memory.bytes(start, Int(min(length, UInt64(Self.textLimit)))) else {
            return nil
        }
        let shown = bytes.map { 0x20...0x7E ~= $0 || $0 == 0x0A ? $0 : 0x3F }
        let prefix = "[" + Self.seconds(time) + "] "
        return String(decoding: shown, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map { prefix + $0 }
    }

    /// Nanoseconds as `    1.234567`.
    private static func seconds(_ time: UInt64) -> String {
        let whole = String(time / 1_000_000_000)
        let part = String(time % 1_000_000_000 / 1000)
        return String(repeating: " ", count: max(0, 5 - whole.count)) + whole + "."
            + String(repeating: "0", count: 6 - part.count) + part
    }
}
