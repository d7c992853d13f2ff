/* Hypercalls, as the RFC has them: a flag in the shared page says that the next SYSCALL is one.
 *
 * The flag must not outlive its SYSCALL. If an event reached the guest kernel between the store of
 * the flag and the SYSCALL, the handler might go on to run a user process, whose first system call
 * would then be taken for a hypercall with the process's registers as arguments. So:
 *   - virtual interrupts are off from before the store until after the SYSCALL;
 *   - the store and the SYSCALL are adjacent, every register being loaded before, and this code
 *     lies on pages that are never unmapped, so that no exception can fall between them;
 *   - the host's own interrupts may fall between them, but they resume this very instruction
 *     stream, whatever other host task ran in the meantime;
 *   - the host clears the flag as it takes the call.
 * R11 holds the shared page's address: SYSCALL destroys it anyway. */
#include "paravirt_abi.h"

    .text

/* s64 hypercall(u64 number, u64 a, u64 b, u64 c): any that returns here, but HALT. */
    .globl hypercall
    .type hypercall, @function
hypercall:
    mov %rdi, %rax                      /* number */
    mov %rsi, %rdi                      /* arguments move up one register */
    mov %rdx, %rsi
    mov %rcx, %rdx                      /* before SYSCALL destroys RCX */
    movabs $GUEST_SHARED_PAGE, %r11
    mov SHARED_IRQ_ENABLED(%r11), %r8d  /* an interrupt here returns with the same value */
    movl $0, SHARED_IRQ_ENABLED(%r11)   /* from here no virtual interrupt can come */
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    syscall                             /* returns below with RAX = result, R8 as it was */
    movabs $GUEST_SHARED_PAGE, %r11
    mov %r8d, SHARED_IRQ_ENABLED(%r11)
    ret
    .size hypercall, . - hypercall

/* void hypercall_halt(void): called with virtual interrupts off; waits until one was delivered.
 * The host enables them as it takes the call, so one that became pending before is not missed: it
 * is delivered at once, its frame naming the instruction after the SYSCALL. They are off again on
 * return. */
    .globl hypercall_halt
    .type hypercall_halt, @function
hypercall_halt:
    mov $HYPERCALL_HALT, %eax
    movabs $GUEST_SHARED_PAGE, %r11
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    syscall
    movabs $GUEST_SHARED_PAGE, %r11
    movl $0, SHARED_IRQ_ENABLED(%r11)
    ret
    .size hypercall_halt, . - hypercall_halt

/* Leaves the kernel through the struct guest_frame at RSP. Virtual interrupts are off; the host
 * sets them from the frame's RFLAGS, in one step with the return, which is why a guest at CPL 3
 * cannot do this with an IRET of its own. Jumped to, never called. */
    .globl return_to_frame
    .type return_to_frame, @function
return_to_frame:
    mov $HYPERCALL_IRET, %eax
    movabs $GUEST_SHARED_PAGE, %r11
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    syscall
    ud2                                 /* the host refused the frame: report it as a fault here */
    .size return_to_frame, . - return_to_frame
