/* From the PVH entry to 64-bit C. The loader enters in 32-bit protected mode, paging off, flat
 * segments, interrupts off, EBX = physical address of the start info. Everything here runs before
 * any table of ours is live, so an exception in this file is a triple fault: that is why it does
 * nothing but build an identity map and leave. */
#include "layout.h"

#define PHYS(symbol) (symbol - TEXT_MAP)

    .section .head.text, "ax", @progbits
    .code32
    .globl pvh_start
    .type pvh_start, @function
pvh_start:
    cli
    cld
    movl %ebx, PHYS(start_info_phys)

    /* early_directory: 2048 entries of 2 MiB, the first 4 GiB. Both the identity map (this code
     * runs on it until the far jump) and the two host maps use it until memory.c builds its own. */
    movl $PHYS(early_directory), %edi
    movl $0x83, %eax                    /* present, writable, 2 MiB */
    xorl %edx, %edx
    movl $2048, %ecx
1:  movl %eax, (%edi)
    movl %edx, 4(%edi)
    addl $LARGE_PAGE_SIZE, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b

    movl $PHYS(early_pointers), %edi
    movl $(PHYS(early_directory) + 3), %eax
    movl %eax, (%edi)
    movl %eax, 4096 + 510*8(%edi)       /* text map: 0xffffffff80000000 -> physical 0 */
    addl $4096, %eax
    movl %eax, 8(%edi)
    addl $4096, %eax
    movl %eax, 16(%edi)
    addl $4096, %eax
    movl %eax, 24(%edi)
    movl $PHYS(early_root), %edi
    movl $(PHYS(early_pointers) + 3), %eax
    movl %eax, (%edi)                   /* identity */
    movl %eax, DIRECT_SLOT*8(%edi)              /* direct map */
    addl $4096, %eax
    movl %eax, 511*8(%edi)              /* text map */
    movl %edi, %cr3

    movl %cr4, %eax
    orl $0xa0, %eax                     /* PAE, PGE */
    movl %eax, %cr4
    movl $MSR_EFER, %ecx
    rdmsr
    orl $0x901, %eax                    /* SCE, LME, NXE */
    wrmsr
    /* PG, WP, NE, EM, PE. EM is on because no task here owns x87 state: a guest that uses it gets
     * #NM, and nothing leaks from one task to another. */
    movl $0x80010025, %eax
    movl %eax, %cr0
    lgdt PHYS(boot_gdt_pointer)
    ljmp $KERNEL_CS, $PHYS(boot64)
    .size pvh_start, . - pvh_start

    .code64
    .type boot64, @function
boot64:
    /* Leave the identity map for the text map; a relative jump cannot reach it. */
    movabsq $boot_high, %rax
    jmpq *%rax
    .size boot64, . - boot64

    .text
    .type boot_high, @function
boot_high:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl $KERNEL_DS, %eax
    movl %eax, %ss
    leaq first_task_stack + TASK_STACK_SIZE(%rip), %rsp
    xorl %ebp, %ebp                     /* a stack walk ends here */
    movl start_info_phys(%rip), %edi
    call host_main
    ud2                                 /* host_main does not return */
    .size boot_high, . - boot_high

    .section .head.data, "aw", @progbits
    .balign 8
    .type boot_gdt, @object
boot_gdt:
    .quad 0
    .quad 0
    .quad 0x00af9b000000ffff            /* KERNEL_CS, accessed already set */
    .quad 0x00cf93000000ffff            /* KERNEL_DS */
    .size boot_gdt, . - boot_gdt
    .type boot_gdt_pointer, @object
boot_gdt_pointer:
    .word 31
    .long PHYS(boot_gdt)
    .size boot_gdt_pointer, . - boot_gdt_pointer
    .balign 4
    .globl start_info_phys
    .type start_info_phys, @object
start_info_phys:
    .long 0
    .size start_info_phys, . - start_info_phys

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .type early_root, @object
early_root:
    .skip 4096
    .size early_root, . - early_root
    .type early_pointers, @object
early_pointers:                         /* one for the low gigabytes, one for the text map */
    .skip 8192
    .size early_pointers, . - early_pointers
    .type early_directory, @object
early_directory:
    .skip 16384
    .size early_directory, . - early_directory
    .globl first_task_stack
    .type first_task_stack, @object
first_task_stack:
    .skip TASK_STACK_SIZE
    .size first_task_stack, . - first_task_stack
