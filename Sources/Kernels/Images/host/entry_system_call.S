/* SYSCALL from any CPL 3 context: host users, guest users, and the guest kernel's hypercalls. */
#include "entry_macros.h"
#include "design.h"
#include "vcpu_pointer.h"

    .text

/* The processor arrives with CS/SS constant (not read from the GDT), IF = 0 by SFMASK, RCX = return
 * address, R11 = RFLAGS, and RSP and GS still those of CPL 3. Until RSP is loaded only an NMI,
 * machine check or #DB can land here (a #DB: MOV SS before SYSCALL); each has an IST stack and
 * decides on SWAPGS by the sign of GS_BASE, so neither window needs a register or a stack. */
FUNCTION system_call
    /* First, because nothing can be reached without the PDA. */
    swapgs
    /* Second, because RSP is the one register that can now be spared: RCX and R11 are spoken for,
     * and all others are the caller's. */
    movq %rsp, %gs:PDA_OLDRSP
    /* The RFC's test, in the one place where it needs no stack and no register: RSP itself holds
     * the pointer. It stands before the kernel stack is loaded because a guest must
     * not be put on the launcher task's stack, where the launcher still sits in LGUEST_RUN (H14).
     * The pointer is this CPU's and SYSCALL comes from CPL 3 only, so non-NULL means
     * that the caller is the guest (H8 cannot arise here). */
#if ENTRY_HOOK_TEST
    LOAD_VCPU %rsp
    testq %rsp, %rsp
    jnz system_call_guest
#elif ENTRY_HOOK_LSTAR
    /* No test: LSTAR names this address only while no guest is current, so the caller is a host
     * user. Whoever else rewrites LSTAR, or forgets to on a switch, makes a guest's SYSCALL a host
     * system call of its launcher's (H5 by another name). */
#endif
    movq %gs:PDA_KERNELSTACK, %rsp
    sti                                 /* the stack is ours: interrupts may come */

    /* A partial frame, as in 2.6: SS RSP RFLAGS CS stay undefined and RBX RBP R12-R15 are not
     * stored (H13), so no C function below may read them; none is given the frame. */
    pushq %rax
    pushq $FRAME_VECTOR_SYSCALL
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    subq $FRAME_R11, %rsp
    movq %rcx, FRAME_RIP(%rsp)
    cmpq $SYSCALL_COUNT, %rax           /* unsigned, all 64 bits: RAX is an index */
    jae system_call_unknown
    movq %r10, %rcx                     /* the C convention's fourth argument */
    call *system_call_table(, %rax, 8)
system_call_result:
    movq %rax, FRAME_RAX(%rsp)
system_call_exit:
    /* IF = 0 from the test of the work flags to the SYSRET: a wakeup between them would be lost. */
    cli
    movq %gs:PDA_PCURRENT, %rax
    testq $TIF_NEED_RESCHED, TASK_FLAGS(%rax)
    jnz system_call_reschedule
    addq $FRAME_R11, %rsp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    addq $8, %rsp                       /* RCX: comes from the RIP slot */
    popq %rdx
    popq %rsi
    popq %rdi
    movq FRAME_RIP - FRAME_VECTOR(%rsp), %rcx
    /* The user's RSP is loaded at CPL 0, with IF = 0. RCX is what SYSCALL stored and host users are
     * mapped below the last page of the lower half, so it is canonical and SYSRET cannot fault here
     * (H10 does not arise for host users). */
    movq %gs:PDA_OLDRSP, %rsp
    swapgs
    sysretq
system_call_unknown:
    movq $-ENOSYS, %rax
    jmp system_call_result
system_call_reschedule:
    sti
    call schedule
    jmp system_call_exit
#if ENTRY_HOOK_TEST
    /* RSP = VCPU descriptor, IF = 0, GS = PDA; RCX, R11 as SYSCALL left them, the rest the guest's.
     * The function is the descriptor's, so that the lguest code can be a module's. */
system_call_guest:
    jmpq *VCPU_SYSTEM_CALL(%rsp)
#endif
END system_call

/* SYSCALL from 32-bit code (AMD; Intel raises #UD): the host has no 32-bit system calls and neither
 * has a guest. It touches no GS and no stack, so there is nothing for a guest to reach (H5). SYSRET
 * to 32-bit code takes STAR[63:48] as CS: USER32_CS or, under a guest, GUEST_KERNEL_CS32. */
FUNCTION ignore_system_call
    movl $-ENOSYS, %eax
    sysretl
END ignore_system_call
