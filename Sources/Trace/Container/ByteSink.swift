import Glibc

/// Where a writer's bytes go: a file descriptor, or memory.
struct ByteSink {
    private var descriptor: Int32
    private let owned: Bool
    /// What was written, when there is no descriptor.
    private(set) var memory: [UInt8] = []
    /// Bytes written so far.
    private(set) var count: UInt64 = 0

    init() {
        descriptor = -1
        owned = false
    }

    /// `owned`: closed with the sink.
    init(descriptor: Int32, owned: Bool) {
        self.descriptor = descriptor
        self.owned = owned
    }

    /// Creates the file, or empties it.
    init(path: String) throws(TraceError) {
        var opened: Int32
        repeat {
            opened = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        } while opened < 0 && errno == EINTR
        guard opened >= 0 else { throw .system(call: "open", errno: errno) }
        self.init(descriptor: opened, owned: true)
    }

    /// Writes all of `bytes`, or throws. A short write is gone on with; an interrupted one is
    /// repeated.
    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(TraceError) {
        guard descriptor >= 0 else {
            memory.append(contentsOf: bytes)
            count &+= UInt64(bytes.count)
            return
        }
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let got = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if got > 0 {
                done += got
            } else if got == 0 {
                // POSIX allows it for nothing that a trace can be; repeating could hang.
                throw .system(call: "write", errno: EIO)
            } else if errno == EAGAIN {
                waitUntilWritable()
            } else if errno != EINTR {
                throw .system(call: "write", errno: errno)
            }
        }
        count &+= UInt64(bytes.count)
    }

    /// For a descriptor that somebody made non-blocking.
    private func waitUntilWritable() {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&request, 1, -1)
    }

    /// Cuts off what a failed write left of an incomplete block. Where that cannot be done (a pipe)
    /// the reader passes over it.
    func cutToLastWholeWrite() {
        guard descriptor >= 0 else { return }
        _ = ftruncate(descriptor, off_t(count))
    }

    /// Closes an owned descriptor; some file systems report a failed write only here.
    mutating func close() throws(TraceError) {
        guard descriptor >= 0 else { return }
        let closing = descriptor
        descriptor = -1
        guard owned else { return }
        if Glibc.close(closing) != 0 && errno != EINTR {
            throw .system(call: "close", errno: errno)
        }
    }
}
