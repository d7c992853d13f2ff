/* Exceptions: the stubs of vectors 0...31 and 0x80, error_entry, and the paranoid entry of the
 * vectors that have an IST stack. */
#include "entry_macros.h"
#include "design.h"
#include "vcpu_pointer.h"

    .text

/* A stub makes the two words that the processor may not have pushed. */
    .macro EXCEPTION name, vector, entry=error_entry
FUNCTION \name
    pushq $0
    pushq $\vector
    jmp \entry
END \name
    .endm
    .macro EXCEPTION_WITH_CODE name, vector, entry=error_entry
FUNCTION \name
    pushq $\vector
    jmp \entry
END \name
    .endm

    EXCEPTION divide_error, 0
    EXCEPTION debug, 1, paranoid_entry
    EXCEPTION nmi, 2, paranoid_entry
    EXCEPTION breakpoint, 3, paranoid_entry
    EXCEPTION overflow, 4
    EXCEPTION bounds, 5
    EXCEPTION invalid_opcode, 6
    EXCEPTION device_not_available, 7
    EXCEPTION_WITH_CODE double_fault, 8, paranoid_entry
    EXCEPTION coprocessor_overrun, 9
    EXCEPTION_WITH_CODE invalid_tss, 10
    EXCEPTION_WITH_CODE segment_not_present, 11
    EXCEPTION_WITH_CODE stack_segment, 12, paranoid_entry
    EXCEPTION_WITH_CODE general_protection, 13
    EXCEPTION_WITH_CODE page_fault, 14
    EXCEPTION reserved_15, 15
    EXCEPTION coprocessor_error, 16
    EXCEPTION_WITH_CODE alignment_check, 17
    EXCEPTION machine_check, 18, paranoid_entry
    EXCEPTION simd_error, 19
    EXCEPTION reserved_20, 20
    EXCEPTION_WITH_CODE control_protection, 21
    EXCEPTION reserved_22, 22
    EXCEPTION reserved_23, 23
    EXCEPTION reserved_24, 24
    EXCEPTION reserved_25, 25
    EXCEPTION reserved_26, 26
    EXCEPTION reserved_27, 27
    EXCEPTION reserved_28, 28
    EXCEPTION reserved_29, 29
    EXCEPTION reserved_30, 30
    EXCEPTION reserved_31, 31
/* INT 0x80 is a door for CPL 3 (DPL 3). 2.6's own swapped GS here without a test and took the
 * caller for a host user, which let a guest make host system calls as its launcher (H5). "On all
 * system calls the VCPU field will be checked": it goes through error_entry, which does. */
    EXCEPTION int80, VECTOR_INT80

/* The way in for exceptions without an IST stack. The frame is on the current stack if CPL 0 was
 * interrupted, else at TSS.rsp0: the task's stack, or while a guest runs its VCPU's (H14). */
FUNCTION error_entry
    cld                                 /* C requires it; the flag is the interrupted code's */
    SAVE_ALL
    /* CS & 3 is a sound test of whose GS it is everywhere but at the two kernel addresses below:
     * the windows around SWAPGS in system_call cannot fault. */
    testb $3, FRAME_CS(%rsp)
    jz error_kernelspace
    swapgs
error_swapped:
    xorl %ebp, %ebp                     /* a stack walk ends at the boundary of privilege */
    /* The RFC's test for faults. It is reached only with CS & 3 != 0: a fault of the host's own
     * code while a guest is current (a copy from guest memory, say) must not be reflected into the
     * guest (H8). It stands after SAVE_ALL because every register is then free, and before any
     * handler, because the handlers take their frame for a host user's. */
    LOAD_VCPU %rax
    testq %rax, %rax
    jnz error_guest
error_trap:
    movq %rsp, %rdi
    call do_trap
    cli
    testb $3, FRAME_CS(%rsp)
    jnz return_to_user
    jmp return_to_kernel
error_guest:
    jmpq *VCPU_EXCEPTION(%rax)

error_kernelspace:
    /* An IRET that faults, and the load of a bad GS selector, happen at CPL 0 on the GS of CPL 3.
     * Every return to CPL 3, the guest's as well, uses the one IRET at iret_label: an IRET of
     * lguest's own would not be in this list and its #GP would run on the guest's GS (H7). The
     * zero-extended form is for AMD K8, which can report it so. */
    leaq iret_label(%rip), %rcx
    cmpq %rcx, FRAME_RIP(%rsp)
    je error_swap_kernel
    movl %ecx, %ecx
    cmpq %rcx, FRAME_RIP(%rsp)
    je error_swap_kernel
    leaq gs_change(%rip), %rcx
    cmpq %rcx, FRAME_RIP(%rsp)
    jne error_trap
error_swap_kernel:
    swapgs
    jmp error_trap                      /* the fixup for either address undoes it */
END error_entry

/* The way in for NMI, #DB, #BP, #DF, #SS and #MC, which can interrupt CPL 0 between the entry and
 * its SWAPGS: CS & 3 says nothing about GS there, so GS_BASE itself has to. */
FUNCTION paranoid_entry
    cld
    SAVE_ALL
    movl $1, %ebx
    movl $MSR_GS_BASE, %ecx
    rdmsr
#if GUARDS_OPEN || GUARDS_ERA
    /* Its sign, as in 2.6. That is sound only while no CPL 3 context has a base in the upper half
     * (H1). GUARDS_ERA: CR4.FSGSBASE is off, descriptors hold 32-bit bases, no hypercall sets one,
     * and the host's own call refuses it. GUARDS_OPEN: a guest kernel's base is taken for the
     * PDA's address, no SWAPGS is made, and `current` and the VCPU pointer are read from the
     * guest's memory. */
    testl %edx, %edx
    js paranoid_have_gs
#elif GUARDS_FULL
    /* Its value: it is this CPU's PDA, or it is CPL 3's, whatever its sign (H1). A guest that gives
     * its own base the PDA's address changes nothing: no SWAPGS is made, GS leads to the PDA, and
     * KERNEL_GS_BASE holds the same address. (With more CPUs than one the address to compare with
     * would lie above this IST stack, where it can be read without GS.) */
    shlq $32, %rdx
    orq %rdx, %rax
    cmpq $pda_table, %rax
    je paranoid_have_gs
#endif
    swapgs
    xorl %ebx, %ebx
paranoid_have_gs:
    testb $3, FRAME_CS(%rsp)
    jz paranoid_stay
    cmpq $VECTOR_NMI, FRAME_VECTOR(%rsp)
    je paranoid_stay
    cmpq $VECTOR_MC, FRAME_VECTOR(%rsp)
    je paranoid_stay
    cmpq $VECTOR_DF, FRAME_VECTOR(%rsp)
    je paranoid_stay
    /* A #DB, #BP or #SS of CPL 3 may end a task or run a guest's handler, and neither may be done
     * on an IST stack, which the next event of that vector would overwrite. From CPL 3 the stack at
     * rsp0 is empty: go there and on as an ordinary exception, RFC's test included. */
    movq tss + TSS_RSP0(%rip), %rdx
    subq $FRAME_SIZE, %rdx
    movq %rdx, %rdi
    movq %rsp, %rsi
    movl $FRAME_SIZE / 8, %ecx
    rep movsq
    movq %rdx, %rsp
    jmp error_swapped

    /* NMI and #MC concern the host whoever runs, and are handled where they are, with no look at
     * the VCPU field. The others come from CPL 0 here. */
paranoid_stay:
    cmpq $VECTOR_DB, FRAME_VECTOR(%rsp)
    je paranoid_nest
    cmpq $VECTOR_BP, FRAME_VECTOR(%rsp)
    je paranoid_nest
    movq %rsp, %rdi
    call do_paranoid_trap
    jmp paranoid_exit
paranoid_nest:
    /* A #DB or #BP inside the handler would restart at the same IST pointer and overwrite this
     * frame: the pointer is lowered while the handler runs. */
    subq $IST_STACK_SIZE, tss + TSS_IST(IST_DEBUG)(%rip)
    movq %rsp, %rdi
    call do_paranoid_trap
    addq $IST_STACK_SIZE, tss + TSS_IST(IST_DEBUG)(%rip)
paranoid_exit:
    testl %ebx, %ebx
    jnz 1f
    swapgs
1:  RESTORE_ALL
    addq $16, %rsp
    /* Back to a frame that the processor itself pushed, which it accepts, unless 0x10 has come to
     * mean something else: with selectors = swap-gdt-idt an NMI that fell between the guest and the
     * change of tables returns to 0x10 under the guest's GDT, and this faults. No order of the
     * entry's instructions avoids it, since SYSCALL itself loads 0x10. */
    iretq
END paranoid_entry

    .section .rodata.exception_stubs, "a", @progbits
    .globl exception_stubs
    .balign 8
    .type exception_stubs, @object
exception_stubs:
    .quad divide_error, debug, nmi, breakpoint, overflow, bounds, invalid_opcode
    .quad device_not_available, double_fault, coprocessor_overrun, invalid_tss
    .quad segment_not_present, stack_segment, general_protection, page_fault, reserved_15
    .quad coprocessor_error, alignment_check, machine_check, simd_error, reserved_20
    .quad control_protection, reserved_22, reserved_23, reserved_24, reserved_25, reserved_26
    .quad reserved_27, reserved_28, reserved_29, reserved_30, reserved_31
    .size exception_stubs, . - exception_stubs
