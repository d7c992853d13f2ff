/* The design this image is built as: one named choice on every axis. Code that depends on an axis
 * is a block under `#if` of that axis's name, one block a value, in the file named beside it. The
 * values here are the RFC's own where its text decides, and where it is silent those that a
 * competent implementer needs to make it run. */
#ifndef DESIGN_H
#define DESIGN_H

#define DESIGN_NAME "rfc"

/* selectors: the guest kernel has its own CS/DS in unused slots of the host's GDT; the host's GDT
 * and IDT are never switched (RFC: "at the beginning of development ... a different CS / DS than
 * the host"). descriptors.c, layout.h, guest_switch.c (STAR). */
#define SELECTORS_DISTINCT 1

/* vcpu pointer: in the PDA, refreshed from the task on context switch. layout.h, switch.c,
 * entry_system_call.S, entry_exception.S. */
#define VCPU_POINTER_PDA 1

/* entry hook: every SYSCALL and every fault from CPL 3 tests the pointer.
 * entry_system_call.S, entry_exception.S. */
#define ENTRY_HOOK_TEST 1

/* hypercall mark: the flag in the shared page. guest_events.c. */
#define HYPERCALL_MARK_FLAG 1

/* guest return: SYSRET wherever SYSRET can express the return. entry_guest.S. */
#define GUEST_RETURN_SYSRET 1

/* roots: two shadow roots for each of the guest's, one for its kernel, one for its users.
 * guest_switch.c, shadow.c. */
#define ROOTS_TWO 1

/* entry stack: a stack of the VCPU's own, not the launcher task's. guest_switch.c. */
#define ENTRY_STACK_SEPARATE 1

/* who moves: the guest's PAGE_OFFSET. No code depends on it: paravirt_abi.h and the guest's link
 * script say where it is. */

#endif
