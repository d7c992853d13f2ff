import Analysis
import Replay
import Trace

/// The words of a comparison, for text and page alike.
enum CompareWords {
    static func title(_ kind: PathKind) -> String {
        switch kind {
        case .hostSystemCall: "host system call, VCPU pointer NULL"
        case .guestSystemCall: "guest system call, with the guest kernel's work"
        case .guestSystemCallBounce: "guest system call, to the guest kernel's entry"
        case .hypercall: "hypercall"
        case .guestException: "guest exception that the guest handles, with its work"
        case .guestExceptionReflection: "guest exception, to the guest kernel's handler"
        case .shadowFault: "guest exception that the host handles (shadow fill)"
        case .interruptHost: "host interrupt while host"
        case .interruptGuestUser: "host interrupt while guest user"
        case .interruptGuestKernel: "host interrupt while guest kernel"
        case .guestSwitchIn: "guest switch in"
        case .guestSwitchOut: "guest switch out"
        case .contextSwitch: "context switch"
        }
    }

    static func title(_ context: Context) -> String {
        switch context {
        case .hostKernel: "host kernel"
        case .hostUser: "host user"
        case .guestKernel: "guest kernel"
        case .guestUser: "guest user"
        }
    }

    static func change(_ change: Conclusion.Change) -> String? {
        switch change {
        case .none: nil
        case .winner: "THE PROFILES DISAGREE on the cheapest"
        case .order: "the profiles disagree on the order behind the cheapest"
        }
    }

    static let legend = [
        "Cycles of a path run from the event's beginning, delivery included, to the return that "
            + "ends it; halted time is taken off. Medians and 99th percentiles are over all paths "
            + "of the kind; instr, loads and TLB are means of a path under the first profile: "
            + "instructions, table loads (LGDT, LIDT, LLDT, LTR, CR3, CR4, WRMSR, segment "
            + "registers), TLB misses.",
        "* marks the cheapest: the least median, then the mean if that is less by a hundredth; of "
            + "totals, what is less by a thousandth. Sessions that failed are not ranked.",
        "Rows overlap: the bounce of a system call is also in the whole of it, and a way out of a "
            + "guest that switches tasks is in `guest switch out` and `context switch` (and in no "
            + "other row).",
        "Every session gets the recording's inputs and timer ticks at the same guest progress, so "
            + "that its guest sees the same world. A profile changes cycles, hence where ticks "
            + "fall while the host runs, and how much its own processes do between two ticks.",
    ]

    static func worldLine(_ run: ComparedRun) -> String {
        guard let difference = run.difference else { return "the guest saw the recorded world" }
        return WhatIfText.what(difference) + " after "
            + "\(RunText.grouped(difference.guestInstructions)) guest instructions"
    }

    /// A mean with one decimal, rounded down.
    static func mean(_ sum: UInt64, _ count: Int) -> String {
        guard count > 0 else { return "-" }
        let tenths = sum * 10 / UInt64(count)
        return "\(RunText.grouped(tenths / 10)).\(tenths % 10)"
    }
}
