// A multiboot kernel's entry, and the application processors' way from real mode to C.
#include "../KernelSupport/trampoline.h"

        .section .multiboot, "a"
        .align 4
        .long 0x1BADB002, 3, -(0x1BADB002 + 3)

        .text
        .code32
        .global start
start:
        movl $stack_top, %esp
        lgdt table_pointer
        ljmp $8, $1f
1:      movl $16, %ecx
        movl %ecx, %ds
        movl %ecx, %es
        movl %ecx, %ss
        pushl %ebx
        pushl %eax
        call main
2:      hlt
        jmp 2b

        TRAMPOLINE 8, application, 23

        .code32
application:
        movl $16, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        // Each takes a stack of its own.
        movl $0x1000, %eax
        lock xaddl %eax, next_stack
        leal application_stacks + 0x1000(%eax), %esp
        call application_main
3:      cli
        hlt
        jmp 3b

        .align 8
table:  .quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
table_pointer:
        .word 23
        .long table
        .align 4
next_stack:
        .long 0

        .bss
        .align 16
        .skip 0x4000
stack_top:
application_stacks:
        .skip 0x1000 * 8
