import Glibc
import Replay

/// A disk's file on this computer: read while recording, never written.
final class HostDisk: DiskFile {
    let path: String
    /// Bytes.
    let size: UInt64
    let isReadOnly: Bool
    private let descriptor: Int32
    /// lseek's SEEK_DATA and SEEK_HOLE, which glibc declares only for GNU programs.
    private static let seekData: Int32 = 3
    private static let seekHole: Int32 = 4

    /// - Parameter option: the file's name, with `,ro` after it for a disk that refuses writes.
    /// - Throws: `FileError`, also for a folder, a pipe and an empty file.
    init(option: String) throws(FileError) {
        isReadOnly = option.hasSuffix(",ro")
        path = isReadOnly ? String(option.dropLast(3)) : option
        // A pipe, which is refused, would otherwise be waited for.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileError(path: path, call: "open", number: errno) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            throw FileError(path: path, call: "stat", number: errno)
        }
        let kind = information.st_mode & S_IFMT
        guard kind == S_IFREG || kind == S_IFBLK else {
            throw FileError(path: path, call: "open", number: kind == S_IFDIR ? EISDIR : ESPIPE)
        }
        let end = lseek(descriptor, 0, SEEK_END)
        guard end > 0 else {
            throw FileError(path: path, call: "lseek", number: end < 0 ? errno : ENODATA)
        }
        size = UInt64(end)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether a path names this file, by whatever name.
    func isSame(as other: String) -> Bool {
        var (mine, its) = (stat(), stat())
        return fstat(descriptor, &mine) == 0 && stat(other, &its) == 0
            && mine.st_dev == its.st_dev && mine.st_ino == its.st_ino
    }

    /// What a session and its trace say of the disk.
    var description: SessionDisk {
        SessionDisk(name: Files.lastComponent(path), size: size, isReadOnly: isReadOnly)
    }

    func read(_ offset: UInt64, into room: UnsafeMutableRawBufferPointer) -> Bool {
        var done = 0
        while done < room.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[done...])
            let place = off_t(offset) + off_t(done)
            let count = pread(descriptor, rest.baseAddress, rest.count, place)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return false }
            if count == 0 {
                rest.initializeMemory(as: UInt8.self, repeating: 0)
                return true
            }
            done += count
        }
        return true
    }

    /// Calls `body` with each stretch of the file that may hold something but zeros: holes cost
    /// nothing.
    func forEachData(_ body: (_ offset: UInt64, _ bytes: [UInt8]) throws(FileError) -> Void)
        throws(FileError)
    {
        let step: off_t = 1 << 20
        var at: off_t = 0
        while at < off_t(size) {
            // A file system that knows no holes says so once, or has one stretch.
            let data = lseek(descriptor, at, Self.seekData)
            if data < 0 && errno == ENXIO { return }
            let start = data < 0 ? at : data
            let hole = data < 0 ? off_t(size) : lseek(descriptor, start, Self.seekHole)
            let end = hole < 0 ? off_t(size) : hole
            var place = start
            while place < end {
                let count = Int(min(step, end - place))
                var bytes = [UInt8](repeating: 0, count: count)
                guard bytes.withUnsafeMutableBytes({ read(UInt64(place), into: $0) }) else {
                    throw FileError(path: path, call: "read", number: errno)
                }
                try body(UInt64(place), bytes)
                place += off_t(count)
            }
            at = max(end, at + 1)
        }
    }
}

/// A disk's image as it is written out: sparse where nothing was put.
final class DiskImageFile {
    private let path: String
    private let descriptor: Int32

    /// Creates or empties the file, and gives it its size.
    init(path: String, size: UInt64) throws(FileError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0 else {
            throw FileError(path: path, call: "open", number: errno)
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func put(_ bytes: [UInt8], at offset: UInt64) throws(FileError) {
        var failure: Int32 = 0
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let place = off_t(offset) + off_t(done)
                let count = pwrite(
                    descriptor, buffer.baseAddress! + done, buffer.count - done, place)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    failure = count < 0 ? errno : ENOSPC
                    return
                }
                done += count
            }
        }
        if failure != 0 { throw FileError(path: path, call: "write", number: failure) }
    }
}

/// Writes disks out as they are at a run's end.
enum DiskExport {
    /// A disk's own file is never written.
    /// - Throws: `Refusal` where a path is one.
    static func check(_ paths: [String], _ disks: [HostDisk]) throws(Refusal) {
        for path in paths where disks.contains(where: { $0.isSame(as: path) }) {
            throw Refusal(description: "\(path) is the file of a disk, which is never written")
        }
    }

    /// - Parameters:
    ///   - base: what the disk was before the run; nil where that is not known but for `chunks`.
    ///   - chunks: calls its argument with each chunk's number and contents that go over it.
    static func write(
        _ disk: SessionDisk, to path: String, base: HostDisk?,
        chunks: ((UInt64, [UInt8]) -> Void) -> Void
    ) throws(FileError) {
        let size = (disk.size + 511) / 512 * 512
        let image = try DiskImageFile(path: path, size: size)
        try base?.forEachData { (offset, bytes) throws(FileError) in
            try image.put(bytes, at: offset)
        }
        var failure: FileError?
        chunks { number, bytes in
            let offset = number * UInt64(bytes.count)
            guard failure == nil, offset < size else { return }
            do throws(FileError) {
                try image.put(Array(bytes.prefix(Int(size - offset))), at: offset)
            } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
