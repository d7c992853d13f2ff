/* The ways out of the kernel by IRET. */
#include "entry_macros.h"

    .text

/* RSP at a whole frame, IF = 0, GS = PDA. The work that must be done before CPL 3 runs again is a
 * property of the task: a reschedule, or for a launcher whose guest was interrupted a virtual
 * interrupt to deliver. do_return_work may switch tasks; the frame stays on this stack, and with a
 * guest current that is its entry stack, so that no other task's return can meet it (H6, H14). */
FUNCTION return_to_user
    movq %gs:PDA_PCURRENT, %rax
    testq $(TIF_NEED_RESCHED | TIF_GUEST_WORK), TASK_FLAGS(%rax)
    jnz return_work
    .globl return_by_iret
return_by_iret:                         /* lguest_return comes here too */
    RESTORE_ALL
    addq $16, %rsp
    swapgs                              /* between here and the IRET: NMI, #MC only; see paranoid */
    /* The only IRET to CPL 3 that may be given values somebody chose. If it faults, error_entry
     * knows the address, and do_trap ends the guest or the task. */
    .globl iret_label
iret_label:
    iretq
return_work:
    movq %rsp, %rdi
    call do_return_work                 /* comes back with IF = 0 */
    jmp return_by_iret
END return_to_user

FUNCTION return_to_kernel
    RESTORE_ALL
    addq $16, %rsp
    /* Reloads CS and SS from the live GDT, where an entry by SYSCALL had constants: 0x10 and 0x18
     * have to be the host's by here. With selectors = swap-... they are: code that runs on them
     * with IF = 1 has the host's tables. */
    iretq
END return_to_kernel
