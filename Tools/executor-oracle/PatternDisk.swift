import Machine
import Replay

/// Disks whose contents follow from the place; a few chunks cannot be read.
final class PatternDisk: DiskSource, DiskFile {
    private let number: Int

    init(number: Int = 0) { self.number = number }

    func read(disk: Int, chunk: UInt64, into room: UnsafeMutableRawPointer) -> Bool {
        guard chunk % 13 != 12 else { return false }
        for n in 0..<UInt64(512) {
            let word = (chunk * 512 + n) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(disk)
            let value = chunk % 3 == 2 ? 0 : word.littleEndian
            room.storeBytes(of: value, toByteOffset: Int(n) * 8, as: UInt64.self)
        }
        return true
    }

    func read(_ offset: UInt64, into room: UnsafeMutableRawBufferPointer) -> Bool {
        guard let start = room.baseAddress else { return false }
        return read(disk: number, chunk: offset / 4096, into: start)
    }
}
