/// The columns of a chunk, in their order in the file. Values are stored apart by what they are, so
/// that zstd sees like beside like.
enum ColumnID: Int, CaseIterable {
    /// One byte a record: which predictions failed (`EventMiss`, `ReturnMiss`).
    case misses = 0
    /// The CPU of a record where it differs from the one before.
    case cpus
    /// What a record is, where the prediction of that failed (`NodeCode`).
    case nodes
    /// Definitions of event sites.
    case sites
    /// Cycle and instruction residuals.
    case cycles
    case instructions
    /// RIP residuals of asynchronous events.
    case rips
    /// One byte for each event with a failed lane: which (`Lane`).
    case laneMisses
    /// Residuals of the lanes.
    case argument0
    case argument1
    case argument2
    case argument3
    case argument4
    case argument5
    case cr2
    case rsp
    case errors
    /// Changed words of shared pages.
    case shared
    /// Which event a return ends.
    case references
    case results
    /// Digests, 8 bytes each.
    case digests
    case console
    case inputs

    static let count = 23
}

/// A growing byte buffer with varint stores. The owner calls `reserve` before a record; single
/// stores do not check.
struct Column {
    private(set) var base: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    func deallocate() { base.deallocate() }

    mutating func clear() { count = 0 }

    /// Makes room for `more` bytes.
    @inline(__always)
    mutating func reserve(_ more: Int) {
        if count &+ more > capacity { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        capacity = max(capacity * 2, count + more)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
    }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        base[count] = value
        count &+= 1
    }

    /// LEB128: seven bits a byte, lowest first, the top bit says that more follow; at most 10.
    @inline(__always)
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            base[count] = UInt8(truncatingIfNeeded: rest) | 0x80
            count &+= 1
            rest &>>= 7
        }
        base[count] = UInt8(truncatingIfNeeded: rest)
        count &+= 1
    }

    /// A signed difference as a varint with the sign in the lowest bit.
    @inline(__always)
    mutating func zigzag(_ difference: UInt64) {
        let signed = Int64(bitPattern: difference)
        varint(difference &<< 1 ^ UInt64(bitPattern: signed &>> 63))
    }

    @inline(__always)
    mutating func word(_ value: UInt64) {
        UnsafeMutableRawPointer(base).store(value, at: count)
        count &+= 8
    }

    mutating func bytes(_ source: UnsafeRawBufferPointer) {
        if let start = source.baseAddress, source.count > 0 {
            UnsafeMutableRawPointer(base + count).copyMemory(from: start, byteCount: source.count)
        }
        count &+= source.count
    }
}

/// Reads a column back. A read past the end gives zeros and sets `failed`, and a flag that all
/// columns of a chunk share, which the decoder tests once a record: nothing outside the column is
/// touched.
struct ColumnReader {
    private var next: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>
    private let anyFailed: UnsafeMutablePointer<Bool>
    private(set) var failed = false

    init(_ start: UnsafePointer<UInt8>, count: Int, anyFailed: UnsafeMutablePointer<Bool>) {
        next = start
        end = start + count
        self.anyFailed = anyFailed
    }

    @inline(never)
    private mutating func fail() {
        failed = true
        anyFailed.pointee = true
    }

    var remaining: Int { end - next }

    @inline(__always)
    mutating func byte() -> UInt8 {
        guard next < end else {
            fail()
            return 0
        }
        let value = next.pointee
        next += 1
        return value
    }

    @inline(__always)
    mutating func varint() -> UInt64 {
        if next < end, next.pointee < 0x80 {
            let value = UInt64(next.pointee)
            next += 1
            return value
        }
        return longVarint()
    }

    @inline(never)
    private mutating func longVarint() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 70 {
            let part = byte()
            if failed { return 0 }
            // The tenth byte holds one bit: more would be lost, and the number would have a
            // second spelling.
            if shift == 63 && part > 1 { break }
            value |= UInt64(part & 0x7f) &<< shift
            if part < 0x80 { return value }
            shift &+= 7
        }
        fail()
        return 0
    }

    @inline(__always)
    mutating func zigzag() -> UInt64 {
        let value = varint()
        return value &>> 1 ^ (0 &- (value & 1))
    }

    @inline(__always)
    mutating func word() -> UInt64 {
        guard remaining >= 8 else {
            fail()
            return 0
        }
        let value = UnsafeRawPointer(next).load(UInt64.self, at: 0)
        next += 8
        return value
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        guard count >= 0, remaining >= count else {
            fail()
            return []
        }
        defer { next += count }
        return Array(UnsafeBufferPointer(start: next, count: count))
    }
}
