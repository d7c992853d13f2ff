/* The stack switch of the scheduler, a new task's first steps, and the two kernel instructions that
 * may fault on somebody else's values. */
#include "entry_macros.h"

    .text

/* void switch_context(struct task *previous, struct task *next), IF = 0. RFLAGS travels with the
 * task: SFMASK leaves NT alone, and NT set by one task's SYSCALL would make another's IRET fault
 * (H10). switch_registers runs on the new stack. */
FUNCTION switch_context
    pushfq
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, TASK_RSP(%rdi)
    movq TASK_RSP(%rsi), %rsp
    call switch_registers
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popfq
    ret
END switch_context

/* A new task's first return from switch_context: a frame for CPL 3 lies on its stack. IF = 0. */
FUNCTION start_user_task
    jmp return_to_user
END start_user_task

/* A new kernel task: RBX = function. */
FUNCTION start_kernel_task
    xorl %ebp, %ebp
    sti
    call *%rbx
    ud2                                 /* a kernel task does not return */
END start_kernel_task

/* void load_gs_index(u64 selector), IF = 0: GS of CPL 3 is loaded while its base is the live one.
 * A selector that faults is replaced by the null selector. */
FUNCTION load_gs_index
    swapgs
    .globl gs_change
gs_change:
    movl %edi, %gs
    swapgs
    ret
    .globl bad_gs
bad_gs:
    swapgs                              /* error_entry swapped to the kernel's; back */
    xorl %eax, %eax
    movl %eax, %gs
    swapgs
    ret
END load_gs_index

/* u64 copy_user(void *to, const void *from, u64 count): bytes not copied. The addresses have been
 * checked against the lower half; the pages may be missing, and then the fault lands at
 * copy_user_fixup with the rest in RCX. */
FUNCTION copy_user
    movq %rdx, %rcx
    .globl copy_user_access
copy_user_access:
    rep movsb
    .globl copy_user_fixup
copy_user_fixup:
    movq %rcx, %rax
    ret
END copy_user
