import CXXHash
import Glibc

/// Where a reader's bytes come from: a file, read piece by piece at offsets, or memory. Unlike a
/// mapping, a file that is cut while it is read gives an error and not a signal.
final class ByteSource: Sendable {
    private let descriptor: Int32
    private let memory: [UInt8]
    let size: UInt64

    init(memory: [UInt8]) {
        descriptor = -1
        self.memory = memory
        size = UInt64(memory.count)
    }

    init(path: String) throws(TraceError) {
        var opened: Int32
        repeat { opened = open(path, O_RDONLY | O_CLOEXEC) } while opened < 0 && errno == EINTR
        guard opened >= 0 else { throw .system(call: "open", errno: errno) }
        var status = stat()
        guard fstat(opened, &status) == 0 else {
            let number = errno
            Glibc.close(opened)
            throw .system(call: "stat", errno: number)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            Glibc.close(opened)
            throw .system(
                call: "open", errno: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : ESPIPE)
        }
        descriptor = opened
        memory = []
        size = UInt64(status.st_size)
    }

    deinit {
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    /// Reads `count` bytes at `offset`; the caller has checked that they lie in the file and that
    /// `count` is within its limit. `what` is for the error if the file has become shorter.
    func read(_ offset: UInt64, _ count: Int, _ what: String) throws(TraceError) -> [UInt8] {
        guard offset <= size, UInt64(count) <= size - offset else {
            throw .truncated(offset: offset, what: what)
        }
        if descriptor < 0 { return Array(memory[Int(offset)..<(Int(offset) + count)]) }
        var failure: TraceError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, done in
            done = 0
            while done < count && failure == nil {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(room)[done..<count])
                let got = pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + done)
                if got > 0 {
                    done += got
                } else if got == 0 {
                    failure = .truncated(offset: offset, what: what)
                } else if errno != EINTR {
                    failure = .system(call: "read", errno: errno)
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// XXH3 of `count` bytes at `offset`, read in pieces.
    func checksum(_ offset: UInt64, _ count: UInt64) throws(TraceError) -> UInt64 {
        let piece = 1 << 20
        if count <= UInt64(piece) {
            let bytes = try read(offset, Int(count), "a block")
            return bytes.withUnsafeBytes { XXH3_64bits($0.baseAddress, $0.count) }
        }
        guard let state = XXH3_createState() else { throw .system(call: "malloc", errno: ENOMEM) }
        defer { XXH3_freeState(state) }
        XXH3_64bits_reset(state)
        var position = offset
        var rest = count
        while rest > 0 {
            let bytes = try read(position, Int(min(rest, UInt64(piece))), "a block")
            _ = bytes.withUnsafeBytes { XXH3_64bits_update(state, $0.baseAddress, $0.count) }
            position += UInt64(bytes.count)
            rest -= UInt64(bytes.count)
        }
        return XXH3_64bits_digest(state)
    }
}
