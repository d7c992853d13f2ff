import Replay

/// Entries of the guest-visible stream in words.
enum GuestItemText {
    /// `system call write (1) at 0x400123, 1,204 instructions after the item before`.
    static func text(_ item: GuestItem, reference: Bool) -> String {
        let after = "\(RunText.grouped(item.distance)) guest instructions later"
        switch item.kind {
        case .systemCall:
            let name = (reference ? EventNames.syscall(item.number) : nil) ?? "number"
            return "system call \(name) (\(item.number))\(arguments(item)), \(after)"
        case .hypercall:
            let name = (reference ? EventNames.hypercall(item.number) : nil) ?? "number"
            return "hypercall \(name) (\(item.number))\(arguments(item)), \(after)"
        case .exception:
            let what = EventNames.exception(item.number)
            return item.number == 14
                ? "\(what) of \(hex(item.arguments.0)) at \(hex(item.rip)), \(after)"
                : "\(what) at \(hex(item.rip)), error \(hex(item.arguments.0)), \(after)"
        case .interrupt: return "virtual interrupt \(item.number), \(after)"
        }
    }

    private static func arguments(_ item: GuestItem) -> String {
        let all = item.arguments
        return " (\(hex(all.0)), \(hex(all.1)), \(hex(all.2)), \(hex(all.3)))"
            + " at \(hex(item.rip))"
    }

    static func kind(_ kind: GuestItem.Kind) -> String {
        switch kind {
        case .systemCall: "system-call"
        case .hypercall: "hypercall"
        case .exception: "exception"
        case .interrupt: "virtual-interrupt"
        }
    }
}
