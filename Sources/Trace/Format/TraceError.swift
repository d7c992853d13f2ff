import CZstd
import Glibc

/// What can be wrong with a trace or with writing one. Offsets are bytes from the file's start.
public enum TraceError: Error, Equatable, Sendable {
    /// The file does not begin as a trace does.
    case notATrace
    /// Written by a later format than this reader knows.
    case unsupportedVersion(major: UInt16, minor: UInt16)
    /// The file ends inside what begins at `offset`.
    case truncated(offset: UInt64, what: String)
    /// A checksum differs from what it covers.
    case checksum(offset: UInt64, what: String)
    /// Checksums hold, but the content breaks a rule of the format.
    case malformed(offset: UInt64, what: String)
    /// A size in the file is above what this reader accepts.
    case limit(offset: UInt64, what: String, value: UInt64, limit: UInt64)
    /// zstd refused what lies at `offset`.
    case compression(offset: UInt64, what: String)
    /// A system call failed.
    case system(call: String, errno: Int32)
    /// The writer was used after it failed or finished.
    case closed

    /// Where in the file, if the error is about a place in it.
    public var offset: UInt64? {
        switch self {
        case .notATrace, .unsupportedVersion: 0
        case .truncated(let offset, _), .checksum(let offset, _), .malformed(let offset, _),
            .limit(let offset, _, _, _), .compression(let offset, _):
            offset
        case .system, .closed: nil
        }
    }

    /// Whether reading or writing failed, rather than the trace being bad (exit 74, not 30).
    public var isSystem: Bool {
        switch self {
        case .system, .closed: true
        default: false
        }
    }
}

extension TraceError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notATrace:
            "not a pvreplay trace: it does not begin with the trace's magic bytes"
        case .unsupportedVersion(let major, let minor):
            "trace format \(major).\(minor) is newer than this pvreplay reads "
                + "(\(Format.major).\(Format.minor)): use a newer pvreplay"
        case .truncated(let offset, let what):
            "the trace ends inside \(what) that begins at byte \(offset)"
        case .checksum(let offset, let what):
            "the checksum of \(what) at byte \(offset) does not match: the file is damaged"
        case .malformed(let offset, let what):
            "malformed trace at byte \(offset): \(what)"
        case .limit(let offset, let what, let value, let limit):
            "\(what) at byte \(offset) is \(value), above the limit of \(limit)"
        case .compression(let offset, let what):
            "the compressed data at byte \(offset) cannot be unpacked: \(what)"
        case .system(let call, let number):
            "\(call) failed: \(String(cString: strerror(number)))"
        case .closed:
            "the trace is already closed"
        }
    }
}
