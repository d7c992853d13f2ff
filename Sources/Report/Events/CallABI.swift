import Linux
import Replay
import Trace

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

    /// Whether a system call has this name, of 64- or of 32-bit programs.
    public func hasSyscall(named name: String) -> Bool {
        switch self {
        case .unknown: false
        case .reference: (0..<1024).contains { EventNames.syscall($0) == name }
        case .linux: [SystemCalls.x86_64, .i386].contains { $0.number(name) != nil }
        }
    }

    /// Whether an event is a system call by one of these names, however its program made it.
    public func isSyscall(_ event: Event, named names: Set<String>) -> Bool {
        switch self {
        case .unknown: false
        case .reference:
            event.kind == .syscall && EventNames.syscall(event.number).map(names.contains) ?? false
        case .linux: LinuxCall(event).map { names.contains($0.name) } ?? false
        }
    }
}
