import CCrypto
import Machine
import Trace

/// SHA-256 of bytes (FIPS 180-4), 32 bytes.
func sha256(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    _ = SHA256(bytes.baseAddress, bytes.count, &digest)
    return digest
}

/// Disks while recording: what the guest reads comes from files, and goes into the trace when it is
/// read first. A chunk that the guest reads again must be what it was: somebody else may write to
/// the file.
final class RecordingDisks: DiskSource {
    private let files: [any DiskFile]
    private let writer: TraceWriter?
    /// By disk: SHA-256 of the chunks that were read, nil of one that could not be.
    private var digests: [[UInt64: [UInt8]?]]
    private(set) var failure: ReplayError?

    init(_ files: [any DiskFile], writer: TraceWriter?) {
        self.files = files
        self.writer = writer
        digests = Array(repeating: [:], count: files.count)
    }

    func read(disk: Int, chunk: UInt64, into room: UnsafeMutableRawPointer) -> Bool {
        guard disk < files.count, failure == nil else { return false }
        let known = digests[disk][chunk]
        // What could not be read is not in the trace: it cannot be read in the replay either.
        if case .some(.none) = known { return false }
        let buffer = UnsafeMutableRawBufferPointer(start: room, count: TraceDiskChunk.size)
        guard files[disk].read(chunk * UInt64(TraceDiskChunk.size), into: buffer) else {
            if known != nil { failure = .diskChanged(disk) }
            digests[disk][chunk] = .some(nil)
            return false
        }
        let digest = sha256(UnsafeRawBufferPointer(buffer))
        if let known {
            guard known == digest else {
                failure = .diskChanged(disk)
                return false
            }
            return true
        }
        digests[disk][chunk] = digest
        return write(disk, chunk, digest, UnsafeRawBufferPointer(buffer))
    }

    private func write(
        _ disk: Int, _ chunk: UInt64, _ digest: [UInt8], _ contents: UnsafeRawBufferPointer
    ) -> Bool {
        guard let writer else { return true }
        do throws(TraceError) {
            try writer.append(
                diskChunk: TraceDiskChunk(disk: UInt16(disk), number: chunk, sha256: digest),
                contents: contents)
            return true
        } catch {
            failure = .trace(error)
            return false
        }
    }
}
