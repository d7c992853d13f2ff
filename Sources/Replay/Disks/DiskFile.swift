/// A disk's file on the host while recording: read, never written.
public protocol DiskFile: AnyObject {
    /// Puts `room.count` bytes from `offset` on at `room`; what lies past the file's end is zeros.
    /// False where they cannot be read.
    func read(_ offset: UInt64, into room: UnsafeMutableRawBufferPointer) -> Bool
}
