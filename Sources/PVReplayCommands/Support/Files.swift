import Glibc

/// A file could not be read or written.
struct FileError: Error, CustomStringConvertible {
    var path: String
    var call: String
    var number: Int32

    var description: String { "\(path): \(String(cString: strerror(number)))" }
}

/// Whole files in and out, with errors that name the file.
enum Files {
    /// The most bytes that are read of a file, and of what has no size: a pipe or a device, which
    /// may never end.
    static let largestFile = 4 << 30
    static let largestStream = 256 << 20

    /// - Throws: `FileError`, also for a folder and for more than there can be use for.
    static func read(_ path: String) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw FileError(path: path, call: "open", number: errno)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var information = stat()
        var limit = largestStream
        if fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG {
            limit = largestFile
            let size = Int(information.st_size)
            guard size <= limit else { throw FileError(path: path, call: "read", number: EFBIG) }
            bytes.reserveCapacity(size)
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError(path: path, call: "read", number: errno)
            }
            guard count <= limit - bytes.count else {
                throw FileError(path: path, call: "read", number: EFBIG)
            }
            bytes += buffer[0..<count]
        }
    }

    /// Creates or replaces a file.
    static func write(_ path: String, _ bytes: [UInt8]) throws(FileError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw FileError(path: path, call: "open", number: errno)
        }
        var failure = writeAll(descriptor, bytes)
        if close(descriptor) != 0, failure == 0 { failure = errno }
        if failure != 0 { throw FileError(path: path, call: "write", number: failure) }
    }

    /// Writes all bytes to an open descriptor; 0, or the errno of what failed.
    static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Int32 {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = Glibc.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN {
                        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                        _ = poll(&waiting, 1, -1)
                        continue
                    }
                    return errno
                }
                done += count
            }
            return 0
        }
    }

    static func makeFolder(_ path: String) throws(FileError) {
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            throw FileError(path: path, call: "mkdir", number: errno)
        }
    }

    /// The last part of a path: what goes into traces, which must not hold folders.
    static func lastComponent(_ path: String) -> String {
        String(path.split(separator: "/").last ?? Substring(path))
    }
}

/// Text for people and scripts on standard output and standard error.
enum Output {
    /// Writes text to standard output. A closed pipe (`| head`) ends the program quietly, any other
    /// failure is exit 74.
    static func print(_ text: String, terminator: String = "\n") {
        write(1, Array((TerminalText.safe(text) + terminator).utf8))
    }

    static func error(_ text: String) {
        write(2, Array(("pvreplay: " + TerminalText.safe(text) + "\n").utf8))
    }

    static func write(_ descriptor: Int32, _ bytes: [UInt8]) {
        let failure = Files.writeAll(descriptor, bytes)
        if failure == 0 || descriptor == 2 { return }
        if failure == EPIPE { exit(0) }
        let text = "pvreplay: standard output: \(String(cString: strerror(failure)))\n"
        _ = Files.writeAll(2, Array(text.utf8))
        exit(74)
    }
}
