/// What `FirmwareConfiguration` holds under a key: bytes that lie together or, as those of a loaded
/// image, in pieces with zeros between them.
struct FirmwareItem {
    struct Piece {
        var start: UInt32
        var bytes: ArraySlice<UInt8>
    }

    let size: UInt32
    /// Ascending; they do not overlap.
    private let pieces: [Piece]

    init(_ bytes: [UInt8]) {
        size = UInt32(bytes.count)
        pieces = [Piece(start: 0, bytes: bytes[...])]
    }

    /// A little-endian number.
    init<T: FixedWidthInteger>(_ value: T) {
        self.init((0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
    }

    init(size: UInt32, pieces: [Piece]) {
        self.size = size
        self.pieces = pieces.sorted { $0.start < $1.start }
    }

    func byte(at offset: UInt32) -> UInt8 {
        for piece in pieces where piece.start <= offset {
            let place = Int(offset - piece.start)
            if place < piece.bytes.count { return piece.bytes[piece.bytes.startIndex + place] }
        }
        return 0
    }

    /// Calls `body` with each run of bytes that lies in the range, and where it starts.
    func forEachPiece(of range: Range<UInt32>, _ body: (UInt32, UnsafeRawBufferPointer) -> Void) {
        for piece in pieces {
            let end = piece.start + UInt32(piece.bytes.count)
            let (from, to) = (max(range.lowerBound, piece.start), min(range.upperBound, end))
            guard from < to else { continue }
            piece.bytes.withUnsafeBytes { bytes in
                let part = bytes[Int(from - piece.start)..<Int(to - piece.start)]
                body(from, UnsafeRawBufferPointer(rebasing: part))
            }
        }
    }
}
