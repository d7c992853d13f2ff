import Trace

/// How many registers the calls of the reference kernels use (GUEST_ABI.md, section 5, and the
/// guest's `system_call_numbers.h`), so that what lies in the others is not taken for arguments.
/// Calls of other kernels are taken to use all six.
enum ReferenceABI {
    /// Registers of RDI RSI RDX R10 R8 R9 that are arguments.
    static func argumentCount(_ kind: EventKind, _ number: UInt32) -> Int {
        switch kind {
        case .hypercall: hypercallArguments(number)
        case .syscall: syscallArguments(number)
        default: 0
        }
    }

    private static func hypercallArguments(_ number: UInt32) -> Int {
        switch number {
        case Hypercall.flushTLB, Hypercall.timerRead, Hypercall.halt, Hypercall.iret,
            Hypercall.yield:
            0
        case Hypercall.initialise, Hypercall.crash, Hypercall.newPageTable, Hypercall.setStack,
            Hypercall.setSyscall, Hypercall.timerStart, Hypercall.releasePageTable,
            Hypercall.updateGS, Hypercall.shutdown, Hypercall.invalidatePage:
            1
        case Hypercall.loadIDTEntry, Hypercall.setPTE, Hypercall.print, Hypercall.consoleRead: 2
        default: 6
        }
    }

    /// The system calls of both reference kernels use three registers at most.
    private static func syscallArguments(_ number: UInt32) -> Int {
        switch number {
        case 24, 39, 57, 169: 0
        case 12, 35, 60, 500, 502, 504: 1
        case 61, 501, 503: 2
        default: 3
        }
    }

    /// Whether RAX after the path's end is the call's result. IRET gives none, and HALT and YIELD
    /// may end with the return to another task (Docs/Decisions/0003-what-ends-a-path.md).
    static func hasResult(_ kind: EventKind, _ number: UInt32) -> Bool {
        guard kind == .hypercall else { return true }
        switch number {
        case Hypercall.iret, Hypercall.halt, Hypercall.yield, Hypercall.crash,
            Hypercall.shutdown:
            return false
        default: return true
        }
    }

    /// Whether the result tells the time rather than what the guest did.
    static func isClock(_ kind: EventKind, _ number: UInt32) -> Bool {
        kind == .hypercall && number == Hypercall.timerRead
    }

    /// The numbers of `paravirt_abi.h`.
    enum Hypercall {
        static let initialise: UInt32 = 1
        static let crash: UInt32 = 2
        static let newPageTable: UInt32 = 4
        static let flushTLB: UInt32 = 5
        static let loadIDTEntry: UInt32 = 6
        static let setStack: UInt32 = 7
        static let setSyscall: UInt32 = 8
        static let timerRead: UInt32 = 9
        static let timerStart: UInt32 = 10
        static let halt: UInt32 = 11
        static let setPTE: UInt32 = 16
        static let releasePageTable: UInt32 = 17
        static let iret: UInt32 = 27
        static let yield: UInt32 = 30
        static let updateGS: UInt32 = 36
        static let print: UInt32 = 60
        static let consoleRead: UInt32 = 61
        static let shutdown: UInt32 = 62
        static let invalidatePage: UInt32 = 63
    }

    static let virtualInterruptBase: UInt16 = 32
    static let timerBit: UInt32 = 1
}
