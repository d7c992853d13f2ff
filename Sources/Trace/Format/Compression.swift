import CZstd

/// A zstd compressor with fixed parameters: one thread, content size and checksum in the frame.
/// With them the frame depends on its input and the zstd release only.
final class Compressor {
    private let context: OpaquePointer

    init() {
        guard let context = ZSTD_createCCtx() else { fatalError("zstd: out of memory") }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1)
    }

    deinit { ZSTD_freeCCtx(context) }

    static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// Compresses pieces that lie one after the other at `source` into one frame, each piece into
    /// Compresses pieces that lie one after the other at `source` into one frame, each piece into
    /// least `bound(total, pieces: pieces.count)` bytes.
    func compress(
        _ source: UnsafeRawPointer, pieces: [Int], level: Int32,
        into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        ZSTD_CCtx_setPledgedSrcSize(context, UInt64(pieces.reduce(0, +)))
        var output = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
        var position = 0
        for (number, piece) in pieces.enumerated() {
            let last = number == pieces.count - 1
            if piece == 0 && !last { continue }
            var input = ZSTD_inBuffer(src: source + position, size: piece, pos: 0)
            let left = ZSTD_compressStream2(
                context, &output, &input, last ? ZSTD_e_end : ZSTD_e_flush)
            // With room for the bound everything is taken and given in one call.
            precondition(left == 0 && input.pos == piece, "zstd could not compress")
            position += piece
        }
        return output.pos
    }

    /// Room for `count` bytes in so many pieces: each may end in a block of its own.
    static func bound(_ count: Int, pieces: Int) -> Int {
        ZSTD_compressBound(count) + 16 * pieces
    }

    /// Compresses into `room` (at least `bound(source.count)` bytes); gives the frame's size.
    func compress(
        _ source: UnsafeRawBufferPointer, level: Int32, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        let size = ZSTD_compress2(
            context, room.baseAddress, room.count, source.baseAddress, source.count)
        // With room for the bound the only failure left is memory.
        precondition(ZSTD_isError(size) == 0, "zstd could not compress")
        return size
    }
}

/// Bounded zstd decompression of single frames.
enum Decompressor {
    /// Unpacks one frame that fills `source` and must hold exactly `size` bytes. The caller has
    /// checked `size` against its limit; the frame must declare the same size, so a bomb is
    /// refused before anything is allocated. `offset` is the frame's place in the file.
    static func unpack(
        _ source: UnsafeRawBufferPointer, size: Int, offset: UInt64
    ) throws(TraceError) -> [UInt8] {
        try check(source, size: size, offset: offset)
        var failure: TraceError?
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { room, count in
            do throws(TraceError) {
                let room = UnsafeMutableRawBufferPointer(room)
                try unpack(source, into: room, size: size, offset: offset)
                count = size
            } catch {
                failure = error
                count = 0
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The same into `room`, of at least `size` bytes.
    static func unpack(
        _ source: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer, size: Int,
        offset: UInt64
    ) throws(TraceError) {
        try check(source, size: size, offset: offset)
        let context = ZSTD_createDCtx()
        defer { ZSTD_freeDCtx(context) }
        let got = ZSTD_decompressDCtx(
            context, room.baseAddress, size, source.baseAddress, source.count)
        guard ZSTD_isError(got) == 0 else {
            throw .compression(offset: offset, what: String(cString: ZSTD_getErrorName(got)))
        }
        guard got == size else { throw .compression(offset: offset, what: "wrong size") }
    }

    private static func check(
        _ source: UnsafeRawBufferPointer, size: Int, offset: UInt64
    ) throws(TraceError) {
        let frame = ZSTD_findFrameCompressedSize(source.baseAddress, source.count)
        guard ZSTD_isError(frame) == 0 else {
            throw .compression(offset: offset, what: String(cString: ZSTD_getErrorName(frame)))
        }
        guard frame == source.count else {
            throw .compression(offset: offset, what: "bytes follow the frame")
        }
        let declared = ZSTD_getFrameContentSize(source.baseAddress, source.count)
        guard declared == UInt64(size) else {
            throw .compression(offset: offset, what: "the frame declares another size")
        }
    }
}
