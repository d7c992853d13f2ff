import Linux
import Replay

/// Whose numbers the system calls and hypercalls of a run are, so that they can be named.
public enum CallABI: Sendable {
    case unknown
    /// The reference kernels' (GUEST_ABI.md).
    case reference
    case linux

    public init(reference: Bool) { self = reference ? .reference : .unknown }

    public init(_ configuration: SessionConfiguration) {
        if !configuration.design.isEmpty {
            self = .reference
        } else if configuration.platform == .pc,
            LinuxKernel.isLinux(image: configuration.host.bytes)
        {
            self = .linux
        } else {
            self = .unknown
        }
    }

    /// The numbers of the system calls with a name, of 64-bit programs.
    public func syscalls(named name: String) -> [UInt32] {
        switch self {
        case .unknown: []
        case .reference: (0..<1024).filter { EventNames.syscall($0) == name }
        case .linux: SystemCalls.x86_64.number(name).map { [$0] } ?? []
        }
    }
}
