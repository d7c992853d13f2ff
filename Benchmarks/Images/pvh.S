/* From the PVH entry (32-bit protected mode, paging off, EBX = start info) to bench_main in long
 * mode, on an identity map of the first 4 GiB in 2 MiB pages. All of it is accessible at CPL 3:
 * the tests measure the transitions, nothing here needs protecting. */
#include "layout.h"

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18                      /* name and value of 4 bytes, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long pvh_start

    .text
    .code32
    .globl pvh_start
    .type pvh_start, @function
pvh_start:
    cli
    cld
    movl %ebx, start_info
    movl $directories, %edi
    movl $0x87, %eax                    /* present, writable, user, 2 MiB */
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b
    movl $(directories + 7), %eax
    movl $pointers, %edi
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    decl %ecx
    jnz 2b
    movl $(pointers + 7), root
    movl $root, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax                     /* PAE */
    movl %eax, %cr4
    movl $MSR_EFER, %ecx
    rdmsr
    orl $0x901, %eax                    /* SCE, LME, NXE */
    wrmsr
    movl $0x80010021, %eax              /* PG, WP, NE, PE */
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $KERNEL_CS, $long_mode
    .size pvh_start, . - pvh_start

    .code64
    .type long_mode, @function
long_mode:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl $KERNEL_DS, %eax
    movl %eax, %ss
    leaq boot_stack_top(%rip), %rsp
    xorl %ebp, %ebp
    movl start_info(%rip), %edi
    call bench_main
    ud2
    .size long_mode, . - long_mode

    .data
    .balign 16
    .globl gdt
    .type gdt, @object
gdt:
    .quad 0
    .quad 0
    .quad 0x00af9b000000ffff            /* KERNEL_CS */
    .quad 0x00cf93000000ffff            /* KERNEL_DS */
    .quad 0x00cffb000000ffff            /* 32-bit user code: where SYSRET counts from */
    .quad 0x00cff3000000ffff            /* USER_DS */
    .quad 0x00affb000000ffff            /* USER_CS */
    .quad 0
    .quad 0, 0                          /* TASK_SELECTOR, filled by descriptors.c */
gdt_end:
    .size gdt, . - gdt
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .bss
    .balign 4096
    .globl root
root:
    .skip 4096
pointers:
    .skip 4096
directories:
    .skip 16384
    .skip 65536
boot_stack_top:
start_info:
    .skip 4
