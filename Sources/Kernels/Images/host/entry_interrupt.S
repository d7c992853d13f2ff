/* Device interrupts, unchanged by lguest as the RFC asks: nothing here knows of a guest. */
#include "entry_macros.h"

    .text

/* One stub for each vector from 32 up, 16 bytes apart. */
    .balign 16
    .globl interrupt_stubs
    .type interrupt_stubs, @function
interrupt_stubs:
    .set vector, 32
    .rept 224
    .balign 16
    pushq $0
    pushq $vector
    jmp common_interrupt
    .set vector, vector + 1
    .endr
    .size interrupt_stubs, . - interrupt_stubs

/* An interrupt from CPL 3 arrives on TSS.rsp0, which while a guest runs is its VCPU's entry stack.
 * Only CS & 3 is looked at: a guest kernel, whatever its selectors, counts as user, and swaps (Q2
 * of the RFC: nothing compares CS with KERNEL_CS). What matters is what 0x10 means when the gate
 * and the frames name it. With selectors = swap-gdt an interrupt that finds a guest never gets to
 * CPL 0, nor here: the gate's descriptor is DPL 3. With swap-gdt-idt this runs under the guest's
 * tables on HOST_ENTRY_CS with a null SS, and a task that it switches to goes on with these; that
 * descriptor is in both GDTs. */
FUNCTION common_interrupt
    cld
    SAVE_ALL
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
    xorl %ebp, %ebp
1:  /* The handler runs on the interrupt stack unless it is on it already: a task's stack is not
     * deep enough for a task's call chain and an interrupt's. IF stays 0 throughout. */
    movq %rsp, %rdi
    movq %rsp, %rbx
    incl %gs:PDA_IRQCOUNT
    cmoveq %gs:PDA_IRQSTACKPTR, %rsp
    call do_interrupt
    movq %rbx, %rsp
    decl %gs:PDA_IRQCOUNT
    testb $3, FRAME_CS(%rsp)
    jz return_to_kernel                 /* the host's kernel is not preemptible */
    jmp return_to_user
END common_interrupt
