/* The ELF notes: where a PVH loader enters, and where pvreplay's observer finds the paravirt
 * state (observer_note.h). */
#include "layout.h"
#include "observer_note.h"
#include "design.h"

#define PHYS(symbol) (symbol - TEXT_MAP)

    .macro FIELD key, value
    .long \key, 0
    .quad \value
    .endm

    .section .note, "a", @note
    .balign 4
    .long 4, 8, 18                      /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad PHYS(pvh_start)

    .balign 4
    .long 9, note_end - note_start, NOTE_TYPE
    .asciz "pvreplay"
    .balign 4
note_start:
    FIELD NOTE_PDA_PHYS, PHYS(pda_table)
    FIELD NOTE_PDA_STRIDE, PDA_SIZE
#if VCPU_POINTER_PDA
    FIELD NOTE_PDA_VCPU, PDA_VCPU
#elif VCPU_POINTER_TASK
    FIELD NOTE_PDA_VCPU, PDA_PCURRENT
    FIELD NOTE_TASK_VCPU, TASK_VCPU
#elif VCPU_POINTER_TSS
    FIELD NOTE_PDA_VCPU, PDA_VCPU
    FIELD NOTE_VCPU_PHYS, PHYS(tss) + TSS_VCPU
#endif
#if HYPERCALL_MARK_MODE
    FIELD NOTE_HYPERCALL_MODE, 1
#endif
    FIELD NOTE_DIRECT_MAP, DIRECT_MAP
    FIELD NOTE_TEXT_MAP, TEXT_MAP
    FIELD NOTE_VCPU_ID, VCPU_ID
    FIELD NOTE_VCPU_KERNEL_MODE, VCPU_KERNEL_MODE
    FIELD NOTE_VCPU_SHARED, VCPU_SHARED
    FIELD NOTE_SHARED_SIZE, SHARED_SIZE
    FIELD NOTE_SHARED_FLAG, SHARED_HYPERCALL_FLAG
    FIELD NOTE_VCPU_SYSCALL, VCPU_SYSTEM_CALL
    FIELD NOTE_VCPU_EXCEPTION, VCPU_EXCEPTION
    FIELD NOTE_VCPU_MEMORY, VCPU_MEMORY
    FIELD NOTE_VCPU_MEMORY_SIZE, VCPU_MEMORY_SIZE
    FIELD NOTE_EXIT_SHUTDOWN, EXIT_SHUTDOWN
    FIELD NOTE_EXIT_HOST_PANIC, EXIT_HOST_PANIC
    FIELD NOTE_EXIT_GUEST_KILLED, EXIT_GUEST_KILLED
    FIELD NOTE_EXIT_GUEST_PANIC, EXIT_GUEST_PANIC
    FIELD NOTE_REASON_PHYS, PHYS(end_reason)
    FIELD NOTE_DESIGN_PHYS, PHYS(design_name)
    FIELD NOTE_VCPU_FRAME, VCPU_FRAME
    FIELD NOTE_VCPU_ROOT, VCPU_GUEST_ROOT
    FIELD NOTE_ENDED_VCPU_PHYS, PHYS(ended_vcpu)
    FIELD NOTE_SHARED_IRQ_ENABLED, SHARED_IRQ_ENABLED
    FIELD NOTE_PDA_CURRENT, PDA_PCURRENT
    FIELD NOTE_VCPU_CPU, VCPU_CPU
    FIELD NOTE_CPU_TRAPS, GUEST_CPU_TRAPS
note_end:

    .section .rodata.design_name, "a", @progbits
    .globl design_name
    .type design_name, @object
design_name:
    .asciz DESIGN_NAME
    .size design_name, . - design_name
