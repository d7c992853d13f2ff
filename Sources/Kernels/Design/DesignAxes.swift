/// One question that the proposal leaves open or answers, and its possible answers.
public struct DesignAxis: Sendable {
    public struct Value: Sendable {
        public let name: String
        /// What is done.
        public let summary: String
        /// What it costs, what it asks of the guest, and which hole of GUEST_ABI.md section 8 it
        /// leaves open or closes.
        public let price: String
    }

    public let name: String
    public let summary: String
    /// Where the proposal speaks of it.
    public let section: String
    public let values: [Value]
}

extension DesignAxis {
    private static func axis(
        _ name: String, _ summary: String, section: String,
        _ values: [(name: String, summary: String, price: String)]
    ) -> DesignAxis {
        DesignAxis(
            name: name, summary: summary, section: section,
            values: values.map { Value(name: $0.name, summary: $0.summary, price: $0.price) })
    }

    /// All axes, in the order in which they are written. `Images/host/design.h` says which files
    /// hold the code of each.
    public static let all = [
        selectors, pointer, hook, mark, guestReturn, roots, stack, guards, moves,
    ]

    static let selectors = axis(
        "selectors", "what the guest kernel's CS and SS are", section: "IDT / GDT",
        [
            (
                "distinct", "its own descriptors, in unused slots of the host's GDT",
                "a WRMSR to STAR on guest switch if returns are by SYSRET; the guest may not rely "
                    + "on its selectors"
            ),
            (
                "swap-gdt", "the host kernel's selectors, in a GDT that is loaded for the guest",
                "an LGDT each way; the IDT names 0x10, which is not the host's while a guest runs"
            ),
            (
                "swap-gdt-idt", "the same, and an IDT that goes with that GDT",
                "an LGDT and an LIDT each way; a frame that names 0x10 is sound only under the "
                    + "host's tables, and an NMI does not ask which are loaded"
            ),
            (
                "virtual", "the host users' selectors; the guest's own exist in frames only",
                "nothing is switched; guest users can be returned to by SYSRET too"
            ),
        ])

    static let pointer = axis(
        "vcpu-pointer", "where entry code finds the VCPU descriptor", section: "Add PDA VCPU Field",
        [
            (
                "pda", "a field of the PDA, refreshed on context switch",
                "a load and a test an entry, a store a context switch"
            ),
            (
                "task", "the task's own field, through the PDA's pcurrent",
                "two loads, one after the other, and a test an entry; no store"
            ),
            (
                "tss", "a field in the TSS",
                "a load and a test an entry, a store a context switch; can be read without GS"
            ),
        ])

    static let hook = axis(
        "entry-hook", "how a guest's SYSCALL comes to lguest", section: "System Calls",
        [
            (
                "test", "every SYSCALL tests the pointer",
                "every system call of every host process pays"
            ),
            (
                "lstar", "LSTAR names lguest's entry while a guest runs",
                "a WRMSR on guest switch and on a context switch from or to a guest; host users "
                    + "pay nothing"
            ),
        ])

    static let mark = axis(
        "hypercall-mark", "what makes a SYSCALL of the guest's a hypercall",
        section: "System Calls",
        [
            (
                "flag", "the flag in the shared page",
                "a store for the guest; H3 is open where its users can reach the page, and a guest "
                    + "kernel can leave it set"
            ),
            (
                "mode", "that the guest kernel made it, as the host knows",
                "nothing; a guest that sets the flag all the same may. Closes H3"
            ),
        ])

    static let guestReturn = axis(
        "guest-return", "how the host goes back to the guest", section: "System Calls",
        [
            (
                "sysret", "by SYSRET wherever it can express the return",
                "RIP must be canonical (H10); with distinct selectors STAR changes on guest switch"
            ),
            ("iret", "by IRET always", "an IRET for each return"),
        ])

    static let roots = axis(
        "roots", "shadow page tables for each of the guest's address spaces",
        section: "Host always mapped",
        [
            (
                "one", "one for its kernel and its users",
                "no CR3 load between them; users read and write their kernel (H4) and the shared "
                    + "page (H3)"
            ),
            (
                "two", "one for its kernel, one for its users",
                "a CR3 load each way, and pages that both touch are filled in twice. Closes H4"
            ),
        ])

    static let stack = axis(
        "entry-stack", "where events land while a guest runs", section: "silent",
        [
            (
                "task", "at the top of the launcher's kernel stack",
                "the launcher's live frames are overwritten (H14)"
            ),
            (
                "separate", "on a stack of the VCPU's own",
                "8 KiB a VCPU, and rsp0 changes on guest switch. Closes H14"
            ),
        ])

    static let guards = axis(
        "guards", "what the host's entry code takes on trust", section: "silent",
        [
            (
                "open", "the sign of GS_BASE, and NT and AC of CPL 3, as 2.6 did",
                "a guest may set its GS base, and if it is negative the host's NMI, #DB and #BP "
                    + "entries run on it (H1)"
            ),
            (
                "era", "the same, of a guest that cannot set its GS base",
                "the guest's GS base stays 0; NT kills the guest that sets it (H10)"
            ),
            (
                "full", "nothing: GS_BASE is compared with the PDA's address, SFMASK clears NT, AC",
                "two instructions an NMI, #DB or #MC. Closes H1 and H10; the guest may set GS base"
            ),
        ])

    static let moves = axis(
        "moves", "whose PAGE_OFFSET gives way", section: "Host always mapped",
        [
            (
                "guest", "the guest's direct map lies below the host's, at 0xffff800000000000",
                "a guest that is linked there"
            ),
            (
                "host", "the host's lies above the guest's, which is at 0xffff810000000000",
                "a host that is linked so, and a guest that does not need the top 2 GiB"
            ),
        ])
}
