import X86

/// Fetching and decoding the instruction at `rip`. One lookup in the code TLB for each page the
/// instruction lies on, the second only if its bytes do not end on the first.
extension CPU {
    /// The linear address of the instruction at `rip`: #GP(0) when not canonical or beyond the CS
    /// limit.
    @inline(__always)
    func fetchAddress() throws(Fault) -> UInt64 {
        let rip = pointee.rip
        if in64Bit {
            if !isCanonical(rip) { throw .generalProtection(0) }
            return rip
        }
        if rip > UInt64(pointee.cs.limit) { throw .generalProtection(0) }
        return (pointee.cs.base &+ rip) & 0xFFFF_FFFF
    }

    /// How many bytes at `rip` the CS limit permits, at most 15.
    @inline(__always)
    private var fetchLimit: Int {
        if in64Bit { return 15 }
        let room = UInt64(pointee.cs.limit) &- pointee.rip
        return room >= 14 ? 15 : Int(truncatingIfNeeded: room) &+ 1
    }

    /// Decodes the instruction at `rip`. Throws what fetching or decoding it raises, an instruction
    /// breakpoint before all else.
    @inline(__always)
    func fetch(into i: inout Instruction) throws(Fault) {
        let linear = try fetchAddress()
        if pointee.attention & Attention.breakpoints != 0 {
            let hits = instructionBreakpoints(at: linear)
            if hits != 0 {
                detectDebug(hits)
                throw Fault(vector: Vector.debug)
            }
        }
        let physical = try translateFetch(linear)
        let inPage = 4096 &- Int(truncatingIfNeeded: linear & 0xFFF)
        let count = Swift.min(inPage, fetchLimit)
        if isMemory(physical) {
            let bytes = UnsafeRawPointer(pointee.shared.pointee.memory)
                .advanced(by: Int(truncatingIfNeeded: physical))
                .assumingMemoryBound(to: UInt8.self)
            let failure = Decoder.decode(bytes, count: count, codeSize: codeSize, into: &i)
            if failure == nil { return }
            if failure != .truncated { throw fault(of: failure) }
        }
        try fetchAcross(linear, physical, inPage: inPage, into: &i)
    }

    @inline(__always)
    private var codeSize: CodeSize {
        CodeSize(rawValue: pointee.codeSize).unsafelyUnwrapped
    }

    private func fault(of failure: DecodeFailure?) -> Fault {
        failure == .undefined ? .undefinedOpcode : .generalProtection(0)
    }

    /// The instruction whose bytes do not end on the page at `physical`, lie outside memory, or are
    /// cut off by the CS limit.
    @inline(never)
    private func fetchAcross(
        _ linear: UInt64, _ physical: UInt64, inPage: Int, into i: inout Instruction
    ) throws(Fault) {
        let limit = fetchLimit
        var buffer: (UInt64, UInt64) = (0, 0)
        let first = Swift.min(inPage, limit)
        fill(&buffer, from: 0, to: first, physical)
        var failure = decode(&buffer, count: first, into: &i)
        if failure == .truncated && limit > inPage {
            let next = advance(linear, inPage)
            if in64Bit && !isCanonical(next) { throw .generalProtection(0) }
            fill(&buffer, from: inPage, to: limit, try translateFetch(next))
            failure = decode(&buffer, count: limit, into: &i)
        }
        if failure != nil { throw fault(of: failure) }
    }

    private func fill(
        _ buffer: inout (UInt64, UInt64), from: Int, to end: Int, _ physical: UInt64
    ) {
        for n in from..<end {
            let byte = loadPhysical(physical &+ UInt64(n &- from), size: 1)
            let shifted = byte &<< UInt64((n & 7) &* 8)
            if n < 8 { buffer.0 |= shifted } else { buffer.1 |= shifted }
        }
    }

    private func decode(
        _ buffer: inout (UInt64, UInt64), count: Int, into i: inout Instruction
    ) -> DecodeFailure? {
        let size = codeSize
        return withUnsafeBytes(of: &buffer) { bytes in
            Decoder.decode(
                bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self),
                count: count, codeSize: size, into: &i)
        }
    }
}
