import Replay

/// What a test kernel says of itself by isa-debug-exit, for a person who knows QEMU's exit status.
public struct GuestVerdict: Equatable, Sendable {
    public var isGood: Bool
    public var text: String

    /// - Parameter expected: what the kernel is to write; nil for 0, or for any other clean end.
    /// - Returns: nil where the run did not end in order, or there is nothing to be said.
    public init?(_ end: RunEnd, expected: UInt64?) {
        guard end.outcome == .shutdown else { return nil }
        guard let value = end.exitCode else {
            guard let expected else { return nil }
            isGood = false
            text = "failed: nothing was written to isa-debug-exit, \(hex(expected)) was expected"
            return
        }
        isGood = UInt64(value) == expected ?? 0
        let status = (UInt64(value) << 1 | 1) & 0xFF
        text =
            (isGood ? "passed" : "failed") + ": isa-debug-exit \(hex(UInt64(value)))"
            + (isGood ? "" : ", not \(hex(expected ?? 0))") + " (QEMU's exit status: \(status))"
    }
}
