/* Hypercalls and the virtual interrupt flag as C sees them. */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H
#include "paravirt_abi.h"

/* Everything is in one image: no symbol needs the global offset table. */
#pragma GCC visibility push(hidden)

s64 hypercall(u64 number, u64 a, u64 b, u64 c);
void hypercall_halt(void);

/* The shared page of VCPU 0, the only one this kernel runs on. */
#define shared ((struct shared_page *)GUEST_SHARED_PAGE)

#define VIRTUAL_IF 0x200u

static inline void interrupts_disable(void) {
    shared->irq_enabled = 0;
    __asm__ volatile("" ::: "memory");
}

/* An interrupt that is already pending comes with the host's next tick or at the next return to
 * user mode, whichever is first: no hypercall is spent on asking for it. */
static inline void interrupts_enable(void) {
    __asm__ volatile("" ::: "memory");
    shared->irq_enabled = VIRTUAL_IF;
}

static inline u32 interrupts_save(void) {
    u32 before = shared->irq_enabled;
    interrupts_disable();
    return before;
}

static inline void interrupts_restore(u32 before) {
    __asm__ volatile("" ::: "memory");
    shared->irq_enabled = before;
}
#endif
