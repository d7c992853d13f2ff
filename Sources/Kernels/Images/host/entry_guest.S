/* lguest's own entry points, reached through the VCPU descriptor's function pointers, and the way
 * into and out of a guest. */
#include "entry_macros.h"
#include "design.h"

    .text

/* From system_call: RSP = VCPU descriptor, IF = 0, GS = PDA, the guest's RSP in the PDA. The VCPU's
 * entry stack is empty whenever its guest runs. The frame is made whole here (H13 does not arise
 * for guests): C fills CS and SS, which SYSCALL does not report, from the VCPU's mode. */
FUNCTION lguest_system_call
    movq VCPU_ENTRY_STACK(%rsp), %rsp
    pushq $0                            /* SS */
    pushq %gs:PDA_OLDRSP
    pushq %r11
    pushq $0                            /* CS */
    pushq %rcx
    pushq $0
    pushq $FRAME_VECTOR_SYSCALL
    SAVE_ALL
    cld
    xorl %ebp, %ebp
    movq %rsp, %rdi
    call lguest_handle_system_call
    jmp lguest_return
END lguest_system_call

/* From error_entry: RSP at a whole frame on the entry stack, IF = 0, GS = PDA. */
FUNCTION lguest_exception
    movq %rsp, %rdi
    call lguest_handle_exception
    jmp lguest_return
END lguest_exception

/* Back to the guest. lguest_return_work delivers what is pending, and loads the shadow root of the
 * context that runs next; nothing may change either between it and the return, so IF is 0. */
FUNCTION lguest_return
    cli
    movq %rsp, %rdi
    call lguest_return_work
    /* "Return the same way": SYSRET if it can express this return. While a guest runs STAR makes it
     * load the guest kernel's selectors, so a return to guest user goes by IRET. RIP and the stack
     * are the guest's choice: lguest_return_work has refused a RIP that is not canonical, for which
     * an Intel processor would raise #GP here at CPL 0 on the guest's RSP (H10). */
#if GUEST_RETURN_SYSRET && SELECTORS_DISTINCT
    cmpq $GUEST_KERNEL_CS, FRAME_CS(%rsp)
    jne return_by_iret
    movq FRAME_RCX(%rsp), %rax
    cmpq %rax, FRAME_RIP(%rsp)
    jne return_by_iret
    movq FRAME_R11(%rsp), %rax
    cmpq %rax, FRAME_RFLAGS(%rsp)
    jne return_by_iret
    RESTORE_ALL
    movq FRAME_RSP - FRAME_VECTOR(%rsp), %rsp
    swapgs
    sysretq
#else
    jmp return_by_iret
#endif
END lguest_return

/* void vcpu_enter(struct vcpu *): from the launcher's system call into its guest, on the frame at
 * the top of the entry stack. IF = 0. It returns when vcpu_leave is called. The launcher's C frames
 * stay on its task stack, which nothing uses while the guest runs (H14). */
FUNCTION vcpu_enter
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, VCPU_HOST_RSP(%rdi)
    movq VCPU_ENTRY_STACK(%rdi), %rsp
    subq $FRAME_SIZE, %rsp
    jmp lguest_return
END vcpu_enter

/* void vcpu_leave(struct vcpu *): abandons the entry stack, from any depth on it. IF = 0. */
FUNCTION vcpu_leave
    movq VCPU_HOST_RSP(%rdi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
END vcpu_leave
