/* lguest's own entry points, reached through the VCPU descriptor's function pointers, and the way
 * into and out of a guest. */
#include "entry_macros.h"
#include "design.h"
#include "vcpu_pointer.h"

    .text

#if SELECTORS_SWAP
/* The host's tables, on the way in from the guest by SYSCALL or exception. SYSCALL has set CS and
 * SS to constants without a look at the GDT, so the code up to here runs whatever 0x10 means; from
 * here on a frame that names it can be returned to. IF = 0, so only an NMI or #MC can fall between
 * the entry and this: its frame names 0x10 and 0x18, and its IRET finds the guest's descriptors. */
    .macro HOST_TABLES
    lgdt host_gdt_pointer(%rip)
#if SELECTORS_SWAP_GDT_IDT
    lidt host_idt_pointer(%rip)
#endif
    .endm
#else
    .macro HOST_TABLES
    .endm
#endif

#if ENTRY_HOOK_LSTAR
/* Where LSTAR leads while a guest runs (switch.c). The same two first steps as in system_call, for
 * the same reasons; then the pointer, which needs no test: LSTAR says that a guest is current. */
FUNCTION lguest_system_call
    swapgs
    movq %rsp, %gs:PDA_OLDRSP
    LOAD_VCPU %rsp
#elif ENTRY_HOOK_TEST
/* From system_call: RSP = VCPU descriptor, IF = 0, GS = PDA, the guest's RSP in the PDA. */
FUNCTION lguest_system_call
#endif
    /* The VCPU's entry stack is empty whenever its guest runs. The frame is made whole here (H13
     * does not arise for guests): C fills CS and SS, which SYSCALL does not report, from the VCPU's
     * mode. */
    movq VCPU_ENTRY_STACK(%rsp), %rsp
    HOST_TABLES
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
    HOST_TABLES
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
#if GUEST_RETURN_SYSRET
    /* "Return the same way": SYSRET if it can express this return: RCX is RIP, R11 is RFLAGS. RIP
     * and the stack are the guest's choice: lguest_return_work has refused a RIP that is not
     * canonical, for which an Intel processor would raise #GP here at CPL 0 on the guest's RSP
     * (H10). */
#if SELECTORS_DISTINCT
    /* While a guest runs STAR makes it load the guest kernel's selectors, so a return to guest user
     * goes by IRET. With virtual selectors both contexts have the host users' and STAR never
     * changes: a guest user's system call can end in SYSRET too. */
    cmpq $GUEST_KERNEL_CS, FRAME_CS(%rsp)
    jne return_by_iret
#endif
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
#elif GUEST_RETURN_IRET
    /* Everything by the one IRET: no case in which RIP matters at CPL 0, and no STAR to switch. RCX
     * holds the handler's address all the same, so that the guest need not know. */
    jmp return_by_iret
#endif
END lguest_return

/* void vcpu_enter(struct vcpu *): from the launcher's system call into its guest, on its first
 * frame. IF = 0. It returns when vcpu_leave is called. The launcher's C frames stay on its task
 * stack meanwhile. */
FUNCTION vcpu_enter
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, VCPU_HOST_RSP(%rdi)
#if ENTRY_STACK_SEPARATE
    /* The frame is at the top of the entry stack. Nothing uses the task's stack while the guest
     * runs (H14). */
    movq VCPU_ENTRY_STACK(%rdi), %rsp
    subq $FRAME_SIZE, %rsp
#elif ENTRY_STACK_TASK
    /* "Interrupts unchanged", taken at its word: rsp0 and the stack of SYSCALL are the launcher's,
     * and their top is where its own system call's frame lies. This first frame goes below what
     * is live; the guest's first event starts at the top and overwrites the launcher's frame, then
     * the C frames and the registers stored here (H14). Nothing of the guest's notices: each of its
     * events starts afresh at the top. vcpu_leave comes back to what they have left: where the
     * return address was, a register of the guest's last event, so that the guest says what the
     * host executes next. */
    movq VCPU_FRAME(%rdi), %rsi
    subq $FRAME_SIZE + 8, %rsp
    movq %rsp, %rdi
    movl $FRAME_SIZE / 8, %ecx
    rep movsq
#endif
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
