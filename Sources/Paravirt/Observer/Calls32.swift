/// What events tell of system calls of 32-bit programs: SYSENTER, SYSCALL of 32-bit code, INT 0x80.
public enum Calls32: UInt8, Sendable {
    /// Nothing: traces from before, and what is not a `pc`.
    case none = 0
    /// That they are such calls.
    case entries = 1
    /// Also which return ends one by SYSENTER or SYSCALL.
    case paths = 2
}
