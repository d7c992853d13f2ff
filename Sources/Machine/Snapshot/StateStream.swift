/// Writes state to bytes, or reads it back: each part of the machine lists its fields once, in
/// `transfer`, and that one list serves both directions. Little-endian, no padding, no alignment.
struct StateStream {
    /// True when fields are set from `bytes`; false when they are appended to it.
    let reading: Bool
    private(set) var bytes: [UInt8]
    /// Next byte to read.
    private(set) var offset = 0

    /// A stream to write to.
    init() {
        reading = false
        bytes = []
        bytes.reserveCapacity(16384)
    }

    init(reading bytes: [UInt8]) {
        reading = true
        self.bytes = bytes
    }

    var atEnd: Bool { offset == bytes.count }

    func damaged(_ what: String) -> MachineError { .snapshot(what, offset: offset) }

    mutating func field<T: FixedWidthInteger & UnsignedInteger>(
        _ value: inout T
    ) throws(MachineError) {
        let size = T.bitWidth / 8
        guard reading else {
            for i in 0..<size {
                bytes.append(UInt8(truncatingIfNeeded: value >> T(8 * i)))
            }
            return
        }
        guard bytes.count - offset >= size else { throw damaged("ends early") }
        var result: T = 0
        for i in 0..<size { result |= T(truncatingIfNeeded: bytes[offset + i]) << T(8 * i) }
        offset += size
        value = result
    }

    mutating func field(_ value: inout Bool) throws(MachineError) {
        var byte: UInt8 = value ? 1 : 0
        try field(&byte)
        guard byte <= 1 else { throw damaged("a flag is neither 0 nor 1") }
        value = byte == 1
    }

    /// A count of items that take at least `itemSize` bytes each: bounded by what is left to read.
    mutating func count(_ value: inout Int, itemSize: Int) throws(MachineError) {
        var word = UInt32(truncatingIfNeeded: value)
        try field(&word)
        if reading && Int(word) > (bytes.count - offset) / itemSize {
            throw damaged("a count is larger than what follows")
        }
        value = Int(word)
    }

    /// A byte string with its length.
    mutating func field(_ value: inout [UInt8]) throws(MachineError) {
        var length = value.count
        try count(&length, itemSize: 1)
        guard reading else {
            bytes.append(contentsOf: value)
            return
        }
        value = Array(bytes[offset..<offset + length])
        offset += length
    }

    /// Plain memory of a fixed size.
    mutating func field(_ memory: UnsafeMutableRawBufferPointer) throws(MachineError) {
        guard reading else {
            bytes.append(contentsOf: memory)
            return
        }
        guard bytes.count - offset >= memory.count else { throw damaged("ends early") }
        bytes.withUnsafeBytes { source in
            memory.copyMemory(from: .init(rebasing: source[offset..<offset + memory.count]))
        }
        offset += memory.count
    }

    /// A value that is written, and must read back the same.
    mutating func expect(_ value: UInt64, _ what: String) throws(MachineError) {
        var found = value
        try field(&found)
        guard found == value else { throw damaged(what) }
    }
}

/// A part of the machine that snapshots hold.
protocol Snapshottable {
    /// Passes every field through the stream, in a fixed order. Reading checks what the code relies
    /// on, and throws; a machine whose restore has thrown must not be run.
    mutating func transfer(_ stream: inout StateStream) throws(MachineError)
}
