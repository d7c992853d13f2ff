/* How entry code finds the VCPU descriptor of the guest that this CPU runs (axis vcpu-pointer). */
#ifndef VCPU_POINTER_H
#define VCPU_POINTER_H

#include "layout.h"

/* register = the descriptor, or 0. GS = PDA. It needs no other register and no stack, so that the
 * SYSCALL entry can use RSP itself, whose old value is in the PDA. Whichever value: the pointer is
 * kernel memory on a kernel base, and a guest cannot write it. What it rests on is that GS is
 * right, which for NMI, #DB and #MC is hole H1. */
    .macro LOAD_VCPU register
#if VCPU_POINTER_PDA
    /* The RFC's field: one load, refreshed by the context switch. */
    movq %gs:PDA_VCPU, \register
#elif VCPU_POINTER_TASK
    /* "We can also just add the field to the task structure": two loads, the second depending on
     * the first, in every system call of every process, against one store in the context switch. */
    movq %gs:PDA_PCURRENT, \register
    movq TASK_VCPU(\register), \register
#elif VCPU_POINTER_TSS
    /* One load, without GS: a place that the entry code of NMI and #MC could read before it knows
     * whose GS it has. (With more CPUs than one each maps its TSS at this address.) */
    movq tss + TSS_VCPU(%rip), \register
#endif
    .endm

#endif
