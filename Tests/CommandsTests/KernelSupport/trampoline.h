        // An application processor's way from real to 32-bit protected mode: copied to 0x8000,
        // where a start-up message with vector 8 begins it. It goes on at \target with CS
        // \selector; the GDT is `table`, of \limit + 1 bytes.
        .macro TRAMPOLINE selector, target, limit
        .global trampoline, trampoline_end
        .code16
trampoline:
        cli
        movw %cs, %ax
        movw %ax, %ds
        lgdtl (table_pointer_copy - trampoline)
        movl %cr0, %eax
        orl $1, %eax
        movl %eax, %cr0
        ljmpl $\selector, $\target
table_pointer_copy:
        .word \limit
        .long table
trampoline_end:
        .endm
