import Linux
import Trace

/// A system call of a Linux program in an event: SYSCALL, or one of the 32-bit ways.
///
/// A 32-bit call's sixth argument is not in its event: it is in EBP of INT 0x80, and in memory of
/// the other ways (Linux, arch/x86/entry/vdso/vdso32/system_call.S).
struct LinuxCall {
    let name: String
    /// `-100, 0x7ffe1000, 0x80000`.
    let arguments: String
    private let calls: SystemCalls

    /// Nil for an event that is no system call.
    init?(_ event: Event) {
        let a = event.arguments
        let number: UInt32
        let values: [UInt64]
        switch event.kind {
        case .syscall where event.errorCode == Event.call32:
            calls = .i386
            number = event.number
            // SYSCALL leaves the return address in ECX; what belongs there is in EBP.
            let isSYSCALL = a.1 & 0xFFFF_FFFF == event.rip & 0xFFFF_FFFF
            values = [a.0, isSYSCALL ? a.5 : a.1, a.2, a.3, a.4]
        case .syscall:
            calls = .x86_64
            number = event.number
            values = [a.0, a.1, a.2, a.3, a.4, a.5]
        case .softwareInterrupt where event.number == 0x80 && event.errorCode == Event.call32:
            calls = .i386
            number = UInt32(truncatingIfNeeded: a.0)
            values = [a.1, a.2, a.3, a.4, a.5]
        default: return nil
        }
        name = calls.name(number) ?? "syscall_\(number)"
        arguments = calls.arguments(number, values)
    }

    /// A result in words: `-2 ENOENT`.
    func result(_ value: UInt64) -> String { calls.result(value) }
}
