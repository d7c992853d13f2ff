/* The design this image is built as: one named choice on every axis, which build.sh defines from
 * the design's text. Code that depends on an axis is a block under `#if` of that axis's name, one
 * block a value, in the files named here. A hole is one of H1...H14 in GUEST_ABI.md, section 8. */
#ifndef DESIGN_H
#define DESIGN_H

/* selectors: what the guest kernel's CS and SS are. layout.h, descriptors.c; the RFC's section
 * "IDT / GDT".
 * DISTINCT: its own, in unused slots of the host's GDT, which like the IDT is never switched ("at
 *   the beginning of development ... a different CS / DS than the host").
 * SWAP_GDT: the host kernel's, 0x10 and 0x18; while the guest runs they are DPL 3 descriptors of
 *   another GDT. The IDT stays, and its gates name 0x10.
 * SWAP_GDT_IDT: the same, and an IDT whose gates name another selector goes with that GDT.
 * VIRTUAL: the host's user selectors, for both contexts of the guest; it has no real ones. */
#if SELECTORS_DISTINCT + SELECTORS_SWAP_GDT + SELECTORS_SWAP_GDT_IDT + SELECTORS_VIRTUAL != 1
#error "selectors"
#endif
#define SELECTORS_SWAP (SELECTORS_SWAP_GDT || SELECTORS_SWAP_GDT_IDT)

/* vcpu pointer: where the entry code finds the VCPU descriptor. vcpu_pointer.h, per_cpu.h.
 * PDA: a field of the PDA, refreshed from the task on context switch.
 * TASK: the task's own, reached through the PDA's pcurrent.
 * TSS: a field in the TSS's page, which can be reached without GS. */
#if VCPU_POINTER_PDA + VCPU_POINTER_TASK + VCPU_POINTER_TSS != 1
#error "vcpu-pointer"
#endif

/* entry hook: how a guest's SYSCALL comes to lguest. entry_system_call.S, switch.c.
 * TEST: every SYSCALL tests the pointer.
 * LSTAR: the register names lguest's entry while a guest runs, and the host's users pay nothing.
 * Exceptions test the pointer in either: there is no register to point elsewhere. */
#if ENTRY_HOOK_TEST + ENTRY_HOOK_LSTAR != 1
#error "entry-hook"
#endif

/* hypercall mark: what makes a SYSCALL of the guest's a hypercall. guest_events.c.
 * FLAG: the flag in the shared page. MODE: that the guest kernel made it, as the host knows. */
#if HYPERCALL_MARK_FLAG + HYPERCALL_MARK_MODE != 1
#error "hypercall-mark"
#endif

/* guest return: entry_guest.S.
 * SYSRET: wherever SYSRET can express the return. IRET: always. */
#if GUEST_RETURN_SYSRET + GUEST_RETURN_IRET != 1
#error "guest-return"
#endif
#if GUEST_RETURN_SYSRET && SELECTORS_SWAP
#error "SYSRET loads SS from the slot before CS; the host's selectors are the other way round"
#endif

/* roots: shadow.c, guest_switch.c.
 * TWO: two shadow roots for each of the guest's, one for its kernel, one for its users.
 * ONE: one for both, in which what the guest kernel can reach its users can. */
#if ROOTS_ONE + ROOTS_TWO != 1
#error "roots"
#endif

/* entry stack: where events land while a guest runs. lguest.c, entry_guest.S.
 * SEPARATE: on a stack of the VCPU's own. TASK: at the top of the launcher's kernel stack. */
#if ENTRY_STACK_TASK + ENTRY_STACK_SEPARATE != 1
#error "entry-stack"
#endif

/* guards: what the host's entry code takes on trust, and what the guest therefore may not do.
 * entry_exception.S, layout.h, hypercalls.c.
 * OPEN: the sign of GS_BASE says whose it is and SFMASK leaves NT and AC alone, as in 2.6; and a
 *   guest kernel has the GS base it likes, as a kernel must: the RFC read without a second thought.
 * ERA: the same entry code, and a guest whose GS base stays 0.
 * FULL: GS_BASE is compared with the PDA's address, SFMASK clears NT and AC; any base will do. */
#if GUARDS_OPEN + GUARDS_ERA + GUARDS_FULL != 1
#error "guards"
#endif
#define GUEST_GS_BASE (GUARDS_OPEN || GUARDS_FULL)

/* who moves: whose PAGE_OFFSET gives way. paravirt_abi.h, layout.h; the guest is built for it.
 * GUEST: the guest's direct map lies below the host's, which is where 2.6 has it.
 * HOST: the host's lies above the guest's, which is where 2.6 has it. */
#if MOVES_GUEST + MOVES_HOST != 1
#error "moves"
#endif

/* STAR's SYSRET base is the guest kernel's while a guest runs. Not where SYSRET never returns to
 * it, nor where its selectors are the host users'. */
#define STAR_SWITCHES (SELECTORS_DISTINCT && GUEST_RETURN_SYSRET)

#endif
