import Machine
import Trace

/// Disks of a recorded run: the chunks that its guest read. What it did not read is not there.
final class TraceDisks: DiskSource {
    private let reader: TraceReader
    let directory: TraceDiskDirectory
    /// Unpacked blocks, the one used last at the end.
    private var unpacked: [(block: Int, contents: [UInt8])] = []
    private static let unpackedLimit = 32
    private(set) var failure: TraceError?

    /// Nil where the session has no disks.
    static func make(
        _ configuration: SessionConfiguration, _ reader: TraceReader
    ) throws(ReplayError) -> TraceDisks? {
        guard !configuration.disks.isEmpty else { return nil }
        do {
            return try TraceDisks(reader)
        } catch {
            throw .trace(error)
        }
    }

    init(_ reader: TraceReader) throws(TraceError) {
        self.reader = reader
        directory = try reader.diskDirectory()
    }

    func read(disk: Int, chunk: UInt64, into room: UnsafeMutableRawPointer) -> Bool {
        switch directory[disk, chunk] {
        case nil: return false
        case .zeros:
            room.initializeMemory(as: UInt8.self, repeating: 0, count: TraceDiskChunk.size)
            return true
        case .contents(let block, let index):
            do throws(TraceError) {
                let contents = try load(block)
                contents.withUnsafeBytes { bytes in
                    guard let start = bytes.baseAddress else { return }
                    room.copyMemory(
                        from: start + index * TraceDiskChunk.size, byteCount: TraceDiskChunk.size)
                }
                return true
            } catch {
                failure = error
                return false
            }
        }
    }

    private func load(_ block: Int) throws(TraceError) -> [UInt8] {
        if let place = unpacked.lastIndex(where: { $0.block == block }) {
            let found = unpacked.remove(at: place)
            unpacked.append(found)
            return found.contents
        }
        let contents = try reader.loadDiskBlock(block)
        var isSound = true
        contents.withUnsafeBytes { bytes in
            for (index, digest) in directory.digests[block].enumerated() {
                let start = index * TraceDiskChunk.size
                let chunk = UnsafeRawBufferPointer(
                    rebasing: bytes[start..<start + TraceDiskChunk.size])
                isSound = isSound && sha256(chunk) == digest
            }
        }
        guard isSound else {
            throw .malformed(
                offset: reader.diskBlockOffset(block),
                what: "a disk block with other contents than its SHA-256 say")
        }
        unpacked.append((block, contents))
        if unpacked.count > Self.unpackedLimit { unpacked.removeFirst() }
        return contents
    }
}
