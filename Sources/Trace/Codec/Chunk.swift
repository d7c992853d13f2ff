/// Limits and codes of a chunk, shared by encoder and decoder.
enum Chunk {
    /// Events in a chunk at most.
    static let eventLimit = 16384
    /// Records in a chunk at most, returns, console output and inputs included.
    static let recordLimit = 49152
    /// A chunk is closed when its columns together reach this, before compression.
    static let byteLimit = 1 << 20
    /// Bytes of the shared page in use, at most.
    static let sharedLimit = 4096
    /// Bytes of one console record, at most.
    static let consoleLimit = 4096
    /// Bytes of one input, at most.
    static let inputLimit = 1 << 16

    /// Whether an event interrupts what runs rather than being caused by it.
    @inline(__always)
    static func isAsynchronous(_ kind: EventKind) -> Bool {
        kind == .interrupt || kind == .nmi || kind == .machineCheck
    }

    /// Whether a return may end an event of this kind.
    @inline(__always)
    static func mayReturn(_ kind: EventKind) -> Bool {
        kind != .guestSwitch && kind != .systemRegister && kind != .tripleFault
    }
}

/// Bits of a record's byte in the column of misses. The first four are those of every record.
enum Miss {
    static let cpu: UInt8 = 1 << 0
    static let node: UInt8 = 1 << 1
    static let cycle: UInt8 = 1 << 2
    static let instruction: UInt8 = 1 << 3
    // Of an event.
    static let lanes: UInt8 = 1 << 4
    static let error: UInt8 = 1 << 5
    static let shared: UInt8 = 1 << 6
    static let rip: UInt8 = 1 << 7
    // Of a return.
    static let result: UInt8 = 1 << 4
    static let reference: UInt8 = 1 << 5
    static let returnReserved: UInt8 = 0xc0
    // Of console output and inputs.
    static let otherReserved: UInt8 = 0xfc
}

/// What a record is, in the column of nodes.
enum NodeCode {
    static let newSite: UInt64 = 0
    static let eventReturn: UInt64 = 1
    static let console: UInt64 = 2
    static let input: UInt64 = 3
    /// Plus the site's number, which is at least 1.
    static let site: UInt64 = 7
}

/// Lanes of an event: 0...5 are its arguments.
enum Lane {
    static let cr2 = 6
    static let rsp = 7
}
