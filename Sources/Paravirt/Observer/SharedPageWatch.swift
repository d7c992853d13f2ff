import Trace

/// The shared page of one VCPU as it was at the last event, and what has changed since.
struct SharedPageWatch {
    /// Physical address of the page; 0 until the VCPU is first seen.
    private(set) var physical: UInt64 = 0
    private let last: UnsafeMutableRawPointer
    private let size: Int

    init(size: Int) {
        self.size = size
        last = .allocate(byteCount: size, alignment: 8)
        last.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    }

    func deallocate() { last.deallocate() }

    /// Compares with the page now, remembers it, and gives the changed runs: maximal runs of
    /// differing bytes, runs less than four bytes apart joined.
    @inline(__always)
    mutating func changes(physical address: UInt64, view: PhysicalView) -> [SharedChange] {
        guard let now = view.bytes(address, size) else { return [] }
        physical = address
        if memoryIsEqual(now) { return [] }
        return collect(now)
    }

    @inline(__always)
    private func memoryIsEqual(_ now: UnsafeRawPointer) -> Bool {
        var difference: UInt64 = 0
        var i = 0
        while i &+ 8 <= size {
            difference |=
                now.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                ^ last.load(fromByteOffset: i, as: UInt64.self)
            i &+= 8
        }
        while i < size {
            let byte: UInt8 = now.load(fromByteOffset: i, as: UInt8.self)
            difference |= UInt64(byte ^ last.load(fromByteOffset: i, as: UInt8.self))
            i &+= 1
        }
        return difference == 0
    }

    @inline(never)
    private func collect(_ now: UnsafeRawPointer) -> [SharedChange] {
        var changes: [SharedChange] = []
        var lastDifferent = -1
        var start = -1
        func close() {
            let bytes = UnsafeRawBufferPointer(start: now + start, count: lastDifferent - start + 1)
            changes.append(SharedChange(offset: UInt16(start), bytes: Array(bytes)))
        }
        for i in 0..<size
        where now.load(fromByteOffset: i, as: UInt8.self)
            != last.load(fromByteOffset: i, as: UInt8.self)
        {
            if start >= 0, i - lastDifferent >= 4 {
                close()
                start = i
            } else if start < 0 {
                start = i
            }
            lastDifferent = i
        }
        if start >= 0 { close() }
        last.copyMemory(from: now, byteCount: size)
        return changes
    }
}
