import CCrypto
import Trace

/// A kernel image as a run uses it: its bytes, the name it was given by, and their SHA-256.
public struct SessionImage: Equatable, Sendable {
    /// A file name without its folders, or a built-in image's name.
    public var name: String
    public var bytes: [UInt8]

    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// SHA-256 of the bytes (FIPS 180-4), 32 bytes.
    public var sha256Bytes: [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &digest)
        return digest
    }

    /// What a trace says of the image.
    func record(_ role: TraceImage.Role) -> TraceImage {
        TraceImage(role: role, name: name, sha256: sha256Bytes, size: bytes.count)
    }

    /// SHA-256 of the bytes as 64 lower-case hexadecimal digits.
    public var sha256: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in sha256Bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
