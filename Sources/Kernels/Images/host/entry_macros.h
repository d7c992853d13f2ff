/* What every entry does to the stack. The frame is struct guest_frame (paravirt_abi.h) whoever was
 * interrupted, so that a guest's registers can be handed to it by copying. */
#ifndef ENTRY_MACROS_H
#define ENTRY_MACROS_H

#include "layout.h"

/* Vector and error code are pushed. Linux 2.6 saved only nine of these for interrupts and system
 * calls; all fifteen are saved here because a virtual interrupt raised by a host interrupt has to
 * give the guest every register of what it interrupts. */
    .macro SAVE_ALL
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

/* Leaves RSP at the vector's slot. */
    .macro RESTORE_ALL
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    .endm

    .macro FUNCTION name
    .globl \name
    .type \name, @function
\name:
    .endm

    .macro END name
    .size \name, . - \name
    .endm

#endif
